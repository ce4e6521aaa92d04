"""One miner's session under a policy that is neither a pool's nor a proxy's."""

from dataclasses import replace
from typing import Any

import pytest
from msgspec import structs
from trio.testing import memory_stream_pair

from stratum_miner.bitcoin.target import target_from_bits
from stratum_miner.downstream.connections import Connection
from stratum_miner.downstream.endings import DisconnectReason, LimitReachedError
from stratum_miner.downstream.events import (
    AnsweredWithError,
    AnsweredWithTrue,
    DifficultySet,
    ShareToForward,
    SubscribePending,
    WorkerAdded,
)
from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import AnnouncedJob, JobContent, JobTable, notify_lines
from stratum_miner.downstream.miner_session import MinerSession, password_difficulty
from stratum_miner.downstream.send_queue import SendQueue
from stratum_miner.downstream.session_policy import ForwardVerdict
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.snapshot import session_snapshot
from stratum_miner.downstream.validator import Accepted, Refused, ShareValidator, ShareVerdict, solution_of
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.stratum.server_connection import ServerState
from tests.downstream.wire_miner import WireMiner

NOW = 1_700_000_000
CONTENT = JobContent(
    job_id="1",
    previous_hash=bytes(32),
    coinbase_prefix=b"\x01" * 50,
    coinbase_suffix=b"\x02" * 9,
    merkle_branch=(),
    version=0x20000000,
    nbits=0x1D00FFFF,
    ntime=NOW,
    clean=False,
)


def job_of(content: JobContent) -> AnnouncedJob:
    line, clean_line = notify_lines(content)
    network_target = target_from_bits(content.nbits)
    return AnnouncedJob(content=content, network_target=network_target, line=line, clean_line=clean_line)


class AskingPolicy:
    """Somebody else has the last word on each share."""

    decides_shares = False
    forward = True
    """Whether good shares go to who has the last word; otherwise they are kept."""
    forward_refused = False
    max_refused_shares = 10
    change_interval: float | None = None
    vardiff: VardiffConfig | None = None
    rollable_mask = 0
    start_difficulty: float | None = 1e-8
    ceiling = 1.0

    def __init__(self) -> None:
        self.leases: ExtranonceRegistry[AnnouncedJob] = ExtranonceRegistry()
        self.latest: AnnouncedJob | None = job_of(CONTENT)
        self._validator = ShareValidator()
        self._validator.set_tip(CONTENT.previous_hash)

    def void_jobs(self) -> None:
        """Make all jobs stale, as a new block does."""
        self._validator.set_tip(b"\x01" * 32)

    def job_for(self, lease: Lease[AnnouncedJob], now: float) -> AnnouncedJob | None:
        return self.latest

    def difficulty(self, job: AnnouncedJob | None, wanted: float | None, minimum: float) -> float | None:
        return wanted if wanted is None else max(wanted, minimum)

    def bounded(self, difficulty: float, *, asked: bool) -> float:
        return difficulty

    def judge(
        self, submit: Submit, jobs: JobTable[AnnouncedJob], unix_time: float
    ) -> ShareVerdict[AnnouncedJob] | ForwardVerdict[AnnouncedJob]:
        verdict = self._validator.judge(submit, jobs, unix_time)
        job = jobs.get(submit.job_id)
        if isinstance(verdict, Accepted) and self.forward:
            return ForwardVerdict(verdict, verdict.solution, waits=True)
        if isinstance(verdict, Refused) and self.forward_refused and job is not None:
            return ForwardVerdict(verdict, solution_of(submit, job), waits=True)
        return verdict

    def transactions(self, job: AnnouncedJob | None) -> list[str] | Refused[AnnouncedJob]:
        return Refused(ErrorReason.JOB_NOT_FOUND, "job not found") if job is None else ["ab", "cd"]


