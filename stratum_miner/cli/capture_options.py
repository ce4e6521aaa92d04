"""Options of the commands that record, listen or spoil, and the checks that go with them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

import trio
from cyclopts import Parameter

from stratum_miner.app.process import output_files
from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.app.process.secrets import redact_line
from stratum_miner.capture import CaptureError, Recorder
from stratum_miner.faults.fault_filter import ChosenFault
from stratum_miner.faults.fault_filter import parse as parse_pool_fault

Record: TypeAlias = Annotated[
    Path | None,
    Parameter(name="--record", help="Write the conversation to this file, as JSON lines.", group="Record", negative=()),
]
RecordSecrets: TypeAlias = Annotated[
    bool,
    Parameter(name="--record-secrets", help="Passwords too.", negative=(), show_default=False, group="Record"),
]
Seed: TypeAlias = Annotated[int, Parameter(name="--seed", help="Of everything left to chance.", group="Faults")]
OwnThisPool: TypeAlias = Annotated[
    bool,
    Parameter(name="--i-own-this-pool", help="Needed when it is not on this machine.", negative=(), show_default=False),
]


@contextmanager
def recording(path: Path | None, where: str, *, secrets: bool) -> Iterator[Recorder | None]:
    """A recorder while the block runs. CommandFailed when its file cannot be written."""
    if path is None:
        if secrets:
            raise UsageError("--record-secrets: expected --record FILE with it")
        yield None
        return
    output_files.check_writable(path, "--record")
    try:
        recorder = Recorder(path, where=where, secrets=secrets, hide=redact_line)
    except CaptureError as error:
        raise CommandFailed(str(error)) from None
    try:
        yield recorder
    finally:
        recorder.close()


def pool_faults(texts: list[str]) -> list[ChosenFault]:
    """Faults by name. UsageError names the nearest."""
    try:
        return [parse_pool_fault(text) for text in texts]
    except ValueError as error:
        raise UsageError(f"--fault: {error}") from None


async def open_listeners(host: str, port: int) -> list[trio.SocketListener]:
    """TCP listeners. CommandFailed when the address cannot be had."""
    try:
        return await trio.open_tcp_listeners(port, host=host)
    except OSError as error:
        raise CommandFailed(f"cannot listen on {host}:{port}: {error.strerror or error}") from None


def listening(listeners: list[trio.SocketListener]) -> str:
    """Where they listen, as URLs."""
    names = [each.socket.getsockname() for each in listeners]
    return " ".join(f"stratum+tcp://{f'[{name[0]}]' if ':' in name[0] else name[0]}:{name[1]}" for name in names)
