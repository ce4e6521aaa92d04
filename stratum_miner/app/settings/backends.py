"""The backends of ``mine``. They come from the tables ``[backends.NAME]`` of the file, or their names are on the
command line or in the environment.

To add a backend that has an option of its own, such as --device, add a ``BackendPlan`` in ``plan_backends``.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from stratum_miner.app.config.document import Document
from stratum_miner.app.config.layers import Layer, Resolved
from stratum_miner.app.config.problems import Problem
from stratum_miner.app.config.profiles import BackendProfile, Named, backend_profiles
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.backends.base import Backend, BackendError
from stratum_miner.backends.registry import create
from stratum_miner.spelling import did_you_mean

DEFAULT_BACKEND = "cpu"
DEVICES = "device"
"""Name of the one backend that mines with all devices of --device."""
THREADED = "cpu"
"""The kind of backend that has threads and kernels. If there are several backends, --threads and --kernel apply to
those of this kind alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendPlan:
    """A backend that is to be created. Errors about it begin with ``where``."""

    name: str
    """The unique name of this backend."""
    kind: str
    options: Mapping[str, str]
    where: str
    worker: str | None = None
    """The worker name of this backend. A name that begins with a dot is appended to the user of the pool."""
    pool: str | None = None
    """The only pool that the backend mines on; None for all pools."""
    pool_where: str = ""
    """Errors about ``pool`` begin with this text."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Maps an option that was given by --threads, --kernel or --backend-option to the text with which errors about it
    begin. Errors about the other options begin with ``where``."""

    def problem(self, text: str) -> Problem:
        """Return the problem that the text of a BackendError describes, such as ``threads: expected an integer``."""
        key, colon, rest = text.partition(": ")
        return Problem(self.sources[key], rest) if colon and key in self.sources else Problem(self.where, text)

    def create(self) -> Backend:
        """Create the backend. Raises BackendError for a wrong option."""
        return create(self.kind, self.options)


def plan_backends(
    resolved: Resolved[MineOptions], document: Document | None, problems: list[Problem]
) -> list[BackendPlan]:
    """Return the backends to mine with. Errors are added to ``problems``."""
    profiles = backend_profiles(document, problems)
    options = resolved.values
    if profiles and options.backend and resolved.layer("backend") < Layer.ENVIRONMENT:
        problems.append(
            Problem(resolved.origins["backend"].where, "expected --backend or tables [backends.NAME], got both")
        )
    devices = _of_devices(resolved, problems)
    if options.backend or not (profiles or options.device):
        found = _of_options(resolved)
    else:
        found = [_of_profile(profile) for profile in profiles if profile.values.enabled]
        if not (found or options.device):
            problems.append(
                Problem(
                    profiles[0].where, "expected at least one enabled backend, got none; set enabled = true for one"
                )
            )
    found = _with_options(resolved, found, problems)
    made: list[tuple[BackendPlan, Backend]] = []
    for item in found:
        try:
            made.append((item, item.create()))
        except BackendError as error:
            problems.append(item.problem(str(error)))
    _check_all_threads(made, problems)
    return _routed(resolved, found + devices, problems)


def _check_all_threads(made: Sequence[tuple[BackendPlan, Backend]], problems: list[Problem]) -> None:
    """Add an error to ``problems`` if the CPU backends have too many threads in total.

    Each backend has already checked its own number of threads.
    """
    if [item.kind for item, _ in made].count(THREADED) < 2:
        return
    from stratum_miner.backends.cpu.backend import CpuBackend, check_threads  # noqa: PLC0415  only with CPU backends

    threads = [(item, backend.threads) for item, backend in made if isinstance(backend, CpuBackend)]
    try:
        check_threads(sum(number for _, number in threads))
    except BackendError as error:
        each = " and ".join(f"{number} of {item.name}" for item, number in threads)
        problems.append(threads[-1][0].problem(f"{error}: {each}"))


def _of_devices(resolved: Resolved[MineOptions], problems: list[Problem]) -> list[BackendPlan]:
    """Return a list with one backend for the devices of all ``--device`` options. Without this option, the list is
    empty.

    There is only one such backend, because it searches for devices that are plugged in later, and keeps the names of
    devices unique.
    """
    texts = resolved.values.device
    if not texts:
        return []
    where = resolved.origins["device"].where
    from stratum_miner.backends.asic.device_spec import DeviceSpec  # noqa: PLC0415  only needed with --device

    try:
        for text in texts:
            DeviceSpec.parse(text).check_path()
        item = BackendPlan(name=DEVICES, kind="asic", options={"devices": " ".join(texts)}, where=where)
        item.create()
    except BackendError as error:
        problems.append(Problem(where, str(error).removeprefix("device: ")))
        return []
    return [item]


