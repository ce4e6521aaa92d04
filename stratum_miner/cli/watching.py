"""A miner as others see and steer it: the monitor, and the services that stand on it, made of the settings.

To add a service, add a function to ``_SERVICES``: it says what to run beside the miner, or None when it is not wanted.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import structlog

from stratum_miner.cli import http_token, logs
from stratum_miner.cli.earnings import Earnings, Tariff
from stratum_miner.cli.exit_codes import UsageError
from stratum_miner.cli.mine_settings import MineSettings
from stratum_miner.cli.screen.live import Screen
from stratum_miner.cli.steering import Steering
from stratum_miner.miner import Miner, MinerSnapshot
from stratum_miner.monitoring import http
from stratum_miner.monitoring.monitor import Monitor

log = structlog.get_logger("stratum_miner")

Service = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Watching:
    """What is seen, what may be done, and what runs beside the miner for both."""

    monitor: Monitor
    steering: Steering
    services: tuple[Service, ...]

    async def display(self) -> None:
        """The status screen, in place of log lines, until cancelled."""
        with logs.silenced():
            await Screen(logs.console, self.monitor.view, self.steering).run()


@dataclass(frozen=True, slots=True)
class _Parts:
    monitor: Monitor
    steering: Steering
    settings: MineSettings


def watch(
    miner: Miner,
    settings: MineSettings,
    *,
    tariff: Callable[[], Tariff | None],
    reload: Callable[[], tuple[str, ...]] | None = None,
) -> Watching:
    """Addresses are taken at once, so that one that is in use is told before mining begins. UsageError.

    ``tariff`` is asked for each time; ``reload`` reads the configuration again, None where there is none.
    """

    def economics(snapshot: MinerSnapshot) -> dict[str, Any] | None:
        terms = tariff()
        return None if terms is None else Earnings(snapshot, terms).as_object()

    def power_w() -> float | None:
        terms = tariff()
        return None if terms is None else float(terms.power)

    monitor = Monitor(
        miner.snapshot,
        logs.events,
        power_w=power_w,
        economics=economics,
        origin=lambda share: miner.origin(share).pool,
    )
    parts = _Parts(monitor, Steering(miner) if reload is None else Steering(miner, reload), settings)
    wanted = [service(parts) for service in _SERVICES]
    return Watching(monitor, parts.steering, tuple(service for service in wanted if service is not None))


def _sampling(parts: _Parts) -> Service | None:
    return parts.monitor.run


def _http(parts: _Parts) -> Service | None:
    chosen = parts.settings.options
    if chosen.http is None:
        return None
    try:
        bound = http.listening_socket(chosen.http, network=chosen.http_network)
    except http.ListenError as error:
        raise UsageError(f"--http: {error}") from None
    host, port = bound.getsockname()[:2]
    token, where = http_token.find(chosen.http_token_file)
    access = http.Access(token, open_reading=http.is_loopback(host), names=("localhost", *(chosen.http_host or ())))
    log.info("http", address=f"http://{f'[{host}]' if ':' in host else host}:{port}", token=where)
    source = http.Source(monitor=parts.monitor, control=parts.steering)
    return partial(http.serve, bound, source, access)


_SERVICES: tuple[Callable[[_Parts], Service | None], ...] = (_sampling, _http)
