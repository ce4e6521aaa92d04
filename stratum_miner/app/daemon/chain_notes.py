"""Logs facts about the block chain of the jobs that a beginner might not know, once after the first job.

A miner sees only jobs, and a job does not name its chain. The network difficulty of mainnet is far above that of every
test chain. The chain therefore counts as mainnet if the network difficulty of the job is high enough
(``economics.chain.LEAST_MAINNET_DIFFICULTY``). A log line about a test chain does not say which test chain
it is.
"""

import re
from collections.abc import Callable

import structlog
import trio

from stratum_miner.bitcoin.address import Network, networks_of_address
from stratum_miner.economics import chain, odds
from stratum_miner.monitoring.view import Summary
from stratum_miner.quantities import hash_rate_text, scaled_difficulty_text, span_text

log = structlog.get_logger("stratum_miner")

MEASURED_S = 15.0
"""Seconds of mining after which the measured hash rate is good enough to predict how long a block takes."""
POLL_S = 0.5
MAINNET = "mainnet"
TEST_CHAIN = "a test chain"


async def run(summary: Callable[[], Summary]) -> None:
    """Wait for the first job. Then warn if the worker name is an address of another chain. If the chain of the job
    is mainnet, also log how long a block takes at the measured hash rate."""
    now = await _wait_for(summary, lambda now: now.network_difficulty is not None)
    difficulty = now.network_difficulty or 0.0
    chains = mismatch(now.worker_name, difficulty)
    if chains is not None:
        log.warning(
            "address_of_another_chain",
            worker_name=now.worker_name,
            chain=chains[0],
            work=chains[1],
            difficulty=scaled_difficulty_text(difficulty),
        )
    if difficulty < chain.LEAST_MAINNET_DIFFICULTY:
        return
    now = await _wait_for(summary, lambda now: now.elapsed_s >= MEASURED_S and now.hash_rate > 0)
    log.info(
        "mainnet_odds",
        difficulty=scaled_difficulty_text(difficulty),
        hash_rate=hash_rate_text(now.hash_rate),
        block_every=span_text(odds.seconds_per_share(difficulty, now.hash_rate)),
    )


async def _wait_for(summary: Callable[[], Summary], condition: Callable[[Summary], bool]) -> Summary:
    while True:
        now = summary()
        if condition(now):
            return now
        await trio.sleep(POLL_S)


def mismatch(worker_name: str, difficulty: float) -> tuple[str, str] | None:
    """Return the chain of the address with which a worker name begins, and the chain of the jobs.

    Return None if the two chains agree, or if the worker name does not begin with an address. ``difficulty`` is the
    network difficulty of the jobs.
    """
    networks = networks_of_address(re.split("[^0-9A-Za-z]", worker_name, maxsplit=1)[0])
    if not networks:
        return None
    of_address = MAINNET if Network.MAINNET in networks else TEST_CHAIN
    of_work = MAINNET if difficulty >= chain.LEAST_MAINNET_DIFFICULTY else TEST_CHAIN
    return None if of_address == of_work else (of_address, of_work)
