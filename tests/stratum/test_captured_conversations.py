"""Jobs and answers as real pools sent them, whole and cut at every byte."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    ClientConnection,
    ClientState,
)
from stratum_miner.stratum_job import submit_of
from stratum_miner.work.share import Share, verify
from stratum_miner.work.unit import NonceFound, WorkUnit
from tests.stratum.pool_lines import (
    GRANT,
    MASK,
    call,
    drain,
    feed,
    jobs,
    line,
    notify,
    sent,
    subscribe_reply,
    subscribed,
)
from tests.work.jobs import make_job


def test_a_captured_job_becomes_the_captured_share(vector: dict[str, Any]) -> None:
    """Notify line in, job, header, hash, submit line out: every byte as it was captured."""
    extranonce2 = bytes.fromhex(vector["extranonce2"])
    rolling = vector["version_bits"] is not None
    connection = subscribed(mask=MASK if rolling else 0, extranonce1=vector["extranonce1"], size=len(extranonce2))
    [announced] = jobs(feed(connection, call("mining.notify", *vector["notify_params"])))
    note = announced.notify
    job = make_job(
        session=1, job_id=note.job_id, previous_hash=note.previous_hash, prefix=note.coinbase_prefix,
        suffix=note.coinbase_suffix, branch=note.merkle_branch, version=note.version, nbits=note.nbits,
        ntime=note.ntime, clean_jobs=note.clean_jobs, extranonce1=announced.extranonce1,
        extranonce2_size=announced.extranonce2_size, share_target=target_from_difficulty(1e-9),
        version_mask=announced.version_mask, version_rolling=announced.version_rolling,
    )  # fmt: skip
    ntime, nonce, bits = int(vector["ntime"], 16), int(vector["nonce"], 16), int(vector["version_bits"] or "0", 16)
    header = job.header(extranonce2, ntime, 0, job.version).to_bytes()
    unit = WorkUnit(
        job=job, extranonce2=extranonce2, ntime=ntime, version=job.version, header=header, target=job.search_target,
        version_mask=bits,
    )  # fmt: skip
    share = verify(NonceFound(unit, nonce, job.version | bits))
    assert isinstance(share, Share)
    assert share.header.hex() == vector["expect"]["header"]
    assert share.digest[::-1].hex() == vector["expect"]["hash"]
    assert share.is_block == vector["expect"]["meets_network_target"]
    connection.submit(submit_of(share, "user.w1"))
    [message] = sent(connection)
    captured = [vector["extranonce2"], vector["ntime"], vector["nonce"]]
    assert message["params"] == [
        "user.w1", vector["notify_params"][0], *captured, *([vector["version_bits"]] if rolling else []),
    ]  # fmt: skip


# ---- what four real pools answer to three requests in one packet (docs/reference/stratum.md#how-real-pools-answer) ---

BOTH = [["mining.set_difficulty", "b4b6"], ["mining.notify", "ae68"]]
REAL_POOLS: dict[str, list[bytes]] = {
    "A-foundation-stratum": [
        line(id=1, result=GRANT, error=None),
        line(id=2, result=[BOTH, "77ffffff", 4], error=None),
        call("mining.set_difficulty", 0.0005),
        notify("1"),
        line(id=3, result=True, error=None),
        line(id=4, result=True, error=None),
        line(id=5, result=None, error=[22, "duplicate share"]),
        line(id=6, result=None, error=[23, "low difficulty share of 2.55e-10", None]),
    ],
    "B-ckpool": [
        line(result=GRANT, error=None, id=1),
        line(result=[[["mining.notify", "6b0421d8"]], "d821046b", 8], error=None, id=2),
        b'{"params": [5.0000000000000002e-5], "id": null, "method": "mining.set_difficulty"}\n',
        notify("6b0421d800000001"),
        notify("6b0421d800000002", clean=False),
        line(result=True, error=None, id=3),
        line(result=True, error=None, id=4),
        line(result=False, error=[22, "Duplicate", None], id=5),
        line(result=False, error="Stale", id=6),
    ],
    "C-nomp": [
        line(id=2, result=[BOTH, "77ffffff", 4], error=None),
        call("mining.set_difficulty", 0.001),
        notify("1", clean=False),
        line(id=3, result=True, error=None),
        line(id=4, result=True, error=None),
        line(id=5, result=None, error=[21, "job not found"]),
        line(id=None, result=[], error=True),
        line(id=6, result=None, error=[24, "unauthorized worker"]),
    ],
    "D-public-pool": [
        line(id=1, error=None, result=GRANT),
        line(id=2, error=None, result=[[["mining.notify", "4f2a9c01"]], "4f2a9c01", 4]),
        line(id=3, error=None, result=True),
        call("mining.set_difficulty", 0.00005),
        notify("1", version="4"),
        line(id=5, result=None, error=[23, "Difficulty too low", ""]),
        notify("2", clean=False, prevhash="11" * 32),
        line(id=4, error=None, result=True),
        line(id=6, result=None, error=[20, "Mining Submit validation error", "['user','1']"]),
    ],
}
EXPECTED: dict[str, tuple[list[type[Any]], list[bool]]] = {
    "A-foundation-stratum": (
        [events.Configured, events.Subscribed, events.ShareTargetChanged, events.JobAnnounced, events.WorkerAuthorized,
         events.SubmitAnswered, events.SubmitAnswered, events.SubmitAnswered],
        [True, False, False],
    ),
    "B-ckpool": (
        [events.Configured, events.Subscribed, events.ShareTargetChanged, events.JobAnnounced, events.JobAnnounced,
         events.WorkerAuthorized, events.SubmitAnswered, events.SubmitAnswered, events.SubmitAnswered],
        [True, False, False],
    ),
    "C-nomp": (
        [events.Subscribed, events.ShareTargetChanged, events.JobAnnounced, events.WorkerAuthorized,
         events.SubmitAnswered, events.SubmitAnswered, events.UnpairedReply, events.SubmitAnswered],
        [True, False, False],
    ),
    "D-public-pool": (
        [events.Configured, events.Subscribed, events.WorkerAuthorized, events.ShareTargetChanged, events.JobAnnounced,
         events.SubmitAnswered, events.JobAnnounced, events.SubmitAnswered, events.SubmitAnswered],
        [False, True, False],
    ),
}  # fmt: skip


class Conversation:
    """A client that pipelines its handshake and submits three shares as soon as it is authorized."""

    def __init__(self) -> None:
        self.connection = ClientConnection("test/1", version_mask=MASK)
        self.connection.configure()
        self.connection.subscribe()
        self.connection.authorize("user.w1", "pw")
        self.events: list[events.ClientConnectionEvent] = []

    def receive(self, data: bytes) -> None:
        self.connection.receive_data(data)
        self.drain()

    def drain(self) -> None:
        while (event := self.connection.next_event()) is not None:
            self.events.append(event)
            if isinstance(event, events.WorkerAuthorized) and self.connection.state is not ClientState.CLOSED:
                for nonce in range(3):
                    self.connection.submit(messages.Submit("user.w1", "1", bytes(4), 0, nonce, 0))


def whole(stream: bytes) -> list[events.ClientConnectionEvent]:
    conversation = Conversation()
    conversation.receive(stream)
    return conversation.events


@pytest.mark.parametrize("pool", REAL_POOLS)
def test_real_pools(pool: str) -> None:
    happened = whole(b"".join(REAL_POOLS[pool]))
    kinds, accepted = EXPECTED[pool]
    assert [type(event) for event in happened] == kinds
    assert [event.accepted for event in happened if isinstance(event, events.SubmitAnswered)] == accepted
    assert all(event.amended is False for event in jobs(happened))


@pytest.mark.parametrize("pool", REAL_POOLS)
def test_real_pools_byte_by_byte(pool: str) -> None:
    stream = b"".join(REAL_POOLS[pool])
    conversation = Conversation()
    for at in range(len(stream)):
        conversation.receive(stream[at : at + 1])
    assert conversation.events == whole(stream)


@pytest.mark.parametrize("pool", REAL_POOLS)
@given(data=st.data())
def test_real_pools_split_anywhere(pool: str, data: st.DataObject) -> None:
    stream = b"".join(REAL_POOLS[pool])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    conversation = Conversation()
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        conversation.receive(stream[start:end])
    assert conversation.events == whole(stream)


@pytest.mark.parametrize("pool", REAL_POOLS)
def test_real_pools_that_hang_up_at_any_byte(pool: str) -> None:
    stream = b"".join(REAL_POOLS[pool])
    ends = [at + 1 for at, byte in enumerate(stream) if byte == ord("\n")]
    for position in range(len(stream) + 1):
        conversation = Conversation()
        conversation.receive(stream[:position])
        rest = conversation.connection.receive_eof()
        assert bool(rest) == (position not in {0, *ends})
        assert conversation.events == whole(stream)[: len(conversation.events)]
        assert len(conversation.events) == sum(end <= position for end in ends)
        assert conversation.connection.next_event() is None
        assert conversation.connection.state is ClientState.CLOSED


def test_complete_lines_before_the_end_of_the_stream_are_not_lost() -> None:
    connection = ClientConnection("test/1")
    request_id = connection.subscribe()
    connection.receive_data(subscribe_reply(request_id) + notify() + call("mining.ping", id=1) + b'{"id"')
    connection.data_to_send()
    assert connection.receive_eof() == '{"id"'
    connection.receive_data(notify())
    assert [type(event) for event in drain(connection)] == [events.Subscribed, events.JobAnnounced]
    assert connection.data_to_send() == b""
    assert connection.state is ClientState.CLOSED
