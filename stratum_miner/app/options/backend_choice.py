"""Options that choose a backend, which is what searches nonces (the CPU, a device), and the settings of this
backend."""

from typing import Annotated, TypeAlias

from cyclopts import Parameter

from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.backends.base import Backend
from stratum_miner.backends.registry import BUILT_IN, create

BACKENDS = f"{', '.join(BUILT_IN)} or an installed one"
Threads: TypeAlias = Annotated[
    int | None,
    Parameter(
        name=("--threads", "-t"),
        help="Number of search threads of the CPU backend, at most 8 for each processor that this process may use. "
        "[default: one for each of these processors]",
        group="Backend",
    ),
]
BackendName: TypeAlias = Annotated[
    str, Parameter(name="--backend", help=f"Backend to mine with: {BACKENDS}.", group="Backend")
]
BackendOptions: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name="--backend-option",
        help="Setting of the backend as KEY=VALUE, such as duty_cycle=50. Repeatable.",
        group="Backend",
        negative=(),
    ),
]
KernelName: TypeAlias = Annotated[
    str | None,
    Parameter(
        name="--kernel",
        help="SHA-256d kernel to use, such as avx2. The command bench lists the kernels of this computer. "
        "[default: the fastest that was measured]",
        group="Backend",
    ),
]


def backend(name: str, *, threads: int | None, kernel: str | None, options: list[str] | None) -> Backend:
    """Create the backend that ``name`` selects, with the given settings. Raises UsageError or BackendOptionError for a
    wrong setting.

    ``options`` are further settings as KEY=VALUE.
    """
    settings = dict(_key_value(option) for option in options or [])
    for key, value in (("threads", threads), ("kernel", kernel)):
        if value is not None:
            settings[key] = str(value)
    return create(name, settings)


def _key_value(option: str) -> tuple[str, str]:
    key, equals, value = option.partition("=")
    if not equals or not key:
        raise UsageError(f"--backend-option: expected KEY=VALUE, as in duty_cycle=50, got {option!r}")
    return key.strip(), value.strip()
