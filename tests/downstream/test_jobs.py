"""The jobs that a session may still submit to."""

import tracemalloc

from stratum_miner.downstream.jobs import MAX_JOBS, MAX_OLD_JOBS, AnnouncedJob, JobContent, JobTable, OldJob, SessionJob
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


def job_at(ntime: int, job_id: str = "", *, version: int = 0x20000000, origin: int = 0) -> SessionJob[AnnouncedJob]:
    content = JobContent(
        job_id=job_id or str(ntime), previous_hash=bytes(32), coinbase_prefix=b"", coinbase_suffix=b"",
        merkle_branch=(), version=version, nbits=0x1D00FFFF, ntime=ntime, clean=False,
    )  # fmt: skip
    announced = AnnouncedJob(content=content, network_target=1, line=b"", clean_line=b"", origin=origin)
    return SessionJob(announced=announced, extranonce1=b"", difficulty=1.0, target=1, version_mask=0)


def test_shares_are_taken_for_sixteen_minutes_if_a_job_comes_every_30_seconds() -> None:
    table = JobTable[AnnouncedJob]()
    for number in range(1, 16 * 2 + 1):
        table.add(job_at(30 * number))
    assert table.get("30") is not None
    table.add(job_at(30 * 33))
    assert table.get("30") is None
    assert table.get("60") is not None


def test_a_job_that_went_is_remembered_only_for_its_shares() -> None:
    table = JobTable[AnnouncedJob](max_jobs=1)
    assert table.shares == 0
    table.add(job_at(1, "none"))
    table.add(job_at(1, "two"))
    table.count_share("two")
    table.count_share("two")
    assert table.shares == 2
    table.add(job_at(601, "one"))
    table.count_share("one")
    assert table.get("two") is None
    assert (table.get_old("none"), table.get_old("two") is not None) == (None, True)
    assert table.shares == 3
    table.add(job_at(602, "last"))
    assert (table.get_old("two"), table.get_old("one") is not None) == (None, True), "601 s younger than the newest"
    assert table.shares == 1


def test_no_more_than_512_jobs_that_went_are_remembered() -> None:
    table = JobTable[AnnouncedJob](max_jobs=1)
    for number in range(1, 513):
        table.add(job_at(1, str(number)))
        table.count_share(str(number))
    table.add(job_at(1, "513"))
    assert table.get_old("1") is not None
    table.count_share("513")
    table.add(job_at(1, "514"))
    assert (table.get_old("1"), table.get_old("2") is not None) == (None, True)
    assert table.shares == 512


def test_a_wider_mask_is_for_the_jobs_of_one_origin_and_never_for_bits_of_their_own_version() -> None:
    table = JobTable[AnnouncedJob]()
    for job in (job_at(1, "pool"), job_at(1, "own bit", version=0x20002000), job_at(1, "elsewhere", origin=1)):
        table.add(job)
    table.allow_versions(0x8000, origin=0)
    table.allow_versions(0x6000, origin=0)
    found = [table.get(name) for name in ("pool", "own bit", "elsewhere")]
    masks = [each.version_mask for each in found if each is not None]
    assert masks == [0xE000, 0xC000, 0]


def test_without_more_said_a_job_is_of_a_pool_and_may_not_be_rolled() -> None:
    content = job_at(1).announced.content
    job = AnnouncedJob(content=content, network_target=1, line=b"", clean_line=b"")
    assert (job.origin, job.rollable_mask, job.maxtime) == (0, 0, None)
