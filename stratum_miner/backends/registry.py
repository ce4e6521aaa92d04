"""Backends by name: ours, and those that other packages register under ``stratum_miner.backends``."""

from collections.abc import Iterable, Mapping
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points

from stratum_miner.backends.base import Backend, BackendError, BackendOptionError
from stratum_miner.spelling import did_you_mean

GROUP = "stratum_miner.backends"

BUILT_IN = {
    "asic": "stratum_miner.backends.asic.backend:AsicBackend",
    "cpu": "stratum_miner.backends.cpu.backend:CpuBackend",
    "reference": "stratum_miner.backends.reference:ReferenceBackend",
    "simulated": "stratum_miner.backends.simulated:SimulatedBackend",
}
"""Ours: the one table to extend for a new one. A name here cannot be taken by another package."""


def available() -> tuple[str, ...]:
    """Names of all backends, sorted; nothing is imported."""
    return _names(entry_points(group=GROUP))


def load(name: str) -> type[Backend]:
    """The class behind a name. BackendOptionError for an unknown name, BackendError for a broken package."""
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        built_in: type[Backend] = getattr(import_module(module), attribute)
        return built_in
    points = entry_points(group=GROUP)  # once: it reads the metadata of all that is installed
    for point in points:
        if point.name == name:
            return _load_entry_point(point)
    known = _names(points)
    raise BackendOptionError(f"backend: expected one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}")


def create(name: str, options: Mapping[str, str]) -> Backend:
    """A backend from options as the command line gives them."""
    return load(name).from_options(options)


def _names(points: Iterable[EntryPoint]) -> tuple[str, ...]:
    return tuple(sorted({*BUILT_IN, *(point.name for point in points)}))


def _load_entry_point(point: EntryPoint) -> type[Backend]:
    owner = point.dist.name if point.dist else "an unknown package"
    try:
        loaded = point.load()
    except Exception as error:  # whatever a stranger's import raises
        raise BackendError(f"backend {point.name!r} of {owner}: cannot load {point.value}: {error}") from error
    if not (isinstance(loaded, type) and issubclass(loaded, Backend)):
        raise BackendError(f"backend {point.name!r} of {owner}: expected a Backend subclass at {point.value}")
    return loaded
