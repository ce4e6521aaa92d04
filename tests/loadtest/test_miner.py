"""One simulated miner, line by line: its messages, its state, and that its shares are valid."""

import json
from typing import Any

import pytest

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import hash_value
from stratum_miner.loadtest.metrics import Metrics
from stratum_miner.loadtest.miner import MAX_LINE, SimulatedMiner, State
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.run_state import RunState
from stratum_miner.pool.job_factory import JobFactory
from stratum_miner.stratum import client_messages, pool_messages
from stratum_miner.stratum.envelope import Call, decode, encode_reply
from stratum_miner.stratum.errors import RemoteProtocolError
from stratum_miner.stratum.server_connection import encode_announcement
from stratum_miner.testing.scripted_node import make_template
from stratum_miner.work.share import Share, verify
from stratum_miner.work.unit import NONCE_SPACE, NonceFound, WorkUnit

DIFFICULTY = 1e-8
EXTRANONCE1 = bytes.fromhex("0a0b0c0d")
MASK = 0x1FFFE000


class Scene:
    """A miner and the pool's lines for it. The clock moves only when a test moves it."""

    def __init__(self, **settings: Any) -> None:
        self.plan = LoadPlan(
            **{"host": "127.0.0.1", "port": 1, "miners": 2, "duration": 1000.0, "share_rate": 1.0, **settings}
        )
        self.metrics = Metrics(self.plan.duration)
        self.scheduled: list[float] = []
        self.run_state: RunState[SimulatedMiner] = RunState(
            self.plan, self.metrics, 0.0, schedule=lambda _, due: self.scheduled.append(due)
        )
        self.miner = SimulatedMiner(self.run_state, 0, 1.0)
        self.factory = JobFactory(payout_script=b"\x51", version_mask=MASK, extranonce_size=12)
        self.height = 100

    def job(self, *, clean: bool = True) -> bytes:
        self.height += clean
        return self.factory.publish(make_template(self.height), 0.0).line

    def receive(self, *lines: bytes, now: float = 0.0) -> list[Call]:
        return calls(self.miner.receive(b"".join(lines), now, 0.0))

    def handshake(self, *, rolling: bool = True, difficulty: float = DIFFICULTY) -> None:
        self.miner.connected(0.0, 0.0)
        if rolling:
            self.receive(encode_reply(1, {"version-rolling": True, "version-rolling.mask": "1fffe000"}))
        self.receive(encode_reply(2, [[["mining.notify", "s"]], EXTRANONCE1.hex(), 8]))
        self.receive(encode_reply(3, True), encode_announcement(pool_messages.SetDifficulty(difficulty)), self.job())

    def submit(self, now: float) -> Call:
        (call,) = calls(self.miner.due_share(now))
        return call


def calls(data: bytes) -> list[Call]:
    messages = [decode(line) for line in data.splitlines()]
    assert all(isinstance(message, Call) for message in messages)
    return [message for message in messages if isinstance(message, Call)]


def verified(miner: SimulatedMiner, call: Call) -> Share:
    """Verify a share with ``work.share``."""
    assert miner.assignment is not None
    submit = client_messages.Submit.from_params(call.params)
    job = miner.assignment.job()
    version = job.version & ~job.version_mask | (submit.version_bits or 0)
    header = job.header(submit.extranonce2, submit.ntime, 0, version).to_bytes()
    unit = WorkUnit(
        job=job, extranonce2=submit.extranonce2, ntime=submit.ntime, version=version, header=header,
        target=job.share_target, nonce_count=NONCE_SPACE,
    )  # fmt: skip
    share = verify(NonceFound(unit, submit.nonce, version))
    assert isinstance(share, Share), share
    assert share.meets_share_target
    return share


def test_the_handshake_goes_step_by_step() -> None:
    scene = Scene()
    said = calls(scene.miner.connected(0.0, 0.0))
    assert [call.method for call in said] == ["mining.configure", "mining.subscribe"]
    said = scene.receive(encode_reply(2, [[], "0a0b", 4]), now=0.25)
    assert [(call.method, call.params) for call in said] == [("mining.authorize", ["load.0", "x"])]
    scene.receive(encode_reply(3, True), now=0.5)
    assert scene.miner.state.name == "AUTHORIZED"
    scene.receive(scene.job(), now=1.0)
    assert scene.miner.state.name == "MINING"
    latencies = {name: phase.latency.maximum for name, phase in scene.metrics.phases.items()}
    assert latencies == {
        "connect": 0, "subscribe": 0.25, "authorize": 0.25, "first_job": 1.0, "submit": 0, "notify": 0,
    }  # fmt: skip


