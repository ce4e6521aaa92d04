"""``stratum-miner ping``: how long each step of connecting to a pool takes, for several pools side by side."""

from dataclasses import asdict, replace
from typing import Annotated

import trio
from cyclopts import Parameter

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import backend_choice, common, pool_access
from stratum_miner.app.process import logs, printing, secrets, signals
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.backends.base import BackendError
from stratum_miner.client import ClientOptions, PoolSettings, PoolUnreachable, WorkerRefused
from stratum_miner.client.ping import DEFAULT_USER, PingResult
from stratum_miner.client.ping import ping as ping_pool
from stratum_miner.foreign_text import is_plain
from stratum_miner.miner import Goals, Miner, MinerEvent
from stratum_miner.plots.text_table import text_table
from stratum_miner.quantities import difficulty_text
from stratum_miner.work.share_result import ShareOutcome, ShareResult

MAX_POOLS = 64
_HEADINGS = {"configure": "config", "subscribe": "subscr", "authorize": "auth", "first_job": "job"}
_STEPS = ("resolve", "connect", "tls", "configure", "subscribe", "authorize", "first_job", "submit")


def ping(
    urls: Annotated[
        list[str], Parameter(help="Pools to measure: stratum+tcp://HOST:PORT, or with TLS stratum+ssl://HOST:PORT.")
    ],
    /,
    *,
    user: pool_access.WorkerName = DEFAULT_USER,
    password: pool_access.Password = None,
    tls_ca: pool_access.TlsCa = None,
    tls_fingerprint: pool_access.TlsFingerprints = None,
    tls_cert: pool_access.TlsCertificate = None,
    tls_key: pool_access.TlsKey = None,
    proxy: pool_access.ProxyOption = None,
    timeout: Annotated[
        float,
        duration_option(
            "--timeout",
            "Longest time for each pool, in seconds or with a unit, up to 1h. Some pools send the first job only after "
            "60 s.",
        ),
    ] = 90.0,
    submit: Annotated[
        bool,
        Parameter(
            name="--submit",
            help="Also mine one share and measure the time until the pool's reply.",
            negative=(),
            show_default=False,
        ),
    ] = False,
    json: common.Json = False,
) -> int:
    """Measure how long each step takes from connecting to a pool to its first job.

    Exit code 4: at least one pool gave no job or, with --submit, no share was found or the pool did not accept it.
    """
    logs.configure(level="warning")
    common.check_time("--timeout", timeout, 0, 3600, above=True)
    if len(urls) > MAX_POOLS:
        raise UsageError(f"expected at most {MAX_POOLS} pools, got {len(urls)}")
    logins = [pool_access.login(url, user, password, default=DEFAULT_USER) for url in urls]
    addresses = [url for url, _, _ in logins]
    pins = _pins(tls_fingerprint or [pool_access.NO_PIN], len(urls))
    tls = [
        pool_access.tls_settings(
            tls_ca, pin, tls_cert, tls_key, urls=[address] if pin and len(set(pins)) > 1 else addresses
        )
        for pin, address in zip(pins, addresses, strict=True)
    ]
    for _, name, _ in logins:
        if not is_plain(name):
            raise UsageError(f"--user: expected a worker name of printable characters in UTF-8, got {name!a}")
    settings = [
        PoolSettings(
            url=url,
            worker_name=worker_name,
            password=secret,
            tls=tls[index],
            proxy=pool_access.proxy_url(proxy),
        )
        for index, (url, worker_name, secret) in enumerate(logins)
    ]
    results: list[PingResult] = []
    complete = False

    async def measure(stop: signals.Stop) -> None:
        nonlocal complete
        found: dict[int, PingResult] = {}

        async def one(index: int) -> None:
            found[index] = await ping_pool(settings[index], seconds=timeout)
            if submit and found[index].error is None:
                found[index] = await _with_submit(found[index], settings[index], timeout)

        with trio.CancelScope() as scope, stop.calling(scope.cancel):
            async with trio.open_nursery() as nursery:
                for index in range(len(settings)):
                    nursery.start_soon(one, index)
            complete = True
        results.extend(
            found.get(index, PingResult(url=str(item.url), error="interrupted")) for index, item in enumerate(settings)
        )

    signals.run(measure)
    if json:
        printing.print_json([asdict(result) for result in results])
    else:
        _show(results)
    if not complete:
        return signals.INTERRUPTED
    return ExitCode.OK if all(result.error is None for result in results) else ExitCode.POOL_UNREACHABLE


def _pins(given: list[str], count: int) -> list[str | None]:
    """Return the certificate fingerprint for each pool; None for a pool without one. Raises UsageError unless
    ``given`` has one item for all pools, or one item for each of the ``count`` pools."""
    if len(given) not in (1, count):
        raise UsageError(
            f"--tls-fingerprint: expected one for all pools, or one for each of the {count} pools, got {len(given)}"
        )
    pins = [None if text == pool_access.NO_PIN else text for text in given]
    return pins * count if len(pins) == 1 else pins


async def _with_submit(result: PingResult, settings: PoolSettings, seconds: float) -> PingResult:
    """Mine until the pool answers one share, but no longer than ``seconds``.

    Return ``result`` with the time until the answer, or with an error if the pool did not accept the share or if no
    share was found in time, as is likely at a high difficulty.
    """
    outcomes: list[ShareResult] = []

    def note(event: MinerEvent) -> None:
        if isinstance(event, ShareResult):
            outcomes.append(event)
            miner.stop()

    miner = Miner(
        settings,
        [backend_choice.backend("cpu", threads=None, kernel=None, options=None)],
        goals=Goals(time_limit=seconds),
        options=ClientOptions(retry=False),
        weak_blocks=False,  # many pools reject a block whose hash misses the share target
        on_event=note,
    )
    try:
        await miner.run()
    except (PoolUnreachable, WorkerRefused, BackendError) as error:
        if not outcomes:  # an answer counts, even if the pool then disconnected
            return replace(result, error=str(error))
    if not outcomes:
        return replace(result, error=f"submit: no share of difficulty {result.difficulty:g} within {seconds:g} s")
    outcome = outcomes[0]
    if outcome.outcome is not ShareOutcome.ACCEPTED or outcome.latency is None:
        return replace(result, error=f"submit: {outcome.outcome.value}: {outcome.reason}")
    return replace(result, submit_ms=round(outcome.latency * 1000, 3))


def _show(results: list[PingResult]) -> None:
    output = printing.console(highlight=False)
    steps = [step for step in _STEPS if any(getattr(result, f"{step}_ms") is not None for result in results)]
    table = text_table(output, ("ms", *(_HEADINGS.get(step, step) for step in steps), "difficulty"), names=0)
    for number, result in enumerate(results, 1):
        cells = [_milliseconds(getattr(result, f"{step}_ms")) for step in steps]
        table.add_row(str(number), *cells, difficulty_text(result.difficulty))
    output.print(table)
    for number, result in enumerate(results, 1):
        said = "" if result.error is None else str(secrets.redact(result.error)).removeprefix(f"{result.url}: ")
        text = f"{number}  {result.url}{said and f': {said}'}"
        output.print(text, markup=False, soft_wrap=True)


def _milliseconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}" if value < 100 else f"{value:,.0f}"
