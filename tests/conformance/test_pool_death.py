"""A pool that dies during a run: it is noticed, the check is named, and nobody else is accused."""

import errno
import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import trio
import trio.testing

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli import main
from stratum_miner.conformance.case import CASES, Case, Kind
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import CheckOutcome, Verdict, failed, passed
from stratum_miner.conformance.pool_death import NoSession, PoolDeath, Trace, death_of
from stratum_miner.conformance.pool_under_test import PoolUnderTest
from stratum_miner.conformance.probe import Probe
from stratum_miner.conformance.report import as_object, junit
from stratum_miner.conformance.verify import Result, Tally, verify
from stratum_miner.pool.config import PoolConfig
from stratum_miner.reports.conformance_page import page
from tests.conformance.changed_pool import (
    EASY_DIFFICULTY,
    MessageChanger,
    RelayedConnection,
    memory_chain,
    open_changed_pool,
)

from .conftest import HASHER

Clock = trio.testing.MockClock
Fatal = Callable[[dict[str, Any], "MortalPool"], bool]


@dataclass
class MortalPool:
    """A correct pool that closes all connections at a fatal request. Afterwards it does what ``afterwards`` says."""

    fatal: Fatal
    afterwards: str
    """``refuses``, ``closes``, ``hangs``, or ``serves`` as after a restart."""
    dead: bool = False
    deaths: int = 0
    changer: MessageChanger = field(init=False)
    unread: list[trio.abc.Stream] = field(default_factory=list)
    """Connections that stay open, and of which nothing is read."""

    async def dial(self) -> trio.abc.Stream:
        if self.dead and self.afterwards == "refuses":
            await trio.lowlevel.checkpoint()
            raise OSError(errno.ECONNREFUSED, "Connection refused")
        if not self.dead or self.afterwards == "serves":
            return await self.changer.dial()
        ours, theirs = trio.testing.memory_stream_pair()
        if self.afterwards == "closes":
            await theirs.aclose()
        else:
            self.unread.append(theirs)
        return ours

    def raw(self, relayed: RelayedConnection, data: bytes) -> bytes:
        if self.dead and self.afterwards != "serves":
            return b""
        for line in data.splitlines():
            try:
                message = json.loads(line)
            except ValueError:
                continue
            if isinstance(message, dict) and self.fatal(message, self):
                self.dead = True
                self.deaths += 1
                if self.afterwards != "hangs":
                    for each in self.changer.relayed:
                        trio.lowlevel.spawn_system_task(each.close)
                return b""
        return data


def short_submit(message: dict[str, Any], _pool: MortalPool) -> bool:
    return message.get("method") == "mining.submit" and len(message.get("params") or []) < 5


def what_kills_stock_pools(message: dict[str, Any], pool: MortalPool) -> bool:
    params = message.get("params")
    if not isinstance(message.get("method"), str) or not isinstance(params, list) or None in params:
        return True
    if message["method"] == "mining.authorize" and len(params) < 2:
        return True
    return short_submit(message, pool) or (
        message["method"] == "mining.submit" and any(not isinstance(each, str) for each in params)
    )


@asynccontextmanager
async def mortal(fatal: Fatal, afterwards: str = "refuses") -> AsyncIterator[MortalPool]:
    pool = MortalPool(fatal, afterwards)
    config = PoolConfig(payout_script=b"\x51", difficulty=EASY_DIFFICULTY, minimum_difficulty=2.4e-10)
    async with open_changed_pool(memory_chain(), config, raw=pool.raw) as (_, pool.changer):
        yield pool


async def run(pool: MortalPool, cases: list[Case], *, owned: bool = True) -> tuple[dict[str, Result], PoolDeath | None]:
    deaths: list[PoolDeath] = []
    final: list[Result] = []
    target = PoolUnderTest(name="memory", dial=pool.dial, worker="alice", owned=owned)
    results = await verify(target, cases, HASHER, on_result=final.append, on_death=deaths.append, seed=7)
    assert sorted(each.case.id for each in final) == sorted(case.id for case in cases), "one final result for each"
    return {each.case.id: each for each in results}, deaths[0] if deaths else None


def polite(topic: str) -> list[Case]:
    return [case for case in ALL if case.topic == topic and Kind.INTRUSIVE not in case.kinds]


async def test_a_default_run_sends_nothing_that_kills_a_stock_pool(autojump_clock: Clock) -> None:
    async with mortal(what_kills_stock_pools) as pool:
        results, death = await run(pool, [case for case in ALL if case.topic != "load"], owned=False)
    assert (pool.deaths, death) == (0, None)
    assert [each.case.id for each in results.values() if each.verdict is Verdict.FAILED] == []


