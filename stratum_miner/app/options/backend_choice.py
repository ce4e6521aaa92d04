"""Options that choose the backend to mine with."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.backends.base import Backend
from stratum_miner.backends.registry import BUILT_IN, create

BACKENDS = f"{', '.join(BUILT_IN)}, or an installed one"
Threads: TypeAlias = Annotated[
    int | None,
    Parameter(
        name=("--threads", "-t"),
        help="Search threads, at most 8 for each usable processor; default one for each.",
        group="Backend",
    ),
]
BackendName: TypeAlias = Annotated[str, Parameter(name="--backend", help=f"{BACKENDS}.", group="Backend")]
BackendOptions: TypeAlias = Annotated[
    list[str] | None,
    Parameter(name="--backend-option", help="KEY=VALUE for the backend, repeatable.", group="Backend", negative=()),
]
KernelName: TypeAlias = Annotated[
    str | None, Parameter(name="--kernel", help="Force a kernel; default the fastest measured.", group="Backend")
]


def backend(name: str, *, threads: int | None, kernel: str | None, options: list[str] | None) -> Backend:
    """Create the chosen backend. UsageError or BackendOptionError names what is wrong."""
    settings = dict(_key_value(option) for option in options or [])
    for key, value in (("threads", threads), ("kernel", kernel)):
        if value is not None:
            settings[key] = str(value)
    return create(name, settings)


def _key_value(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals or not key:
        raise UsageError(f"--backend-option: expected KEY=VALUE, got {option!r}")
    return key.strip(), value.strip()