class Scene:
    """A miner that is logged in."""

    def __init__(
        self, *, configure: str = "", rollable_mask: int = 0x1FFFE000, vardiff: bool = False, password: str = "x"
    ) -> None:
        self.policy, self.miner, self.total = AskingPolicy(), WireMiner(), DownstreamShareCounts()
        self.policy.rollable_mask = rollable_mask
        self.policy.vardiff = VardiffConfig(target_seconds=1.0, retarget_seconds=100.0) if vardiff else None
        self.session = MinerSession(self.policy, self.total, 0.0)
        stream, _ = memory_stream_pair()
        queue = SendQueue(100, FairBound(100))
        self.connection = Connection(7, "10.0.0.1:4000", stream, self.session, queue, 5.0, 0.0, 0.0)
        self.passed: list[ShareToForward[AnnouncedJob]] = []
        self.events: list[Any] = []
        self.say((self.miner.configure(configure) if configure else b"") + self.miner.login(password=password))

    def say(self, data: bytes, now: float = 0.0) -> None:
        self.session.receive_data(data)
        try:
            while (event := self.session.next_event(now, NOW)) is not None:
                if isinstance(event, SubscribePending):
                    self.session.subscribe(event, self.policy, now)
                elif isinstance(event, ShareToForward):
                    self.passed.append(event)
                else:
                    self.events.append(event)
        finally:
            self.hear()

    def hear(self) -> None:
        self.miner.receive(self.session.data_to_send())


@pytest.mark.parametrize(
    ("refusal", "code", "counts"),
    [
        (None, 0, {"accepted": 1}),
        (Refused[Any](ErrorReason.LOW_DIFFICULTY, "high-hash"), 23, {}),
        (Refused[Any](ErrorReason.JOB_NOT_FOUND, "late"), 21, {"stale": 1}),
    ],
)
def test_a_share_is_answered_when_whoever_has_the_last_word_answers(
    refusal: Refused[Any] | None, code: int, counts: dict[str, int]
) -> None:
    scene = Scene()
    share = scene.miner.solve()
    scene.say(scene.miner.submit(share))
    assert scene.miner.replies() == []
    assert scene.total.open == 1
    scene.session.answer(scene.passed[0], refusal, 1.0)
    scene.hear()
    assert scene.miner.verdict() == code
    for found in (scene.total, scene.session.shares, scene.session.workers["alice.rig"]):
        assert (found.received, found.open, found.difficulty) == (1, 0, 1e-8), "the work was done in any case"
        assert {name: getattr(found, name) for name in counts} == counts
    scene.say(scene.miner.submit(share))
    assert scene.miner.verdict() == 22, "it was answered, whatever the answer was"


def test_a_share_that_nobody_answers_may_be_sent_again() -> None:
    scene = Scene()
    share = scene.miner.solve()
    scene.say(scene.miner.submit(share))
    scene.session.answer_lost(scene.passed[0])
    scene.hear()
    assert scene.miner.verdict() == 20
    scene.say(scene.miner.submit(share))
    assert [each.solution.digest for each in scene.passed] == [scene.passed[0].solution.digest] * 2
    assert (scene.total.lost, scene.total.open) == (1, 1)


def test_a_difficulty_that_was_asked_for_is_told_with_the_next_job() -> None:
    scene = Scene()
    assert scene.miner.notifications("mining.set_difficulty") == [[1e-8]]
    scene.say(scene.miner.request("mining.suggest_difficulty", 1e-7))
    assert scene.miner.notifications("mining.set_difficulty") == [[1e-8]]
    scene.session.announce(job_of(replace(CONTENT, job_id="2")), 1.0)
    scene.hear()
    assert [message["method"] for message in scene.miner.messages[-2:]] == ["mining.set_difficulty", "mining.notify"]
    assert scene.miner.difficulty == 1e-7


@pytest.mark.parametrize(
    ("password", "expected"),
    [
        ("x", None),
        ("d=64", 64.0),
        ("x,d=0.5", 0.5),
        ("c=BTC;diff=1e-3", 1e-3),
        ("D=64", 64.0),
        ("x;Diff=2", 2.0),
        ("fd=2", None),
        ("speed=5", None),
        ("d=-5", None),
        ("d=0", None),
        ("d=1e999", None),
        ("d=..", None),
    ],
)
def test_password_difficulty(password: str, expected: float | None) -> None:
    assert password_difficulty(password) == expected


# ---- refused shares -------------------------------------------------------------------------------------------------

BAD = ["alice.rig", "nonsense", "00" * 8, "00000000", "00000000"]


