"""``stratum-miner load``: its options, the display during a run, and the report."""

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import msgspec
import structlog
import trio
from cyclopts import Parameter
from rich.console import RenderableType

from stratum_miner import user_files
from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import common, ownership, pool_access
from stratum_miner.app.process import output_files, printing, secrets, signals
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.app.process.live_display import can_redraw, redraw
from stratum_miner.app.process.logs import console
from stratum_miner.backends.options import hash_rate as parse_hash_rate
from stratum_miner.client import PoolUrl
from stratum_miner.faults.share_faults import SHARE_FAULTS
from stratum_miner.faults.wire_faults import SLOW_READ_BYTES, SLOW_READ_SECONDS
from stratum_miner.installation import require
from stratum_miner.loadtest import spec, thresholds
from stratum_miner.loadtest.cluster import ClusterRun
from stratum_miner.loadtest.generator import LoadGenerator, Progress
from stratum_miner.loadtest.metrics import Metrics
from stratum_miner.loadtest.plan import DEFAULT_SHARE_RATE, LONGEST_PAUSE, MAX_MINERS, LoadPlan, PlanError
from stratum_miner.loadtest.report import LoadReport, Shard
from stratum_miner.loadtest.thresholds import Threshold
from stratum_miner.reports import load_page, load_text
from stratum_miner.user_files import UserFileError

log = structlog.get_logger("stratum_miner")

REFRESH_S = 0.5
STATUS_INTERVAL_S = 5.0
DEFAULT_USER = "load.{n}"
RAMP_PART = 6
"""Without --ramp, the miners connect during the first sixth of the run."""
SWITCH_S = 0.0005
"""Seconds after which the thread that draws the display must give way to the thread that measures latencies
(``sys.setswitchinterval``).

With Python's default, 5 ms, the measured latencies would be too long.
"""
_PLANNED = frozenset(
    [
        "--miners",
        "--duration",
        "--ramp",
        "--share-rate",
        "--hash-rate",
        "--storm",
        "--churn",
        "--reconnect",
        "--pause",
        "--slow-readers",
        "--version-rolling",
        "--profile",
        "--distribution",
    ]
)
"""The options whose values are checked by the plan of a load test (``LoadPlan``)."""
MAX_REPORT = 64 << 20
"""Largest accepted size in bytes of a file with the JSON output of an earlier run."""


def _text(name: str | tuple[str, ...], help_text: str, group: str) -> Any:
    return Parameter(name=name, help=help_text, group=group, negative=(), allow_leading_hyphen=True)


def _flag(name: str, help_text: str, group: str) -> Any:
    return Parameter(name=name, help=help_text, group=group, negative=(), show_default=False)


