"""A miner's session under the proxy's policy, sans-IO: whatever a miner says is answered, or ends the session."""

import json
import random
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.downstream.events import (
    AnsweredWithError,
    AnsweredWithTrue,
    DifficultySet,
    ShareToForward,
    SubscribePending,
)
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.validator import Refused
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.network.fair_bound import FairBound
from stratum_miner.proxy.config import ProxyConfig
from stratum_miner.proxy.forwarding import ForwardingPolicy, refusal_of, share_of
from stratum_miner.proxy.job_translator import JobChange, JobTranslator, ProxyJob
from stratum_miner.stratum.errors import ErrorReason, RemoteProtocolError
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.stratum_job import job_of, submit_of
from stratum_miner.work.job import Job, Origin, PoolKey
from stratum_miner.work.share import Share
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from tests.downstream.wire_miner import WireMiner
from tests.proxy.proxy_lab import NOW, job
from tests.work.jobs import body_of, make_job

METHODS = (
    "mining.subscribe",
    "mining.authorize",
    "mining.configure",
    "mining.submit",
    "mining.suggest_difficulty",
    "mining.suggest_target",
    "mining.extranonce.subscribe",
    "mining.get_transactions",
    "mining.ping",
    "mining.multi_version",
    "eth_submitLogin",
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.just("alice.rig"),
    lambda inner: st.lists(inner, max_size=6) | st.dictionaries(st.text(max_size=20), inner, max_size=4),
    max_leaves=12,
)


def upstream_job(**changes: Any) -> Job:
    return make_job(
        job_of(
            Notify.from_params(job()),
            Origin(PoolKey("pool"), "worker", 1),
            extranonce1=b"\xa1\xb2",
            extranonce2_size=4,
            share_target=target_from_difficulty(1e-8),
        ),
        **changes,
    )


def new_session(translator: JobTranslator, **options: Any) -> MinerSession[ProxyJob]:
    return MinerSession(ForwardingPolicy(ProxyConfig(**options), translator), DownstreamShareCounts(), 0.0)


def new_translator(job: Job | None = None) -> JobTranslator:
    translator = JobTranslator(256, ntime_ahead=7000, resume_seconds=600, token=lambda: "s1")
    translator.take(job or upstream_job(), 0.0)
    return translator


def feed(session: MinerSession[ProxyJob], data: bytes) -> list[Any]:
    session.receive_data(data)
    events = []
    while (event := session.next_event(0.0, NOW)) is not None:
        if isinstance(event, SubscribePending):
            session.subscribe(event, session._policy, 0.0)
        elif not isinstance(event, DifficultySet):
            events.append(event)
    return events


@pytest.mark.parametrize("seed", range(20))
def test_what_miners_are_told_meets_the_pools_exact_target(seed: int) -> None:
    target = random.Random(seed).getrandbits(224) | 1
    translator = new_translator(upstream_job(share_target=target))
    session, miner = new_session(translator), WireMiner()
    feed(session, miner.login())
    miner.receive(session.data_to_send())
    told = target_from_difficulty(miner.difficulty)
    assert told <= target
    assert told == pytest.approx(target, rel=1e-15)


@given(st.lists(st.tuples(st.sampled_from(METHODS), VALUES, VALUES), max_size=12))
def test_any_requests_are_answered_once_each(requests: list[tuple[str, Any, Any]]) -> None:
    session = new_session(new_translator())
    lines = [
        json.dumps({"id": [number, extra], "method": name, "params": params})
        for number, (name, params, extra) in enumerate(requests)
    ]
    feed(session, "".join(line + "\n" for line in lines).encode())
    replies = [json.loads(line) for line in session.data_to_send().splitlines()]
    answered = [reply["id"][0] for reply in replies if "method" not in reply]
    assert answered == list(range(len(requests)))
    assert session.shares.open == 0, "no share of these can be good"


@given(st.binary(max_size=300))
def test_any_bytes_end_or_mean_something(data: bytes) -> None:
    session = new_session(new_translator())
    with suppress(RemoteProtocolError):
        feed(session, data + b"\n")
    assert session.shares.open == 0


def test_refused_shares_in_a_row_end_a_session() -> None:
    session = new_session(new_translator(), max_refused_shares=3)
    miner = WireMiner()
    feed(session, miner.login())
    with pytest.raises(RemoteProtocolError, match="more than 3 refused shares in a row"):
        feed(session, miner.submit(["alice.rig", "x", "000000", "6b0424dc", "00000000"]) * 10)
    assert sum(b'"error":[21' in line for line in session.data_to_send().splitlines()) == 4


def test_a_good_share_breaks_the_streak() -> None:
    session = new_session(new_translator(), max_refused_shares=3)
    miner = WireMiner()
    feed(session, miner.login())
    miner.receive(session.data_to_send())
    for _ in range(5):
        feed(session, miner.submit(["alice.rig", "x", "000000", "6b0424dc", "00000000"]) * 3)
        feed(session, miner.submit(miner.solve()))
    assert (session.shares.received, session.shares.stale, session.shares.open) == (20, 15, 5)