def test_a_good_share_ends_the_row_of_refused_ones() -> None:
    scene = Scene()
    for _ in range(3):
        for _ in range(scene.policy.max_refused_shares):
            scene.say(scene.miner.submit(BAD))
        scene.say(scene.miner.submit(scene.miner.solve()))
    with pytest.raises(LimitReachedError, match=r"^more than 10 refused shares in a row$") as caught:
        scene.say(scene.miner.submit(BAD) * 20)
    assert caught.value.ending is DisconnectReason.REFUSED_SHARES
    assert scene.session.shares.stale == 3 * 10 + 11, "the one after the limit is answered too"


def test_shares_that_cannot_be_read_count_in_the_row() -> None:
    scene = Scene()
    with pytest.raises(LimitReachedError):
        scene.say(scene.miner.submit(["alice.rig"]) * 20)
    shares = scene.session.shares
    assert (shares.received, shares.refused, shares.open) == (11, {ErrorReason.OTHER: 11}, 0)
    assert scene.total == shares
    assert scene.session.workers["alice.rig"].received == 0, "nobody knows whose they were"
    assert {type(event) for event in scene.events[2:]} == {AnsweredWithError}
    assert {(event.worker_name, event.job_id) for event in scene.events[2:]} == {("", "")}


def test_shares_that_wait_for_an_answer_count_in_the_row_when_they_are_no_good() -> None:
    scene = Scene()
    scene.policy.forward_refused = True
    share = scene.miner.solve()
    scene.say(scene.miner.submit(share))
    scene.say(scene.miner.submit(share))
    assert scene.miner.replies() == [], "it waits for its answer"
    with pytest.raises(LimitReachedError):
        scene.say(scene.miner.submit(share) * 20)
    assert len(scene.passed) == 12
    assert [each.waits for each in scene.passed] == [True] * 12
    assert [each.refusal is None for each in scene.passed] == [True] + [False] * 11


# ---- answers --------------------------------------------------------------------------------------------------------


def test_a_share_that_was_answered_at_once_is_not_answered_again() -> None:
    scene = Scene()
    scene.say(scene.miner.submit(scene.miner.solve()))
    answered = structs.replace(scene.passed[0], waits=False)
    assert scene.session.answer(answered, None, 1.0) is None
    assert scene.session.answer(answered, Refused[Any](ErrorReason.OTHER, "no"), 1.0) is None
    scene.hear()
    assert scene.miner.replies() == []
    assert scene.session.shares.open == 1


def test_a_refusal_without_a_reason_is_a_refusal_for_another_reason() -> None:
    scene = Scene()
    scene.say(scene.miner.submit(scene.miner.solve()))
    event = scene.session.answer(scene.passed[0], Refused[Any](ErrorReason.NO_REASON, "no"), 1.0)
    assert event == AnsweredWithError("alice.rig", "1", ErrorReason.OTHER, "no")
    scene.hear()
    assert scene.miner.verdict() == 20
    assert scene.session.shares.rejected == {ErrorReason.NO_REASON: 1}, "the pool's own reason is counted"


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_share_that_was_refused_here_but_accepted_is_credited_with_what_its_hash_is_worth(factor: float) -> None:
    scene = Scene()
    scene.say(scene.miner.submit(scene.miner.solve()))
    credited = scene.session.shares.difficulty
    solution = scene.passed[0].solution
    worth = solution.difficulty
    solution = structs.replace(solution, job=structs.replace(solution.job, difficulty=factor * worth))
    weak = structs.replace(scene.passed[0], solution=solution, refusal=Refused[Any](ErrorReason.LOW_DIFFICULTY, "weak"))
    expected = min(1.0, factor) * worth
    answered = AnsweredWithTrue("alice.rig", solution, expected, worth, solution.is_block)
    assert scene.session.answer(weak, None, 7.0) == answered
    shares = scene.session.shares
    assert shares.difficulty == pytest.approx(credited + expected)
    assert (shares.last_at, shares.best) == (7.0, worth)


def test_a_share_that_came_again_on_another_connection_is_counted_there() -> None:
    scene = Scene()
    scene.say(scene.miner.submit(scene.miner.solve()))
    scene.session.uncount_received(scene.passed[0])
    for counts in (scene.session.shares, scene.total, scene.session.workers["alice.rig"]):
        assert counts.received == 0