def load(
    url: Annotated[
        str | None, Parameter(help="Pool to load-test: stratum+tcp://HOST:PORT. TLS is not supported.")
    ] = None,
    /,
    *,
    miners: Annotated[int, _text(("--miners", "-n"), "Number of simulated miners.", "Load")] = 100,
    duration: Annotated[
        float,
        duration_option("--duration", "Length of the run, in seconds or with a unit, including the ramp.", "Load"),
    ] = 60.0,
    ramp: Annotated[
        float | None,
        duration_option(
            "--ramp",
            "Time over which the miners connect, evenly, in seconds or with a unit. 0 connects all of them at once. "
            f"[default: 1/{RAMP_PART} of --duration]",
            "Load",
        ),
    ] = None,
    share_rate: Annotated[
        float | None,
        _text(
            "--share-rate",
            "Average number of shares per second of one miner, at the first difficulty that the pool sets. "
            f"[default: {DEFAULT_SHARE_RATE}, or the highest rate that this computer reaches if that is lower]",
            "Load",
        ),
    ] = None,
    hash_rate: Annotated[
        str | None,
        _text(
            "--hash-rate",
            "Average hash rate of one miner, such as 5kH/s, to use instead of --share-rate. The pool's difficulty "
            "then decides how often a miner submits a share.",
            "Load",
        ),
    ] = None,
    distribution: Annotated[
        str,
        _text(
            "--distribution",
            "How the hash rates of the miners differ: equal, uniform, lognormal or pareto. Add settings after a colon, "
            "as in pareto:alpha=2.",
            "Load",
        ),
    ] = "equal",
    profile: Annotated[
        str,
        _text(
            "--profile",
            "How the hash rates change during the run: track (constant), step, ramp, stall, burst or oscillate. Add "
            "settings after a colon, as in step:to=4.",
            "Load",
        ),
    ] = "track",
    seed: Annotated[
        int, _text("--seed", "Seed for the random choices. The same seed gives the same choices.", "Load")
    ] = 0,
    storm: Annotated[
        list[float] | None,
        duration_option(
            "--storm",
            "Time after the start, in seconds or with a unit, at which all connections break and all miners reconnect "
            "at once. Repeatable.",
            "Behavior",
        ),
    ] = None,
    churn: Annotated[
        float | None,
        duration_option(
            "--churn",
            "Mean lifetime of a connection, in seconds or with a unit. Without this option, miners stay connected.",
            "Behavior",
        ),
    ] = None,
    reconnect: Annotated[
        Literal["fresh", "resume", "never"],
        _text(
            "--reconnect",
            "What a miner does after its connection has ended: fresh starts a new session, resume asks for the old "
            "session, and never does not reconnect.",
            "Behavior",
        ),
    ] = "fresh",
    pause: Annotated[
        float,
        duration_option(
            "--pause",
            "Time before the first attempt to reconnect, in seconds or with a unit. The pause doubles after each "
            f"failed attempt, up to {LONGEST_PAUSE:g} s.",
            "Behavior",
        ),
    ] = 1.0,
    slow_readers: Annotated[
        str,
        _text(
            "--slow-readers",
            f"Percentage of the miners that read only {SLOW_READ_BYTES / SLOW_READ_SECONDS:g} B/s.",
            "Behavior",
        ),
    ] = "0%",
    version_rolling: Annotated[
        str,
        _text(
            "--version-rolling",
            "Percentage of the miners that ask for version rolling and use it.",
            "Behavior",
        ),
    ] = "100%",
    bad: Annotated[
        list[str] | None,
        _text(
            "--bad",
            "KIND=PERCENT: the percentage of submitted shares that are bad in this way, such as stale=1%. Kinds are "
            f"{', '.join(SHARE_FAULTS)}. Repeatable.",
            "Behavior",
        ),
    ] = None,
    user: Annotated[
        str, _text(("--user", "-u"), "Worker name of the miners. The number of the miner replaces {n}.", "Pool")
    ] = DEFAULT_USER,
    password: Annotated[
        str | None,
        _text(
            ("--pass", "-p"),
            f"Password of the miners. [default: STRATUM_MINER_PASS, otherwise {pool_access.DEFAULT_PASSWORD}]",
            "Pool",
        ),
    ] = None,
    i_own_this_pool: Annotated[
        bool,
        _flag(
            "--i-own-this-pool",
            "Confirm that the pool is yours. load requires this for a pool on another computer.",
            "Pool",
        ),
    ] = False,
    cluster: Annotated[
        str | None,
        _text(
            "--cluster",
            "HOST:PORT of a dask.distributed scheduler, whose worker processes simulate the miners.",
            "Pool",
        ),
    ] = None,
    fail_if: Annotated[
        list[str] | None,
        _text(
            "--fail-if",
            "FIGURE>VALUE or FIGURE<VALUE: exit with code 1 if this is true after the run, as for submit_p99>50ms. "
            "Repeatable.",
            "Output",
        ),
    ] = None,
    compare: Annotated[
        list[Path] | None,
        _text(
            "--compare",
            "File with the --json output of an earlier run, to compare with this run. To compare "
            "the files of two earlier runs, give both, and no URL. Repeatable.",
            "Output",
        ),
    ] = None,
    html: Annotated[
        Path | None, _text("--html", "Write an HTML page with the report and plots to this file.", "Output")
    ] = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Load-test a pool with simulated miners that use real connections and submit valid shares.

    Share latencies are measured from the time at which each share was due. Use this command only for your own pool: a
    load test of someone else's pool is an attack.

    Exit code 1: a --fail-if limit was exceeded, or a process of the load test was lost. 4: the pool could not be
    reached, or ended the run.
    """
    common.set_up_logging(quiet=quiet)
    earlier = [_read(path) for path in compare or ()]
    if url is None:
        return _compare_only(earlier)
    if len(earlier) > 1:
        raise UsageError(
            f"--compare: expected at most one earlier run together with a URL, got {len(earlier)} earlier runs"
        )
    try:
        limits = [Threshold.parse(text) for text in fail_if or ()]
        pool, worker_name, secret = pool_access.login(url, user, password, default=DEFAULT_USER)
        plan = _plan(
            pool,
            miners=miners,
            duration=duration,
            ramp=duration / RAMP_PART if ramp is None else ramp,
            share_rate=share_rate,
            hash_rate=None if hash_rate is None else parse_hash_rate({"--hash-rate": hash_rate}, "--hash-rate"),
            distribution=distribution,
            profile=profile,
            seed=seed,
            storms=tuple(storm or ()),
            churn=churn,
            reconnect=reconnect,
            pause=pause,
            slow_readers=spec.fraction(slow_readers, "--slow-readers"),
            version_rolling=spec.fraction(version_rolling, "--version-rolling"),
            bad=_bad(bad or []),
            worker_name=worker_name,
            password=secret,
        )
    except (PlanError, spec.SpecError) as error:
        raise UsageError(_with_option(str(error))) from None
    if cluster is not None:
        require("cluster", "--cluster")
    elif miners > MAX_MINERS:
        raise UsageError(
            f"--miners: expected at most {MAX_MINERS} in one process, got {miners}; for more, add --cluster HOST:PORT"
        )
    ownership.check(plan.host, i_own_this_pool, "a load test of someone else's pool is an attack")
    output_files.check_writable(html, "--html")
    report = _run(_Local(plan) if cluster is None else ClusterRun(plan, cluster), plan, quiet=quiet)
    result = report.to_json()
    figures = thresholds.figures_of(result)
    report = replace(report, failures=tuple(filter(None, (limit.failure(figures) for limit in limits))))
    _tell(report, earlier, json=json, html=html)
    if not report.metrics.connections or report.pool_failure:
        return ExitCode.POOL_UNREACHABLE
    return ExitCode.FAILED if report.failures or report.lost else ExitCode.OK


# ---- the run --------------------------------------------------------------------------------------------------------


class LoadRun(Protocol):
    """One load test, in this process or on a cluster.

    ``execute`` blocks the thread that calls it. Other threads may call the other methods.
    """

    def execute(self) -> LoadReport:
        """Run the load test and return its report. Raises LoadError if the load test cannot be run."""

    def stop(self) -> None:
        """Stop the run gracefully. ``execute`` then returns a report of what was measured until now."""

    def look(self) -> tuple[Progress, Metrics]:
        """Return the progress of the run, and what was measured until now."""


class _Local:
    """A load test in this process."""

    def __init__(self, plan: LoadPlan) -> None:
        self._generator = LoadGenerator(plan)
        self._stopped = False

    def execute(self) -> LoadReport:
        generator = self._generator
        metrics = generator.run()
        shard = Shard(
            worker="",
            miners=generator.plan.miners,
            duration=generator.elapsed,
            memory_per_miner=generator.memory_per_miner,
            lost_at=generator.elapsed if generator.failure else None,
            reason=generator.failure,
            loop_use=generator.loop_use,
            pool_failure=generator.pool_failure,
        )
        return LoadReport(plan=generator.plan, metrics=metrics, shards=(shard,), interrupted=self._stopped)

    def stop(self) -> None:
        self._stopped = True
        self._generator.stop()

    def look(self) -> tuple[Progress, Metrics]:
        return self._generator.progress(), self._generator.metrics


def _run(run: LoadRun, plan: LoadPlan, *, quiet: bool) -> LoadReport:
    reports: list[LoadReport] = []

    async def watched(stop: signals.Stop) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_show, run, plan, quiet)
            with stop.calling(run.stop):
                reports.append(await trio.to_thread.run_sync(run.execute, abandon_on_cancel=True))
            nursery.cancel_scope.cancel()

    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        signals.run(watched)
    finally:
        sys.setswitchinterval(before)
    if not reports:  # a second interruption by the user ended the run without a report
        raise KeyboardInterrupt
    _hide_secrets(reports[0].metrics)
    return reports[0]


def _hide_secrets(metrics: Metrics) -> None:
    """Hide the secrets in the texts of the pool that a report quotes. A pool may repeat the password."""
    for counts in (metrics.refused, metrics.endings, metrics.errors):
        shown = [(secrets.redact_foreign(text), count) for text, count in counts.items()]
        counts.clear()
        for text, count in shown:
            counts[text] += count


async def _show(run: LoadRun, plan: LoadPlan, quiet: bool) -> None:
    if can_redraw(console):
        if not quiet:
            await redraw(console, _Drawn(run, plan), REFRESH_S)
        return
    before: Progress | None = None
    doubted = False
    while True:
        await trio.sleep(STATUS_INTERVAL_S)
        progress, metrics = run.look()
        if metrics.doubt and not doubted:
            log.warning("hash_rate_doubtful", reason=metrics.doubt)
            doubted = True
        log.info("load", **load_text.progress_fields(progress, before))
        before = progress


@dataclass(slots=True)
class _Drawn:
    """Draws the progress of the run. The rates are averages over the time since the previous drawing."""

    run: LoadRun
    plan: LoadPlan
    before: Progress | None = None

    def __call__(self) -> RenderableType:
        progress, metrics = self.run.look()
        before, self.before = self.before, progress
        return load_text.live(self.plan, progress, metrics, before, console)


# ---- before and after -----------------------------------------------------------------------------------------------


def _plan(url: PoolUrl, **settings: Any) -> LoadPlan:
    if url.tls:
        raise UsageError(
            f"{url}: expected stratum+tcp://HOST:PORT; load does not support TLS. Use the pool's plain-text port, "
            "behind its TLS terminator"
        )
    return LoadPlan(host=url.host, port=url.port, **settings)


def _with_option(error: str) -> str:
    """Return the text of an error about the plan. The text begins with the name of a setting. If an option sets this
    setting, the option replaces the name."""
    name, colon, rest = error.partition(": ")
    flag = "--" + name.replace(" ", "-")
    return f"{flag}{colon}{rest}" if flag in _PLANNED else error


def _bad(entries: list[str]) -> dict[str, float]:
    found = {}
    for entry in entries:
        kind, equals, share = entry.partition("=")
        if not equals:
            raise UsageError(f"--bad: expected KIND=PERCENT, as in stale=1%, got {entry!r}")
        found[kind.strip()] = spec.fraction(share, f"--bad {kind.strip()}")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        value = msgspec.json.decode(user_files.read(path, MAX_REPORT))
        thresholds.figures_of(value)
    except OSError as error:
        raise UsageError(f"--compare: cannot read {str(path)!r}: {error.strerror}") from None
    except (UserFileError, msgspec.DecodeError, spec.SpecError) as error:
        raise UsageError(f"--compare: {str(path)!r}: {error}") from None
    return dict(value)


def _compare_only(earlier: list[dict[str, Any]]) -> int:
    if len(earlier) != 2:
        raise UsageError(
            f"expected the URL of a pool, or --compare with two earlier runs, got {len(earlier)} runs and no URL"
        )
    load_text.comparison(earlier[0], earlier[1], printing.console(highlight=False))
    return ExitCode.OK


def _tell(report: LoadReport, earlier: Sequence[Mapping[str, Any]], *, json: bool, html: Path | None) -> None:
    result = report.to_json()
    if json:
        changes = thresholds.compare(earlier[0], result) if earlier else []
        compared = [
            {"figure": item.figure, "before": item.before, "after": item.after, "ratio": item.ratio} for item in changes
        ]
        printing.print_json(result | ({"comparison": compared} if earlier else {}))
    else:
        output = printing.console(highlight=False)
        load_text.show(report, output)
        if earlier:
            load_text.comparison(earlier[0], result, output)
    if json:
        for failure in report.failures:
            log.error("failed", threshold=failure)
    if html is not None:
        output_files.write(html, load_page.page(report), "--html")
        log.info("page_written", path=os.fspath(html))
