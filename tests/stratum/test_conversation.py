"""A ClientConnection and a ServerConnection, connected: whatever they send, they understand each other."""

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from stratum_miner.stratum import client_messages as messages
from stratum_miner.stratum import events, pool_messages
from stratum_miner.stratum.client_connection import MAX_OUTSTANDING, ClientConnection, ClientState, WorkerState
from stratum_miner.stratum.envelope import Id
from stratum_miner.stratum.errors import ErrorReason
from stratum_miner.stratum.extensions import VersionRollingGrant
from stratum_miner.stratum.results import SubscribeResult
from stratum_miner.stratum.server_connection import ServerConnection, ServerState

OWN_MASK = 0x1FFFE000
WORKERS = st.sampled_from(["w1", "w2", "ünïcode"])
UINT32 = st.integers(0, 2**32 - 1)
NOTIFIES = st.builds(
    pool_messages.Notify,
    job_id=st.text(max_size=8),
    previous_hash=st.binary(min_size=32, max_size=32),
    coinbase_prefix=st.just(b"\x01\x00\x00\x00\x01"),
    coinbase_suffix=st.binary(max_size=8),
    merkle_branch=st.lists(st.binary(min_size=32, max_size=32), max_size=2).map(tuple),
    version=UINT32,
    nbits=st.just(0x207FFFFF),
    ntime=UINT32,
    clean_jobs=st.booleans(),
)


class Settings:
    """The last settings that the pool sent, in the order in which the client reads them."""

    def __init__(self, result: SubscribeResult) -> None:
        self.extranonce1, self.extranonce2_size = result.extranonce1, result.extranonce2_size
        self.difficulty = 1.0


