"""One miner's session under a policy that is neither a pool's nor a proxy's."""

from dataclasses import replace
from typing import Any

import pytest

from stratum_miner.bitcoin.target import target_from_bits
from stratum_miner.downstream.events import ShareToForward, SubscribePending
from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import AnnouncedJob, JobContent, JobTable, notify_lines
from stratum_miner.downstream.miner_session import MinerSession, password_difficulty
from stratum_miner.downstream.session_policy import ForwardVerdict
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.validator import Accepted, Refused, ShareValidator, ShareVerdict
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason
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

    def job_for(self, lease: Lease[AnnouncedJob], now: float) -> AnnouncedJob | None:
        return self.latest

    def difficulty(self, job: AnnouncedJob | None, wanted: float | None, minimum: float) -> float | None:
        return wanted

    def bounded(self, difficulty: float, *, asked: bool) -> float:
        return difficulty

    def judge(
        self, submit: Submit, jobs: JobTable[AnnouncedJob], unix_time: float
    ) -> ShareVerdict[AnnouncedJob] | ForwardVerdict[AnnouncedJob]:
        verdict = self._validator.judge(submit, jobs, unix_time)
        return ForwardVerdict(verdict, verdict.solution, waits=True) if isinstance(verdict, Accepted) else verdict

    def transactions(self, job: AnnouncedJob | None) -> list[str] | Refused[AnnouncedJob]:
        return []


class Scene:
    """A miner that is logged in."""

    def __init__(self) -> None:
        self.policy, self.miner, self.total = AskingPolicy(), WireMiner(), DownstreamShareCounts()
        self.session = MinerSession(self.policy, self.total, 0.0)
        self.passed: list[ShareToForward[AnnouncedJob]] = []
        self.say(self.miner.login())

    def say(self, data: bytes) -> None:
        self.session.receive_data(data)
        while (event := self.session.next_event(0.0, NOW)) is not None:
            if isinstance(event, SubscribePending):
                self.session.subscribe(event, self.policy, 0.0)
            elif isinstance(event, ShareToForward):
                self.passed.append(event)
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