@pytest.mark.parametrize("rolling", [True, False])
def test_shares_are_truly_valid(rolling: bool) -> None:
    scene = Scene(version_rolling=1.0 if rolling else 0.0)
    scene.handshake(rolling=rolling)
    shares = [verified(scene.miner, scene.submit(scene.miner.due or 0.0)) for _ in range(40)]
    assert len({share.digest for share in shares}) == 40
    versions = {share.version for share in shares}
    assert len(versions) > 1 if rolling else versions == {0x20000000 & ~MASK}


def test_a_share_is_answered_from_the_moment_it_was_due() -> None:
    scene = Scene()
    scene.handshake()
    due = scene.miner.due
    assert due is not None
    call = scene.submit(due + 0.5)  # the loop sent the share late
    scene.receive(encode_reply(call.id, True), now=due + 0.75)
    phase = scene.metrics.phases["submit"]
    assert phase.latency.maximum == pytest.approx(0.75)
    assert phase.overhead.maximum == pytest.approx(0.5)
    assert phase.unreliable == 1
    assert (scene.metrics.sent, scene.metrics.accepted) == (1, 1)


def test_many_shares_of_one_job_are_found_together_and_differ() -> None:
    scene = Scene()
    scene.handshake()
    calls = [scene.submit(now=10.0 + index) for index in range(40)]
    assert len({tuple(call.params) for call in calls}) == 40
    for call in calls:
        verified(scene.miner, call)
    assert len({call.params[2] for call in calls}) < 10  # extranonce2: few searches
    scene.receive(scene.job())
    verified(scene.miner, scene.submit(now=60.0))  # of the new job, not of the old one


@pytest.mark.parametrize(
    "reply",
    [
        '{"id":4,"result":true,"error":null}',
        '{"id": 4, "result": true, "error": null}\r',
        '{"result": true, "error": null, "id": 4}',
        '{"error":null,"id":4,"result":true,"jsonrpc":"2.0"}',
    ],
)
def test_a_reply_means_the_same_in_each_form(reply: str) -> None:
    scene = Scene()
    scene.handshake()
    assert scene.submit(now=10.0).id == 4
    scene.receive(reply.encode() + b"\n", now=11.0)
    assert scene.metrics.accepted == 1


def test_late_shares_do_not_move_the_next_ones() -> None:
    punctual, late = Scene(seed=3), Scene(seed=3)
    for scene, delay in ((punctual, 0.0), (late, 500.0)):
        scene.handshake()
        for _ in range(20):
            scene.submit((scene.miner.due or 0.0) + delay)
    assert punctual.scheduled == late.scheduled


def test_a_higher_difficulty_makes_shares_rarer_from_the_next_job_on() -> None:
    scene = Scene()
    scene.handshake()
    scene.receive(encode_announcement(pool_messages.SetDifficulty(DIFFICULTY * 100)))
    assert scene.miner.rate == pytest.approx(1.0)
    scene.receive(scene.job())
    assert scene.miner.rate == pytest.approx(0.01, rel=1e-6)
    verified(scene.miner, scene.submit(0.0))


def test_a_stated_hash_rate_decides_the_share_rate() -> None:
    scene = Scene(hash_rate=DIFFICULTY * 2**32 * 5)
    scene.handshake()
    assert scene.miner.rate == pytest.approx(5.0, rel=1e-4)


def test_more_hashes_than_this_machine_has_are_noticed() -> None:
    scene = Scene()
    scene.handshake(difficulty=1e6)
    assert "MH/s is more than half of what one thread of this computer reaches" in scene.metrics.doubt
    assert Metrics.from_builtins(scene.metrics.to_builtins()).doubt == scene.metrics.doubt


def test_what_this_machine_searches_is_not_doubted() -> None:
    scene = Scene()
    scene.handshake()
    assert scene.metrics.doubt == ""


