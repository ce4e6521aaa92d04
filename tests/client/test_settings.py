"""Settings of a pool that make no sense are refused where they are made."""

import pytest

from stratum_miner.client import PoolSettings, PoolUrl


def test_a_quota_is_0_or_more() -> None:
    url = PoolUrl("pool.example", 3333)
    assert PoolSettings(url=url, worker_name="worker", quota=0).quota == 0
    with pytest.raises(ValueError, match="quota: expected 0 or more, got -1"):
        PoolSettings(url=url, worker_name="worker", quota=-1)