@pytest.mark.parametrize(
    ("afterwards", "reason"),
    [
        ("refuses", "Connection refused"),
        ("closes", "it closes each new connection without a reply"),
        ("hangs", "it accepts a new connection, and sends no reply on it within 30 s"),
    ],
)
async def test_the_run_stops_and_names_the_check(autojump_clock: Clock, afterwards: str, reason: str) -> None:
    cases = [case for case in ALL if case.topic in ("framing", "handshake")] + [CASES["ERR-23"], CASES["LD-13"]]
    async with mortal(short_submit, afterwards) as pool:
        results, death = await run(pool, cases)
    assert death is not None
    assert "ERR-23" in death.after
    assert afterwards == "hangs" or death.after[0] == "ERR-23"
    assert set(death.after) <= {case.id for case in cases if Kind.INTRUSIVE in case.kinds}
    assert death.reason == reason
    assert pool.deaths == 1, "nothing is sent again"
    assert [each for each in results.values() if each.verdict is Verdict.FAILED] == []
    assert results["ERR-23"].outcome.actual == "the pool died while this check ran, perhaps because of its last request"
    assert any("mining.submit" in line for line in results["ERR-23"].transcript)
    assert results["LD-13"].outcome.actual == "the pool died before this check could run"
    for case in cases:
        if Kind.INTRUSIVE not in case.kinds and not case.disturbs:
            assert results[case.id].verdict is not Verdict.SKIPPED, "it was judged before"


async def test_checks_beside_the_culprit_are_not_accused(autojump_clock: Clock) -> None:
    """The pool dies of a request while a dozen checks wait for replies."""

    def third_configure(message: dict[str, Any], pool: MortalPool) -> bool:
        return message.get("method") == "mining.configure" and len(pool.changer.relayed) > 20

    async with mortal(third_configure) as pool:
        results, death = await run(pool, polite("handshake") + polite("extensions") + polite("framing"))
    assert death is not None
    assert [each.case.id for each in results.values() if each.verdict is Verdict.FAILED] == []
    withdrawn = {key for key, each in results.items() if "the pool died while" in each.outcome.actual}
    assert withdrawn
    assert set(death.after) <= withdrawn
    assert 0 < len(death.after) < len(withdrawn), "those that waited for nothing are no suspects"


async def test_a_failure_before_the_death_stands(autojump_clock: Clock) -> None:
    async def wrong(probe: Probe) -> CheckOutcome:
        await probe.session(job=False)
        return failed("the pool is wrong")

    cases = [replace(CASES["HS-01"], run=wrong), CASES["HS-05"], CASES["ERR-23"]]
    async with mortal(short_submit) as pool:
        results, death = await run(pool, cases)
    assert death is not None
    assert results["HS-01"].outcome == failed("the pool is wrong")
    assert results["HS-05"].verdict is Verdict.PASSED
    assert Tally.of(list(results.values())).failed_must == 1


async def test_a_restart_accuses_nobody_but_the_cause(autojump_clock: Clock) -> None:
    """A supervisor starts the pool again at once. What failed meanwhile is repeated alone."""

    def configure_before_authorize(message: dict[str, Any], pool: MortalPool) -> bool:
        return message.get("method") == "mining.configure" and message.get("params", [[]])[0] == [
            "x-unknown",
            "version-rolling",
        ]

    async with mortal(configure_before_authorize, "serves") as pool:
        results, death = await run(pool, polite("handshake") + polite("extensions") + polite("framing"))
    assert death is None
    assert [each.case.id for each in results.values() if each.verdict is Verdict.FAILED] == ["EXT-04"]
    assert pool.deaths == 2
    others = [each.outcome.actual for each in results.values() if "so the check was repeated" in each.outcome.actual]
    assert others
    assert all("inconclusive: the check failed once: " in actual for actual in others)


async def test_a_pool_that_never_opened_a_session_is_not_dead(autojump_clock: Clock) -> None:
    async with mortal(lambda message, pool: False, "closes") as pool:
        pool.dead = True
        results, death = await run(pool, [CASES["HS-01"], CASES["HS-04"]])
    assert death is None
    assert results["HS-01"].verdict is Verdict.FAILED


@pytest.mark.parametrize(("other", "dies"), [("JOB-12", False), ("HS-16", True)])
async def test_a_pool_that_refuses_further_connections(autojump_clock: Clock, other: str, dies: bool) -> None:
    """It is alive if an earlier session is still open (JOB-12), but a silent connection (HS-16) proves nothing."""
    async with mortal(lambda message, pool: False) as pool:
        target = PoolUnderTest(name="memory", dial=pool.dial, worker="alice")
        deaths: list[PoolDeath] = []

        def end(result: Result) -> None:
            pool.dead = False

        async def later(probe: Probe) -> CheckOutcome:
            await trio.sleep(5)
            pool.dead = True
            return await CASES["HS-05"].run(probe)

        cases = [CASES["HS-01"], CASES[other], replace(CASES["HS-05"], run=later)]
        await verify(target, cases, HASHER, on_result=end, on_death=deaths.append, seed=7)
    assert bool(deaths) is dies


