"""What is said about the chain of the jobs: an address of another chain, and the odds on mainnet."""

from dataclasses import replace

import pytest
import trio
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.app.daemon import chain_notes
from stratum_miner.monitoring.view import Summary
from tests.monitoring.screen.test_layout import SUMMARY

MAINNET = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"
TESTNET = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
REGTEST = "mipcBbFg9gMiCh81Kj8tqqdgoZub1ZJRfn"
REAL, EASY = 144.4e12, 4.657e-10


@pytest.mark.parametrize(
    ("worker_name", "difficulty", "chains"),
    [
        (MAINNET, REAL, None),
        (f"{MAINNET}.rig1", EASY, ("mainnet", "a test chain")),
        (f"{MAINNET.upper()}_1", EASY, ("mainnet", "a test chain")),
        (f"{TESTNET}.rig1", REAL, ("a test chain", "mainnet")),
        (REGTEST, REAL, ("a test chain", "mainnet")),
        (TESTNET, EASY, None),
        ("1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2", EASY, ("mainnet", "a test chain")),
        ("alice.rig1", EASY, None),
        (MAINNET[:-1] + "5", EASY, None),
        ("", REAL, None),
    ],
)
def test_an_address_of_another_chain(worker_name: str, difficulty: float, chains: tuple[str, str] | None) -> None:
    assert chain_notes.mismatch(worker_name, difficulty) == chains


async def said(worker_name: str, difficulty: float) -> list[str]:
    """Run for five minutes: the first job comes after 3 s, the first hash after 20 s."""
    began = trio.current_time()

    def summary() -> Summary:
        now = trio.current_time() - began
        return replace(
            SUMMARY,
            worker_name=worker_name,
            elapsed_s=now,
            network_difficulty=None if now < 3 else difficulty,
            hash_rate=0.0 if now < 20 else 1e12,
        )

    with capture_logs() as events, trio.move_on_after(300):
        await chain_notes.run(summary)
    return [str(event["event"]) for event in events]


async def test_each_sentence_is_said_once(autojump_clock: MockClock) -> None:
    assert await said(MAINNET, REAL) == ["mainnet_odds"]
    assert await said(TESTNET, REAL) == ["address_of_another_chain", "mainnet_odds"]
    assert await said(MAINNET, EASY) == ["address_of_another_chain"]
    assert await said("alice", EASY) == []


async def test_the_odds_are_right(autojump_clock: MockClock) -> None:
    now = replace(SUMMARY, worker_name="x", elapsed_s=60.0, network_difficulty=REAL, hash_rate=1e12)
    with capture_logs() as events:
        await chain_notes.run(lambda: now)
    [odds] = events
    assert odds["block_every"] == "19,700 years"  # 144.4e12 * 2^32 / 1e12 s
    assert (odds["difficulty"], odds["hash_rate"]) == ("144 T", "1.00 TH/s")
