"""A run on a Dask cluster of several processes: merged figures, and a worker that is killed during the run."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stratum_miner.loadtest.cluster import ClusterRun
from stratum_miner.loadtest.limits import LoadError
from stratum_miner.loadtest.plan import LoadPlan

PATIENCE = 100


@pytest.fixture(scope="module")
def distributed() -> Any:
    """It takes long to load, and only the worker that runs these tests needs it."""
    return pytest.importorskip("distributed", reason="needs the extra 'cluster' (dask.distributed)")


@pytest.fixture(scope="module")
def cluster(distributed: Any) -> Iterator[Any]:
    with distributed.LocalCluster(
        n_workers=2, processes=True, threads_per_worker=1, dashboard_address=None, silence_logs=50
    ) as cluster:
        yield cluster


def plan(port: int, **settings: Any) -> LoadPlan:
    return LoadPlan(
        **{
            "host": "127.0.0.1", "port": port, "miners": 31, "duration": 2.0, "ramp": 0.5, "share_rate": 5.0,
            "password": "hunter2", **settings,
        }
    )  # fmt: skip


def test_two_workers_are_one_run_and_a_stop_reaches_all(cluster: Any, pool_port: int) -> None:
    run = ClusterRun(plan(pool_port, duration=600.0), cluster.scheduler_address)
    _once(run, lambda: run.look()[0].mining == 31 and run.look()[0].accepted > 31, run.stop)
    report = run.execute()
    metrics = report.metrics
    assert sorted(shard.miners for shard in report.shards) == [15, 16]
    assert metrics.connections == metrics.most_mining == 31
    assert metrics.accepted == metrics.sent == metrics.phases["submit"].latency.count
    assert metrics.accepted > 31
    assert metrics.phases["first_job"].latency.count == 31
    assert report.interrupted
    assert not report.lost
    assert report.duration < 600


def test_a_run_ends_by_itself(cluster: Any, pool_port: int) -> None:
    report = ClusterRun(plan(pool_port, duration=0.5), cluster.scheduler_address).execute()
    assert len(report.shards) == 2
    assert not report.lost
    assert not report.interrupted


def test_a_worker_lost_in_the_middle_is_told_and_its_figures_are_kept(
    distributed: Any, cluster: Any, pool_port: int
) -> None:
    run = ClusterRun(plan(pool_port, duration=600.0), cluster.scheduler_address)
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        address, pid = sorted(client.run(os.getpid).items())[0]

    def kill() -> None:
        os.kill(pid, signal.SIGKILL)
        _once(run, lambda: run.look()[0].mining < 31, run.stop)  # the others go on until the loss is noticed

    _once(run, lambda: run.look()[0].mining == 31, kill)  # all shards have reported their figures at least once
    report = run.execute()
    (lost,) = report.lost
    assert lost.worker == address
    assert lost.lost_at is not None
    assert 0 < lost.lost_at < 600
    assert lost.reason
    assert report.metrics.connections == 31  # the last report of the lost shard is included
    assert report.to_json()["shards"][0]["lost_at_s"] == pytest.approx(lost.lost_at, abs=0.001)


@pytest.mark.usefixtures("distributed")
def test_no_scheduler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stratum_miner.loadtest.cluster.CONNECT_SECONDS", 0.2)
    with pytest.raises(LoadError, match=r"no scheduler at tcp://127\.0\.0\.1:1"):
        ClusterRun(plan(1), "tcp://127.0.0.1:1").execute()
    with pytest.raises(LoadError, match=r"^--cluster: no scheduler at nowhere: missing port number"):
        ClusterRun(plan(1), "nowhere").execute()


def test_a_worker_that_cannot_do_it_is_told_before_the_start(distributed: Any, cluster: Any, pool_port: int) -> None:
    run = ClusterRun(plan(pool_port), cluster.scheduler_address)
    with distributed.Client(cluster.scheduler_address, set_as_default=False) as client:
        for index in range(2):  # as if these shards had been started before
            distributed.Event(f"{run._id}-begun-{index}", client=client).set()
        with pytest.raises(LoadError, match="started before"):
            run.execute()


def _once(run: ClusterRun, condition: Callable[[], bool], act: Callable[[], None]) -> None:
    """Poll in a thread until the condition holds, and then act. A run reports its figures every 2 s."""

    def watch() -> None:
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:  # the run ends, and the test fails by its figures
                run.stop()
                return
            time.sleep(0.05)
        act()

    threading.Thread(target=watch, daemon=True).start()
