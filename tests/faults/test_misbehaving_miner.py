"""Our pool holds out against every fault of a miner, and one that does not is told."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.bitcoin.target import hash_value
from stratum_miner.capture.lines import LineSplitter
from stratum_miner.downstream.validator import ShareValidator
from stratum_miner.faults.misbehaving_miner import MINER_FAULTS, misbehave
from stratum_miner.faults.outcome import FaultVerdict
from stratum_miner.faults.raw_miner import Dial, RawMiner, RawMinerPlan
from stratum_miner.faults.share_faults import SHARE_FAULTS
from stratum_miner.pool.nodes.memory import LOWEST_DIFFICULTY
from stratum_miner.spelling import named
from stratum_miner.stratum.client_messages import Subscribe
from stratum_miner.testing import Lab, LabPool, open_lab

EXPECTED = {
    **dict.fromkeys(SHARE_FAULTS, FaultVerdict.REFUSED),
    "split": FaultVerdict.SERVED,
    "merged": FaultVerdict.SERVED,
    "oversized": FaultVerdict.CLOSED,
    "slow-reader": FaultVerdict.CLOSED,
    "half-open": FaultVerdict.SERVED,
    "reconnect-storm": FaultVerdict.SERVED,
    "forged-resume": FaultVerdict.SERVED,
}


def dialling(port: int) -> Dial:
    async def dial() -> trio.abc.Stream:
        return await trio.open_tcp_stream("127.0.0.1", port)

    return dial


@asynccontextmanager
async def planned(*, faults: tuple[str, ...] = (), **options: Any) -> AsyncIterator[tuple[Lab, LabPool, RawMinerPlan]]:
    async with open_lab() as lab:
        pool = await lab.pool(faults=faults, **options)
        plan = RawMinerPlan(dial=dialling(pool.port), worker_name="mallory", hold=0.3, new_block=20)
        yield lab, pool, plan


@pytest.mark.parametrize("name", MINER_FAULTS)
async def test_our_pool_holds_out(name: str) -> None:
    async with planned() as (_, pool, plan):
        outcome = await misbehave(plan, name)
        assert outcome.is_good, outcome
        if name in EXPECTED and name != "slow-reader":  # how soon that one shows depends on the machine's buffers
            assert outcome.verdict is EXPECTED[name], outcome
        if name in SHARE_FAULTS and name not in ("stale", "duplicate"):
            assert outcome.answer.endswith("then a good share: accepted")
            assert (await pool.snapshot()).shares.rejected.total() == 1


async def test_a_pool_that_takes_anything_is_told() -> None:
    """A tap that says yes to every share stands for it."""
    async with planned() as (lab, pool, _):
        says_yes = r"""'replace={"id":\1,"result":true,"error":null}' 'match={"id":*,*low*diff*'"""
        tap = await lab.tap(pool.url, says_yes)
        port = int(tap.url.rpartition(":")[2])
        outcome = await misbehave(RawMinerPlan(dial=dialling(port), worker_name="mallory"), "below-target")
        assert outcome.verdict is FaultVerdict.ACCEPTED
        assert not outcome.is_good


async def test_a_job_that_comes_together_with_the_subscription() -> None:
    """As ckpool and NOMP send it. The extranonce2 of shares has the size that the pool asks for."""
    submitted: list[list[str]] = []

    async def serve(stream: trio.abc.Stream) -> None:
        splitter = LineSplitter()
        job = ["1", "00" * 32, "00", "00", [], "20000000", "207fffff", "68000000", True]
        calls = [("mining.set_difficulty", [4.66e-10]), ("mining.notify", job)]
        while data := await stream.receive_some():
            for line in splitter.feed(bytes(data)):
                request = json.loads(line)
                is_subscribe = request["method"] == "mining.subscribe"
                result: Any = [[["mining.notify", "1"]], "aabbccdd", 8] if is_subscribe else True
                reply = [{"id": request["id"], "result": result, "error": None}]
                reply += [{"id": None, "method": name, "params": params} for name, params in calls] * is_subscribe
                if request["method"] == "mining.submit":
                    submitted.append(request["params"])
                await stream.send_all(b"".join(json.dumps(each).encode() + b"\n" for each in reply))

    async with trio.open_nursery() as nursery:

        async def dial() -> trio.abc.Stream:
            near, far = trio.testing.memory_stream_pair()
            nursery.start_soon(serve, far)
            await trio.lowlevel.checkpoint()
            return near

        await misbehave(RawMinerPlan(dial=dial, worker_name="mallory"), "wrong-job")
        nursery.cancel_scope.cancel()
    assert [len(extranonce2) for _, _, extranonce2, *_ in submitted] == [16, 16]


@pytest.mark.parametrize(("numerator", "denominator"), [(2, 1), (17, 16)])
async def test_a_pool_whose_target_is_too_wide_is_told(
    numerator: int, denominator: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "stratum_miner.downstream.validator._meets_target",
        lambda solution: hash_value(solution.digest) <= solution.job.target * numerator // denominator,
    )
    async with planned(network_difficulty=1.0, difficulty=1e-7) as (_, _, plan):
        assert (await misbehave(plan, "below-target")).verdict is FaultVerdict.ACCEPTED


@pytest.mark.parametrize(
    ("coinbases", "verdict", "words"),
    [
        ("same", FaultVerdict.HARMED, "got the same coinb1, extranonce1 and coinb2"),
        ("own", FaultVerdict.SERVED, "got different work"),
    ],
)
async def test_one_extranonce1_harms_only_with_one_coinbase(coinbases: str, verdict: FaultVerdict, words: str) -> None:
    count = 0

    async def serve(stream: trio.abc.Stream, number: int) -> None:
        splitter = LineSplitter()
        while data := await stream.receive_some():
            for line in splitter.feed(bytes(data)):
                request = json.loads(line)
                result: Any = [[["mining.notify", "1"]], "aabbccdd", 4] if "subscribe" in request["method"] else True
                await stream.send_all(
                    json.dumps({"id": request["id"], "result": result, "error": None}).encode() + b"\n"
                )
                if request["method"] == "mining.authorize":
                    coinb1 = f"{number if coinbases == 'own' else 0:08x}"
                    job = ["1", "00" * 32, coinb1, "00", [], "20000000", "207fffff", "68000000", True]
                    notify = {"id": None, "method": "mining.notify", "params": job}
                    await stream.send_all(json.dumps(notify).encode() + b"\n")

    async with trio.open_nursery() as nursery:

        async def dial() -> trio.abc.Stream:
            nonlocal count
            count += 1
            near, far = trio.testing.memory_stream_pair()
            nursery.start_soon(serve, far, count)
            await trio.lowlevel.checkpoint()
            return near

        outcome = await misbehave(RawMinerPlan(dial=dial, worker_name="mallory"), "reconnect-storm")
        nursery.cancel_scope.cancel()
    assert outcome.verdict is verdict, outcome
    assert words in outcome.answer


@pytest.mark.parametrize("fault", ["ntime", "ntime-before-job", "version-bits-outside-mask"])
@pytest.mark.parametrize("network_difficulty", [LOWEST_DIFFICULTY, 1.0], ids=["every_share_is_a_block", "none_is"])
async def test_a_pool_that_does_not_look_at_the_header_is_told_on_every_chain(
    fault: str, network_difficulty: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The share is valid in everything else, so that no pool rejects it for its hash."""
    monkeypatch.setattr(ShareValidator, "_header_error", lambda *_: None)
    async with planned(network_difficulty=network_difficulty) as (_, _, plan):
        assert (await misbehave(plan, fault)).verdict is FaultVerdict.ACCEPTED


