"""Implements ``monitoring.control.Control``: the changes to a running miner that the keyboard, the web page and the
APIs can request."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

import structlog

from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.base import BackendError
from stratum_miner.client import PoolSettings, PoolUrl, PoolUrlError
from stratum_miner.client.group.control import PoolControl
from stratum_miner.foreign_text import is_plain, sanitize
from stratum_miner.miner import Miner, MinerSnapshot
from stratum_miner.miner.snapshot import keyed_devices
from stratum_miner.monitoring.control import PERSONS, ControlRefused, NewPool, PoolChange
from stratum_miner.monitoring.numbers import Numbers

log = structlog.get_logger("stratum_miner")

NO_RELOAD = ControlRefused(
    "reload: expected a configuration file, but this miner was started without one. Restart it with --config FILE"
)


def _no_reload() -> tuple[str, ...]:
    raise NO_RELOAD


class MinerControl:
    """Changes a running miner. Call its methods from the trio thread only. ``numbers`` has the ids by which the web
    page and the APIs name pools and devices."""

    def __init__(self, miner: Miner, numbers: Numbers, reload: Callable[[], tuple[str, ...]] = _no_reload) -> None:
        self._miner = miner
        self._numbers = numbers
        self._reload = reload
        self._holds: dict[str, str] = {}
        """The pauses that are in force. Each key names who requested a pause (the argument ``by`` of ``pause``), and
        its value is the reason. Mining is paused while there is at least one entry."""

    @property
    def pauses(self) -> Mapping[str, str]:
        """The pauses that are in force. Each key names who requested a pause (the argument ``by`` of ``pause``), and
        its value is the reason. Mining is paused while there is at least one entry."""
        return self._holds

    def pause(self, by: str, reason: str = "") -> None:
        """Stop searching; connections to pools stay open. ``Control`` explains the arguments."""
        news = by not in self._holds
        self._holds[by] = reason
        self._miner.pause(True)
        if news:
            log.info("paused", by=by, reason=reason)

    def resume(self, by: str) -> None:
        """End the pause that ``by`` asked for. If ``by`` is one of PERSONS, end all pauses, because a person wants to
        mine.

        Mining resumes only when no pause is left.
        """
        if by in PERSONS:
            self._holds.clear()
        self._holds.pop(by, None)
        if not self._holds and self._miner.is_paused:
            self._miner.pause(False)
            log.info("resumed")

    def quit(self) -> None:
        """Stop the miner gracefully."""
        log.info("stopping", hint="waiting for replies to open shares")
        self._miner.stop()

    # ---- pools ------------------------------------------------------------------------------------------------

    def switch_pool(self, pool_id: int) -> None:
        """Enable this pool and move it to the first position, so that the miner mines on it."""
        with _refusing():
            control, position = self._pool(pool_id)
            control.switch(position)

    def add_pool(self, pool: NewPool) -> int:
        """Add a pool and return its id."""
        secrets.register(pool.password)
        for what, text in (("user", pool.user), ("name", pool.name)):
            if not is_plain(text):
                raise ControlRefused(f"{what}: expected printable characters, got {sanitize(text)!r}")
        with _refusing():
            settings = PoolSettings(
                url=PoolUrl.parse(pool.url), worker_name=pool.user, password=pool.password, name=pool.name
            )
            known = {(other.url, other.worker_name) for other in self._miner.pool_control.settings()}
            if (settings.url, settings.worker_name) in known:
                raise ControlRefused(
                    f"pool: expected another pool or worker name, because {settings.url} is already in use"
                )
            self._snapshot()  # give ids to the present pools before the new pool gets its id
            return self._numbers.pools.of(self._miner.pool_control.add(settings, pool.priority))

    def remove_pool(self, pool_id: int) -> None:
        """Remove a pool. The last pool cannot be removed."""
        with _refusing():
            control, position = self._pool(pool_id)
            control.remove(position)

    def change_pool(self, pool_id: int, change: PoolChange) -> None:
        """Change a pool. All parts of ``change`` are checked before the first is applied."""
        with _refusing():
            control, position = self._pool(pool_id)
            pools = control.pools()
            if change.quota is not None and pools[position].quota is None:
                raise ControlRefused("quota: expected a miner with --strategy quota, got one with --strategy failover")
            if change.quota is not None and change.quota < 0:
                raise ControlRefused(f"quota: expected a number from 0, got {change.quota}")
            if change.priority is not None and not 0 <= change.priority < len(pools):
                raise ControlRefused(f"priority: expected a position from 0 to {len(pools) - 1}, got {change.priority}")
            if change.quota is not None:
                control.set_quota(position, change.quota)
            if change.enabled is not None:
                control.enable(position, change.enabled)
            if change.priority is not None:
                control.move(position, change.priority)

    def _pool(self, pool_id: int) -> tuple[PoolControl, int]:
        """Return the ``PoolControl`` that manages the pool with this id, and the pool's position in that
        ``PoolControl``."""
        known = {self._numbers.pools.of(pool.key): pool.key for pool in self._snapshot().pools}
        if pool_id not in known:
            raise ControlRefused(f"pool: expected one of the ids {_listed(known)}, got {pool_id}")
        return self._miner.find_pool(known[pool_id])

    # ---- devices ----------------------------------------------------------------------------------------------

    def add_device(self, spec: str) -> None:
        """Mine with another device. ``spec`` names the device in the same form as ``--device``."""
        if not is_plain(spec):
            raise ControlRefused(f"device: expected printable characters, got {sanitize(spec)!r}")
        for backend in self._miner.backends:
            if isinstance(backend, AsicBackend):
                with _refusing():
                    backend.add(DeviceSpec.parse(spec))
                return
        raise ControlRefused(
            "device: expected a miner that was started with --device; only such a miner can add devices"
        )

    def restart_device(self, device_id: int) -> None:
        """Power a device down and start it again. A device that is switched off for any reason is started, too."""
        backend, name = self._device(device_id)
        with _refusing():
            backend.restart(name)

    def remove_device(self, device_id: int) -> None:
        """Power a device down and stop using it. Its shares and hashes still count in the totals of the miner."""
        backend, name = self._device(device_id)
        with _refusing():
            backend.remove(name)

    def _device(self, device_id: int) -> tuple[AsicBackend, str]:
        known = {self._numbers.devices.of(key): key for key, _, _ in keyed_devices(self._snapshot().backends)}
        if device_id not in known:
            raise ControlRefused(f"device: expected one of the ids {_listed(known)}, got {device_id}")
        backend, name = self._miner.device(known[device_id])
        if not isinstance(backend, AsicBackend):
            raise ControlRefused(f"device: expected an ASIC device, got {name}, which is part of this computer")
        return backend, name

    def reload(self) -> tuple[str, ...]:
        """Read the configuration again. Return a line for each setting that changed or that needs a restart."""
        return self._reload()

    def _snapshot(self) -> MinerSnapshot:
        """Return the present state of the miner, and give ids to its new pools and devices."""
        snapshot = self._miner.snapshot()
        self._numbers.see(snapshot)
        return snapshot


def _listed(numbers: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(numbers))) or "(there is none)"


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (ValueError, PoolUrlError, BackendError, UsageError) as error:
        raise ControlRefused(str(error)) from None
