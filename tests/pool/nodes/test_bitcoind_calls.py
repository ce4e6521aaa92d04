"""What the JSON-RPC node asks for, when, and within which limits; with answers in memory and a clock that jumps."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.bitcoin.address import Network
from stratum_miner.network.exchange import HttpResponse
from stratum_miner.network.fetch import HttpTarget
from stratum_miner.pool.nodes.base import (
    NodeDownloadingError,
    NodeError,
    NodeReplyError,
    NodeUnauthorizedError,
)
from stratum_miner.pool.nodes.bitcoind import BitcoindNode, Credentials

Clock = trio.testing.MockClock
TIP = "07" * 32
INFO = {"chain": "regtest", "blocks": 7, "headers": 7, "bestblockhash": TIP}


def template(tip: str = TIP, **changes: Any) -> dict[str, Any]:
    return {
        "version": 0x20000000, "previousblockhash": tip, "transactions": [], "coinbasevalue": 5_000_000_000,
        "longpollid": tip + "1", "curtime": 1_700_000_000, "bits": "207fffff", "height": 8, "rules": ["csv", "!segwit"],
    } | changes  # fmt: skip


class Error(Exception):
    """An error of JSON-RPC."""

    def __init__(self, code: int) -> None:
        self.code = code


class Answers:
    """Stands for the HTTP client: answers a method with a value, an Error, or the result of a function."""

    def __init__(self, **answers: Any) -> None:
        self.answers = {"getblockchaininfo": INFO, "getblocktemplate": template(), "getbestblockhash": TIP} | answers
        self.asked: list[tuple[float, str, list[Any]]] = []
        self.limits: dict[str, dict[str, Any]] = {}

    async def fetch(self, target: HttpTarget, *, content: bytes, **limits: Any) -> HttpResponse:
        await trio.lowlevel.checkpoint()
        call = json.loads(content)
        method, params = call["method"], call["params"]
        self.asked.append((trio.current_time(), method, params))
        self.limits[method] = limits
        answer = self.answers.get(method, Error(-32601))
        if isinstance(answer, Callable):  # type: ignore[arg-type]  # a class of the abstract collections
            answer = answer(*params)
        reply = {"id": call["id"], "result": None, "error": None}
        if isinstance(answer, Error):
            reply["error"] = {"code": answer.code, "message": "no"}
        else:
            reply["result"] = answer
        return HttpResponse(500 if reply["error"] else 200, json.dumps(reply).encode())

    async def aclose(self) -> None:
        await trio.lowlevel.checkpoint()

    def times(self, method: str) -> list[float]:
        return [when for when, asked, _ in self.asked if asked == method]


def node_of(answers: Answers) -> BitcoindNode:
    node = BitcoindNode("http://127.0.0.1:8332/", credentials=Credentials("user", "secret"))
    node._fetcher = answers  # type: ignore[assignment]  # as if it were open
    node.network = Network.REGTEST
    return node


async def test_a_call_has_a_minute_and_a_connection_five_seconds() -> None:
    answers = Answers()
    node = node_of(answers)
    await node.get_template()
    limits = answers.limits["getblocktemplate"]
    assert (limits["seconds"], limits["connect_seconds"], limits["waits"]) == (60, 5, False)
    assert limits["max_bytes"] == 32 * 1024**2
    assert limits["method"] == "POST"
    assert limits["headers"]["Authorization"] == "Basic dXNlcjpzZWNyZXQ="


async def test_each_call_has_its_own_id() -> None:
    ids: list[int] = []

    class Counting(Answers):
        async def fetch(self, target: HttpTarget, *, content: bytes, **limits: Any) -> HttpResponse:
            ids.append(json.loads(content)["id"])
            return await super().fetch(target, content=content, **limits)

    node = node_of(Counting())
    for _ in range(3):
        await node.tip()
    assert ids == [1, 2, 3]


# ---- waiting ---------------------------------------------------------------------------------------------------------


async def test_without_long_polls_the_tip_is_asked_for_every_second(autojump_clock: Clock) -> None:
    answers = Answers(getblocktemplate=template(longpollid=None))
    node = node_of(answers)
    after = await node.get_template()
    with trio.move_on_after(3.5):
        await node.wait_template(after)
    assert answers.times("getbestblockhash") == [1.0, 2.0, 3.0]


async def test_a_node_that_answers_long_polls_at_once_is_asked_every_second(autojump_clock: Clock) -> None:
    answers = Answers()
    node = node_of(answers)
    after = await node.get_template()
    with trio.move_on_after(3.5):
        await node.wait_template(after)
    assert answers.times("getblocktemplate") == [0.0, 0.0, 1.0, 2.0, 3.0]
    assert answers.limits["getblocktemplate"]["waits"]


@pytest.mark.parametrize(("count", "in_a_thread"), [(100, False), (101, True)])
async def test_a_large_template_is_checked_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, count: int, in_a_thread: bool
) -> None:
    threads: list[object] = []

    async def run_sync(function: Callable[..., object], *args: object, **_: object) -> object:
        threads.append(function)
        return function(*args)

    monkeypatch.setattr(trio.to_thread, "run_sync", run_sync)
    transactions = [{"data": "00" * 20} for _ in range(count)]
    with pytest.raises(NodeReplyError, match=r"transactions\[0\]: txid"):
        await node_of(Answers(getblocktemplate=template(transactions=transactions))).get_template()
    assert bool(threads) == in_a_thread


async def test_a_peers_word_delays_mining_by_ten_minutes(autojump_clock: Clock) -> None:
    answers = Answers(getpeerinfo=[{"startingheight": 8, "synced_headers": -1}])
    node = node_of(answers)
    await trio.sleep(1)
    for seconds in (0, 300, 299.9):
        await trio.sleep(seconds)
        with pytest.raises(NodeDownloadingError) as caught:
            await node.check_ready()
        assert (caught.value.missing, caught.value.proven) == (1, False)
    await trio.sleep(0.1)
    await node.check_ready()
    answers.answers["getpeerinfo"] = []
    await node.check_ready()
    answers.answers["getpeerinfo"] = [5, {"startingheight": 3, "synced_headers": 9}]
    with pytest.raises(NodeDownloadingError) as caught:
        await node.check_ready()
    assert caught.value.missing == 2, "a new claim has its own ten minutes"


@pytest.mark.parametrize(
    ("changes", "missing"), [({}, None), ({"headers": 8}, 1), ({"headers": 6}, None), ({"blocks": "x"}, None)]
)
async def test_headers_prove_that_blocks_are_missing(changes: dict[str, Any], missing: int | None) -> None:
    node = node_of(Answers(getblockchaininfo=INFO | changes))
    if missing is None:
        await node.check_ready()
    else:
        with pytest.raises(NodeDownloadingError) as caught:
            await node.check_ready()
        assert (caught.value.missing, caught.value.proven) == (missing, True)


# ---- numbers ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("height", "good"), [(0, True), ((1 << 31) - 1, True), (1 << 31, False), (-1, False), (True, False)]
)
async def test_heights_are_those_that_core_can_store(height: int, good: bool) -> None:
    node = node_of(Answers(getblockchaininfo=INFO | {"blocks": height}))
    if good:
        tip = await node.tip()
        assert (tip.height, tip.hash) == (height, bytes.fromhex(TIP)[::-1])
    else:
        with pytest.raises(NodeReplyError, match=r"blocks: expected a height from 0 to 2147483647, got "):
            await node.tip()


@pytest.mark.parametrize(("seconds", "known"), [(0, True), ((1 << 32) - 1, True), (1 << 32, False), (-1, False)])
async def test_the_time_of_a_block_fits_its_header(seconds: int, known: bool) -> None:
    answers = Answers(getblockheader={"time": seconds}, getblocktemplate=template(curtime=1, mintime=0))
    node = node_of(answers)
    node.network = Network.TESTNET
    maxtime = (await node.get_template()).maxtime
    assert maxtime == ((seconds + 1200 if seconds == 0 else min(seconds + 1200, maxtime or 0)) if known else 1199)


async def test_fees_are_averaged_over_thirty_six_blocks() -> None:
    answers = Answers(
        getblocktemplate=template(height=100, coinbasevalue=50 * 10**8),
        getblockstats=lambda height, _: {"totalfee": 1000 + height},
    )
    state = await node_of(answers).chain_state()
    assert [params for _, method, params in answers.asked if method == "getblockstats"] == [
        [height, ["totalfee"]] for height in range(64, 100)
    ]
    assert (state.blocks, state.average_fees) == (36, 1000 + (64 + 99) // 2)
    young = Answers(getblocktemplate=template(height=3), getblockstats={"totalfee": 9})
    state = await node_of(young).chain_state()
    assert (state.blocks, state.average_fees) == (2, 9)
    assert young.asked[1][2][0] == 1, "the genesis block has no statistics"
    first = await node_of(Answers(getblocktemplate=template(height=1), getblockstats=Error(-8))).chain_state()
    assert first.blocks == 0
    pruned = await node_of(Answers(getblocktemplate=template(height=100), getblockstats=Error(-1))).chain_state()
    assert pruned.blocks == 0


@pytest.mark.parametrize(("fees", "good"), [(0, True), (21 * 10**14, True), (21 * 10**14 + 1, False), (-1, False)])
async def test_fees_are_at_most_all_coins(fees: int, good: bool) -> None:
    node = node_of(Answers(getblocktemplate=template(height=2), getblockstats={"totalfee": fees}))
    if good:
        assert (await node.chain_state()).average_fees == fees
    else:
        with pytest.raises(NodeReplyError, match="totalfee: expected from 0 to 2100000000000000 satoshis, got"):
            await node.chain_state()


# ---- blocks ----------------------------------------------------------------------------------------------------------

BLOCK = bytes(range(80)) + b"\x00"


@pytest.mark.parametrize(("code", "result"), [(-22, "block-decode-failed"), (-21, None), (-23, None)])
async def test_a_block_that_cannot_be_decoded_is_an_answer(code: int, result: str | None) -> None:
    node = node_of(Answers(submitblock=Error(code)))
    if result is None:
        with pytest.raises(NodeError, match=f"submitblock: error {code}: no"):
            await node.submit_block(BLOCK)
    else:
        assert (await node.submit_block(BLOCK)).result == result


async def test_a_block_is_sent_whole_and_in_hex() -> None:
    answers = Answers(submitblock="rejected: high-hash")
    assert (await node_of(answers).submit_block(BLOCK)).result == "high-hash"
    assert answers.asked[0][1:] == ("submitblock", [BLOCK.hex()])


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (-28, "it is starting: no"),
        (-10, "it is still downloading the chain: no"),
        (-9, "it has no peers: no"),
        (-32601, "it does not know getbestblockhash: no"),
        (-27, "getbestblockhash: error -27: no"),
        (-11, "getbestblockhash: error -11: no"),
        (-8, "getbestblockhash: error -8: no"),
    ],
)
async def test_codes_of_errors_have_their_meaning(code: int, text: str) -> None:
    with pytest.raises(NodeError) as caught:
        await node_of(Answers(getbestblockhash=Error(code)))._best_hash()
    assert str(caught.value) == f"node at 127.0.0.1:8332: {text}"


@pytest.mark.parametrize(("network", "rules"), [(Network.SIGNET, ["segwit", "signet"]), (Network.MAINNET, ["segwit"])])
async def test_the_rules_that_are_asked_for(network: Network, rules: list[str]) -> None:
    answers = Answers()
    node = node_of(answers)
    node.network = network
    await node.get_template()
    assert answers.asked[0][2] == [{"rules": rules, "capabilities": ["longpoll"]}]


@pytest.mark.parametrize(
    ("blocks", "peers"), [(0, []), (0, None), (7, [{"startingheight": 7, "synced_headers": 7}]), (7, [{}])]
)
async def test_peers_that_know_no_more_are_no_reason_to_wait(blocks: int, peers: object) -> None:
    node = node_of(Answers(getblockchaininfo=INFO | {"blocks": blocks, "headers": blocks}, getpeerinfo=peers))
    await node.check_ready()


async def test_a_cookie_is_read_up_to_4096_bytes(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("user:" + "x" * 4091 + "y")
    node = BitcoindNode("http://127.0.0.1:8332/", cookie_file=cookie)
    assert await node._read_cookie() == Credentials("user", "x" * 4091)


async def test_credentials_that_did_not_change_are_not_tried_again(tmp_path: Path) -> None:
    cookie = tmp_path / ".cookie"
    cookie.write_text("user:wrong")
    asked = 0

    class Refusing(Answers):
        async def fetch(self, target: HttpTarget, *, content: bytes, **limits: Any) -> HttpResponse:
            nonlocal asked
            asked += 1
            await trio.lowlevel.checkpoint()
            return HttpResponse(401, b"")

    node = BitcoindNode("http://127.0.0.1:8332/", cookie_file=cookie)
    node._fetcher = Refusing()  # type: ignore[assignment]  # as if it were open
    with pytest.raises(NodeUnauthorizedError):
        await node.tip()
    assert asked == 1