def test_a_share_that_is_kept_here_is_counted_as_kept_and_answered_with_true() -> None:
    scene = Scene()
    scene.policy.forward = False
    scene.say(scene.miner.submit(scene.miner.solve()))
    assert scene.miner.verdict() == 0
    shares = scene.session.shares
    assert (shares.received, shares.kept, shares.accepted, shares.open) == (1, 1, 0, 0)
    assert shares.difficulty == 1e-8
    assert isinstance(scene.events[-1], AnsweredWithTrue)
    scene.policy.decides_shares = True
    scene.say(scene.miner.submit(scene.miner.solve()))
    assert (shares.received, shares.kept, shares.accepted, shares.open) == (2, 1, 1, 0)


@pytest.mark.parametrize("decides", [True, False])
def test_refused_shares_are_counted_by_who_refused_them(decides: bool) -> None:
    scene = Scene()
    scene.policy.decides_shares = decides
    scene.say(scene.miner.submit(BAD))
    low = scene.miner.solve(at_most=2**256, above=scene.miner.jobs[-1].target)
    scene.say(scene.miner.submit(low))
    assert scene.events[-2] == AnsweredWithError("alice.rig", "nonsense", ErrorReason.JOB_NOT_FOUND, "job not found")
    counts = scene.session.shares
    if decides:
        assert counts.rejected == {ErrorReason.JOB_NOT_FOUND: 1, ErrorReason.LOW_DIFFICULTY: 1}
        assert (counts.stale, counts.refused) == (0, {})
    else:
        assert (counts.stale, counts.refused, counts.rejected) == (1, {ErrorReason.LOW_DIFFICULTY: 1}, {})
    assert counts.open == 0


# ---- subscription ---------------------------------------------------------------------------------------------------


def test_when_no_extranonce1_is_free_the_miner_is_told_and_sent_away() -> None:
    policy, miner = AskingPolicy(), WireMiner()
    policy.leases = ExtranonceRegistry(size=0)
    policy.leases.lease(0.0)
    session = MinerSession(policy, DownstreamShareCounts(), 0.0)
    session.receive_data(miner.login())
    pending = session.next_event(0.0, NOW)
    assert isinstance(pending, SubscribePending)
    with pytest.raises(LimitReachedError) as caught:
        session.subscribe(pending, policy, 0.0)
    assert caught.value.ending is DisconnectReason.NO_ROOM
    miner.receive(session.data_to_send())
    text = "no free extranonce1: all 1 values of extranonce1 are in use by connected miners"
    assert miner.reply(1)["error"] == [20, text, None]
    assert str(caught.value) == text
    assert not session.started


def test_a_session_that_is_closed_gives_its_extranonce1_back_once() -> None:
    scene = Scene()
    assert scene.policy.leases.live == 1
    scene.session.close(1.0)
    assert scene.policy.leases.live == 0
    assert scene.policy.leases.remembers(scene.miner.session_id)
    scene.session.close(2.0)
    assert scene.policy.leases.live == 0
    assert scene.session.lease is None


@pytest.mark.parametrize("name", ["", " ", ".", " . "])
def test_a_worker_needs_a_name(name: str) -> None:
    scene = Scene()
    scene.say(scene.miner.request("mining.authorize", name, "x"))
    assert scene.miner.reply()["error"] == [24, "expected a worker name, got none", None]
    assert list(scene.session.workers) == ["alice.rig"]


def test_a_name_that_is_authorized_again_is_the_same_worker() -> None:
    scene = Scene()
    scene.say(scene.miner.submit(BAD))
    scene.say(scene.miner.request("mining.authorize", "alice.rig", "x"))
    assert scene.session.workers["alice.rig"].received == 1
    assert sum(isinstance(event, WorkerAdded) for event in scene.events) == 1


def test_events_that_were_taken_do_not_come_again() -> None:
    scene = Scene()
    scene.session.announce(job_of(replace(CONTENT, job_id="2")), 1.0)
    assert scene.session.take_events() == []
    scene.say(scene.miner.request("mining.suggest_difficulty", 1e-7))
    scene.session.announce(job_of(replace(CONTENT, job_id="3")), 1.0)
    assert scene.session.take_events() == [DifficultySet(1e-7)]
    assert scene.session.take_events() == []