def test_one_byte_at_a_time() -> None:
    session, miner = new_session(new_translator()), WireMiner()
    events = [event for byte in miner.configure() + miner.login() for event in feed(session, bytes([byte]))]
    miner.receive(session.data_to_send())
    data = miner.submit(miner.solve())
    events += [event for byte in data for event in feed(session, bytes([byte]))]
    (passed,) = [event for event in events if isinstance(event, ShareToForward)]
    assert share_of(passed, "").job.job_id == "1"
    assert len(share_of(passed, "").extranonce2) == 4


def rebuilt(share: Share, announced: Job, mask: int) -> bytes:
    """The header that a pool makes of a submit under the mask that is in force by then."""
    version = announced.version & ~mask | (submit_of(share, "").version_bits or 0)
    return announced.header(share.extranonce2, share.ntime, share.nonce, version).to_bytes()


@pytest.mark.parametrize("extranonce1", [b"\xa1\xb2", b"\xc3\xd4"])
def test_an_older_job_may_be_rolled_in_bits_that_were_granted_later(extranonce1: bytes) -> None:
    first = upstream_job(version_mask=0xE000, version_rolling=True, clean_jobs=False)
    translator = new_translator(first)
    session, miner = new_session(translator), WireMiner()
    feed(session, miner.configure() + miner.login())
    miner.receive(session.data_to_send())
    old = miner.jobs[-1]
    second = make_job(first, job_id="2", extranonce1=extranonce1, prefix=body_of(first).prefix[:-1] + b"\x07")
    translator.take(second, 0.0)
    assert translator.current is not None
    session.announce(translator.current, 1.0)
    assert translator.take(replace(second, version_mask=0x1FFFE000), 0.0) is JobChange.MASK
    session.update_version_mask(translator.current)
    miner.receive(session.data_to_send())
    data = miner.submit(miner.solve(old, version_bits=0x00400000))
    (passed,) = [event for event in feed(session, data) if isinstance(event, ShareToForward)]
    assert share_of(passed, "").job.job_id == first.job_id
    assert rebuilt(share_of(passed, ""), first, 0x1FFFE000) == passed.solution.header


def test_bits_that_one_pool_grants_are_not_allowed_on_the_jobs_of_another() -> None:
    first = upstream_job(version_mask=0xE000, version_rolling=True, clean_jobs=False)
    translator = new_translator(first)
    session, miner = new_session(translator), WireMiner()
    feed(session, miner.configure() + miner.login())
    miner.receive(session.data_to_send())
    old = miner.jobs[-1]
    translator.take(make_job(first, session=2, extranonce1=b"other", version_mask=0x1FFFE000), 0.0)
    assert translator.current is not None
    session.announce(translator.current, 1.0)
    miner.receive(session.data_to_send())
    assert session.version_mask == 0x1FFFE000
    assert feed(session, miner.submit(miner.solve(old, version_bits=0x00400000))) == [
        AnsweredWithError(
            "alice.rig", old.job_id, ErrorReason.OTHER, "version bits: expected only bits of 0000e000, got 00400000"
        )
    ]
    passed = feed(session, miner.submit(miner.solve(miner.jobs[-1], version_bits=0x00400000)))
    assert [type(event) for event in passed] == [ShareToForward]


@pytest.mark.parametrize("named", [0x00000000, 0x00800000])
def test_a_bit_of_the_jobs_own_version_may_be_named_or_not(named: int) -> None:
    """It is outside the miner's mask until a job without it comes; a mask counts for jobs that were sent before."""
    first = upstream_job(version_mask=0x1FFFE000, version_rolling=True, clean_jobs=False, version=0x20800000)
    translator = new_translator(first)
    session, miner = new_session(translator), WireMiner()
    feed(session, miner.configure() + miner.login())
    miner.receive(session.data_to_send())
    assert session.version_mask == 0x1F7FE000
    old = miner.jobs[-1]
    translator.take(replace(first, job_id="2", version=0x20000000), 0.0)
    assert translator.current is not None
    session.announce(translator.current, 1.0)
    assert session.version_mask == 0x1FFFE000
    miner.receive(session.data_to_send())
    data = miner.submit(miner.solve(old, version_bits=0x2000 | named))
    (passed,) = [event for event in feed(session, data) if isinstance(event, ShareToForward)]
    assert share_of(passed, "").version == 0x20802000
    assert rebuilt(share_of(passed, ""), first, 0x1FFFE000) == passed.solution.header


