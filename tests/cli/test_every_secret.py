"""Every secret that a user can give, pushed through every output of real processes, and looked for in each.

The pool repeats the password in all it says: in messages, refusals, errors and lines that make no sense. Exempt are
/proc/PID/environ, which shows what the starting process put there, and the command line of a hook's own shell.
"""

import base64
import json
import signal
import socket
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from stratum_miner.app.process import secrets, signals
from stratum_miner.cli import main
from stratum_miner.monitoring.cgminer import READING
from stratum_miner.testing.manual_pool import REGTEST_JOB
from tests.network.free_port import free_port

from .one_command import run
from .rpc_node import RpcNode, serving
from .test_process import ADDRESS, Listened, started

SIMULATED = ("--backend", "simulated", "--backend-option", "hash_rate=20kH")
"""A device that finds some five shares per second for the pool below. A hook is run for each."""
PASSWORD = 'hünter"2\\swordfish'
"""With what JSON, TOML and URLs spell otherwise."""
PROXY_PASSWORD = "pr0xy@s3cret"
NEW_PASSWORD = "chang3d-whil3-mining"
TOKEN = "t0ken-t0ken-t0ken-t0ken"
HOOK_TOKEN = "h00k-t0ken-in-the-path"
QUERY = "key=qu3ry-s3cret"
NODE_PASSWORD = "n0de-s3cret-passw0rd"


QUOTED = urllib.parse.quote(PASSWORD, safe="")


@dataclass(frozen=True, slots=True)
class Case:
    """How secrets are given to ``mine``, and the format of its log."""

    name: str
    secrets: Sequence[str]
    log_format: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    """Name to content; {directory}, {pool} and {dead} are filled in here and in the arguments."""


