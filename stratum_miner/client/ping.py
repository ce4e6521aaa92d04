"""Measures how long each step of connecting to a pool takes, from resolving the pool's host name to the first job."""

import itertools
from dataclasses import dataclass, replace
from typing import Any

import trio

from stratum_miner.bitcoin.target import difficulty_from_target
from stratum_miner.client.connection import PoolConnection
from stratum_miner.client.dialing import tls
from stratum_miner.client.dialing.dialer import reason_of
from stratum_miner.client.dialing.tunnel import TunnelUnreachable
from stratum_miner.client.dialing.url import PoolUnreachable
from stratum_miner.client.endings import ConnectionEnded, PoolDisconnected, WorkerRefused
from stratum_miner.client.pool_memory import Handshake
from stratum_miner.client.resume import Resumption
from stratum_miner.client.settings import PoolSettings
from stratum_miner.stratum import events
from stratum_miner.work.job import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class PingResult:
    """How long each step took, in milliseconds from the end of the previous step.

    The value is None if the step was not reached or not needed."""

    url: str
    resolve_ms: float | None = None
    connect_ms: float | None = None
    tls_ms: float | None = None
    configure_ms: float | None = None
    subscribe_ms: float | None = None
    authorize_ms: float | None = None
    first_job_ms: float | None = None
    """Milliseconds from the authorization to the first job; about 0 if the job came before the authorization."""
    submit_ms: float | None = None
    """Milliseconds from a submit to its reply; None if no share was submitted."""
    difficulty: float | None = None
    """Share difficulty of the first job."""
    error: str | None = None
    """Why a step failed, in one line; None if all steps succeeded."""


class _Steps:
    """Measures how long each step took."""

    def __init__(self, url: str) -> None:
        self.result = PingResult(url=url)
        self._since = trio.current_time()

    def done(self, step: str) -> None:
        now = trio.current_time()
        self.note(**{f"{step}_ms": round((now - self._since) * 1000, 3)})
        self._since = now

    def note(self, **values: Any) -> None:
        self.result = replace(self.result, **values)


async def ping(settings: PoolSettings, *, seconds: float = 90.0) -> PingResult:
    """Connect to a pool and wait for its first job. If that fails, ``PingResult.error`` says why, in one line.

    ``seconds``: time limit for all steps. It is 90 s because public-pool may send its first job only after 60 s.
    """
    steps = _Steps(str(settings.url))
    try:
        with trio.fail_after(seconds):
            try:
                await _handshake(await _open(settings, steps), settings, steps)
            except PoolDisconnected as end:
                if not end.subscribe_unanswered:
                    raise
                steps = _Steps(str(settings.url))
                await _handshake(await _open(settings, steps), settings, steps, Handshake.BARE)
    except trio.TooSlowError:
        steps.note(error=f"{_step_after(steps.result, settings)}: not finished within {seconds:g} s")
    except (PoolUnreachable, ConnectionEnded, WorkerRefused) as error:
        steps.note(error=str(error))
    return steps.result


async def _open(settings: PoolSettings, steps: _Steps) -> trio.abc.Stream:
    url = settings.url
    stream: trio.abc.Stream
    if settings.proxy is not None:
        try:
            stream = await settings.proxy.connect(url.host, url.port)
        except TunnelUnreachable as error:
            raise PoolUnreachable(f"{url}: {error}") from None
    else:
        stream = await _connect_resolved(settings, steps)
    steps.done("connect")
    if url.tls:
        try:
            stream = await tls.secure(stream, url, settings.tls)
        except BaseException:
            await trio.aclose_forcefully(stream)
            raise
        steps.done("tls")
    return stream


async def _connect_resolved(settings: PoolSettings, steps: _Steps) -> trio.SocketStream:
    """Resolve the host name, and record how long this took. Then try its IP addresses in turn, and return a stream to
    the first one that accepts the connection."""
    url = settings.url
    try:
        found = await trio.socket.getaddrinfo(url.host, url.port, type=trio.socket.SOCK_STREAM)
    except OSError as error:
        raise PoolUnreachable(f"{url}: {error.strerror or error}") from None
    steps.done("resolve")
    reason = "the host name has no IP address"
    for family, kind, protocol, _, address in found:
        socket = trio.socket.socket(family, kind, protocol)
        try:
            await socket.connect(address)
        except OSError as error:
            socket.close()
            reason = reason_of(error)
        else:
            return trio.SocketStream(socket)
    raise PoolUnreachable(f"{url}: {reason}")


async def _handshake(
    stream: trio.abc.Stream, settings: PoolSettings, steps: _Steps, handshake: Handshake = Handshake.FULL
) -> None:
    has_job = False

    def note_step(event: events.ClientConnectionEvent) -> None:
        nonlocal has_job
        match event:
            case events.Configured():
                steps.done("configure")
            case events.Subscribed():
                steps.done("subscribe")
            case events.WorkerAuthorized():
                steps.done("authorize")
            case events.JobAnnounced(share_target=target) if not has_job:
                has_job = True
                steps.note(difficulty=difficulty_from_target(target))
        if has_job and connection.is_authorized:
            steps.done("first_job")
            scope.cancel()

    resumption = Resumption(Origin(settings.key, settings.worker_name, session=0), itertools.count(1))
    connection = PoolConnection(stream, settings, resumption, lambda event: None, handshake=handshake, watch=note_step)
    with trio.CancelScope() as scope:
        await connection.run()


def _step_after(result: PingResult, settings: PoolSettings) -> str:
    """Return the name of the step after the last one that was finished. Steps that this pool does not need are left
    out."""
    not_needed = {"resolve": settings.proxy is not None, "tls": not settings.url.tls}
    names = ("resolve", "connect", "tls", "configure", "subscribe", "authorize", "first_job")
    steps = [name for name in names if not not_needed.get(name)]
    done = [index for index, name in enumerate(steps) if getattr(result, f"{name}_ms") is not None]
    return steps[max(done, default=-1) + 1].replace("_", " ")


DEFAULT_USER = "stratum-miner.ping"