@pytest.mark.parametrize(
    ("fault", "options", "why"),
    [
        (
            "below-target",
            {"difficulty": 1e6, "network_difficulty": 1e9},
            "expected a share difficulty at which a share takes at most 60 s",
        ),
        ("stale", {"network_difficulty": 1e6}, "expected a job on a new block within"),
    ],
)
async def test_what_is_not_possible_says_why(fault: str, options: dict[str, Any], why: str) -> None:
    async with planned(**options) as (_, _, plan):
        outcome = await misbehave(RawMinerPlan(dial=plan.dial, worker_name="mallory", new_block=0.2), fault)
        assert outcome.verdict is FaultVerdict.NOT_POSSIBLE
        assert why in outcome.answer


async def test_a_pool_that_does_not_answer_is_told() -> None:
    async with planned(faults=("close-on-configure",)) as (_, _, plan):
        outcome = await misbehave(plan, "duplicate")
        assert outcome.verdict is FaultVerdict.NOT_POSSIBLE
        assert "expected a valid reply to mining.subscribe" in outcome.answer


async def test_replies_that_nobody_asked_for_are_not_kept() -> None:
    """A pool that floods would fill the memory, and a reply that comes too early would be taken for the answer."""
    ours, theirs = trio.testing.memory_stream_pair()
    miner = RawMiner(RawMinerPlan(dial=dialling(0), worker_name="mallory"), ours, None, Random(0))
    async with trio.open_nursery() as nursery:
        nursery.start_soon(miner.listen)
        await theirs.send_all(b"".join(b'{"id":%d,"result":"unasked"}\n' % number for number in range(1, 1000)))
        await trio.testing.wait_all_tasks_blocked()
        assert await miner.ask(Subscribe("x"), patience=0.01) is None
        await theirs.send_all(b'{"id":2,"result":"unasked"}\n{"id":1,"result":"late"}\n')
        await trio.testing.wait_all_tasks_blocked()
        assert await miner.ask(Subscribe("x"), patience=0.01) is None
        nursery.cancel_scope.cancel()


def test_unknown_names_are_told_the_nearest() -> None:
    with pytest.raises(ValueError, match="did you mean 'slow-reader'"):
        named(MINER_FAULTS, "slowreader", "--fault")
