"""The same, awaited: once in asyncio, once in trio (anyio, which the plugin brings along, runs both)."""

import pytest

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request):
    return request.param


async def test_a_share_is_accepted(stratum_pool_miner_async):
    result = await stratum_pool_miner_async.submit_one()
    assert result.outcome.value == "accepted"


async def test_a_new_block_makes_old_work_stale(stratum_lab_async):
    pool = await stratum_lab_async.pool()
    miner = await stratum_lab_async.miner(pool.url)
    await miner.wait_for("mining.notify")
    await pool.new_block()
    assert (await miner.wait_for("mining.notify"))["params"][8] is True
    assert (await miner.submit_one()).outcome.value == "accepted"
    assert (await pool.snapshot()).shares.accepted == 1


async def test_a_tap_drops_what_it_is_told(stratum_lab_async, stratum_url):
    tap = await stratum_lab_async.tap(stratum_url, "drop from=pool method=mining.extranonce.subscribe")
    miner = await stratum_lab_async.miner(tap.url)
    await miner.submit_one()
    heard = [each.method for each in miner.messages if each.sender.value == "pool"]
    assert "mining.submit" in heard
    assert "mining.extranonce.subscribe" not in heard
