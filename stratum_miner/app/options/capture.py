"""Options to record a conversation, and the seed of random choices."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process import output_files
from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.app.process.secrets import redact_line
from stratum_miner.capture.record import RecordingError
from stratum_miner.capture.recorder import Recorder

RecordOption: TypeAlias = Annotated[
    Path | None,
    Parameter(name="--record", help="Write the conversation to this file, as JSON lines.", group="Record", negative=()),
]
RecordSecrets: TypeAlias = Annotated[
    bool,
    Parameter(name="--record-secrets", help="Passwords too.", negative=(), show_default=False, group="Record"),
]
Seed: TypeAlias = Annotated[int, Parameter(name="--seed", help="Of everything left to chance.", group="Faults")]


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
    except RecordingError as error:
        raise CommandFailed(str(error)) from None
    try:
        yield recorder
    finally:
        recorder.close()
