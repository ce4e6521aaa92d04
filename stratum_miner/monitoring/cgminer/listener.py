"""Serves the cgminer API on a socket. Each connection carries one request, is answered at once, and is then closed."""

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import structlog
import trio

from stratum_miner.monitoring.cgminer import dialect
from stratum_miner.monitoring.cgminer.access import AccessList
from stratum_miner.monitoring.cgminer.commands import DESCRIPTION, CommandRequest, answer
from stratum_miner.monitoring.cgminer.zero import Zero
from stratum_miner.monitoring.control import Control
from stratum_miner.monitoring.view import View
from stratum_miner.network import accepting
from stratum_miner.network.leaving import take_leave

log = structlog.get_logger(__name__)

REQUEST_S = 5.0
"""Seconds within which a request must arrive and its answer must be sent. After that, the connection is closed."""
FRAGMENT_S = 0.2
"""Seconds to wait for each further part of a JSON request."""
MAX_CONNECTIONS = 64


@dataclass(frozen=True, slots=True)
class _Served:
    """Everything that is needed to answer requests. All connections share this object."""

    look: Callable[[], View]
    control: Control
    access: AccessList
    zero: Zero


async def serve(
    bound: socket.socket, look: Callable[[], View], control: Control, access: AccessList, zero: Zero | None = None
) -> None:
    """Answer requests on a bound socket until cancelled. Closes the socket at the end."""
    listener = trio.SocketListener(trio.socket.from_stdlib_socket(bound))
    room = trio.CapacityLimiter(MAX_CONNECTIONS)
    served = _Served(look, control, access, zero or Zero())
    await accepting.serve_beside(partial(_serve_one, served, room), [listener])


async def _serve_one(served: _Served, room: trio.CapacityLimiter, stream: trio.SocketStream) -> None:
    async with stream:
        try:
            group = served.access.group_of(stream.socket.getpeername()[0])
            if group is None:
                return  # like cgminer, close the connection without an answer
            room.acquire_on_behalf_of_nowait(stream)
        except (OSError, trio.WouldBlock):
            return
        try:
            with trio.move_on_after(REQUEST_S):
                data = await read_request(stream)
                await stream.send_all(_answered(data, served, group))
                if len(data) == dialect.MAX_REQUEST:
                    await take_leave(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        except Exception as error:  # an internal error that one client causes must not stop the others
            log.error("cgminer_failed", error=repr(error))
        finally:
            room.release_on_behalf_of(stream)


async def read_request(stream: trio.abc.ReceiveStream) -> bytes:
    """Return the bytes of a request: the first packet, and further ones while a JSON object is not complete.

    Each further packet must come within ``FRAGMENT_S`` seconds of the one before.
    """
    data = bytes(await stream.receive_some(dialect.MAX_REQUEST))
    while data.startswith(b"{") and data.count(b"{") > data.count(b"}") and len(data) < dialect.MAX_REQUEST:
        more: bytes | bytearray = b""
        with trio.move_on_after(FRAGMENT_S):
            more = await stream.receive_some(dialect.MAX_REQUEST - len(data))
        if not more:
            break
        data += more
    return data


def _answered(data: bytes, served: _Served, group: str) -> bytes:
    when = int(time.time())
    try:
        request = dialect.parse(data)
    except dialect.BadRequest as bad:
        return dialect.refuse(bad, when=when, description=DESCRIPTION)
    command_request = CommandRequest(
        view=served.look(),
        control=served.control,
        parameter=request.parameter,
        may=lambda command: served.access.may(group, command),
        zero=served.zero,
    )
    replies = [answer(name, command_request, joined=request.joined) for name in request.commands]
    log.debug("cgminer_asked", commands="+".join(request.commands)[:80])
    return dialect.encode(request, replies, when=when, description=DESCRIPTION)