def test_an_extranonce_counts_from_the_next_job_and_a_mask_at_once() -> None:
    scene = Scene()
    scene.handshake()
    scene.receive(
        encode_announcement(pool_messages.SetExtranonce(b"\x01\x02", 4)),
        encode_announcement(pool_messages.SetVersionMask(0x00006000)),
    )
    work = scene.miner.assignment
    assert work is not None
    assert (work.extranonce1, work.version_mask) == (EXTRANONCE1, 0x00006000)
    assert verified(scene.miner, scene.submit(0.0)).version & MASK & ~0x6000 == 0
    scene.receive(scene.job())
    assert scene.miner.assignment is not None
    assert (scene.miner.assignment.extranonce1, scene.miner.assignment.extranonce2_size) == (b"\x01\x02", 4)
    verified(scene.miner, scene.submit(0.0))


def test_a_job_before_its_difficulty_is_mined_at_the_difficulty() -> None:
    scene = Scene()
    scene.miner.connected(0.0, 0.0)
    scene.receive(encode_reply(2, [[], EXTRANONCE1.hex(), 8]), encode_reply(3, True), scene.job())
    scene.receive(encode_announcement(pool_messages.SetDifficulty(DIFFICULTY)))
    assert scene.miner.assignment is not None
    assert scene.miner.assignment.difficulty == DIFFICULTY


def test_all_miners_share_one_job_object() -> None:
    scene = Scene()
    scene.handshake()
    other = SimulatedMiner(scene.run_state, 1, 1.0)
    first, scene.miner = scene.miner, other
    scene.handshake()
    line = scene.job()
    for miner in (first, other):
        miner.receive(line, 0.0, 0.0)
    assert first.notify is other.notify


@pytest.mark.parametrize(
    ("question", "answer"),
    [("client.get_version", None), ("mining.ping", "pong")],
)
def test_questions_of_the_pool_are_answered(question: str, answer: str | None) -> None:
    scene = Scene()
    scene.handshake()
    line = json.dumps({"id": 7, "method": question, "params": []}).encode() + b"\n"
    reply = json.loads(scene.miner.receive(line, 0.0, 0.0))
    assert reply["id"] == 7
    assert reply["result"] == answer if answer else "stratum-miner" in reply["result"]


def test_a_refused_worker_stays_away() -> None:
    scene = Scene()
    scene.miner.connected(0.0, 0.0)
    scene.receive(encode_reply(2, [[], "0a", 4]))
    scene.receive(encode_reply(3, None, [24, "unauthorized", None]))
    assert scene.miner.refused
    assert scene.miner.close_reason == "authorize refused: unauthorized worker"


def test_open_shares_of_a_broken_connection_are_lost() -> None:
    scene = Scene()
    scene.handshake()
    scene.submit(0.0)
    scene.submit(0.0)
    scene.miner.closed("the pool closed the connection")
    assert (scene.metrics.lost, scene.run_state.open_shares, scene.run_state.mining) == (2, 0, 0)
    assert scene.metrics.endings == {"the pool closed the connection": 1}


def test_refused_shares_are_counted_by_reason() -> None:
    scene = Scene()
    scene.handshake()
    call = scene.submit(0.0)
    scene.receive(encode_reply(call.id, None, [22, "duplicate share", None]))
    assert scene.metrics.refused == {"duplicate share": 1}


def test_bad_submits_come_in_their_share_and_are_counted_apart() -> None:
    scene = Scene(bad={"wrong-job": 0.25, "duplicate": 0.25})
    scene.handshake()
    accepted: set[tuple[Any, ...]] = set()
    job_id = scene.miner.assignment.notify.job_id if scene.miner.assignment else ""
    for _ in range(400):
        for call in calls(scene.miner.due_share(0.0)):
            place = tuple(call.params)
            good = call.params[1] == job_id and place not in accepted
            accepted.add(place)
            scene.receive(encode_reply(call.id, good, None if good else [21, "job not found", None]))
    assert 60 < scene.metrics.bad["wrong-job"].sent < 140
    assert 60 < scene.metrics.bad["duplicate"].sent < 140
    assert scene.metrics.sent + sum(count.sent for count in scene.metrics.bad.values()) == 400
    assert scene.metrics.accepted == scene.metrics.sent  # the judge above saw each bad one for what it is
    assert scene.metrics.phases["submit"].latency.count == scene.metrics.sent


