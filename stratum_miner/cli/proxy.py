"""``stratum-miner proxy``: lets many miners share one connection to a pool."""

import ipaddress
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import structlog
import trio

from stratum_miner.app.daemon import stats_api
from stratum_miner.app.daemon.proxy_status import print_end, show_status, summary
from stratum_miner.app.daemon.status_lines import stopping_hint
from stratum_miner.app.options import common, listen_address, ownership, pool_access
from stratum_miner.app.options.config_file import Config, NoConfig
from stratum_miner.app.options.listen_address import failing_with_listeners, parse_listen
from stratum_miner.app.options.proxy import ProxyOptions
from stratum_miner.app.options.table import takes_options_of
from stratum_miner.app.process import signals
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.process.garbage_collection import keep_old_objects
from stratum_miner.app.settings.mine import find_file, naming_source
from stratum_miner.app.settings.pools import http_urls
from stratum_miner.app.settings.proxy import ProxySettings, load, misspelt
from stratum_miner.client import ClientOptions
from stratum_miner.proxy import Proxy

if TYPE_CHECKING:
    from prometheus_client import Metric

log = structlog.get_logger("stratum_miner")


@takes_options_of(ProxyOptions)
def proxy(
    *,
    config: Config = None,
    no_config: NoConfig = False,
    **given: Any,
) -> int:
    """Let many Stratum miners share one connection to a pool.

    The options of pools are the same as for the command mine, on the command line, in the environment and in the
    configuration file.

    Exit code 1: the proxy can no longer accept miners. 3: every pool refused the worker name. 4: no pool gave a job
    before --time-limit.
    """
    settings = load(given, find_file(config, no_config, os.environ), os.environ)
    chosen = settings.resolved.values
    common.set_up_logging(
        debug=chosen.debug, quiet=chosen.quiet and not chosen.protocol_dump, log_format=chosen.log_format
    )
    for problem in misspelt(os.environ):
        log.warning("configuration_problem", problem=str(problem))
    pool_access.note_http(http_urls(settings.resolved, settings.document))
    with naming_source(settings.resolved):
        return _proxy(settings)


def _proxy(settings: ProxySettings) -> int:
    chosen = settings.resolved.values
    host, port = parse_listen(chosen.listen)
    for pool in settings.pools:
        for url in (pool.url, *pool.addresses):
            ownership.check_other(url, host, port, "--url")
    _warn_if_reachable(host)
    running = Proxy(
        settings.pools,
        settings.proxy,
        strategy=settings.strategy,
        options=ClientOptions(retry_pause=chosen.retry_pause, failback=chosen.fallback_time),
    )
    started = time.monotonic()
    beside = None
    if chosen.http is not None:

        def metrics() -> "Iterator[Metric]":
            from stratum_miner.monitoring.http import proxy_metrics  # noqa: PLC0415  needs an extra

            return proxy_metrics.families(running.snapshot())

        beside = stats_api.api(
            chosen.http,
            summary=lambda: summary(running.snapshot(), time.monotonic() - started),
            metrics=metrics,
            network=chosen.http_network,
            names=chosen.http_host,
            token_file=chosen.http_token_file,
        )

    code = ExitCode.OK

    async def serve(stop: signals.Stop) -> None:
        nonlocal code
        listeners = await listen_address.open_listeners(host, port)
        try:
            with keep_old_objects(), failing_with_listeners():
                out_of_time = await _serve(
                    running, listeners, stop, time_limit=chosen.time_limit, quiet=chosen.quiet, beside=beside
                )
            if out_of_time and not any(pool.client.jobs for pool in running.snapshot().pools):
                code = ExitCode.POOL_UNREACHABLE
        finally:
            print_end(running.snapshot(), time.monotonic() - started, as_json=chosen.json)

    signals.run(serve)
    return code


def _warn_if_reachable(host: str) -> None:
    try:
        local = ipaddress.ip_address(host).is_loopback
    except ValueError:
        local = host == "localhost"
    if not local:
        text = "every computer that reaches this address can mine here, and the connections of miners are not encrypted"
        log.warning("not_loopback", listen=host, text=text)


async def _serve(
    running: Proxy,
    listeners: list[trio.SocketListener],
    stop: signals.Stop,
    *,
    time_limit: float | None,
    quiet: bool,
    beside: Callable[[], Awaitable[None]] | None,
) -> bool:
    """Run the proxy until it is stopped. Returns whether its time limit ended it."""
    out_of_time = False

    def stop_gracefully() -> None:
        log.info("stopping", hint=stopping_hint(running.config.stop_grace))
        running.stop()

    with stop.calling(stop_gracefully):
        async with trio.open_nursery() as nursery:
            await nursery.start(_run, running, listeners, nursery.cancel_scope)
            log.info("ready", url=" ".join(f"stratum+tcp://{address}" for address in running.addresses))
            nursery.start_soon(show_status, running, quiet)
            if beside is not None:
                nursery.start_soon(beside)
            if time_limit is not None:
                await trio.sleep(time_limit)
                out_of_time = True
                running.stop()
    return out_of_time


async def _run(
    running: Proxy,
    listeners: list[trio.SocketListener],
    everything: trio.CancelScope,
    *,
    task_status: trio.TaskStatus[Sequence[trio.abc.Listener[Any]]],
) -> None:
    await running.serve(listeners, task_status=task_status)
    everything.cancel()
