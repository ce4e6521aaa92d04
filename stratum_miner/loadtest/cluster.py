"""Runs a load test on several computers: on the workers of a dask.distributed cluster.

Each worker executes one shard (part) of the run: it simulates some of the miners, with a random seed of its own. A
worker reports that it is ready, and then waits for a Dask event that starts all workers at the same time. During the
run, each worker sends its figures every 2 s. If a worker is lost, the report of the run contains the last figures that
the worker sent, and their time. No shard runs twice: if Dask starts a shard again on another worker, the second start
fails at once.

This module needs the extra ``cluster``, also on the workers. The plan contains the password of the pool and is sent
over the connections of Dask. These connections are encrypted only if the Dask cluster is configured to use TLS.
"""

import contextlib
import logging
import threading
import time
import uuid
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from stratum_miner.installation import require
from stratum_miner.loadtest.generator import LoadGenerator, Progress
from stratum_miner.loadtest.limits import LoadError
from stratum_miner.loadtest.metrics import Metrics
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.report import LoadReport, Shard

TOPIC = "stratum-miner-load"
"""Dask topic to which the workers of all runs send their reports. The scheduler limits the stored messages of each
topic but not the number of topics, so a new topic for each run would use more and more of the scheduler's memory."""
REPORT_SECONDS = 2.0
"""Seconds between two reports of a shard (the part of the run that one worker executes). Each report delays the loop of
the load generator by some milliseconds."""
POLL_SECONDS = 0.2
"""Seconds between two checks whether the workers are ready, finished or lost."""
CONNECT_SECONDS = 10.0
"""Seconds within which the connection to the Dask scheduler must be made."""
READY_SECONDS = 120.0
"""Seconds to wait until all workers are ready. They may have to import this package from a slow disk first."""
SILENT_SECONDS = 30.0
"""Seconds without a report after which a shard (the part of the run that one worker executes) counts as lost, even if
its worker is still connected to Dask."""
GRACE_SECONDS = 30.0
"""Seconds to wait for the last figures of the workers after the end of the run."""
_QUIET_LOGGERS = ("distributed.client", "distributed.core", "distributed.utils", "distributed.comm")


@dataclass(slots=True)
class _ShardState:
    """What this process knows about a shard (the part of the run that one worker executes) from the reports that it
    received."""

    plan: LoadPlan
    worker: str
    future: Any
    ready: bool = False
    reported_at: float = 0.0
    elapsed: float = 0.0
    mining: int = 0
    memory: float | None = None
    metrics: Metrics | None = None
    lost: str = ""
    done: bool = False
    loop_use: float = 0.0
    pool_failure: str = ""