class BackToBack(RuleBasedStateMachine):
    """Bytes come in pieces of any size, and the pool answers in any order. No message may be lost or repeated."""

    @initialize(mask=st.sampled_from([0, OWN_MASK]))
    def connect(self, mask: int) -> None:
        self.client = ClientConnection("test/1", version_mask=mask)
        self.server = ServerConnection()
        self.upstream = b""
        self.downstream = b""
        self.open_requests: list[tuple[Id, messages.AnyClientMessage]] = []
        self.asked: dict[int, messages.AnyClientMessage] = {}
        self.answered: dict[int, bool] = {}
        self.announced: list[pool_messages.Notify] = []
        self.received: list[pool_messages.Notify] = []
        self.questions = 0
        self.replies: list[str] = []

    # ---- the client acts ------------------------------------------------------------------------------------

    def _ask(self, request_id: int) -> None:
        assert request_id not in self.asked
        self.asked[request_id] = self.client.outstanding[request_id]

    @precondition(lambda self: self.client.state is ClientState.NEW)
    @rule(session=st.none() | st.text(min_size=1, max_size=5))
    def subscribe(self, session: str | None) -> None:
        self._ask(self.client.subscribe(session))

    @rule()
    def configure(self) -> None:
        self._ask(self.client.configure())

    @precondition(lambda self: self.client.state in (ClientState.SUBSCRIBING, ClientState.SUBSCRIBED))
    @rule(worker=WORKERS, password=st.text(max_size=5))
    def authorize(self, worker: str, password: str) -> None:
        self._ask(self.client.authorize(worker, password))

    @precondition(lambda self: self.client.state in (ClientState.SUBSCRIBING, ClientState.SUBSCRIBED))
    @rule(
        request=st.sampled_from([messages.ExtranonceSubscribe(), messages.SuggestDifficulty(2), messages.ClientPing()])
    )
    def ask(self, request: Any) -> None:
        self._ask(self.client.request(request))

    @precondition(lambda self: self.client.state is ClientState.SUBSCRIBED)
    @rule(data=st.data(), nonce=UINT32, bits=st.none() | UINT32)
    def submit(self, data: st.DataObject, nonce: int, bits: int | None) -> None:
        ready = [name for name, state in self.client.workers.items() if state is WorkerState.AUTHORIZED]
        if ready:
            worker = data.draw(st.sampled_from(ready))
            self._ask(self.client.submit(messages.Submit(worker, "j", b"\x01\x02", 0, nonce, bits)))

    # ---- the pool acts --------------------------------------------------------------------------------------

    @precondition(lambda self: self.open_requests)
    @rule(data=st.data(), yes=st.booleans(), reason=st.sampled_from(list(ErrorReason)[:6]))
    def answer(self, data: st.DataObject, yes: bool, reason: ErrorReason) -> None:
        request_id, message = self.open_requests.pop(data.draw(st.integers(0, len(self.open_requests) - 1)))
        match message:
            case messages.Subscribe():  # a refusal would end the connection
                result = SubscribeResult(data.draw(st.binary(min_size=1, max_size=8)), data.draw(st.integers(0, 16)))
                self.server.accept_subscribe(request_id, result)
            case _ if not yes:
                self.server.refuse(request_id, reason)
            case messages.Authorize(worker_name):
                self.server.accept_authorize(request_id, worker_name)
            case messages.Configure():
                grant = VersionRollingGrant(data.draw(UINT32))
                self.server.accept_configure(request_id, message, {"version-rolling": grant})
            case _:
                self.server.reply(request_id, True)

    @rule(notify=NOTIFIES)
    def notify(self, notify: pool_messages.Notify) -> None:
        self.server.announce(notify)
        self.announced.append(notify)

    @rule(
        message=st.one_of(
            st.builds(pool_messages.SetDifficulty, st.floats(min_value=1e-9, max_value=1e15)),
            st.builds(pool_messages.SetExtranonce, st.binary(max_size=8), st.integers(0, 16)),
            st.builds(pool_messages.SetVersionMask, UINT32),
            st.just(pool_messages.Reconnect("h", 1, 2.0)),
            st.builds(pool_messages.ShowMessage, st.text(max_size=5)),
        )
    )
    def set(self, message: pool_messages.AnyPoolMessage) -> None:
        self.server.announce(message)

    @rule(message=st.sampled_from([pool_messages.PoolPing(), pool_messages.GetVersion()]))
    def question(self, message: pool_messages.AnyPoolMessage) -> None:
        self.server.announce(message)
        self.questions += 1

    # ---- bytes travel ---------------------------------------------------------------------------------------

    @rule(size=st.integers(1, 300))
    def carry_up(self, size: int) -> None:
        self.upstream += self.client.data_to_send()
        self._up(size)

    @rule(size=st.integers(1, 300))
    def carry_down(self, size: int) -> None:
        self.downstream += self.server.data_to_send()
        self._down(size)

    def _up(self, size: int) -> None:
        data, self.upstream = self.upstream[:size], self.upstream[size:]
        self.server.receive_data(data)
        while (event := self.server.next_event()) is not None:
            match event:
                case events.RequestReceived(identifier, message):
                    assert self.asked[identifier] == message
                    self.open_requests.append((identifier, message))
                case events.ClientReplied(method, _):
                    self.replies.append(method)
                case refused:
                    raise AssertionError(f"our own client was refused: {refused}")

    def _down(self, size: int) -> None:
        data, self.downstream = self.downstream[:size], self.downstream[size:]
        self.client.receive_data(data)
        while (event := self.client.next_event()) is not None:
            match event:
                case events.UnpairedReply() | events.BadLine():
                    raise AssertionError(f"our own pool was misunderstood: {event}")
                case events.JobAnnounced(notify=notify, amended=amended, version_mask=mask):
                    assert mask & ~self.client.version_mask == 0
                    if amended:
                        assert notify == self.received[-1]
                    else:
                        self.received.append(notify)
                case events.SubmitAnswered() | events.WorkerAuthorized() | events.AuthorizeRefused():
                    self._note(event.id)
                case events.Configured() | events.Subscribed() | events.RequestAnswered():
                    self._note(event.id)
                case _:
                    pass

    def _note(self, request_id: int) -> None:
        assert request_id in self.asked
        assert request_id not in self.answered
        self.answered[request_id] = True

    # ---- what always holds ----------------------------------------------------------------------------------

    @invariant()
    def every_request_is_open_or_answered(self) -> None:
        assert set(self.client.outstanding) == set(self.asked) - set(self.answered)
        assert len(self.client.outstanding) <= MAX_OUTSTANDING

    @invariant()
    def jobs_arrive_in_order(self) -> None:
        remaining = iter(self.announced)
        assert all(any(notify == sent for sent in remaining) for notify in self.received)

    @invariant()
    def nobody_hangs_up(self) -> None:
        assert self.client.state is not ClientState.CLOSED
        assert self.server.state is not ServerState.CLOSED

    def teardown(self) -> None:
        """After all bytes have arrived, only requests that the pool did not answer are open."""
        if not hasattr(self, "client"):
            return
        for _ in range(2):
            self.downstream += self.server.data_to_send()
            self._down(len(self.downstream))
            self.upstream += self.client.data_to_send()
            self._up(len(self.upstream))
        assert set(self.client.outstanding) == {identifier for identifier, _ in self.open_requests}
        assert len(self.replies) == self.questions
        if self.client.state is ClientState.SUBSCRIBED and self.announced:
            assert self.received[-1] == self.announced[-1]


TestBackToBack = BackToBack.TestCase
TestBackToBack.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