@pytest.mark.parametrize("fraction", [0.1, 0.3, 0.5, 0.8])
def test_duplicates_come_in_their_share_where_each_share_is_a_block(fraction: float) -> None:
    """An accepted share ends its block here, so that it cannot be repeated after the answer."""
    scene = Scene(bad={"duplicate": fraction}, duration=80_000.0)
    scene.handshake()
    slots = 2000
    accepted: set[tuple[Any, ...]] = set()
    for _ in range(slots):
        job_id = scene.factory.current.content.job_id if scene.factory.current else ""
        found = False
        for call in calls(scene.miner.due_share(0.0)):
            place = tuple(call.params)
            good = call.params[1] == job_id and place not in accepted
            refusal = [22, "duplicate share", None] if place in accepted else [21, "stale", None]
            accepted.add(place)
            scene.receive(encode_reply(call.id, good, None if good else refusal))
            found = found or good
        if found:
            scene.receive(scene.job())
    bad = scene.metrics.bad["duplicate"]
    assert abs(bad.sent / slots - fraction) < 0.05
    assert abs(scene.metrics.sent + bad.sent - slots) < 10
    assert (scene.metrics.accepted, bad.refused, bad.accepted) == (scene.metrics.sent, bad.sent, 0)
    assert bad.not_possible == 0


def test_a_fault_that_is_not_possible_is_counted_with_its_reason() -> None:
    scene = Scene(bad={"stale": 0.5, "version-bits-outside-mask": 0.5}, version_rolling=0.0)
    scene.handshake(rolling=False)
    for _ in range(100):
        call = scene.submit(0.0)
        scene.receive(encode_reply(call.id, True))
    bad = scene.metrics.bad
    assert {kind: count.sent for kind, count in bad.items()} == {"stale": 0, "version-bits-outside-mask": 0}
    assert sum(count.not_possible for count in bad.values()) == 100 == scene.metrics.sent
    assert bad["stale"].reason == "expected a share of a job on an older block, but no new block has come yet"
    assert bad["version-bits-outside-mask"].reason == "expected version rolling, but the pool did not grant it"


def test_a_stale_share_is_a_good_one_of_the_block_before() -> None:
    scene = Scene(bad={"stale": 1.0})
    scene.handshake()
    old = scene.miner.assignment
    assert old is not None
    scene.receive(scene.job())
    call = scene.submit(0.0)
    assert call.params[1] == old.notify.job_id
    submit = client_messages.Submit.from_params(call.params)
    version = old.notify.version & ~MASK | (submit.version_bits or 0)
    header = old.job().header(submit.extranonce2, submit.ntime, submit.nonce, version)
    assert hash_value(sha256d(header.to_bytes())) <= old.target


def test_only_some_are_slow_and_exactly_as_many_as_asked() -> None:
    scene = Scene(slow_readers=0.1)
    slow = [number for number in range(1000) if SimulatedMiner(scene.run_state, number, 1.0).reads_slowly]
    assert len(slow) == 100


@pytest.mark.parametrize("data", [b"hello\n", b"[]\n", b"{\n", b"x" * (MAX_LINE + 1), b"[" * 1000 + b"\n"])
def test_what_is_no_stratum_ends_the_connection(data: bytes) -> None:
    scene = Scene()
    scene.miner.connected(0.0, 0.0)
    with pytest.raises(RemoteProtocolError):
        scene.miner.receive(data, 0.0, 0.0)


def test_bytes_one_at_a_time_mean_the_same() -> None:
    whole, pieces = Scene(seed=1), Scene(seed=1)
    whole.handshake()
    pieces.miner.connected(0.0, 0.0)
    line = encode_reply(1, {"version-rolling": True, "version-rolling.mask": "1fffe000"})
    line += encode_reply(2, [[], EXTRANONCE1.hex(), 8]) + encode_reply(3, True)
    line += encode_announcement(pool_messages.SetDifficulty(DIFFICULTY)) + pieces.job()
    for index in range(len(line)):
        pieces.miner.receive(line[index : index + 1], 0.0, 0.0)
    assert pieces.miner.state is State.MINING
    assert pieces.scheduled == whole.scheduled
