"""How verdicts are reached after a timeout, a closed connection and an unmet precondition."""

from dataclasses import replace

import pytest
import trio.testing

from stratum_miner.conformance.case import CASES, Level, Topic
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import CheckOutcome, Verdict, failed, passed
from stratum_miner.conformance.pool_under_test import PoolUnderTest, Unreachable
from stratum_miner.conformance.probe import Facts
from stratum_miner.conformance.verify import Tally, run_case, verify
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.pool import Pool
from tests.conformance.changed_pool import memory_chain, open_changed_pool

from .conftest import HASHER, RunCheck
from .test_cases import asked, close, swallow

Clock = trio.testing.MockClock


def _asks(method: str, edit: object) -> dict[str, object]:
    return asked(lambda message: message.get("method") == method, edit)  # type: ignore[arg-type]


async def test_silence_never_fails_a_must(autojump_clock: Clock, run_check: RunCheck) -> None:
    result = await run_check("HS-05", **_asks("mining.authorize", swallow))
    assert result.verdict is Verdict.OBSERVED
    assert (
        "inconclusive: the pool did not reply to mining.authorize (id 2 on connection #1) within 10 s, "
        "but it answered a new connection in " in result.outcome.actual
    )


async def test_silence_fails_a_should_when_others_are_answered(autojump_clock: Clock, run_check: RunCheck) -> None:
    result = await run_check("HS-06", **_asks("mining.authorize", swallow))
    assert result.verdict is Verdict.FAILED
    assert "did not reply to mining.authorize" in result.outcome.actual
    assert "but it answered a new connection" in result.outcome.actual


async def test_the_request_without_a_reply_is_named(autojump_clock: Clock, run_check: RunCheck) -> None:
    """The request with params null is answered, and the proper one after it is not."""
    bad = asked(lambda message: message.get("method") == "mining.authorize" and message.get("id") == 8, swallow)
    result = await run_check("FRM-21", **bad)
    named = "a valid mining.authorize after mining.authorize without params (id 8 on connection #1) within 10 s"
    assert f"the pool did not reply to {named}" in result.outcome.actual


async def test_silence_towards_everybody_says_nothing(autojump_clock: Clock, run_check: RunCheck) -> None:
    for identifier in ("HS-01", "HS-02"):
        result = await run_check(identifier, **_asks("mining.subscribe", swallow))
        assert result.verdict is Verdict.SKIPPED
        assert "nothing is known" in result.outcome.actual


async def test_a_close_where_an_answer_is_due_fails(autojump_clock: Clock, run_check: RunCheck) -> None:
    result = await run_check("HS-05", **_asks("mining.authorize", close))
    assert result.verdict is Verdict.FAILED
    assert (
        "no reply to mining.authorize (id 2 on connection #1): the pool closed the connection" in result.outcome.actual
    )


async def test_without_a_session_other_checks_are_skipped(autojump_clock: Clock, run_check: RunCheck) -> None:
    for identifier in ("SH-01", "ERR-09", "JOB-02", "EXT-12"):
        result = await run_check(identifier, **_asks("mining.authorize", close))
        assert result.verdict is Verdict.SKIPPED
        assert "no session" in result.outcome.actual


async def test_work_that_is_too_expensive_is_not_begun(autojump_clock: Clock, run_check: RunCheck) -> None:
    result = await run_check("VD-05")  # a chain of difficulty 1
    assert result.verdict is Verdict.PASSED
    result = await run_check("SH-01", config={"difficulty": 1e6, "minimum_difficulty": 1e6})
    assert result.verdict is Verdict.SKIPPED
    assert "--max-seconds-of-work" in result.outcome.actual


async def test_what_is_not_allowed_is_not_done(autojump_clock: Clock) -> None:
    dialled = 0

    async def dial() -> trio.abc.Stream:
        nonlocal dialled
        dialled += 1
        raise OSError("refused")

    target = PoolUnderTest(name="a stranger's", dial=dial, worker="x")
    for case in ALL:
        before = dialled
        result = await run_case(target, case, HASHER, Facts())
        if "intrusive" in case.kind or "needs the chain" in case.kind:
            assert result.verdict is Verdict.SKIPPED
            assert "--i-own-this-pool" in result.outcome.actual or "--node" in result.outcome.actual
            assert dialled == before
        else:
            assert result.verdict is not Verdict.PASSED
    assert dialled > 80


async def test_a_pool_that_is_not_there(autojump_clock: Clock) -> None:
    async def dial() -> trio.abc.Stream:
        raise OSError(111, "Connection refused")

    with pytest.raises(Unreachable, match="nowhere: Connection refused"):
        await verify(PoolUnderTest(name="nowhere", dial=dial, worker="x"), ALL, HASHER)


async def test_a_block_that_the_pool_accepts_and_keeps(
    autojump_clock: Clock, run_check: RunCheck, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def lose(self: object, handed_over: object) -> None:
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(Pool, "_submit", lose)
    result = await run_check("SH-10")
    assert result.verdict is Verdict.FAILED
    assert ", but the node does not have it" in result.outcome.actual


async def test_a_defect_costs_one_check_and_says_where(autojump_clock: Clock) -> None:
    async def broken(probe: object) -> CheckOutcome:
        raise KeyError("oops")

    case = replace(CASES["HS-01"], run=broken)
    async with open_changed_pool(memory_chain(), PoolConfig(payout_script=b"\x51", difficulty=3e-10)) as (_, changer):
        result = await run_case(PoolUnderTest(name="memory", dial=changer.dial, worker="x"), case, HASHER, Facts())
    assert result.verdict is Verdict.SKIPPED
    assert result.outcome.actual.startswith("internal error of the check: KeyError in test_verify.py:")


async def test_results_come_in_the_order_of_the_list(autojump_clock: Clock) -> None:
    config = PoolConfig(payout_script=b"\x51", difficulty=3e-10, minimum_difficulty=2.4e-10)
    wanted = [case for case in ALL if case.topic in ("framing", "handshake")]
    started: list[str] = []
    finished: list[str] = []
    async with open_changed_pool(memory_chain(), config) as (_, changer):
        results = await verify(
            PoolUnderTest(name="memory", dial=changer.dial, worker="alice", owned=True),
            wanted,
            HASHER,
            on_start=lambda case: started.append(case.id),
            on_result=lambda result: finished.append(result.case.id),
        )
    assert [result.case for result in results] == wanted
    assert sorted(started) == sorted(finished) == sorted(case.id for case in wanted)
    tally = Tally.of(results)
    assert (tally.failed_must, tally.failed_should, tally.skipped) == (0, 0, 0)
    assert tally.passed + tally.observed == len(wanted)


async def test_passwords_stay_out_of_transcripts(autojump_clock: Clock, run_check: RunCheck) -> None:
    for identifier in ("HS-05", "FRM-03", "HS-20", "HS-21", "SH-01", "ERR-25"):
        result = await run_check(identifier, password="hunter2-secret")
        assert result.transcript
        assert "hunter2" not in "\n".join(result.transcript)
        assert "mining.authorize" in "\n".join(result.transcript)


def test_an_id_can_be_given_once() -> None:
    with pytest.raises(ValueError, match="FRM-01: expected a unique id, but another check has it"):
        Topic("framing")("FRM-01", "x", hurts="x", level=Level.MUST, expected="x")(CASES["FRM-01"].run)
    assert passed("x").verdict is Verdict.PASSED
    assert failed("x").is_failure
