"""Plain tests."""

from pathlib import Path

import pytest


def test_a_share_is_accepted(stratum_pool_miner):
    assert stratum_pool_miner.submit_one().outcome.value == "accepted"


def test_a_block_is_accepted(stratum_pool_miner):
    result = stratum_pool_miner.mine_block()
    assert result.share.is_block
    assert result.outcome.value == "accepted"


def test_a_share_that_is_no_block_is_accepted(stratum_pool_miner):
    result = stratum_pool_miner.submit_non_block()
    assert not result.share.is_block
    assert result.outcome.value == "accepted"


def test_what_the_miner_is_told(stratum_pool_miner):
    assert stratum_pool_miner.wait_for("mining.set_difficulty")["params"] == [1e-6]
    assert stratum_pool_miner.wait_for("mining.notify")["params"][0] == "job-1"
    assert stratum_pool_miner.until_difficulty(1e-6) == 1e-6


def test_a_suggested_difficulty_is_taken(stratum_lab, stratum_url):
    miner = stratum_lab.miner(stratum_url, suggest_difficulty=2e-6)
    miner.until_difficulty(2e-6)
    assert miner.submit_one().outcome.value == "accepted"


def test_a_fleet(stratum_fleet):
    results = [miner.submit_one() for miner in stratum_fleet(5)]
    assert {result.outcome.value for result in results} == {"accepted"}


def test_a_duplicate_is_refused(stratum_lab, stratum_tap):
    tap = stratum_tap("duplicate from=miner method=mining.submit")
    stratum_lab.miner(tap.url).submit_one()
    verdicts = [tap.wait_for("mining.submit") for _ in range(4)]
    assert [each["error"][0] for each in verdicts if each.get("error")] == [22]


@pytest.mark.parametrize("fault", ["bytewise", "unknown-methods", "slow-replies=0.1"])
def test_our_miner_against_a_faulty_pool(stratum_lab, stratum_faulty_pool, fault):
    pool = stratum_faulty_pool(fault)
    assert stratum_lab.miner(pool.url).submit_one().outcome.value == "accepted"


def test_tls(stratum_lab):
    pool = stratum_lab.pool(tls=True)
    assert pool.url.startswith("stratum+ssl://")
    assert stratum_lab.miner(pool.url).submit_one().outcome.value == "accepted"


def test_an_emulated_device(stratum_device):
    assert Path(stratum_device("erupter").path).exists()