# ---- extranonces and masks ------------------------------------------------------------------------------------------


def test_a_miner_that_can_change_gets_another_extranonce1() -> None:
    scene = Scene()
    assert MinerSession(scene.policy, scene.total, 0.0).change_extranonce(0.0), "there is nothing to change yet"
    before = scene.miner.extranonce1
    scene.say(scene.miner.request("mining.extranonce.subscribe"))
    assert scene.miner.reply()["result"] is True
    assert scene.session.change_extranonce(1.0)
    scene.hear()
    assert scene.miner.extranonce1 != before
    scene.session.announce(job_of(replace(CONTENT, job_id="2")), 1.0)
    scene.hear()
    scene.say(scene.miner.submit(scene.miner.solve()))
    assert len(scene.passed) == 1
    scene.policy.leases = ExtranonceRegistry(size=0)
    scene.policy.leases.lease(0.0)
    assert not scene.session.change_extranonce(2.0), "none is free"


def test_a_miner_that_cannot_change_must_come_back_and_its_shares_are_of_no_job() -> None:
    scene = Scene()
    share = scene.miner.solve()
    assert not scene.session.change_extranonce(1.0)
    scene.hear()
    assert scene.miner.notifications("client.reconnect") == [[]]
    jobs = len(scene.miner.jobs)
    scene.session.announce(job_of(replace(CONTENT, job_id="2")), 1.0)
    scene.session.update_version_mask(job_of(CONTENT))
    scene.say(scene.miner.submit(share))
    assert scene.miner.verdict() == 21
    assert len(scene.miner.jobs) == jobs
    assert scene.session.shares.stale == 1


def rollable(job_id: str, mask: int) -> AnnouncedJob:
    return replace(job_of(replace(CONTENT, job_id=job_id)), rollable_mask=mask)


def test_a_mask_is_sent_only_when_it_changed_and_only_to_who_asked() -> None:
    asked, silent = Scene(configure="0000ff00"), Scene()
    for scene in (asked, silent):
        for mask in (0x1FFFE000, 0x1FFFE000, 0x00008000):
            scene.session.update_version_mask(rollable("1", mask))
            scene.session.announce(rollable("2", mask), 1.0)
        scene.hear()
    assert asked.miner.notifications("mining.set_version_mask") == [["00000000"], ["0000e000"], ["00008000"]]
    assert silent.miner.notifications("mining.set_version_mask") == []
    assert (asked.session.version_mask, silent.session.version_mask) == (0x8000, 0)
    assert not silent.session.was_refused_rolling(rollable("2", 0xFFFFFFFF)), "it never asked"
    asked.session.update_version_mask(rollable("2", 0x2000))
    asked.hear()
    assert asked.miner.notifications("mining.set_version_mask")[3:] == [["00002000"]], "at once, without a job"


def test_a_miner_that_is_not_logged_in_is_told_no_mask() -> None:
    policy, miner = AskingPolicy(), WireMiner()
    policy.rollable_mask = 0xFF00
    session = MinerSession(policy, DownstreamShareCounts(), 0.0)
    session.receive_data(miner.configure("0000ff00"))
    assert session.next_event(0.0, NOW) is None
    session.update_version_mask(rollable("1", 0x8000))
    session.announce(rollable("1", 0x8000), 0.0)
    miner.receive(session.data_to_send())
    assert [message["id"] for message in miner.messages] == [1]


def test_a_miner_that_was_refused_rolling_must_ask_again_when_a_job_allows_it() -> None:
    scene = Scene(configure="0000ff00", rollable_mask=0)
    assert scene.session.version_mask == 0
    assert not scene.session.was_refused_rolling(rollable("2", 0xFF0000)), "other bits than it asked for"
    assert scene.session.was_refused_rolling(rollable("2", 0x8000))
    granted = Scene(configure="0000ff00")
    assert not granted.session.was_refused_rolling(rollable("2", 0x8000))