def trace(identifier: str, *, ended: float = 100.0, open_since: float | None = None, received: float = 0.0) -> Trace:
    return Trace(identifier, ended, open_since, received, served=True, connected=False, corpse=True)


def test_suspects() -> None:
    waiting = trace("HS-16")
    first, second = trace("A", open_since=50.0), trace("B", open_since=50.1)
    answered, old = trace("C", received=50.2), trace("D", ended=20.0, open_since=19.0)
    traces = [waiting, first, second, answered, old, trace("E", open_since=30.0)]
    death = death_of(NoSession("no"), traces, 40.0)
    assert (death.after, death.running) == (("B", "A"), ("HS-16", "A", "B", "C", "E"))
    assert death.seconds == pytest.approx(10.2)
    later = trace("F", open_since=55.0)
    assert death_of(NoSession("no"), [*traces, later], 40.0).after == ("F",)
    assert death_of(NoSession("no", hangs=True), [*traces, later], 40.0).after == ("B", "A")
    idle = death_of(NoSession("no"), [waiting, answered, old], 40.0)
    assert (idle.after, idle.running) == ((), ("HS-16", "C"))
    assert str(idle) == "the pool died 10 s after the start, while no request was open (HS-16, C ran): no"
    assert str(death_of(NoSession("no"), [], 40.0)).endswith("while no request was open (no check ran): no")


# ---- the reports -----------------------------------------------------------------------------------------------------

DEATH = PoolDeath("Connection refused", ("FRM-21", "ERR-23"), ("FRM-21", "ERR-23", "HS-16"), 12.34)
WORDS = "the pool died 12 s after the start, after a request of FRM-21 (or, less likely, of ERR-23): Connection refused"


def test_the_reports_say_so() -> None:
    results = [Result(CASES["FRM-01"], passed("7 lines"), 0.5)]
    assert as_object("p", results, 1.0)["pool_died"] is None
    assert as_object("p", results, 1.0, death=DEATH)["pool_died"] == {
        "after": ["FRM-21", "ERR-23"],
        "running": ["FRM-21", "ERR-23", "HS-16"],
        "reason": "Connection refused",
        "seconds": 12.34,
    }
    root = ElementTree.fromstring(junit("p", results, strict=False, death=DEATH).encode())
    [error] = root.findall("./testsuite[@errors='1']/testcase/error")
    assert error.attrib["message"] == WORDS
    assert sum(int(suite.attrib["tests"]) for suite in root) == len(root.findall(".//testcase")) == 2
    assert DEATH.consequence.endswith("skipped; --skip FRM-21 leaves out the check that was probably the cause.")
    assert PoolDeath("no", (), (), 1.0).consequence == "The checks after that were skipped."
    assert f"p: {WORDS}. {DEATH.consequence}" in page("p", results, 1.0, death=DEATH)
    assert "died" not in page("p", results, 1.0).partition("</style>")[2]


# ---- a real process --------------------------------------------------------------------------------------------------

POOL = """
import json, os, socket, threading
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
def serve(connection):
    for line in connection.makefile("rb"):
        message = json.loads(line)
        if message["method"] == "mining.submit" and len(message["params"]) < 5:
            os.kill(os.getpid(), 9)
        result = [[], "00000001", 4] if message["method"] == "mining.subscribe" else True
        replies = [{"id": message["id"], "result": result, "error": None}]
        if message["method"] == "mining.authorize":
            replies.append({"id": None, "method": "mining.set_difficulty", "params": [1]})
            job = ["1", "00" * 32, "01" * 60, "02" * 60, [], "20000000", "1d00ffff", "68000000", True]
            replies.append({"id": None, "method": "mining.notify", "params": job})
        for reply in replies:
            connection.sendall(json.dumps(reply).encode() + b"\\n")
while True:
    threading.Thread(target=serve, args=[listener.accept()[0]], daemon=True).start()
"""


def test_a_process_that_is_killed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = tmp_path / "pool.py"
    script.write_text(POOL, encoding="utf-8")
    files = [tmp_path / "r.xml", tmp_path / "r.html"]
    words = ["--json", "--i-own-this-pool", "--junit", str(files[0]), "--html", str(files[1])]
    with subprocess.Popen([sys.executable, "-S", str(script)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pool = f"127.0.0.1:{int(process.stdout.readline())}"
        code = main.run(["conformance", pool, "HS-05,ERR-23,LD-04", *words])
        assert process.wait() == -signal.SIGKILL
    shown = capsys.readouterr()
    report = json.loads(shown.out)
    assert code == ExitCode.POOL_DIED
    assert report["pool_died"]["after"] == ["ERR-23"]
    assert [check["verdict"] for check in report["checks"]] == ["passed", "skipped", "skipped"]
    assert all("after a request of ERR-23" in file.read_text(encoding="utf-8") for file in files)
