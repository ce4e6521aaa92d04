"""Finds a backend by its name. Backends belong to this package, or to another package, which registers its backends
under the entry point group ``stratum_miner.backends``.
"""

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
"""The backends of this package, by name. To add a backend, add a row. A backend of another package cannot replace one
of these names."""


def available() -> tuple[str, ...]:
    """Return the names of all backends, sorted. Imports no backend."""
    return _names(entry_points(group=GROUP))


def load(name: str) -> type[Backend]:
    """Return the class of a backend.

    Raises BackendOptionError if no backend has this name, and BackendError if the package of the backend cannot be
    loaded.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        built_in: type[Backend] = getattr(import_module(module), attribute)
        return built_in
    points = entry_points(group=GROUP)  # called once, because it reads the metadata of every installed package
    for point in points:
        if point.name == name:
            return _load_entry_point(point)
    known = _names(points)
    raise BackendOptionError(f"backend: expected one of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}")


def create(name: str, options: Mapping[str, str]) -> Backend:
    """Create a backend from option strings as the command line gives them.

    Raises what ``load`` and ``Backend.from_options`` raise.
    """
    return load(name).from_options(options)


def _names(points: Iterable[EntryPoint]) -> tuple[str, ...]:
    return tuple(sorted({*BUILT_IN, *(point.name for point in points)}))


def _load_entry_point(point: EntryPoint) -> type[Backend]:
    owner = point.dist.name if point.dist else "an unknown package"
    try:
        loaded = point.load()
    except Exception as error:  # importing another package's code can raise anything
        raise BackendError(
            f"backend {point.name!r} of {owner}: cannot load {point.value}: {error}. Update or uninstall it"
        ) from error
    if not (isinstance(loaded, type) and issubclass(loaded, Backend)):
        raise BackendError(f"backend {point.name!r} of {owner}: expected a Backend subclass at {point.value}")
    return loaded