# ---- the policy, decision by decision -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("vardiff", "wanted", "minimum", "difficulty"),
    [
        (None, None, 0.0, 8.0),
        (None, 2.0, 0.0, 8.0),  # without vardiff, the pool's difficulty is that of all
        (None, None, 9.0, 9.0),
        (VardiffConfig(minimum=1.0), None, 0.0, 8.0),
        (VardiffConfig(minimum=1.0), 2.0, 0.0, 2.0),
        (VardiffConfig(minimum=1.0), 0.5, 0.0, 1.0),
        (VardiffConfig(minimum=1.0), 100.0, 0.0, 8.0),  # above it, shares would be kept from the pool
        (VardiffConfig(minimum=1.0), 2.0, 4.0, 4.0),
        (VardiffConfig(minimum=10.0), 2.0, 0.0, 8.0),
    ],
)
def test_the_difficulty_of_a_miner(
    vardiff: VardiffConfig | None, wanted: float | None, minimum: float, difficulty: float
) -> None:
    translator = new_translator(upstream_job(share_target=target_from_difficulty(8.0)))
    policy = ForwardingPolicy(ProxyConfig(vardiff=vardiff), translator)
    assert policy.difficulty(None, wanted, minimum) is None
    assert policy.difficulty(translator.current, wanted, minimum) == pytest.approx(difficulty)
    assert policy.bounded(123.0, asked=True) == 123.0


def test_the_bits_that_may_be_rolled_are_not_known_before_the_first_job() -> None:
    translator = JobTranslator(256, ntime_ahead=7000, resume_seconds=600, token=lambda: "s1")
    policy = ForwardingPolicy(ProxyConfig(), translator)
    assert (policy.latest, policy.rollable_mask) == (None, 0x1FFFE000)
    translator.take(upstream_job(version_mask=0xE000, version_rolling=True), 0.0)
    assert policy.latest is translator.current
    assert policy.rollable_mask == 0xE000
    translator.lose()
    assert policy.rollable_mask == 0xE000


def test_a_proxy_knows_no_transactions() -> None:
    session, miner = new_session(new_translator()), WireMiner()
    feed(session, miner.login())
    feed(session, miner.request("mining.get_transactions", "1"))
    miner.receive(session.data_to_send())
    assert miner.reply()["error"] == [20, "this is a proxy, which does not know the transactions", None]


SHARE = Share(
    job=upstream_job(), extranonce2=b"", ntime=0, nonce=0, version=0, header=b"", digest=bytes(32), worker_name=""
)


@pytest.mark.parametrize(
    ("result", "refusal"),
    [
        (ShareResult(SHARE, ShareOutcome.ACCEPTED), None),
        (ShareResult(SHARE, ShareOutcome.STALE, "late"), Refused[Any](ErrorReason.JOB_NOT_FOUND, "stale: late")),
        (
            ShareResult(SHARE, ShareOutcome.STALE, "late", refusal=RejectReason.JOB_NOT_FOUND),
            Refused[Any](ErrorReason.JOB_NOT_FOUND, "late"),
        ),
        (ShareResult(SHARE, ShareOutcome.REJECTED, "odd"), Refused[Any](ErrorReason.OTHER, "odd")),
    ],
)
def test_what_a_miner_is_told_of_a_result(result: ShareResult, refusal: Refused[Any] | None) -> None:
    assert refusal_of(result) == refusal


def test_shares_of_all_connections_to_the_pool_have_one_memory() -> None:
    translator = JobTranslator(256, ntime_ahead=7000, resume_seconds=600, token=lambda: "s1", memory=FairBound(0))
    translator.take(upstream_job(), 0.0)
    session, miner = new_session(translator), WireMiner()
    feed(session, miner.login())
    miner.receive(session.data_to_send())
    (refused,) = feed(session, miner.submit(miner.solve()))
    assert isinstance(refused, AnsweredWithError)
    assert refused.message.startswith("too many valid shares: 0 on the current jobs")


@pytest.mark.parametrize(("easier", "is_forwarded"), [(0, True), (-1, False)])
def test_a_share_whose_hash_is_exactly_the_pools_target_is_forwarded(easier: int, is_forwarded: bool) -> None:
    """The miner has an easier difficulty of its own, so its share counts in either case."""
    options = {"vardiff": VardiffConfig(minimum=1e-9)}
    first, miner = new_session(new_translator(), **options), WireMiner()
    feed(first, miner.login())
    miner.receive(first.data_to_send())
    share = miner.solve()
    digest = sha256d(miner.jobs[-1].header(share[2], int(share[3], 16), int(share[4], 16)))
    target = int.from_bytes(digest, "little") + easier
    again, miner = new_session(new_translator(upstream_job(share_target=target)), **options), WireMiner()
    feed(again, miner.request("mining.suggest_difficulty", 1e-9) + miner.login())
    (event,) = feed(again, miner.submit(share))
    assert isinstance(event, ShareToForward) is is_forwarded
    assert isinstance(event, AnsweredWithTrue) is not is_forwarded
