"""The same run on many machines: one shard for each worker of a dask.distributed cluster.

Each worker gets a part of the miners with a seed of its own, says when it is ready, and begins when the scheduler sets
one event for all. Its figures come back every other second, so that a worker that is lost in the middle is not lost
with all it had counted: the report has its last figures, and says that they end there. Nothing is run twice: a shard
that Dask would begin again elsewhere refuses.

Needs the extra ``cluster``; the workers need this package, too. The plan travels over Dask's own connections, which
are as secret as the cluster is set up to be.
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

from stratum_miner.loadtest.generator import LoadGenerator, Progress
from stratum_miner.loadtest.limits import LoadError
from stratum_miner.loadtest.metrics import Metrics
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.report import LoadReport, Shard

TOPIC = "stratum-miner-load"
"""One for all runs, so that a scheduler keeps a bounded number of old messages."""
TELL_SECONDS = 2.0
"""How often a shard tells its figures: some milliseconds of its loop each time."""
LOOK_SECONDS = 0.2
CONNECT_SECONDS = 10.0
READY_SECONDS = 120.0
"""Seconds to wait until all workers are ready: their first import of this package may come from a slow disk."""
SILENT_SECONDS = 30.0
"""A shard that told nothing for so long is lost, whatever Dask still believes of its worker."""
GRACE_SECONDS = 30.0
"""Seconds to wait for the figures of the last shard after the run is over."""
_TALKERS = ("distributed.client", "distributed.core", "distributed.utils", "distributed.comm")


@dataclass(slots=True)
class _Part:
    """A shard as this side sees it."""

    plan: LoadPlan
    worker: str
    future: Any
    ready: bool = False
    heard_at: float = 0.0
    elapsed: float = 0.0
    mining: int = 0
    memory: float | None = None
    metrics: Metrics | None = None
    lost: str = ""
    done: bool = False


class ClusterRun:
    """One run on the cluster of the scheduler at ``address``; ``execute`` blocks, the rest may be called meanwhile."""

    def __init__(self, plan: LoadPlan, address: str) -> None:
        self.plan = plan
        self._address = address
        self._id = uuid.uuid4().hex
        self._parts: list[_Part] = []
        self._stop_wanted = False
        self._stop_told = False
        self._started_at: float | None = None

    # ---- for the caller -------------------------------------------------------------------------------------------

    def execute(self) -> LoadReport:
        """Do it. LoadError when there is no cluster, or when it breaks before the start."""
        distributed = _distributed()
        for name in _TALKERS:  # what they would say, with a traceback, this run says in a line
            logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            # before the client, which does not come away cleanly from an address that is none
            distributed.comm.addressing.parse_host_port(distributed.comm.parse_address(self._address)[1])
            client = distributed.Client(self._address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError, ValueError) as error:
            raise LoadError(f"--cluster: no scheduler at {self._address}: {error}") from None
        try:
            client.subscribe_topic(TOPIC, self._hear)
            self._spread(client)
            self._await_ready(client)
            self._started_at = time.monotonic()
            for part in self._parts:
                part.heard_at = self._started_at
            distributed.Event(f"{self._id}-start", client=client).set()
            self._await_done(client, distributed.Event(f"{self._id}-stop", client=client))
            return self._report()
        finally:
            with contextlib.suppress(OSError, TimeoutError):  # the scheduler may be gone
                for part in self._parts:
                    part.future.cancel()
            client.close()

    def stop(self) -> None:
        """End gracefully with the figures so far."""
        self._stop_wanted = True

    def look(self) -> tuple[Progress, Metrics]:
        """How it stood when each shard was last heard of."""
        metrics = self._merged()
        elapsed = 0.0 if self._started_at is None else time.monotonic() - self._started_at
        progress = Progress(
            elapsed=min(elapsed, self.plan.duration),
            connected=metrics.connections - metrics.endings.total(),
            mining=sum(part.mining for part in self._parts if not part.lost),
            sent=metrics.sent,
            accepted=metrics.accepted,
            refused=metrics.refused.total(),
            errors=metrics.errors.total(),
            submit_p99=metrics.phases["submit"].latency.quantile(0.99),
            lag_p99=metrics.loop_lag.quantile(0.99),
        )
        return progress, metrics

    # ---- the cluster ----------------------------------------------------------------------------------------------

    def _spread(self, client: Any) -> None:
        workers = sorted(client.nthreads())
        if not workers:
            raise LoadError(f"--cluster: expected workers at {self._address}, got none")
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
            self._parts.append(_Part(shard, workers[index], future))

    def _hear(self, event: tuple[float, Mapping[str, Any]]) -> None:
        _, message = event
        if message["run"] != self._id:
            return
        part = self._parts[message["shard"]]
        part.ready, part.heard_at = True, time.monotonic()
        if message["figures"]:
            _take(part, message["figures"])

    def _await_ready(self, client: Any) -> None:
        give_up_at = time.monotonic() + READY_SECONDS
        while not all(part.ready for part in self._parts):
            if self._stop_wanted:
                raise LoadError("--cluster: interrupted before the start")
            alive = client.nthreads()
            for part in self._parts:
                if part.future.status == "error":
                    raise LoadError(f"--cluster: worker {part.worker}: {part.future.exception()}")
                if part.worker not in alive:
                    raise LoadError(f"--cluster: worker {part.worker} was lost before the start")
            if time.monotonic() > give_up_at:
                late = ", ".join(part.worker for part in self._parts if not part.ready)
                raise LoadError(f"--cluster: not ready within {READY_SECONDS:g} s: {late}: are they busy?")
            time.sleep(LOOK_SECONDS)

    def _await_done(self, client: Any, stop: Any) -> None:
        give_up_at = time.monotonic() + self.plan.duration + GRACE_SECONDS
        while open_parts := [part for part in self._parts if not part.done and not part.lost]:
            now = time.monotonic()
            if self._stop_wanted and not self._stop_told:
                self._stop_told = True
                stop.set()
                give_up_at = min(give_up_at, now + GRACE_SECONDS)
            try:
                alive = client.nthreads()
            except (OSError, TimeoutError):
                for part in open_parts:
                    part.lost = "the scheduler is gone"
                return
            for part in open_parts:
                self._judge(part, alive, now, give_up_at)
            time.sleep(LOOK_SECONDS)

    def _judge(self, part: _Part, alive: Mapping[str, int], now: float, give_up_at: float) -> None:
        status = part.future.status
        if status == "finished":
            _take(part, part.future.result())
            part.done = True
        elif status in ("error", "lost", "cancelled"):
            error = part.future.exception() if status == "error" else None
            part.lost = str(error or status)
        elif part.worker not in alive:
            part.lost = "the worker left the cluster"
        elif now - part.heard_at > SILENT_SECONDS:
            part.lost = f"nothing heard for {SILENT_SECONDS:g} s"
        elif now > give_up_at:
            part.lost = "it did not come to an end"

    # ---- the figures ----------------------------------------------------------------------------------------------

    def _merged(self) -> Metrics:
        merged = Metrics(self.plan.duration)
        for part in self._parts:
            metrics = part.metrics
            if metrics is not None:
                merged.merge(metrics)
        return merged

    def _report(self) -> LoadReport:
        shards = tuple(
            Shard(
                worker=part.worker,
                miners=part.plan.miners,
                duration=part.elapsed,
                memory_per_miner=part.memory,
                lost_at=part.elapsed if part.lost else None,
                reason=part.lost,
            )
            for part in self._parts
        )
        return LoadReport(plan=self.plan, metrics=self._merged(), shards=shards, interrupted=self._stop_told)


def run_shard(run: str, index: int, plan: LoadPlan) -> bytes:
    """What a worker does: get ready, wait for the start, run, and tell its figures meanwhile; returns the last."""
    distributed = _distributed()
    begun = distributed.Event(f"{run}-begun-{index}")
    if begun.is_set():
        raise LoadError("this shard was begun before: its worker was lost and is back")
    begun.set()
    worker = distributed.get_worker()
    fleet = LoadGenerator(plan)
    worker.log_event(TOPIC, {"run": run, "shard": index, "figures": b""})
    distributed.Event(f"{run}-start").wait()
    over = threading.Event()

    def tell() -> None:
        while not over.wait(TELL_SECONDS):
            worker.log_event(TOPIC, {"run": run, "shard": index, "figures": _figures(fleet)})

    def heed_stop() -> None:
        stop = distributed.Event(f"{run}-stop", client=client)
        with contextlib.suppress(OSError):  # without a scheduler nobody tells this shard to stop, nor asks for figures
            while not over.is_set():
                if stop.wait(timeout=TELL_SECONDS):
                    fleet.stop()
                    return

    client = distributed.get_client()
    helpers = [threading.Thread(target=each, name=f"load-{each.__name__}", daemon=True) for each in (tell, heed_stop)]
    for helper in helpers:
        helper.start()
    try:
        fleet.run()
    finally:
        over.set()
    return _figures(fleet)


def _figures(fleet: LoadGenerator) -> bytes:
    progress = fleet.progress()
    value = {
        "elapsed": fleet.elapsed or progress.elapsed,
        "mining": progress.mining,
        "memory": fleet.memory_per_miner,
        "failure": fleet.failure,
        "metrics": fleet.metrics.to_builtins(),
    }
    return zlib.compress(msgspec.json.encode(value), 1)


def _take(part: _Part, figures: bytes) -> None:
    value = msgspec.json.decode(zlib.decompress(figures))
    metrics = value["metrics"]
    for row in metrics["rows"]:
        row[5] = {int(micros): count for micros, count in row[5].items()}
    part.elapsed, part.mining, part.memory = value["elapsed"], value["mining"], value["memory"]
    part.metrics = Metrics.from_builtins(metrics)
    part.lost = part.lost or value["failure"]


def _distributed() -> Any:
    try:
        import distributed  # noqa: PLC0415  an extra
    except ImportError as error:
        raise LoadError(f"--cluster: expected the extra of that name, as in stratum-miner[cluster]: {error}") from None
    return distributed