def test_minimum_difficulty_up_to_the_ceiling() -> None:
    scene = Scene()
    for value, answer in ((1.0, True), (1.5, "expected a difficulty of at most 1")):
        scene.say(scene.miner.request("mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": value}))
        assert scene.miner.reply()["result"] == {"minimum-difficulty": answer}
    scene.say(scene.miner.request("mining.suggest_difficulty", 0.25))
    scene.session.announce(job_of(replace(CONTENT, job_id="2")), 1.0)
    scene.hear()
    assert scene.miner.difficulty == 1.0


# ---- when a difficulty changes --------------------------------------------------------------------------------------


def test_changes_of_difficulty_keep_their_distance() -> None:
    scene = Scene()
    scene.policy.change_interval = 5.0
    for now, difficulty, jobs in ((100.0, 1e-7, 2), (104.9, 2e-7, 2), (104.9, 1e-7, 2), (105.0, 3e-7, 3)):
        scene.say(scene.miner.request("mining.suggest_difficulty", difficulty), now)
        assert len(scene.miner.jobs) == jobs
    scene.say(scene.miner.request("mining.suggest_difficulty", 4e-7), 106.0)
    for now, jobs in ((109.9, 3), (110.0, 4), (120.0, 4)):
        scene.session.tick(now)
        scene.hear()
        assert len(scene.miner.jobs) == jobs
    assert scene.miner.jobs[-1].difficulty == 4e-7
    assert not scene.miner.jobs[-1].clean
    assert scene.miner.jobs[0].clean


def test_vardiff_counts_shares_with_the_difficulty_of_their_job_and_leaves_a_fixed_one_alone() -> None:
    free, fixed = Scene(vardiff=True), Scene(vardiff=True, password="d=1e-8")
    for scene in (free, fixed):
        for _ in range(16):
            scene.say(scene.miner.submit(scene.miner.solve()), 2.0)
        scene.session.announce(job_of(replace(CONTENT, job_id="2")), 2.0)
        scene.hear()
    assert free.miner.difficulty == pytest.approx(8e-8)
    assert fixed.miner.difficulty == 1e-8
    for scene, difficulty in ((free, 8e-8 / 12), (fixed, 1e-8)):
        scene.session.tick(14.0)
        scene.session.announce(job_of(replace(CONTENT, job_id="3")), 14.0)
        scene.hear()
        assert scene.miner.difficulty == pytest.approx(difficulty)


def test_what_a_session_says_of_itself() -> None:
    scene = Scene()
    snapshot = session_snapshot(scene.connection, 50.0)
    assert (snapshot.session, snapshot.address, snapshot.user_agent) == (7, "10.0.0.1:4000", "wire_miner/1")
    assert (snapshot.difficulty, snapshot.version_mask, snapshot.started) == (1e-8, 0, True)
    assert (snapshot.hash_rate, snapshot.last_share_age) == (0.0, None)
    assert snapshot.extranonce1 == bytes.fromhex(scene.miner.extranonce1)
    assert (snapshot.connected_at, snapshot.bytes_received, snapshot.bytes_sent) == (5.0, 0, 0)
    scene.say(scene.miner.submit(scene.miner.solve()), 20.0)
    scene.connection.queue.put_nowait(b"four")
    snapshot = session_snapshot(scene.connection, 50.0)
    assert (snapshot.last_share_age, snapshot.bytes_queued) == (30.0, 4)
    assert snapshot.hash_rate == pytest.approx(42 / 50), "a share of 1e-8 stands for 42.9 hashes"
    assert snapshot.shares == snapshot.workers["alice.rig"] == scene.session.shares
    assert snapshot.shares is not scene.session.shares
    scene.session.close(60.0)
    assert session_snapshot(scene.connection, 60.0).extranonce1 is None


# ---- what an operator's or a miner's question gets ------------------------------------------------------------------


def test_the_transactions_of_a_job_are_asked_of_the_policy() -> None:
    scene = Scene()
    scene.say(scene.miner.request("mining.get_transactions", scene.miner.jobs[-1].job_id))
    assert scene.miner.reply()["result"] == ["ab", "cd"]
    scene.say(scene.miner.request("mining.get_transactions", "unknown"))
    assert scene.miner.reply()["error"] == [21, "job not found", None]
    scene.session.change_extranonce(0.0)
    scene.say(scene.miner.request("mining.get_transactions", scene.miner.jobs[-1].job_id))
    assert scene.miner.reply()["error"] == [21, "job not found", None], "it has no job any more"


