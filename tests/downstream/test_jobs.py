"""The jobs that a session may still submit to."""

import tracemalloc

from stratum_miner.downstream.jobs import MAX_JOBS, MAX_OLD_JOBS, JobTable, OldJob, SessionJob
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.testing.scripted_node import make_template


def _factory() -> JobFactory:
    return JobFactory(payout_script=b"\x51", version_mask=0x1FFFE000, extranonce_size=12, coinbase_tag=b"/t/")


def test_a_table_keeps_the_latest_jobs() -> None:
    factory, table = _factory(), JobTable[PoolJob](max_jobs=3)
    factory.publish(make_template(), 0.0)
    for _ in range(5):
        job = SessionJob(announced=factory.renew(0.0), extranonce1=b"", difficulty=1.0, target=1, version_mask=1)
        table.add(job)
    assert len(table) == 3
    assert [table.get(f"{number:08x}") is not None for number in range(2, 7)] == [False, False, True, True, True]
    table.allow_versions(2, origin=0)
    latest = table.get("00000006")
    assert latest is not None
    assert latest.version_mask == 3
    assert job.version_mask == 1


def test_the_worst_that_a_table_takes_is_bounded() -> None:
    factory = _factory()
    factory.publish(make_template(), 0.0)
    jobs = [factory.renew(0.0) for _ in range(2 * (MAX_JOBS + MAX_OLD_JOBS))]
    tracemalloc.start()
    try:
        tables = [JobTable[PoolJob]() for _ in range(10)]
        for table in tables:
            for job in jobs:
                table.add(
                    SessionJob(announced=job, extranonce1=b"\x01", difficulty=1.0, target=1 << 200, version_mask=0)
                )
                table.count_share(job.content.job_id)
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken / len(tables) < 170_000
    assert {table.shares for table in tables} == {MAX_JOBS + MAX_OLD_JOBS}
    old = tables[0].get_old(jobs[-MAX_JOBS - 1].content.job_id)
    assert old is not None
    assert type(old) is OldJob, "the template that it was made of would be megabytes"
