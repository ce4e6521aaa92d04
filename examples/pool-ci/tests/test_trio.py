"""In trio without a thread: the laboratory itself."""

import trio

from stratum_miner.testing import open_lab


def test_inside_trio(stratum_seed):
    async def main():
        async with open_lab(stratum_seed) as lab:
            pool = await lab.pool()
            miners = await lab.fleet(pool.url, 3)
            for miner in miners:
                assert (await miner.submit_one()).outcome.value == "accepted"
            assert (await pool.snapshot()).shares.accepted == 3

    trio.run(main)
