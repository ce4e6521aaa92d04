"""Each option of ``pool``, ``proxy``, ``solo``, ``demo`` and the commands of devices, and what commands log."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import structlog
import trio

from stratum_miner.app.daemon import pool_run
from stratum_miner.app.options import node_access
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.bitcoin.address import Network, script_from_address
from stratum_miner.bitcoin.target import difficulty_from_target, target_from_bits
from stratum_miner.cli import bench, demo, device, devices, emulate, load, main, pool, proxy, replay, solo, tap
from stratum_miner.pool import Pool
from stratum_miner.testing.scripted_node import ScriptedNode, make_template
from tests.cli.one_command import ReachedError, run
from tests.cli.test_devices import MODEM
from tests.cli.test_top import serving as serving_miner

from . import option_files

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
POOL_URL = "stratum+tcp://127.0.0.1:1"


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> ScriptedNode:
    """The node of ``pool`` and ``solo``: on regtest, with the difficulty 1."""
    made = ScriptedNode(make_template())
    made.network = Network.REGTEST
    monkeypatch.setattr(node_access, "open_node", lambda *_, **__: made)
    return made


def reach(module: Any, name: str, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Any]:
    """Run a command up to a call of this name in its module, and return the arguments of the call."""
    seen: list[tuple[Any, Any]] = []

    def called(*given: Any, **named: Any) -> None:
        seen.append((given, named))
        raise ReachedError

    monkeypatch.setattr(module, name, called)
    try:
        main.run(words)
    except* ReachedError:
        pass
    [found] = seen
    return found


# ---- pool ------------------------------------------------------------------------------------------------------------

SERVE = ("pool", "--node", "http://u:p@127.0.0.1:1", "--address", ADDRESS, "--listen", "127.0.0.1:0")


def serve(monkeypatch: pytest.MonkeyPatch, visit: Callable[[Pool, str, Any], Awaitable[None]], *options: str) -> int:
    """Run a pool that ends when its visitor leaves, and return its exit code."""

    async def until_stopped(running: Pool, _stop: object, url: str, beside: object) -> None:
        await visit(running, url, beside)

    monkeypatch.setattr(pool, "until_stopped", until_stopped)
    return main.run([*SERVE, *options])


async def first_job(url: str, password: str) -> tuple[float, list[Any]]:
    """Log in and return the first difficulty and the first job."""
    host, _, port = url.removeprefix("stratum+tcp://").rpartition(":")
    difficulty = 0.0
    with trio.fail_after(60):
        async with await trio.open_tcp_stream(host, int(port)) as stream:
            for number, (method, params) in enumerate((("subscribe", []), ("authorize", ["w", password]))):
                await stream.send_all(
                    json.dumps({"id": number, "method": f"mining.{method}", "params": params}).encode() + b"\n"
                )
            received = b""
            while True:
                received += await stream.receive_some()
                *lines, received = received.split(b"\n")
                for line in map(json.loads, lines):
                    if line.get("method") == "mining.set_difficulty":
                        [difficulty] = line["params"]
                    if line.get("method") == "mining.notify":
                        return difficulty, line["params"]


@pytest.mark.parametrize(
    ("options", "password", "expected"),
    [
        (("--difficulty", "0.25"), "x", 0.25),
        (("--difficulty", "0.25"), "d=0.01", 0.25),
        (("--difficulty", "0.25", "--min-difficulty", "0.125"), "d=0.01", 0.125),
        (("--difficulty", "0.25", "--vardiff", "10s"), "d=0.01", 0.01),
        (("--difficulty", "0.25"), "d=0.75", 0.75),
        (("--difficulty", "0.25", "--max-difficulty", "0.5"), "d=0.75", 0.5),
    ],
)
def test_the_difficulty_of_a_pool(
    options: tuple[str, ...], password: str, expected: float, node: ScriptedNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []

    async def visit(_running: Pool, url: str, _beside: object) -> None:
        seen.append((await first_job(url, password))[0])

    assert serve(monkeypatch, visit, *options) == ExitCode.OK
    assert seen == [expected]


def test_vardiff_aims_at_the_time_that_was_given(node: ScriptedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    _, named = reach(pool_run, "VardiffConfig", (*SERVE, "--vardiff", "1m30s"), monkeypatch)
    assert named == {"target_seconds": 90.0}


def test_a_pool_listens_pays_and_prints_as_it_is_told(
    node: ScriptedNode, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs: list[list[Any]] = []

    async def visit(_running: Pool, url: str, _beside: object) -> None:
        assert url.startswith("stratum+tcp://127.0.0.1:")
        jobs.append((await first_job(url, "x"))[1])

    assert serve(monkeypatch, visit, "--json") == ExitCode.OK
    assert script_from_address(ADDRESS, Network.REGTEST).hex() in jobs[0][3]
    assert json.loads(capsys.readouterr().out)["height"] == 101


MEMORY = ("pool", "--address", ADDRESS, "--listen", "127.0.0.1:0", "--network-difficulty")
BLOCKS = {
    "0.01": ["chain_in_memory", "every_share_is_a_block", "fault_limited", "misbehaving"],
    "0.5": ["chain_in_memory", "misbehaving"],
}
"""What is logged before the pool is ready, by the network difficulty, at a share difficulty of 0.25."""


@pytest.mark.parametrize("difficulty", BLOCKS)
def test_a_pool_serves_a_chain_of_the_difficulty_that_was_asked_for(
    difficulty: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs: list[list[Any]] = []

    async def until_stopped(_running: Pool, _stop: object, url: str, _beside: object) -> None:
        jobs.append((await first_job(url, "x"))[1])

    monkeypatch.setattr(pool, "until_stopped", until_stopped)
    monkeypatch.setattr(node_access, "require", None)  # no extra is needed
    options = ("--difficulty", "0.25", "--fault", "stuck-job", "--fault", "bytewise", "--log-format", "json")
    assert main.run([*MEMORY, difficulty, *options]) == ExitCode.OK
    wanted = float(difficulty)
    assert wanted <= difficulty_from_target(target_from_bits(int(jobs[0][6], 16))) < wanted * 1.0001
    logs = map(json.loads, capsys.readouterr().err.splitlines())
    told = [line for line in logs if line["event"] in BLOCKS["0.01"]]
    assert [line["event"] for line in told] == BLOCKS[difficulty]
    assert told[0]["not_checked"] == "scripts, signatures and transactions other than the coinbase"
    assert [line["fault"] for line in told if "fault" in line] == ["stuck-job"] * (wanted < 0.25)


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("0",), "expected a finite number of at least 4.65654e-10, the difficulty of regtest, got 0"),
        (("1", "--node", "http://u:p@127.0.0.1:1"), "got --node or STRATUM_MINER_NODE. Leave out one of the two"),
        (("1", "--data-dir", "x"), "got --data-dir. Leave out one of the two"),
        (("1", "--node-cookie", "x"), "got --node-cookie. Leave out one of the two"),
    ],
    ids=["too_low", "node", "data_dir", "cookie"],
)
def test_a_chain_in_memory_that_cannot_be(
    words: tuple[str, ...], text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run([*MEMORY, *words]) == ExitCode.USAGE
    assert text in capsys.readouterr().err.replace("\n", " ")
    assert not Path("x").exists()


def test_the_seed_of_a_pool_reaches_its_faults(node: ScriptedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    _, named = reach(pool, "running_pool", (*SERVE, "--fault", "bytewise", "--seed", "9"), monkeypatch)
    assert (named["seed"], list(map(str, named["faults"]))) == (9, ["bytewise"])


@pytest.mark.parametrize(
    "command",
    [
        ("pool", "--node", "kernel", "--address", ADDRESS, "--listen", "127.0.0.1:0"),
        ("solo", "--node", "kernel", "--address", ADDRESS, "--until-shares", "1", "--difficulty", "1e-6", "-t", "1"),
    ],
    ids=lambda words: words[0],
)
def test_an_embedded_chain_is_kept_in_its_directory(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pbk")

    async def leave(*_: object) -> None:
        await trio.lowlevel.checkpoint()

    monkeypatch.setattr(pool, "until_stopped", leave)
    assert main.run([*command, "--data-dir", str(tmp_path / "chain")]) == ExitCode.OK
    assert list((tmp_path / "chain").iterdir())


# ---- statistics of pool and proxy over HTTP --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "command",
    [SERVE, ("proxy", "--no-config", "-o", POOL_URL, "-u", "w", "--listen", "127.0.0.1:0")],
    ids=lambda words: words[0],
)
@pytest.mark.parametrize(
    ("options", "look", "expected"),
    [
        (("--http", "127.0.0.1:0"), lambda bound, access: (bound.getsockname()[0], access.knows("rig.lan")),
            ("127.0.0.1", False)),
        (("--http", "127.0.0.1:0", "--http-host", "rig.lan"), lambda _, access: access.knows("rig.lan"), True),
        (("--http", "0.0.0.0:0", "--http-network", "--http-token-file", "TOKEN"),
            lambda _, access: (access.open_reading, access.token), (False, option_files.TOKEN)),
    ],
    ids=["--http", "--http-host", "--http-network --http-token-file"],
)  # fmt: skip
def test_who_may_read_the_statistics(
    command: tuple[str, ...],
    options: tuple[str, ...],
    look: Callable[[Any, Any], object],
    expected: object,
    node: ScriptedNode,
    files: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[object] = []

    async def visit(*given: Any, **named: Any) -> bool:
        beside = named["beside"] if "beside" in named else given[-1]
        bound, _, _, access = beside.args
        with bound:
            seen.append(look(bound, access))
        return False

    monkeypatch.setattr(pool, "until_stopped", visit)
    monkeypatch.setattr(proxy, "_serve", visit)
    assert main.run([*command, *(files.get(word, word) for word in options)]) == ExitCode.OK
    assert seen == [expected]


def test_a_proxy_listens_and_prints_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[object] = []

    async def served(_running: object, listeners: list[Any], _stop: object, *, time_limit: object, **_: Any) -> bool:
        seen.extend((listeners[0].socket.getsockname()[0], time_limit))
        return False

    monkeypatch.setattr(proxy, "_serve", served)
    words = ("proxy", "--no-config", "-o", POOL_URL, "-u", "w", "--listen", "127.0.0.1:0")
    code, out, _ = run(capsys, *words, "--time-limit", "2m", "--json")
    assert (code, seen) == (ExitCode.OK, ["127.0.0.1", 120.0])
    assert json.loads(out)["miners"] == []


# ---- solo and demo ---------------------------------------------------------------------------------------------------

SOLO = ("solo", "--node", "http://u:p@127.0.0.1:1", "--address", ADDRESS)


@pytest.mark.parametrize(
    ("options", "look", "expected"),
    [
        (("--threads", "3"), lambda backend, _: backend.threads, 3),
        (("--kernel", "scalar", "-t", "1"), lambda backend, _: backend.statistics().detail, "scalar, 1 thread"),
        (("--backend", "simulated"), lambda backend, _: backend.name, "simulated"),
        (("--backend", "simulated", "--backend-option", "hash_rate=5kH"), lambda backend, _: backend.hash_rate, 5000.0),
        (("--until-shares", "5"), lambda _, goals: goals.shares, 5),
        (("--until-blocks", "2"), lambda _, goals: goals.blocks, 2),
        (("--time-limit", "1h"), lambda _, goals: 3500 < goals.time_limit <= 3600, True),
    ],
)
def test_an_option_of_solo_reaches_the_miner(
    options: tuple[str, ...],
    look: Callable[[Any, Any], object],
    expected: object,
    node: ScriptedNode,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (_, [backend]), named = reach(solo, "Miner", (*SOLO, *options), monkeypatch)
    assert look(backend, named["goals"]) == expected


def test_the_difficulty_and_the_address_of_solo(node: ScriptedNode, monkeypatch: pytest.MonkeyPatch) -> None:
    (used, address), named = reach(solo, "pool_config", (*SOLO, "--difficulty", "0.25"), monkeypatch)
    assert (used, address, named["difficulty"]) == (node, ADDRESS, 0.25)


def test_solo_prints_one_object(node: ScriptedNode, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, *SOLO, "--difficulty", "1e-6", "--backend", "reference", "--until-shares", "1", "--json")
    assert code == ExitCode.OK
    assert json.loads(out)["shares"]["accepted"] >= 1


def test_an_option_of_the_demo_reaches_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pbk")
    words = ("demo", "--difficulty", "0.25", "--blocks", "7", "--threads", "3", "--kernel", "scalar")
    _, named = reach(demo, "PoolConfig", words, monkeypatch)
    assert named["difficulty"] == 0.25
    monkeypatch.undo()
    (_, [backend]), named = reach(demo, "Miner", words, monkeypatch)
    assert backend.statistics().detail == "scalar, 3 threads"
    assert named["goals"].blocks == 7


def test_bench_measures_for_as_long_as_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    (kernel, seconds), _ = reach(bench, "_try", ("bench", "--seconds", "1m", "--kernel", "scalar"), monkeypatch)
    assert (kernel.name, seconds) == ("scalar", 60.0)


# ---- devices ---------------------------------------------------------------------------------------------------------


def test_an_emulated_device_is_as_it_was_ordered(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--hash-rate", "2MH/s", "--chips", "4", "--nonce-difficulty", "1e-3", "--seed", "9")
    code, out, _ = run(capsys, "emulate", "--kind", "icarus", *words, "--time-limit", "0.1", "--json")
    assert code == ExitCode.OK
    ready, end = map(json.loads, out.splitlines())
    assert {name: ready[name] for name in ("kind", "hash_rate", "chips", "nonce_difficulty", "seed")} == {
        "kind": "icarus", "hash_rate": 2e6, "chips": 4, "nonce_difficulty": 1e-3, "seed": 9
    }  # fmt: skip
    assert end["event"] == "end"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--frequency", "150"), {"frequency": "150"}),
        (("--voltage", "0.8"), {"voltage": "0.8"}),
        (("--frequency", "9", "--allow-out-of-limits"), {"frequency": "9", "allow_out_of_limits": "yes"}),
    ],
)
def test_what_is_to_be_set_reaches_the_device(
    options: tuple[str, ...], expected: dict[str, str], terminal: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (spec, _), _ = reach(device, "_run", ("device", "set", f"compac:{terminal}", *options), monkeypatch)
    assert isinstance(spec, DeviceSpec)
    assert spec.options == expected


def test_all_serial_devices_are_listed_with_all(
    terminal: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(devices, "list_ports", lambda: [replace(MODEM, path=terminal)])
    assert json.loads(run(capsys, "devices", "--json")[1]) == []
    [shown] = json.loads(run(capsys, "devices", "--json", "--all")[1])
    assert terminal in json.dumps(shown)


def test_top_logs_in_with_the_token_of_its_file(files: Mapping[str, str]) -> None:
    with serving_miner() as (url, asked):
        assert main.run(["top", "--once", "--api", url, "--token-file", files["TOKEN"]]) == ExitCode.OK
    assert asked[0]["authorization"] == f"Bearer {option_files.TOKEN}"


# ---- logs ------------------------------------------------------------------------------------------------------------

LOGGING = {
    "pool": (SERVE, node_access, "ready"),
    "solo": (SOLO, node_access, "ready"),
    "proxy": (("proxy", "--no-config", "-o", POOL_URL, "-u", "w", "--listen", "127.0.0.1:0"), proxy, "_serve"),
    "tap": (("tap", "0", POOL_URL), tap, "Tap"),
    "emulate": (("emulate", "erupter"), emulate, "Emulator"),
    "demo": (("demo",), demo, "_demo"),
    "replay": (("replay", "RUN.JSONL", "--listen", "127.0.0.1:0"), replay, "_play_pool"),
    "load": (("load", POOL_URL), load, "_run"),
}
"""A command line, and the function at which the command has set up its log and begins to work."""
LEVELS = {"--debug": ["small", "usual", "grave"], "": ["usual", "grave"], "--quiet": ["grave"]}
WITHOUT = {"demo": {"", "--quiet"}, "replay": {"--debug"}, "load": {"--debug"}}
"""Levels of the log that a command has no option for."""


FORMED = ("pool", "solo", "proxy", "tap")
"""Commands whose lines have the form that an option chooses."""


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (f"{command} {option}{form}", words)
        for command in LOGGING
        for option, words in LEVELS.items()
        if option not in WITHOUT.get(command, ())
        for form in ("", " --log-format json")
        if not form or command in FORMED
    ],
)
def test_what_a_command_logs(
    line: str,
    expected: list[str],
    files: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    command, *options = line.split()
    words, module, name = LOGGING[command]

    def log_and_end(*_: object, **__: object) -> None:
        log = structlog.get_logger("stratum_miner")
        log.debug("small")
        log.info("usual")
        log.warning("grave")
        raise ReachedError

    monkeypatch.setattr(module, name, log_and_end)
    try:
        main.run([*(files.get(word, word) for word in words), *options])
    except* ReachedError:
        pass
    lines = capsys.readouterr().err.splitlines()
    if "json" in options:
        said = [json.loads(line)["event"] for line in lines if line.startswith("{")]  # not the summary
    else:
        said = [word for line in lines for word in line.split()]
    assert [word for word in said if word in LEVELS["--debug"]] == expected
