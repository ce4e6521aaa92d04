"""The options ``--record`` and ``--record-secrets``, which record the messages between miner and pool, and the option
``--seed``, which sets the seed for the random choices of injected faults."""

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
    Parameter(
        name="--record",
        help="Record every message between miners and pool in this file, as JSON lines. Without --record-secrets, "
        "`***` replaces passwords.",
        group="Record",
        negative=(),
    ),
]
RecordSecrets: TypeAlias = Annotated[
    bool,
    Parameter(
        name="--record-secrets",
        help="Used with --record: keep passwords in the recording, for a replay that needs them.",
        negative=(),
        show_default=False,
        group="Record",
    ),
]
Seed: TypeAlias = Annotated[
    int,
    Parameter(
        name="--seed",
        help="Seed for the random choices of faults. The same seed gives the same choices.",
        group="Faults",
    ),
]


def check(path: Path | None, *, secrets: bool) -> None:
    """Raise UsageError if ``path`` cannot be written, or for ``secrets`` without a path."""
    if path is None and secrets:
        raise UsageError("--record-secrets needs --record, as in --record pool.jsonl --record-secrets")
    output_files.check_writable(path, "--record")


@contextmanager
def recording(path: Path | None, where: str, *, secrets: bool) -> Iterator[Recorder | None]:
    """Yield a recorder that writes to ``path``, or None if ``path`` is None.

    ``where`` names the command in the recording. With ``secrets``, the recording keeps passwords. Raises CommandFailed
    if the file cannot be opened, and the errors of ``check``.
    """
    check(path, secrets=secrets)
    if path is None:
        yield None
        return
    try:
        recorder = Recorder(path, where=where, secrets=secrets, hide=redact_line)
    except RecordingError as error:
        raise CommandFailed(str(error)) from None
    try:
        yield recorder
    finally:
        recorder.close()