def _of_options(resolved: Resolved[MineOptions]) -> list[BackendPlan]:
    kinds = resolved.values.backend or [DEFAULT_BACKEND]
    where = "--backend" if resolved.values.backend is None else resolved.origins["backend"].where
    found = []
    for index, kind in enumerate(kinds):
        before = kinds[:index].count(kind)
        found.append(BackendPlan(name=f"{kind}{before + 1}" if before else kind, kind=kind, options={}, where=where))
    return found


def _of_profile(profile: Named[BackendProfile]) -> BackendPlan:
    values = profile.values
    options = dict(values.options or {})
    for key, value in (("threads", values.threads), ("kernel", values.kernel)):
        if value is not None:
            options[key] = str(value)
    return BackendPlan(
        name=profile.name,
        kind=values.backend or profile.name,
        options=options,
        where=profile.where,
        worker=values.worker,
        pool=values.pool,
        pool_where=profile.origins["pool"].where if "pool" in profile.origins else "",
    )


def _with_options(
    resolved: Resolved[MineOptions], found: list[BackendPlan], problems: list[Problem]
) -> list[BackendPlan]:
    """Return the plans with the values of --threads, --kernel and --backend-option added to them.

    A value from the command line or the environment takes precedence over a value in the table of a backend.
    """
    values = resolved.values
    if not found:
        return found
    added: dict[str, dict[str, str]] = {item.name: {} for item in found}
    sources: dict[str, dict[str, str]] = {item.name: {} for item in found}

    def add(field: str, name: str, key: str, value: str) -> None:
        [item] = [item for item in found if item.name == name]
        if resolved.layer(field) >= Layer.ENVIRONMENT or key not in item.options:
            added[name][key] = value
            source = resolved.origins[field].where
            sources[name][key] = source if field == key else f"{source}: {key}"

    for name, number in (("threads", values.threads), ("kernel", values.kernel)):
        if number is not None:
            for item in found:
                if len(found) == 1 or item.kind == THREADED:
                    add(name, item.name, name, str(number))
    where = resolved.origins["backend_option"].where
    for text in values.backend_option or ():
        key, equals, value = (part.strip() for part in text.partition("="))
        name, dot, rest = key.rpartition(".")
        if not equals or not rest:
            problems.append(Problem(where, f"expected KEY=VALUE, got {text!r}"))
        elif not dot and len(found) > 1:
            example = f"{found[0].name}.{key}"
            problems.append(
                Problem(
                    where, f"expected BACKEND.KEY=VALUE, because there are several backends, as in {example}={value}"
                )
            )
        elif dot and name not in added:
            problems.append(Problem(where, _no_such("backend", name, added)))
        else:
            add("backend_option", name or found[0].name, rest, value)
    return [replace(item, options={**item.options, **added[item.name]}, sources=sources[item.name]) for item in found]


def _routed(resolved: Resolved[MineOptions], found: list[BackendPlan], problems: list[Problem]) -> list[BackendPlan]:
    """Return the plans with the worker names of ``--backend-worker`` and the pools of ``--bind`` added to them."""
    names = [item.name for item in found]
    workers = _by_backend(resolved, "backend_worker", resolved.values.backend_worker, names, problems)
    bound = _by_backend(resolved, "bind", resolved.values.bind, names, problems)
    return [
        replace(
            item,
            worker=_stronger(resolved, "backend_worker", workers.get(item.name), item.worker),
            pool=(pool := _stronger(resolved, "bind", bound.get(item.name), item.pool)),
            pool_where=item.pool_where if pool == item.pool else resolved.origins["bind"].where,
        )
        for item in found
    ]


def _stronger(resolved: Resolved[MineOptions], field: str, option: str | None, own: str | None) -> str | None:
    if own is None or (option is not None and resolved.layer(field) >= Layer.ENVIRONMENT):
        return option
    return own


def _by_backend(
    resolved: Resolved[MineOptions],
    field: str,
    texts: list[str] | None,
    names: Iterable[str],
    problems: list[Problem],
) -> dict[str, str]:
    """Parse texts ``BACKEND=VALUE``, and return a mapping from the backend to the value. Errors are added to
    ``problems``."""
    found = {}
    where = resolved.origins[field].where
    for text in texts or ():
        name, equals, value = text.partition("=")
        if not equals or not value:
            problems.append(Problem(where, f"expected BACKEND={'POOL' if field == 'bind' else 'WORKER'}, got {text!r}"))
        elif name not in names:
            problems.append(Problem(where, _no_such("backend", name, names)))
        else:
            found[name] = value
    return found


def _no_such(what: str, name: str, known: Iterable[str]) -> str:
    return f"expected a {what} of {', '.join(known)}, got {name!r}{did_you_mean(name, known)}"
