"""Jobs that replace jobs."""

import pytest

from stratum_miner.stratum.events import JobAnnounced
from stratum_miner.stratum.pool_messages import Notify


def announced(job_id: str, *, clean: bool, amended: bool = False) -> JobAnnounced:
    return JobAnnounced(
        notify=Notify(job_id, bytes(32), b"", b"", (), 0x20000000, 0x207FFFFF, 0, clean),
        share_target=1,
        extranonce1=b"",
        extranonce2_size=4,
        version_rolling=False,
        version_mask=0,
        amended=amended,
    )


def test_an_amended_job_is_never_clean() -> None:
    assert announced("1", clean=True).is_clean
    assert not announced("1", clean=False).is_clean
    assert not announced("1", clean=True, amended=True).is_clean


@pytest.mark.parametrize("earlier_is_clean", [True, False])
@pytest.mark.parametrize("is_clean", [True, False])
@pytest.mark.parametrize("amended", [True, False])
def test_a_job_that_replaces_a_clean_one_is_clean(earlier_is_clean: bool, is_clean: bool, amended: bool) -> None:
    job = announced("2", clean=is_clean, amended=amended)
    merged = job.after(announced("1", clean=earlier_is_clean))
    assert merged.notify.job_id == "2"
    assert merged.is_clean is (earlier_is_clean or job.is_clean)
    assert merged.amended is (amended and not earlier_is_clean)
    assert merged.superseded == 1
    assert announced("3", clean=False).after(merged).superseded == 2
