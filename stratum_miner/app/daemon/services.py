"""Creates the monitor of a miner, and the services that use it.

The services are HTTP servers, APIs, automatic pauses, hooks for events, and messages to the service manager. To add a
service, add a function to ``_SERVICES``. If the settings ask for the service, the added function returns the function
that runs the service. Otherwise it returns None.

The modules of HTTP servers are imported only when needed, because they belong to an extra and load slowly.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from stratum_miner.app.daemon import chain_notes
from stratum_miner.app.daemon.control import MinerControl
from stratum_miner.app.operation import hooks, host_sensors
from stratum_miner.app.operation.pauses import AutomaticPauses
from stratum_miner.app.operation.systemd import ServiceManager
from stratum_miner.app.options.mine import NETWORK_PERMISSIONS
from stratum_miner.app.process import logs, secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.settings import api_access, http_token
from stratum_miner.app.settings.mine import MineSettings
from stratum_miner.economics.odds import Luck
from stratum_miner.economics.profit.earnings import Earnings, MeasuredRun, Tariff
from stratum_miner.miner import Miner
from stratum_miner.monitoring import cgminer
from stratum_miner.monitoring.listening import ListenError, is_loopback, listening_socket
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.numbers import Numbers
from stratum_miner.monitoring.screen.live import Screen
from stratum_miner.monitoring.view import Summary

log = structlog.get_logger("stratum_miner")

Service = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Services:
    """The monitor of a miner, the object that changes the miner (``control``), and the services that run beside it."""

    monitor: Monitor
    control: MinerControl
    services: tuple[Service, ...]

    async def display(self) -> None:
        """Show the status screen instead of log lines, until cancelled."""
        with logs.silenced():
            await Screen(logs.console, self.monitor.view, self.control).run()


@dataclass(frozen=True, slots=True)
class _Parts:
    monitor: Monitor
    control: MinerControl
    settings: MineSettings
    configuration: Callable[[], Mapping[str, Any]]


def services_of(
    miner: Miner,
    settings: MineSettings,
    *,
    tariff: Callable[[], Tariff | None],
    configuration: Callable[[], Mapping[str, Any]] = dict,
    reload: Callable[[], tuple[str, ...]] | None = None,
) -> Services:
    """Create the services of a miner. Raises UsageError for a wrong setting, or for an address that cannot be opened.

    All addresses are opened in this call, so that an error is reported before mining begins. ``tariff`` returns the
    present tariff (prices, power, fee) and ``configuration`` the settings to show; both are called whenever their
    result is needed. ``reload`` reads the configuration again. It is None if there is no configuration file.
    """

    def economics(summary: Summary) -> dict[str, Any] | None:
        terms = tariff()
        return None if terms is None else earnings_of(summary, terms).as_object()

    def power_w() -> float | None:
        terms = tariff()
        return None if terms is None or terms.power is None else float(terms.power)

    numbers = Numbers()
    control = MinerControl(miner, numbers) if reload is None else MinerControl(miner, numbers, reload)
    monitor = Monitor(
        miner.snapshot,
        logs.events,
        numbers=numbers,
        power_w=power_w,
        economics=economics,
        problems=logs.problems,
        pauses=lambda: control.pauses,
        hide=secrets.redact_foreign,
    )
    parts = _Parts(monitor, control, settings, configuration)
    wanted = [service(parts) for service in _SERVICES]
    return Services(monitor, parts.control, tuple(service for service in wanted if service is not None))


def earnings_of(summary: Summary, tariff: Tariff) -> Earnings:
    """Return the earnings of a run, computed with a tariff (prices, power, fee)."""
    measured = MeasuredRun(
        elapsed=summary.elapsed_s,
        hash_rate=summary.hash_rate,
        height=summary.height,
        network_difficulty=summary.network_difficulty,
        share_difficulty=None if summary.job is None else summary.job.share_difficulty,
        luck=Luck(summary.luck.found, summary.luck.expected),
        power=None if summary.power_is_partial else summary.power_w,
    )
    return Earnings(measured, tariff)


def _sampling(parts: _Parts) -> Service | None:
    return parts.monitor.run


def _chain_notes(parts: _Parts) -> Service | None:
    return partial(chain_notes.run, lambda: parts.monitor.view().summary)


def _http(parts: _Parts) -> Service | None:
    chosen = parts.settings.options
    if chosen.http is None:
        return None
    from stratum_miner.monitoring import http  # noqa: PLC0415  starlette loads slowly

    bound = _bound("--http", chosen.http, network=chosen.http_network)
    host = bound.getsockname()[0]
    token, where = http_token.find(chosen.http_token_file)
    access = http.Access(token, open_reading=is_loopback(host), names=("localhost", *(chosen.http_host or ())))
    log.info("http", address=f"http://{_shown(bound)}", token=where)
    source = http.Source(monitor=parts.monitor, control=parts.control, configuration=parts.configuration)
    return partial(http.serve, bound, source, access)


def _cgminer(parts: _Parts) -> Service | None:
    chosen = parts.settings.options
    access = api_access.cgminer_access(chosen)
    if access is None or chosen.cgminer_api is None:
        return None
    bound = _bound("--cgminer-api", chosen.cgminer_api, network=chosen.api_allow is not None)
    log.info("cgminer_api", address=_shown(bound))
    zero = cgminer.Zero(parts.monitor.best_share_since)
    return partial(cgminer.serve, bound, parts.monitor.view, parts.control, access, zero)


def _axeos(parts: _Parts) -> Service | None:
    chosen = parts.settings.options
    trusted = api_access.axeos_trusted(chosen)
    if chosen.axeos_api is None:
        return None
    from stratum_miner.monitoring import axeos, http  # noqa: PLC0415  starlette loads slowly

    bound = _bound("--axeos-api", chosen.axeos_api, network=True)
    token, where = http_token.find(chosen.http_token_file, "--axeos-api")
    names = ("localhost", socket.gethostname(), *(chosen.http_host or ()))
    log.info("axeos_api", address=_shown(bound), token=where)
    return partial(
        axeos.serve, bound, parts.monitor.view, parts.control, http.Access(token, names=names, trusted=trusted)
    )


def _pauses(parts: _Parts) -> Service | None:
    chosen = parts.settings.options
    schedule = parts.settings.schedule
    if schedule is None and not chosen.pause_on_battery and chosen.pause_above is None:
        return None
    return AutomaticPauses(
        parts.control,
        schedule=schedule,
        on_battery=host_sensors.on_battery if chosen.pause_on_battery else None,
        temperature=host_sensors.processor_temperature if chosen.pause_above is not None else None,
        hottest=chosen.pause_above or 0.0,
    ).run


def _hooks(parts: _Parts) -> Service | None:
    wanted = parts.settings.hooks
    return partial(hooks.run, wanted, logs.events) if wanted else None


def _service_manager(parts: _Parts) -> Service | None:
    manager = ServiceManager(os.environ)
    return partial(manager.run, lambda: parts.monitor.view().summary) if manager.listens else None


def _bound(flag: str, address: str, *, network: bool) -> socket.socket:
    try:
        return listening_socket(address, network=network, permission=NETWORK_PERMISSIONS[flag])
    except ListenError as error:
        raise UsageError(f"{flag}: {error}") from None


def _shown(bound: socket.socket) -> str:
    host, port = bound.getsockname()[:2]
    return f"{f'[{host}]' if ':' in host else host}:{port}"


_SERVICES: tuple[Callable[[_Parts], Service | None], ...] = (
    _sampling,
    _chain_notes,
    _http,
    _cgminer,
    _axeos,
    _pauses,
    _hooks,
    _service_manager,
)
