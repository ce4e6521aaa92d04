"""What keys, pages and APIs may do to a running miner: ``monitoring.control.Control`` over the miner itself."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import structlog

from stratum_miner.backends.asic.backend import AsicBackend
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.base import BackendError
from stratum_miner.cli import secrets
from stratum_miner.cli.exit_codes import UsageError
from stratum_miner.client import PoolSettings, PoolUrl, PoolUrlError
from stratum_miner.miner import Miner
from stratum_miner.monitoring.control import BY_HAND, ControlRefused, NewPool

log = structlog.get_logger("stratum_miner")

NO_RELOAD = ControlRefused("reload: expected a configuration file, and this miner was started without one")


def _no_reload() -> tuple[str, ...]:
    raise NO_RELOAD


class Steering:
    """Implements ``Control``; from the trio thread."""

    def __init__(self, miner: Miner, reload: Callable[[], tuple[str, ...]] = _no_reload) -> None:
        self._miner = miner
        self._reload = reload
        self._holds: dict[str, str] = {}
        """Who wants a pause, and why."""

    def pause(self, by: str, reason: str = "") -> None:
        """See ``Control``."""
        news = by not in self._holds
        self._holds[by] = reason
        self._miner.pause(True)
        if news:
            log.info("paused", reason=reason)

    def resume(self, by: str) -> None:
        """See ``Control``."""
        if by == BY_HAND:
            self._holds.clear()
        self._holds.pop(by, None)
        if not self._holds and self._miner.is_paused:
            self._miner.pause(False)
            log.info("resumed")

    def quit(self) -> None:
        """See ``Control``."""
        log.info("stopping", hint="waiting briefly for open replies")
        self._miner.stop()

    # ---- pools ------------------------------------------------------------------------------------------------

    def switch_pool(self, index: int) -> None:
        """See ``Control``."""
        with _refusing():
            self._miner.pool_control.switch(index)

    def add_pool(self, pool: NewPool) -> None:
        """See ``Control``."""
        secrets.register(pool.password)
        with _refusing():
            settings = PoolSettings(
                url=PoolUrl.parse(pool.url), worker_name=pool.user, password=pool.password, name=pool.name
            )
            known = {(other.url, other.worker_name) for other in self._miner.pool_control.settings()}
            if (settings.url, settings.worker_name) in known:
                raise ControlRefused(f"pool: expected each once for a worker, {settings.url} is there already")
            self._miner.pool_control.add(settings, pool.index)

    def remove_pool(self, index: int) -> None:
        """See ``Control``."""
        with _refusing():
            self._miner.pool_control.remove(index)

    def move_pool(self, index: int, to: int) -> None:
        """See ``Control``."""
        with _refusing():
            self._miner.pool_control.move(index, to)

    def enable_pool(self, index: int, enabled: bool) -> None:
        """See ``Control``."""
        with _refusing():
            self._miner.pool_control.enable(index, enabled)

    def set_quota(self, index: int, quota: int) -> None:
        """See ``Control``."""
        with _refusing():
            self._miner.pool_control.set_quota(index, quota)

    # ---- devices ----------------------------------------------------------------------------------------------

    def add_device(self, spec: str) -> None:
        """See ``Control``."""
        for backend in self._miner.backends:
            if isinstance(backend, AsicBackend):
                with _refusing():
                    backend.add(DeviceSpec.parse(spec))
                return
        raise ControlRefused("device: expected a miner that was started with --device, to which others can be added")

    def restart_device(self, index: int) -> None:
        """See ``Control``."""
        backend, name = self._device(index)
        with _refusing():
            backend.restart(name)

    def remove_device(self, index: int) -> None:
        """See ``Control``."""
        backend, name = self._device(index)
        with _refusing():
            backend.remove(name)

    def _device(self, index: int) -> tuple[AsicBackend, str]:
        devices = [
            (backend, device.name) for backend in self._miner.backends for device in backend.statistics().devices
        ]
        if not 0 <= index < len(devices):
            raise ControlRefused(f"device: expected a number from 0 to {len(devices) - 1}, got {index}")
        backend, name = devices[index]
        if not isinstance(backend, AsicBackend):
            raise ControlRefused(f"device: expected a machine of its own, {name} is a part of this computer")
        return backend, name

    def reload(self) -> tuple[str, ...]:
        """See ``Control``."""
        return self._reload()


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except (ValueError, PoolUrlError, BackendError, UsageError) as error:
        raise ControlRefused(str(error)) from None