def test_a_session_that_is_closed_takes_no_more_bytes() -> None:
    scene = Scene()
    scene.session.close(1.0)
    assert scene.session.connection.state is ServerState.CLOSED


def test_a_wider_mask_is_good_for_jobs_that_were_sent_before() -> None:
    scene = Scene(configure="0000ff00")
    old = scene.miner.jobs[-1]
    scene.session.announce(rollable("2", 0x8000), 1.0)
    scene.hear()
    scene.say(scene.miner.submit(scene.miner.solve(old, version_bits=0x8000)))
    assert len(scene.passed) == 1
    scene.session.announce(rollable("3", 0), 1.0)
    scene.hear()
    scene.say(scene.miner.submit(scene.miner.solve(old, version_bits=0x8000)))
    assert len(scene.passed) == 2, "a bit that was allowed stays allowed"
    scene.say(scene.miner.submit(scene.miner.solve(scene.miner.jobs[-1], version_bits=0x8000)))
    assert len(scene.passed) == 2


@pytest.mark.parametrize("reason", [*ErrorReason])
def test_a_share_is_stale_only_if_its_job_was_not_found(reason: ErrorReason) -> None:
    scene = Scene()
    scene.say(scene.miner.submit(scene.miner.solve()))
    assert not scene.passed[0].stale
    refused = structs.replace(scene.passed[0], refusal=Refused[Any](reason, "no"))
    assert refused.stale == (reason is ErrorReason.JOB_NOT_FOUND)


def test_vardiff_goes_on_from_a_difficulty_that_was_asked_for() -> None:
    scene = Scene(vardiff=True)
    scene.say(scene.miner.request("mining.suggest_difficulty", 1e-6), 50.0)
    scene.session.announce(job_of(replace(CONTENT, job_id="2")), 50.0)
    for now, difficulty in ((61.9, 1e-6), (62.0, 1e-6 / 12)):  # a test comes after the time of twelve shares
        scene.session.tick(now)
        scene.session.announce(job_of(replace(CONTENT, job_id=str(now))), now)
        scene.hear()
        assert scene.miner.difficulty == pytest.approx(difficulty)


def test_a_password_and_a_minimum_change_the_difficulty_of_a_session_that_runs() -> None:
    scene = Scene()
    scene.policy.change_interval = 1.0
    scene.say(scene.miner.request("mining.authorize", "bob", "d=1e-7"), 10.0)
    assert (scene.miner.difficulty, len(scene.miner.jobs)) == (1e-7, 2)
    minimum = scene.miner.request("mining.configure", ["minimum-difficulty"], {"minimum-difficulty.value": 1e-6})
    scene.say(minimum, 20.0)
    assert (scene.miner.difficulty, len(scene.miner.jobs)) == (1e-6, 3)


def test_before_the_first_job_a_miner_is_told_its_difficulty() -> None:
    policy, miner = AskingPolicy(), WireMiner()
    policy.latest = None
    session = MinerSession(policy, DownstreamShareCounts(), 0.0)
    session.receive_data(miner.login())
    pending = session.next_event(0.0, NOW)
    assert isinstance(pending, SubscribePending)
    session.subscribe(pending, policy, 0.0)
    assert session.next_event(0.0, NOW) == WorkerAdded("alice.rig")
    assert session.next_event(0.0, NOW) == DifficultySet(1e-8)
    miner.receive(session.data_to_send())
    assert (miner.difficulty, miner.jobs) == (1e-8, [])


def test_work_that_came_too_late_counts_for_vardiff_though_its_answer_waits() -> None:
    scene = Scene(vardiff=True)
    scene.policy.forward_refused = True
    scene.policy.max_refused_shares = 100
    shares = [scene.miner.solve() for _ in range(16)]
    scene.policy.void_jobs()
    for share in shares:
        scene.say(scene.miner.submit(share), 2.0)
    assert [each.stale for each in scene.passed] == [True] * 16
    scene.session.announce(job_of(replace(CONTENT, job_id="2")), 2.0)
    scene.hear()
    assert scene.miner.difficulty == pytest.approx(8e-8), "a share a second is wanted, eight came"