class ClusterRun:
    """One load test on the workers of the Dask scheduler at ``address``, which has the form tcp://HOST:PORT.

    ``execute`` returns only when the run has ended. Meanwhile, other threads may call ``look`` and ``stop``.
    """

    def __init__(self, plan: LoadPlan, address: str) -> None:
        self.plan = plan
        self._address = address
        self._id = uuid.uuid4().hex
        self._shards: list[_ShardState] = []
        self._stop_requested = False
        self._stop_sent = False
        self._started_at: float | None = None

    # ---- for the caller -------------------------------------------------------------------------------------------

    def execute(self) -> LoadReport:
        """Run the plan on all workers and return the report.

        Raises LoadError if the package ``distributed`` is not installed, the scheduler cannot be reached or has no
        workers, a worker fails or is not ready in time, or ``stop`` is called before the run starts.
        """
        distributed = _distributed()
        for name in _QUIET_LOGGERS:  # these would log a traceback for an error that LoadError states in one line
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            # distributed.Client raises no clear error for a malformed address, so the address is checked here.
            distributed.comm.addressing.parse_host_port(distributed.comm.parse_address(self._address)[1])
            client = distributed.Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise LoadError(
                f"--cluster: no scheduler at {self._address}: {error}. Give the address as tcp://HOST:PORT"
            ) from None
        try:
            client.subscribe_topic(TOPIC, self._on_report)
            self._start_shards(client)
            self._await_ready(client)
            self._started_at = time.monotonic()
            for shard in self._shards:
                shard.reported_at = self._started_at
            distributed.Event(f"{self._id}-start", client=client).set()
            self._await_done(client, distributed.Event(f"{self._id}-stop", client=client))
            return self._report()
        finally:
            with contextlib.suppress(OSError, TimeoutError):  # the scheduler may have stopped already
                for shard in self._shards:
                    shard.future.cancel()
            client.close()

    def stop(self) -> None:
        """Stop the run at all workers. ``execute`` then returns a report with the figures so far, or raises LoadError
        if the run has not begun."""
        self._stop_requested = True

    def look(self) -> tuple[Progress, Metrics]:
        """Return the progress and the metrics of all shards (parts of the run) together, computed from the last report
        of each shard."""
        metrics = self._merged()
        elapsed = 0.0 if self._started_at is None else time.monotonic() - self._started_at
        progress = Progress(
            elapsed=min(elapsed, self.plan.duration),
            connected=metrics.connections - metrics.endings.total(),
            mining=sum(shard.mining for shard in self._shards if not shard.lost),
            sent=metrics.sent,
            accepted=metrics.accepted,
            refused=metrics.refused.total(),
            errors=metrics.errors.total(),
            submit_p99=metrics.phases["submit"].latency.quantile(0.99),
            lag_p99=metrics.loop_lag.quantile(0.99),
        )
        return progress, metrics

    # ---- the cluster ----------------------------------------------------------------------------------------------

    def _start_shards(self, client: Any) -> None:
        workers = sorted(client.nthreads())
        if not workers:
            raise LoadError(f"--cluster: the scheduler at {self._address} has no workers; start some with dask worker")
        for index, shard in enumerate(self.plan.shards(len(workers))):
            future = client.submit(
                run_shard,
                self._id,
                index,
                shard,
                key=f"{TOPIC}-{self._id}-{index}",
                workers=[workers[index]],
                allow_other_workers=False,
                retries=0,
                pure=False,
            )
            self._shards.append(_ShardState(shard, workers[index], future))

    def _on_report(self, event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        if message["run"] != self._id:
            return
        shard = self._shards[message["shard"]]
        shard.ready, shard.reported_at = True, time.monotonic()
        if message["figures"]:
            _store_figures(shard, message["figures"])

    def _await_ready(self, client: Any) -> None:
        give_up_at = time.monotonic() + READY_SECONDS
        while not all(shard.ready for shard in self._shards):
            if self._stop_requested:
                raise LoadError("--cluster: the run was interrupted before its start")
            alive = client.nthreads()
            for shard in self._shards:
                if shard.future.status == "error":
                    error = shard.future.exception()
                    raise LoadError(f"--cluster: worker {shard.worker} failed before the start: {error}")
                if shard.worker not in alive:
                    raise LoadError(f"--cluster: worker {shard.worker} was lost before the start")
            if time.monotonic() > give_up_at:
                late = ", ".join(shard.worker for shard in self._shards if not shard.ready)
                raise LoadError(
                    f"--cluster: expected all workers to be ready within {READY_SECONDS:g} s, these were not: {late}. "
                    "Check that they are not busy"
                )
            time.sleep(POLL_SECONDS)

    def _await_done(self, client: Any, stop: Any) -> None:
        give_up_at = time.monotonic() + self.plan.duration + GRACE_SECONDS
        while open_shards := [shard for shard in self._shards if not shard.done and not shard.lost]:
            now = time.monotonic()
            if self._stop_requested and not self._stop_sent:
                self._stop_sent = True
                stop.set()
                give_up_at = min(give_up_at, now + GRACE_SECONDS)
            try:
                alive = client.nthreads()
            except (OSError, TimeoutError):
                for shard in open_shards:
                    shard.lost = "the connection to the scheduler is lost"
                return
            for shard in open_shards:
                self._check(shard, alive, now, give_up_at)
            time.sleep(POLL_SECONDS)

    def _check(self, shard: _ShardState, alive: Mapping[str, int], now: float, give_up_at: float) -> None:
        status = shard.future.status
        if status == "finished":
            _store_figures(shard, shard.future.result())
            shard.done = True
        elif status in ("error", "lost", "cancelled"):
            error = shard.future.exception() if status == "error" else None
            shard.lost = str(error or status)
        elif shard.worker not in alive:
            shard.lost = "the worker left the cluster"
        elif now - shard.reported_at > SILENT_SECONDS:
            shard.lost = f"the worker sent no report for {SILENT_SECONDS:g} s"
        elif now > give_up_at:
            shard.lost = "the worker sent no last figures after the end of the run"

    # ---- the figures ----------------------------------------------------------------------------------------------

    def _merged(self) -> Metrics:
        merged = Metrics(self.plan.duration)
        for shard in self._shards:
            metrics = shard.metrics
            if metrics is not None:
                merged.merge(metrics)
        return merged

    def _report(self) -> LoadReport:
        shards = tuple(
            Shard(
                worker=shard.worker,
                miners=shard.plan.miners,
                duration=shard.elapsed,
                memory_per_miner=shard.memory,
                lost_at=shard.elapsed if shard.lost else None,
                reason=shard.lost,
                loop_use=shard.loop_use,
                pool_failure=shard.pool_failure,
            )
            for shard in self._shards
        )
        return LoadReport(plan=self.plan, metrics=self._merged(), shards=shards, interrupted=self._stop_sent)


def run_shard(run: str, index: int, plan: LoadPlan) -> bytes:
    """In a Dask worker, execute shard number ``index`` of the run ``run``, and return the last figures of the shard.

    The function reports that the worker is ready, waits for the common start of all workers, and sends figures during
    the run. Raises LoadError if this shard was started before.
    """
    distributed = _distributed()
    begun = distributed.Event(f"{run}-begun-{index}")
    if begun.is_set():
        raise LoadError("this shard was started before, and its worker was lost; a shard is never run twice")
    begun.set()
    worker = distributed.get_worker()
    generator = LoadGenerator(plan)
    worker.log_event(TOPIC, {"run": run, "shard": index, "figures": b""})
    distributed.Event(f"{run}-start").wait()
    ended = threading.Event()

    def report_figures() -> None:
        while not ended.wait(REPORT_SECONDS):
            worker.log_event(TOPIC, {"run": run, "shard": index, "figures": _figures(generator)})

    def watch_for_stop() -> None:
        stop = distributed.Event(f"{run}-stop", client=client)
        with contextlib.suppress(OSError):  # without a connection to the scheduler, no request to stop can arrive
            while not ended.is_set():
                if stop.wait(timeout=REPORT_SECONDS):
                    generator.stop()
                    return

    client = distributed.get_client()
    helpers = [
        threading.Thread(target=each, name=f"load-{each.__name__}", daemon=True)
        for each in (report_figures, watch_for_stop)
    ]
    for helper in helpers:
        helper.start()
    try:
        generator.run()
    finally:
        ended.set()
    return _figures(generator)


def _figures(generator: LoadGenerator) -> bytes:
    progress = generator.progress()
    value = {
        "elapsed": generator.elapsed or progress.elapsed,
        "mining": progress.mining,
        "memory": generator.memory_per_miner,
        "failure": generator.failure,
        "loop_use": generator.loop_use,
        "pool_failure": generator.pool_failure,
        "metrics": generator.metrics.to_builtins(),
    }
    return zlib.compress(msgspec.json.encode(value), 1)


def _store_figures(shard: _ShardState, figures: bytes) -> None:
    value = msgspec.json.decode(zlib.decompress(figures))
    metrics = value["metrics"]
    for row in metrics["rows"]:
        row[5] = {int(micros): count for micros, count in row[5].items()}
    shard.elapsed, shard.mining, shard.memory = value["elapsed"], value["mining"], value["memory"]
    shard.metrics = Metrics.from_builtins(metrics)
    shard.lost = shard.lost or value["failure"]
    shard.loop_use, shard.pool_failure = value["loop_use"], value["pool_failure"]


def _distributed() -> Any:
    require("cluster", "--cluster")
    import distributed  # noqa: PLC0415  an optional dependency

    return distributed
