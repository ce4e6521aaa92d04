"""``pool`` and ``solo`` as processes with a node that does not run, is not ready, or never becomes ready."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.network.free_port import free_port

from .one_command import run
from .rpc_node import RpcNode, serving

COMMAND = [sys.executable, "-m", "stratum_miner"]
ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
TESTNET_ADDRESS = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
SIGNED = "512103ad5e0edad18cb1f0fc0d28a3d4f1f3e445640337489abb10404f2d1e086be43051ae"


@contextmanager
def command(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen([*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], needle: str) -> list[str]:
    """Read stderr up to a line with a text. The time limit of the test is the deadline."""
    assert process.stderr is not None
    lines: list[str] = []
    for line in process.stderr:
        lines.append(line)
        if needle in line:
            return lines
    raise AssertionError(f"the process ended without saying {needle!r}: {''.join(lines)}")


def at(port: int) -> tuple[str, ...]:
    return ("--node", f"http://user:s3cretly@127.0.0.1:{port}")


def first_job(port: int) -> Sequence[object]:
    with socket.create_connection(("127.0.0.1", port), 10) as miner, miner.makefile("rw") as stream:
        for number, (method, params) in enumerate((("subscribe", []), ("authorize", ["w", "x"]))):
            stream.write(json.dumps({"id": number, "method": f"mining.{method}", "params": params}) + "\n")
        stream.flush()
        for line in stream:
            message = json.loads(line)
            if message.get("method") == "mining.notify":
                params = message["params"]
                assert isinstance(params, list)
                return params
    raise AssertionError("no job")


def test_a_pool_that_starts_before_its_node(tmp_path: Path) -> None:
    """No cookie, nobody there, starting, downloading, ready: each is said once, and miners are let in at the end."""
    node, port, listen = RpcNode(), free_port(), free_port()
    node.trouble = (-28, "Loading block index…")
    cookie = tmp_path / ".cookie"
    arguments = ("--node", f"http://127.0.0.1:{port}", "--node-cookie", str(cookie), "--address", ADDRESS)
    with command("pool", *arguments, "--listen", f"127.0.0.1:{listen}") as pool:
        until(pool, "there is no cookie file")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listen), 10)
        cookie.write_text("user:s3cretly")
        until(pool, "cannot connect")
        with serving(node, port):
            said = until(pool, "it is starting: Loading block index…")
            node.chain["headers"] = 200
            node.trouble = None
            said += until(pool, "it is still downloading the chain: it has 7 blocks of 200 (according to its headers)")
            node.chain["blocks"] = 150
            node.answers["getpeerinfo"] = [{"startingheight": 201, "synced_headers": 200}]
            node.chain["blocks"] = 200
            node.answers["getpeerinfo"] = []
            said += until(pool, "ready")
            assert sum("node_failed" in line for line in said) == 2
            assert first_job(listen)[6] == "1d00ffff"
            pool.send_signal(signal.SIGTERM)
            _, rest = pool.communicate(timeout=60)
    assert pool.returncode == 0, rest


@pytest.mark.parametrize(("name", "how"), [("pool", signal.SIGTERM), ("solo", signal.SIGINT)])
def test_waiting_can_be_ended(name: str, how: signal.Signals) -> None:
    with command(name, *at(free_port()), "--address", ADDRESS) as process:
        until(process, "cannot connect")
        process.send_signal(how)
        process.communicate(timeout=60)
    assert process.returncode == 0


def test_a_time_limit_includes_the_wait(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "solo", *at(free_port()), "--address", ADDRESS, "--time-limit", "0.1", "-t", "1")
    assert code == 4
    assert "the node gave no block template within 0.1 s: node at 127.0.0.1" in err.splitlines()[-1]


@pytest.mark.parametrize("name", ["pool", "solo"])
@pytest.mark.parametrize(
    ("case", "code", "reason"),
    [
        ("signed", 1, "must be signed"),
        ("signed, told by the template only", 1, "must be signed"),
        ("another chain", 2, "expected one of mainnet, got one of regtest"),
        ("no chain of ours", 1, "expected a chain of main"),
        ("credentials", 1, "does not accept the user and password (HTTP 401)"),
        ("address", 1, "does not allow getblockchaininfo (HTTP 403)"),
        ("no templates", 1, "it does not know getblocktemplate"),
        ("unknown rule", 1, "the node requires ['new']"),
    ],
)
def test_what_cannot_become_better_ends_at_once(
    name: str, case: str, code: int, reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    node = RpcNode("signet" if "signed" in case else "regtest")
    address = TESTNET_ADDRESS if "signed" in case else ADDRESS
    match case:
        case "signed":
            node.chain["signet_challenge"] = SIGNED
        case "signed, told by the template only":
            node.template["signet_challenge"] = SIGNED
        case "another chain":
            node.chain |= {"chain": "main", "headers": 900}
        case "no chain of ours":
            node.chain["chain"] = "doge"
        case "credentials":
            node.status = 401
        case "address":
            node.status = 403
        case "no templates":
            del node.answers["getblocktemplate"]
        case "unknown rule":
            node.template["rules"] = ["!new"]
    extra = ("--listen", "127.0.0.1:0") if name == "pool" else ("-t", "1")
    with serving(node) as port:
        ended, _, err = run(capsys, name, *at(port), "--address", address, *extra)
    assert ended == code, err
    assert reason in err.splitlines()[-1]
    assert "s3cretly" not in err


def test_an_address_of_no_chain_is_said_without_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = ADDRESS[:-1] + "q"
    code, _, err = run(capsys, "pool", *at(free_port()), "--address", wrong, "--listen", "127.0.0.1:0")
    assert code == 2
    assert "the checksum is wrong" in err.splitlines()[-1]


def test_another_chain_in_flight_ends_the_pool() -> None:
    node, port = RpcNode("test"), free_port()
    with command("pool", *at(port), "--address", TESTNET_ADDRESS, "--listen", "127.0.0.1:0") as pool:
        with serving(node, port):
            until(pool, "ready")
        until(pool, "cannot connect")
        node.chain["chain"] = "testnet4"
        with serving(node, port):
            _, said = pool.communicate(timeout=120)
    assert pool.returncode == 1
    assert "expected the chain test as before, got testnet4" in said.splitlines()[-1]


def test_a_port_that_is_taken_is_said_without_waiting(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        code, _, err = run(capsys, "pool", *at(free_port()), "--address", ADDRESS, "--listen", listen)
    assert code == 1
    assert f"cannot listen on {listen}" in err.splitlines()[-1]