PROXY = f"http://prx:{urllib.parse.quote(PROXY_PASSWORD, safe='')}@127.0.0.1:{{dead}}"
HOOK = f"mining=http://127.0.0.1:{{dead}}/services/{HOOK_TOKEN}?{QUERY}"
CASES = (
    Case(
        "on the command line",
        (PASSWORD, PROXY_PASSWORD, HOOK_TOKEN, QUERY),
        "plain",
        (
            *("-o", "{pool}", "-o", "127.0.0.1:{dead}", "-u", ADDRESS, "-p", PASSWORD, "-P", "-D"),
            *("--on-event", HOOK),
        ),
    ),
    Case(
        "in one word with the user",
        (PASSWORD,),
        "json",
        ("-o", "{pool}", "-O", f"{ADDRESS}:{PASSWORD}", "-P", "-D"),
    ),
    Case(
        "in the URL of the pool",
        (PASSWORD,),
        "plain",
        ("-o", f"stratum+tcp://{ADDRESS}:{QUOTED}@{{pool}}", "-P", "-D"),
    ),
    Case(
        "in the environment",
        (PASSWORD, TOKEN, HOOK_TOKEN, QUERY),
        "sentences",
        ("-o", "{pool}", "-P", "-D"),
        {
            "STRATUM_MINER_USER": ADDRESS,
            "STRATUM_MINER_PASS": PASSWORD,
            "STRATUM_MINER_HTTP_TOKEN": TOKEN,
        },
    ),
    Case(
        "in files",
        (PASSWORD, NEW_PASSWORD, PROXY_PASSWORD, TOKEN, HOOK_TOKEN, QUERY),
        "json",
        ("--config", "{directory}/miner.toml", "-P", "-D"),
        {},
        {
            "password": PASSWORD + "\n",
            "token": TOKEN + "\n",
            "miner.toml": (
                f'user = "{ADDRESS}"\non_event = ["{HOOK}"]\nhttp_token_file = "{{directory}}/token"\n'
                '[pools.first]\nurl = "{pool}"\npass_file = "{directory}/password"\n'
                f'[pools.second]\nurl = "127.0.0.1:{{dead}}"\npass = {json.dumps(PASSWORD, ensure_ascii=False)}\n'
                f'proxy = "{PROXY}"\n'
            ),
        },
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_output_of_mine_shows_a_secret(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs: dict[str, str] = {}
    with echoing_pool() as pool:
        words = {"{directory}": str(tmp_path), "{pool}": pool, "{dead}": str(free_port())}
        for name, content in case.files.items():
            (tmp_path / name).write_text(_filled(content, words))
        arguments = [_filled(word, words) for word in case.arguments]
        environment = {"XDG_STATE_HOME": str(tmp_path / "state"), "PYTHONUTF8": "1", **case.environment}
        watched = [
            *("mine", *arguments, *SIMULATED, "--log-format", case.log_format, "--json"),
            *("--http", "127.0.0.1:0", "--cgminer-api", "127.0.0.1:0", "--axeos-api", "127.0.0.1:0"),
            *("--log-file", str(tmp_path / "log"), "--record", str(tmp_path / "record")),
            *("--journal", str(tmp_path / "journal")),
            *("--on-event", f"*=(env; cat) >> {tmp_path}/hook"),
        ]
        with started(*watched, environment=environment) as miner, ExitStack() as after:
            said = _Said(miner)
            addresses = _addresses(said)
            after.callback(miner.kill)
            outputs["the process list"] = Path(f"/proc/{miner.pid}/cmdline").read_bytes().decode()
            _until_rejected(said)
            token = _token(tmp_path, case)
            outputs |= _http_answers(addresses["http"], token)
            outputs |= _cgminer_answers(addresses["cgminer_api"])
            outputs |= _axeos_answers(addresses["axeos_api"])
            if case.files:
                file = tmp_path / "miner.toml"
                quoted = json.dumps(PASSWORD, ensure_ascii=False)
                assert quoted in file.read_text()
                file.write_text(file.read_text().replace(quoted, f'"{NEW_PASSWORD}"'))
                miner.send_signal(signal.SIGHUP)
                while "configuration_changed" not in said.line():
                    pass
            miner.send_signal(signal.SIGINT)
            out, err = miner.communicate(timeout=120)
            outputs |= {"stdout": out, "stderr": said.text + err}
        for name in ("log", "record", "journal", "hook"):
            outputs[name] = (tmp_path / name).read_text()
        for command in (["config", "show"], ["config", "check"], ["doctor"], ["doctor", "--json"]):
            monkeypatch.setattr(secrets, "_known", secrets._Known())
            with monkeypatch.context() as patch:
                for name, value in environment.items():
                    patch.setenv(name, value)
                _, out, err = run(capsys, *command, *(word for word in arguments if word != "-D"))
            outputs[" ".join(command)] = out + err
    silent = [name for name, text in outputs.items() if not text]
    assert not silent, "what says nothing proves nothing"
    shown = [
        f"{name} shows {secret!r}: ...{text[max(0, text.index(spelling) - 80) :][:160]}..."
        for name, text in outputs.items()
        for secret in (*case.secrets, token)
        for spelling in _spellings(secret)
        if spelling in text
    ]
    assert not shown, "\n".join(shown)
    assert "***" in outputs["stderr"], "the pool repeats the password; if nothing is hidden, nothing was tested"


@pytest.mark.parametrize(
    ("arguments", "secret"),
    [
        (("ping", "{pool}", "-u", "u", "-p", PASSWORD), PASSWORD),
        (("ping", "{pool}", "-u", "u", "--proxy", PROXY, "--timeout", "5"), PROXY_PASSWORD),
        (("mine", "-o", "{pool}", "-u", "u", "--proxy", PROXY, "--no-retry"), PROXY_PASSWORD),
        (("pool", "--node", f"http://rpc:{NODE_PASSWORD}@127.0.0.1:{{node}}", "--address", ADDRESS), NODE_PASSWORD),
        (
            (
                "solo",
                "--node",
                f"http://rpc:{NODE_PASSWORD}@127.0.0.1:{{dead}}",
                "--address",
                ADDRESS,
                "--time-limit",
                "1",
            ),
            NODE_PASSWORD,
        ),
        (("profit", "--hash-rate", "1TH", "--price-command", f"false {PROXY_PASSWORD}"), PROXY_PASSWORD),
        (("profit", "--hash-rate", "1TH", "--price-url", f"http://127.0.0.1:{{dead}}/?{QUERY}"), QUERY),
        (("mine", "-o", "{pool}", "-u", "u", "--on-event", f"nothing=http://h/{HOOK_TOKEN}"), HOOK_TOKEN),
        (("mine", "-o", "{pool}", "-u", "u", "--on-event", f"http://h/{HOOK_TOKEN}"), HOOK_TOKEN),
        (("misbehave", "{pool}", "-u", "u", "-p", PASSWORD, "--fault", "oversized"), PASSWORD),
        (("misbehave", f"u:{QUOTED}@{{pool}}", "--fault", "oversized"), PASSWORD),
        (("ping", f"stratum+tcp://u:{QUOTED}@{{pool}}"), PASSWORD),
        (("ping", f"u:{PASSWORD}@{{pool}}x"), PASSWORD),
        (("load", f"u:{QUOTED}@{{pool}}", "-n", "1", "--duration", "0.2", "--ramp", "0"), PASSWORD),
        (("tap", ":0", f"u:{QUOTED}@{{pool}}"), PASSWORD),
    ],
    ids=lambda value: " ".join(value[:1]) if isinstance(value, tuple) else "",
)
def test_no_other_command_shows_one(
    arguments: tuple[str, ...], secret: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    monkeypatch.setattr("setproctitle.setproctitle", titles.append)
    monkeypatch.setattr(secrets, "_known", secrets._Known())
    node = RpcNode()
    node.status = 401
    with echoing_pool() as pool, serving(node) as port:
        words = {"{pool}": pool, "{dead}": str(free_port()), "{node}": str(port)}
        given = [_filled(word, words) for word in arguments]
        monkeypatch.setattr("sys.argv", ["stratum-miner", *given])
        monkeypatch.setattr(signals, "enter", lambda phase: None)
        main.run_process(given)
    out, err = capfd.readouterr()
    assert out + err
    for spelling in _spellings(secret):
        assert spelling not in out + err
        assert spelling not in "".join(titles)
    assert titles, "the process list is not rewritten"


def test_a_traceback_shows_none(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def fail(arguments: Sequence[str]) -> int:
        secrets.register(PASSWORD)
        raise RuntimeError(f"it was {PASSWORD!r} and {PASSWORD}")

    monkeypatch.setattr(main, "run", fail)
    monkeypatch.setattr(signals, "enter", lambda phase: None)
    monkeypatch.setattr(secrets, "hide_command_line", lambda: None)
    assert main.run_process([]) == 1
    err = capsys.readouterr().err
    assert "RuntimeError: it was '***' and ***" in err
    assert "swordfish" not in err.replace("{PASSWORD", "")


# ---- what is given, in all its spellings ----------------------------------------------------------------------------


def _filled(text: str, words: Mapping[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _spellings(secret: str) -> set[str]:
    escaped = json.dumps(secret)[1:-1]
    return {
        secret,
        escaped,
        json.dumps(escaped)[1:-1],
        json.dumps(secret, ensure_ascii=False)[1:-1],
        urllib.parse.quote(secret),
        urllib.parse.quote(secret, safe=""),
        repr(secret)[1:-1],
        base64.b64encode(secret.encode()).decode(),
    }


def _token(directory: Path, case: Case) -> str:
    """Return the given API token, otherwise the one that was created."""
    made = directory / "state" / "stratum-miner" / "http-token"
    return TOKEN if TOKEN in case.secrets else made.read_text().strip()


# ---- what is listened to --------------------------------------------------------------------------------------------


def _addresses(said: "_Said") -> dict[str, str]:
    """Return HOST:PORT of each service from a log of any format."""
    found: dict[str, str] = {}
    marks = {
        "http": ("http  ", '"event": "http"', "The page and the API are at"),
        "cgminer_api": ("cgminer_api", "The cgminer API is at"),
        "axeos_api": ("axeos_api", "The AxeOS API is at"),
    }
    while len(found) < len(marks):
        line = said.line()
        for name, signs in marks.items():
            if any(sign in line for sign in signs):
                found[name] = "127.0.0.1:" + line.partition("127.0.0.1:")[2].split('"')[0].split()[0].strip(".;")
    return found


def _until_rejected(said: "_Said") -> None:
    """Wait until the pool has repeated the password in every way."""
    while not any(sign in (line := said.line()) for sign in ("share_rejected", "rejected: ")):
        assert "Traceback" not in line


class _Said:
    """The lines of stderr that were taken."""

    def __init__(self, process: Listened) -> None:
        self._lines = iter(process.err)
        self.text = ""

    def line(self) -> str:
        """Take the next line. Raises AssertionError at the end of the stream."""
        line = next(self._lines, "")
        self.text += line
        assert line, self.text
        return line


def _http_answers(address: str, token: str) -> dict[str, str]:
    document = json.loads(_fetched(f"http://{address}/openapi.json", token))
    paths = [path for path, methods in document["paths"].items() if "get" in methods and "{" not in path]
    assert len(paths) > 8
    found = {f"GET {path}": _fetched(f"http://{address}{path}", token) for path in (*paths, "/", "/metrics")}
    url = f"http://{address}/api/v1/pools"
    found["a refused change"] = _fetched(url, "wrong" + token, b'{"url": "nonsense://x", "user": "u"}')
    found["a wrong change"] = _fetched(url, token, b'{"url": "nonsense://x", "user": "u"}')
    return found


def _fetched(url: str, token: str, body: bytes | None = None) -> str:
    headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body, headers), timeout=60) as answer:
            if "event-stream" in answer.headers["content-type"]:
                return str(b"".join(answer.readline() for _ in range(40)).decode())
            return str(answer.read().decode())
    except urllib.error.HTTPError as error:
        return str(error.read().decode())


def _cgminer_answers(address: str) -> dict[str, str]:
    host, _, port = address.partition(":")
    found = {}
    for command in READING:
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            connection.sendall(json.dumps({"command": command, "parameter": "0"}).encode())
            found[f"cgminer {command}"] = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    return found


def _axeos_answers(address: str) -> dict[str, str]:
    return {f"AxeOS {path}": _fetched(f"http://{address}{path}", "-") for path in ("/api/system/info",)}


# ---- a pool that repeats what it should keep to itself --------------------------------------------------------------


@contextmanager
def echoing_pool() -> Iterator[str]:
    listener = socket.create_server(("127.0.0.1", 0))
    done = threading.Event()

    def serve(connection: socket.socket) -> None:
        with suppress(OSError), connection, connection.makefile("rwb") as file:
            for line in file:
                for answer in _answers(json.loads(line)):
                    file.write(json.dumps(answer).encode() + b"\n")
                file.flush()

    def listen() -> None:
        while not done.is_set():
            with suppress(OSError):
                connection, _ = listener.accept()
                threading.Thread(target=serve, args=(connection,), daemon=True).start()

    threading.Thread(target=listen, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        done.set()
        listener.close()


def _answers(request: dict[str, object]) -> Iterator[dict[str, object]]:
    secret = PASSWORD
    match request["method"]:
        case "mining.subscribe":
            yield {"id": request["id"], "result": [[], "a1b2c3d4", 4], "error": None}
        case "mining.authorize":
            yield {"id": request["id"], "result": True, "error": None}
            yield {"id": None, "method": "client.show_message", "params": [f"welcome with {secret}"]}
            yield {"id": None, "method": "mining.set_difficulty", "params": [1e-6]}
            yield {"id": None, "method": "mining.set_difficulty", "params": [secret]}
            yield {"id": None, "method": secret, "params": [{secret: secret}]}
            yield {"id": 4242, "result": secret, "error": [20, secret, None]}
            yield {"id": 9, "method": "client.reconnect", "params": [f"{secret}.example", 3333, 0]}
            yield {"id": None, "method": "mining.notify", "params": [secret]}
            yield {"id": None, "method": "mining.notify", "params": list(REGTEST_JOB)}
        case "mining.submit":
            yield {"id": request["id"], "result": None, "error": [20, f"bad password {secret}", None]}
        case _:
            yield {"id": request["id"], "result": None, "error": [20, f"no such method for {secret}", None]}
