"""Terms from a node, from a running miner and from price sources. A server gives the answers that each test sets."""

import json
import sys
import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.app.process import secrets
from stratum_miner.app.settings import asked_terms
from stratum_miner.cli.main import run

from ...network.web_server import dripping

TERMS = ["--electricity", "0.1"]
CHAIN = ["--difficulty", "144.40e12", "--subsidy", "3.125"]
RIG = ["--machine", "bitaxe-gamma"]
Answer = Callable[[str, bytes], tuple[int, bytes]]


class _Web(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing on stderr, where the program's line is looked for: it leaves when an answer is too long."""


class Server:
    """A server on loopback that keeps the requests."""

    def __init__(self) -> None:
        self.answer: Answer = lambda path, body: (404, b"")
        self.asked: list[tuple[str, bytes]] = []
        self.credentials: list[str | None] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                outer.asked.append((self.path, body))
                outer.credentials.append(self.headers.get("authorization"))
                status, content = outer.answer(self.path, body)
                self.send_response(status)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_GET  # noqa: N815 - the library's name

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.http = _Web(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self.http.server_address[1]}"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.http.shutdown()
    server.http.server_close()


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert run(["profit", *TERMS, *arguments, "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert isinstance(value, dict)
    return value


def refused(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 1) -> str:
    assert run(["profit", *TERMS, *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    return err


TODAY = datetime.now(UTC).date


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"90000.5\n", None),
        (b'"90000.5"', "."),
        (b'{"data": [{"last": 90000.5}]}', "data.0.last"),
        (b'{"last": "90000.5"}', "last"),
    ],
)
def test_a_price_from_a_url_is_read_and_dated(
    body: bytes, field: str | None, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda path, sent: (200, body)
    days = {TODAY().isoformat()}
    more = ["--price-field", field] if field not in (None, ".") else []
    if field == ".":
        assert "expected a price above 0" in refused(
            capsys, *RIG, *CHAIN, "--price-url", f"http://{server.address}/", *more
        )
        return
    found = asked(capsys, *RIG, *CHAIN, "--price-url", f"http://{server.address}/price?key=abcd1234", *more)
    days.add(TODAY().isoformat())
    assert found["inputs"]["price"] == 90000.5
    assert found["inputs"]["price_date"] in days
    assert server.asked[0][0] == "/price?key=abcd1234"


@pytest.mark.parametrize(
    ("status", "body", "field", "needle"),
    [
        (503, b"90000", None, "expected status 200 from http://127.0.0.1"),
        (302, b"90000", None, "expected status 200"),
        (200, b"soon", None, "expected a price above 0"),
        (200, b"-5", None, "expected a price above 0"),
        (200, b"NaN", None, "expected a price above 0"),
        (200, b'{"last": 3}', None, "name the field of the price with --price-field"),
        (200, b'{"last": 3}', "first", "expected a field 'first' in the answer"),
        (200, b'{"last": true}', "last", "expected a price above 0"),
        (200, b"1_000_000", None, "expected a price above 0 and up to 1,000,000,000,000 from http://127.0.0.1"),
        (200, "٦٤٠٠٠".encode(), None, "expected a price above 0 and up to 1,000,000,000,000 from http://127.0.0.1"),
        (200, b"1e400000000", None, "expected a price above 0 and up to 1,000,000,000,000 from http://127.0.0.1"),
        (200, b"1e-400000000", None, "expected a price above 0 and up to 1,000,000,000,000"),
        (200, b"1e-13", None, "expected a price above 0 and up to 1,000,000,000,000"),
        (200, b"1e99999999999999999999", None, "expected a price above 0"),
        (200, b"9" * 401, None, "expected a price above 0"),
        (200, b"Infinity", None, "expected a price above 0"),
        (200, b"sNaN", None, "expected a price above 0"),
        (200, b'{"last": 1e900000000}', "last", "expected a price above 0"),
        (200, b'{"last": 1e99999999999999999999}', "last", "expected JSON"),
        (200, b'{"last": NaN}', "last", "expected a price above 0"),
        (200, b'{"last": ' + b"9" * 5000 + b"}", "last", "expected JSON"),
        (200, b"\x1b[31mred\x07\xe2\x80\xae", None, "expected a price above 0"),
        (200, b"{", "last", "expected JSON"),
        (200, b"[" * 100_000, "last", "expected JSON"),
        (200, b"9" * (2 << 20), None, "expected an answer of at most 1048576 bytes, it is larger"),
    ],
)
def test_what_is_no_price_is_told_in_one_line_without_the_key(
    status: int, body: bytes, field: str | None, needle: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda path, sent: (status, body)
    more = ["--price-field", field] if field else []
    told = refused(capsys, *RIG, *CHAIN, "--price-url", f"http://user:s3cr3t@{server.address}/?key=abcd1234", *more)
    assert needle in told
    assert "abcd1234" not in told
    assert "s3cr3t" not in told
    assert len(told) < 300
    assert told.rstrip("\n").isprintable()


@pytest.mark.parametrize("option", ["--price-url", "--api"])
def test_a_server_that_drips_has_no_more_time_than_another(
    option: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_terms, "SECONDS", 0.3)
    with dripping() as address:
        told = refused(capsys, *RIG[: 2 * (option != "--api")], *CHAIN, option, f"http://{address}/key")
    assert f"{option}: http://{address}: expected a whole answer within 0.3 s" in told


@pytest.mark.parametrize("option", ["--price-url", "--api"])
def test_no_proxy_of_the_environment_is_asked(
    option: str, server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://{server.address}")
        monkeypatch.setenv(name.lower(), f"http://{server.address}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    assert "cannot connect: Connection refused" in refused(capsys, *RIG, *CHAIN, option, "http://127.0.0.1:1/")
    assert server.asked == []


@pytest.mark.parametrize(
    ("script", "needle"),
    [
        ("yes", "it printed more than 1048576 bytes and was killed"),
        ("yes >&2", "it printed more than 1048576 bytes and was killed"),
        ("exec >&- 2>&-; sleep 600", "it took more than 0.3 s and was killed"),
        ("while :; do printf 9; sleep 0.05; done", "it took more than 0.3 s and was killed"),
    ],
)
def test_a_price_command_has_an_end(
    script: str, needle: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asked_terms, "SECONDS", 0.3 if "0.3 s" in needle else 60.0)
    told = refused(capsys, *RIG, *CHAIN, "--price-command", f"sh -c '{script}'")
    assert f"--price-command: 'sh': {needle}" in told


def test_a_price_command_that_leaves_another_running_is_not_waited_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert asked(capsys, *RIG, *CHAIN, "--price-command", "sh -c 'sleep 600 & echo 7'")["inputs"]["price"] == 7


def test_nobody_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    told = refused(capsys, *RIG, *CHAIN, "--price-url", "http://127.0.0.1:1/?key=abcd1234")
    assert "--price-url: http://127.0.0.1:1: cannot connect: Connection refused" in told


def test_a_price_from_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    script = f"{sys.executable} -c 'print(85000)'"
    assert asked(capsys, *RIG, *CHAIN, "--price-command", script)["inputs"]["price"] == 85000
    for command, needle in (
        (f"{sys.executable} -c 'raise SystemExit(3)'", "expected exit code 0 of"),
        (f"{sys.executable} -c 'print(\"high\")'", "expected a price above 0"),
    ):
        assert needle in refused(capsys, *RIG, *CHAIN, "--price-command", command)
    for command, needle in (
        ("/nowhere/price", "'/nowhere/price': the program cannot be started: No such file or directory"),
        ("'", "expected a command line"),
        (" ", "got none"),
    ):
        assert needle in refused(capsys, *RIG, *CHAIN, "--price-command", command, code=2)


def test_a_running_miner_tells_its_hash_rate_and_power(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answer = lambda path, sent: (200, b'{"hash_rate_15m": 1.5e8, "hash_rate": 1e8, "power_w": 65.5}')
    found = asked(capsys, *CHAIN, "--api", f"http://{server.address}/")
    assert (found["hash_rate"], found["power_w"]) == (1.5e8, 65.5)
    assert server.asked[0][0] == "/api/v1/summary"
    server.answer = lambda path, sent: (200, b'{"hash_rate_15m": 0, "hash_rate": 1e8, "power_w": null}')
    assert asked(capsys, *CHAIN, "--api", f"http://{server.address}", "--power", "70W")["power_w"] == 70
    assert "--power is needed: the power that the devices take from the mains" in refused(
        capsys, *CHAIN, "--api", f"http://{server.address}", code=2
    )


NO_RATE = "--api: expected a hash rate from 0.001 to 1e+21 H/s from http://127.0.0.1"
NO_POWER = "--api: expected a power from 0 to 1,000,000,000,000 W from http://127.0.0.1"


@pytest.mark.parametrize(
    ("body", "needle"),
    [
        (b"[]", "--api: expected a JSON object"),
        (b"{", "--api: expected a JSON object"),
        (b'{"hash_rate": ' + b"9" * 5000 + b"}", "--api: expected a JSON object"),
        (b'{"hash_rate": "fast"}', NO_RATE),
        (b'{"hash_rate": 0}', NO_RATE),
        (b'{"hash_rate": true}', NO_RATE),
        (b'{"hash_rate_15m": 1' + b"0" * 400 + b"}", NO_RATE),
        (b'{"hash_rate": 1' + b"0" * 400 + b"}", NO_RATE),
        (b'{"hash_rate": 1e400}', NO_RATE),
        (b'{"hash_rate": -1e12}', NO_RATE),
        (b'{"hash_rate": NaN}', NO_RATE),
        (b'{"hash_rate": Infinity}', NO_RATE),
        (b'{"hash_rate": 1e-300}', NO_RATE),
        (b'{"hash_rate": "\\u001b[2J\\u202e"}', NO_RATE),
        (b'{"hash_rate": 1e12, "power_w": 1e300}', NO_POWER),
        (b'{"hash_rate": 1e12, "power_w": 1' + b"0" * 400 + b"}", NO_POWER),
        (b'{"hash_rate": 1e12, "power_w": NaN}', NO_POWER),
        (b'{"hash_rate": 1e12, "power_w": -5}', NO_POWER),
        (b'{"hash_rate": 1e12, "power_w": "much"}', NO_POWER),
    ],
)
def test_a_miner_that_makes_no_sense_is_told(
    body: bytes, needle: str, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = lambda path, sent: (200, body)
    told = refused(capsys, *CHAIN, "--api", f"http://{server.address}")
    assert needle in told
    assert len(told) < 300
    assert told.rstrip("\n").isprintable()


def node_answers(results: dict[str, Any]) -> Answer:
    def answer(_path: str, body: bytes) -> tuple[int, bytes]:
        request = json.loads(body)
        result = results.get(request["method"])
        if callable(result):
            result = result(*request["params"])
        error = {"code": -32601, "message": "Method not found"} if result is None else None
        reply = {"result": result, "error": error, "id": request["id"]}
        return (500 if error else 200), json.dumps(reply).encode()

    return answer


TEMPLATE = {
    "version": 0x20000000,
    "previousblockhash": "07" * 32,
    "transactions": [],
    "coinbasevalue": 315_000_000,
    "longpollid": "x",
    "curtime": 1_700_000_000,
    "bits": "1701f2a5",
    "height": 930_000,
    "rules": ["csv", "!segwit"],
}
INFO = {"chain": "main", "blocks": 929_999, "bestblockhash": "07" * 32}


def test_a_node_tells_difficulty_height_subsidy_and_average_fees(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    heights = []

    def stats(height: int, wanted: list[str]) -> dict[str, int]:
        heights.append(height)
        assert wanted == ["totalfee"]
        return {"totalfee": 1_000_000 + height % 2 * 2_000_000}

    server.answer = node_answers({"getblockchaininfo": INFO, "getblocktemplate": TEMPLATE, "getblockstats": stats})
    found = asked(capsys, *RIG, "--node", f"http://user:s3cr3t@{server.address}")
    inputs = found["inputs"]
    assert inputs["height"] == 930_000
    assert inputs["subsidy"] == 3.125
    assert inputs["fees"] == pytest.approx(0.02)
    assert inputs["difficulty"] == pytest.approx(144.4e12, rel=0.01)
    assert heights == list(range(930_000 - 36, 930_000))
    assert inputs["chain_date"] is not None
    # what the user says goes first
    found = asked(capsys, *RIG, "--node", f"http://user:s3cr3t@{server.address}", "--fees", "0.5", "--height", "10")
    assert (found["inputs"]["fees"], found["inputs"]["subsidy"]) == (0.5, 50)


@pytest.mark.parametrize("option", ["--node-cookie", "--node-password-file"])
def test_how_the_node_is_told_who_asks(
    option: str, server: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "secret"
    path.write_text("__cookie__:s3cr3t" if option == "--node-cookie" else "s3cr3t\n")
    user = "" if option == "--node-cookie" else "alice@"
    server.answer = node_answers({"getblockchaininfo": INFO, "getblocktemplate": TEMPLATE})
    assert (
        asked(capsys, *RIG, "--node", f"http://{user}{server.address}", option, str(path))["inputs"]["height"]
        == 930_000
    )
    name = b"__cookie__" if option == "--node-cookie" else b"alice"
    assert set(server.credentials) == {f"Basic {b64encode(name + b':s3cr3t').decode()}"}


def test_a_node_without_block_statistics_tells_its_templates_fees(
    server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    server.answer = node_answers({"getblockchaininfo": INFO, "getblocktemplate": TEMPLATE})
    found = asked(capsys, *RIG, "--node", f"http://user:s3cr3t@{server.address}")
    assert found["inputs"]["fees"] == pytest.approx(0.025)


def test_a_node_that_lies_about_fees_is_told(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    server.answer = node_answers(
        {"getblockchaininfo": INFO, "getblocktemplate": TEMPLATE, "getblockstats": lambda *_: {"totalfee": -1}}
    )
    told = refused(capsys, *RIG, "--node", f"http://user:s3cr3t@{server.address}")
    assert "getblockstats: totalfee: expected from 0 to 2100000000000000 satoshis, got -1" in told
    assert "s3cr3t" not in told


@pytest.mark.parametrize(
    ("shown", "given"),
    [
        ("http://***@h:1/p?***", "http://u:pw@h:1/p?key=1"),
        ("http://h:1/p?***", "http://h:1/p?key=1"),
        ("http://h:1/p", "http://h:1/p"),
        ("http://***@h:1", "http://u:p?w@h:1"),
    ],
)
def test_addresses_lose_their_secrets_in_the_process_list(shown: str, given: str) -> None:
    assert secrets.hidden_arguments(["profit", "--price-url", given]) == ["profit", "--price-url", shown]
    assert secrets.hidden_arguments([f"--api={given}"]) == [f"--api={shown}"]
    assert secrets.hidden_arguments(["--price-command", "price --key 1"]) == ["--price-command", "***"]
