"""Each option of the commands that serve or try pools, given on the command line, reaches the part that acts on it."""

import base64
import json
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from stratum_miner.app.options import capture, pool_access
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.capture.record import RecordingError
from stratum_miner.cli import conformance, load, main, ping, replay, tap
from stratum_miner.client.dialing.tls import TlsSettings
from stratum_miner.client.ping import PingResult
from stratum_miner.conformance.case import CASES, Case, Level
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import failed, passed
from stratum_miner.conformance.verify import Result
from stratum_miner.faults import misbehaving_miner
from stratum_miner.faults.outcome import FaultOutcome, FaultVerdict
from tests.cli.one_command import ReachedError

from . import option_files
from .one_command import run
from .rpc_node import RpcNode, serving

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"

PIN = "ab" * 32
TLS_POOL = "stratum+ssl://127.0.0.1:1"
POOL = "stratum+tcp://127.0.0.1:1"
STRANGE = "stratum+tcp://192.0.2.1:1"
"""A pool on another computer (an address of documents, RFC 5737)."""


def filled(files: Mapping[str, str], *words: str) -> list[str]:
    return [files.get(word, word) for word in words]


# ---- how to reach the pool -------------------------------------------------------------------------------------------


@pytest.fixture
def reached(monkeypatch: pytest.MonkeyPatch) -> list[tuple[TlsSettings, str | None]]:
    """The TLS settings and the proxy with which each command would connect."""
    seen: list[tuple[TlsSettings, str | None]] = []

    class SeenDialer:
        def __init__(self, tls: TlsSettings, proxy: object) -> None:
            seen.append((tls, None if proxy is None else str(proxy)))
            raise ReachedError

    async def ping_pool(settings: Any, *, seconds: float) -> PingResult:
        seen.append((settings.tls, None if settings.proxy is None else str(settings.proxy)))
        return PingResult(url=str(settings.url), error=f"not asked within {seconds:g} s")

    def secured(dial: object, url: object, settings: TlsSettings) -> None:
        seen.append((settings, None))
        raise ReachedError

    monkeypatch.setattr(pool_access, "Dialer", SeenDialer)
    monkeypatch.setattr(ping, "ping_pool", ping_pool)
    monkeypatch.setattr(conformance, "_tls_dialer", secured)
    return seen


COMMANDS = {
    "tap": ("tap", "0", TLS_POOL),
    "replay": ("replay", "RUN.JSONL", "--to", TLS_POOL),
    "misbehave": ("misbehave", TLS_POOL),
    "ping": ("ping", TLS_POOL),
    "conformance": ("conformance", TLS_POOL),
}
HOW: dict[str, tuple[tuple[str, ...], Callable[[TlsSettings, str | None], Any], str]] = {
    "--tls-ca": (("--tls-ca", "CA.PEM"), lambda tls, _: tls.ca_file, "CA.PEM"),
    "--tls-fingerprint": (("--tls-fingerprint", PIN), lambda tls, _: tls.fingerprint, PIN),
    "--tls-cert": (("--tls-cert", "BOTH.PEM"), lambda tls, _: tls.certificate, "BOTH.PEM"),
    "--tls-key": (("--tls-cert", "CERT.PEM", "--tls-key", "KEY.PEM"), lambda tls, _: tls.key, "KEY.PEM"),
    "--proxy": (("--proxy", "socks5h://p:9050"), lambda _, proxy: proxy, "socks5h://p:9050"),
}


@pytest.mark.parametrize(
    ("command", "option"),
    [(command, option) for command in COMMANDS for option in HOW if (command, option) != ("conformance", "--proxy")],
)
def test_an_option_says_how_to_reach_the_pool(
    command: str, option: str, reached: list[tuple[TlsSettings, str | None]], files: Mapping[str, str]
) -> None:
    words, look, expected = HOW[option]
    try:
        main.run(filled(files, *COMMANDS[command], *words))
    except* ReachedError:
        pass
    [found] = reached
    assert str(look(*found)) == files.get(expected, expected)


@pytest.mark.parametrize("command", ["replay RUN.JSONL --to", "misbehave", "conformance", "load"])
def test_a_pool_on_another_computer_is_used_only_by_its_owner(
    command: str, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def began(*_: object, **__: object) -> None:
        raise ReachedError

    for module, name in ((pool_access, "dial"), (conformance, "tcp_dialer"), (load, "_run")):
        monkeypatch.setattr(module, name, began)
    words = filled(files, *command.split(), STRANGE)
    code, _, err = run(capsys, *words)
    assert code == 2
    assert "192.0.2.1 is not this computer" in err
    with pytest.raises(ReachedError):
        main.run([*words, "--i-own-this-pool"])


# ---- ping ------------------------------------------------------------------------------------------------------------


def test_ping_logs_in_as_told_and_waits_as_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[tuple[str, str, float]] = []

    async def ping_pool(settings: Any, *, seconds: float) -> PingResult:
        seen.append((settings.worker_name, settings.password, seconds))
        return PingResult(url=str(settings.url))

    monkeypatch.setattr(ping, "ping_pool", ping_pool)
    code, out, _ = run(capsys, "ping", POOL, "--user", "alice", "--pass", "hunter22", "--timeout", "7s", "--json")
    assert (code, seen) == (0, [("alice", "hunter22", 7.0)])
    assert json.loads(out)[0]["url"] == POOL


# ---- misbehave -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "name", "expected"),
    [
        (("--user", "alice"), "worker_name", "alice"),
        (("--pass", "hunter22"), "password", "hunter22"),
        (("--hold", "2s"), "hold", 2.0),
        (("--new-block", "1m"), "new_block", 60.0),
        (("--seed", "9"), "seed", 9),
    ],
)
def test_an_option_of_misbehave_reaches_each_fault(
    words: tuple[str, ...],
    name: str,
    expected: object,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    seen: list[tuple[str, object]] = []

    async def commit(plan: object, fault: str) -> FaultOutcome:
        seen.append((fault, getattr(plan, name)))
        return FaultOutcome(fault, FaultVerdict.REFUSED, "no")

    monkeypatch.setattr(misbehaving_miner, "misbehave", commit)
    code, out, _ = run(capsys, "misbehave", POOL, "--fault", "stale", "--fault", "garbage", "--json", *words)
    assert code == 0
    assert seen == [("stale", expected), ("garbage", expected)]
    assert [each["fault"] for each in json.loads(out)] == ["stale", "garbage"]


# ---- load ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def planned(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plan of each load test, which does not run; the address of its cluster, if it has one, comes before it."""
    seen: list[Any] = []

    def local(plan: object) -> None:
        seen.append(plan)
        raise ReachedError

    def cluster(plan: object, address: str) -> None:
        seen.extend((address, plan))
        raise ReachedError

    monkeypatch.setattr(load, "_Local", local)
    monkeypatch.setattr(load, "ClusterRun", cluster)
    monkeypatch.setattr(load, "require", lambda *_: None)
    return seen


@pytest.mark.parametrize(
    ("words", "name", "expected"),
    [
        (("--miners", "7"), "miners", 7),
        (("--duration", "2m"), "duration", 120.0),
        (("--ramp", "3s"), "ramp", 3.0),
        (("--share-rate", "0.5"), "share_rate", 0.5),
        (("--hash-rate", "5kH/s"), "hash_rate", 5000.0),
        (("--distribution", "pareto:alpha=2"), "distribution", "pareto:alpha=2"),
        (("--profile", "step:to=4"), "profile", "step:to=4"),
        (("--seed", "9"), "seed", 9),
        (("--storm", "5s", "--storm", "7s"), "storms", (5.0, 7.0)),
        (("--churn", "20s"), "churn", 20.0),
        (("--reconnect", "resume"), "reconnect", "resume"),
        (("--pause", "2s"), "pause", 2.0),
        (("--slow-readers", "10%"), "slow_readers", 0.1),
        (("--version-rolling", "25%"), "version_rolling", 0.25),
        (("--bad", "stale=1%"), "bad", {"stale": 0.01}),
        (("--user", "rig.{n}"), "worker_name", "rig.{n}"),
        (("--pass", "hunter22"), "password", "hunter22"),
    ],
)
def test_an_option_of_load_is_in_the_plan(
    words: tuple[str, ...], name: str, expected: object, planned: list[Any]
) -> None:
    with pytest.raises(ReachedError):
        main.run(["load", POOL, *words])
    assert getattr(planned[0], name) == expected


def test_a_cluster_gets_the_plan(planned: list[Any]) -> None:
    with pytest.raises(ReachedError):
        main.run(["load", POOL, "--cluster", "127.0.0.1:8786", "--miners", "60000"])
    assert planned[0] == "127.0.0.1:8786"
    assert planned[1].miners == 60_000


def test_a_quiet_load_test_logs_nothing(pool_port: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("load", f"127.0.0.1:{pool_port}", "--miners", "1", "--duration", "0.2", "--html", str(tmp_path / "p.html"))
    assert "page_written" in run(capsys, *words)[2]
    assert "page_written" not in run(capsys, *words, "--quiet")[2]


# ---- conformance -----------------------------------------------------------------------------------------------------


SHOULD = next(case for case in ALL if case.level is Level.SHOULD)


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The pool under test and the checks of each run, in which one recommendation (SHOULD) is not followed."""
    seen: list[Any] = []

    async def check(target: object, cases: Sequence[Case], results: list[Result]) -> None:
        seen.extend((target, cases))
        found = (Result(CASES["FRM-01"], passed("7 lines"), 0.5), Result(SHOULD, failed("no"), 1.0))
        results += [result for result in found if result.case in cases]

    monkeypatch.setattr(conformance, "_run", check)
    return seen


@pytest.mark.parametrize(
    ("words", "name", "expected"),
    [
        (("--user", "alice"), "worker", "alice"),
        (("--pass", "hunter22"), "password", "hunter22"),
        (("--pass-file", "PASSWORD"), "password", option_files.PASSWORD),
        (("--i-own-this-pool",), "owned", True),
        (("--retarget-seconds", "90s"), "retarget_seconds", 90.0),
        (("--max-seconds-of-work", "5s"), "work_seconds", 5.0),
    ],
)
def test_an_option_of_conformance_is_known_to_the_checks(
    words: tuple[str, ...], name: str, expected: object, checked: list[Any], files: Mapping[str, str]
) -> None:
    main.run(filled(files, "conformance", POOL, *words))
    assert getattr(checked[0], name) == expected


def test_the_checks_of_conformance_are_chosen(checked: list[Any]) -> None:
    main.run(["conformance", POOL, "--only", "framing", "--skip", "FRM-01"])
    expected = [case.id for case in ALL if case.topic == "framing" and case.id != "FRM-01"]
    assert [case.id for case in checked[1]] == expected


def test_a_recommendation_that_is_not_followed_fails_a_strict_run(checked: list[Any]) -> None:
    assert main.run(["conformance", POOL]) == ExitCode.OK
    assert main.run(["conformance", POOL, "--strict"]) == ExitCode.SHOULD_FAILED


def test_a_known_deviation_does_not_count(checked: list[Any], tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text(f'[checks."{SHOULD.id}"]\nreason = "It is so."\n', encoding="utf-8")
    assert main.run(["conformance", POOL, "--strict", "--known-deviations", str(file)]) == ExitCode.OK
    file.write_text('[checks."FRM-01"]\nreason = "It was so."\n', encoding="utf-8")
    known = ("--known-deviations", str(file), "--skip", SHOULD.id)
    assert main.run(["conformance", POOL, *known]) == ExitCode.OK
    assert main.run(["conformance", POOL, *known, "--strict"]) == ExitCode.SHOULD_FAILED


# ---- the node of the pool --------------------------------------------------------------------------------------------

NODE_COMMANDS = {
    "conformance": ("conformance", POOL),
    "pool": ("pool", "--listen", "127.0.0.1:0", "--address", ADDRESS),
    "solo": ("solo", "--time-limit", "1", "--address", ADDRESS),
}


@pytest.mark.parametrize("command", NODE_COMMANDS)
@pytest.mark.parametrize(
    ("user", "words", "credentials"),
    [
        ("rpc:s3cretly@", (), "rpc:s3cretly"),
        ("", ("--node-cookie", "COOKIE"), "__cookie__:0123abcd"),
        ("rpc@", ("--node-password-file", "PASSWORD"), f"rpc:{option_files.PASSWORD}"),
    ],
    ids=["--node", "--node-cookie", "--node-password-file"],
)
def test_a_command_logs_in_at_its_node(
    command: str,
    user: str,
    words: tuple[str, ...],
    credentials: str,
    checked: list[Any],
    files: Mapping[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = RpcNode()
    node.status = 401  # ends the command
    with serving(node) as port:
        line = filled(files, *NODE_COMMANDS[command], "--node", f"http://{user}127.0.0.1:{port}", *words)
        code, _, err = run(capsys, *line)
    assert code == 1
    assert "HTTP 401" in err
    assert base64.b64decode(node.authorization.removeprefix("Basic ")).decode() == credentials


# ---- tap and replay --------------------------------------------------------------------------------------------------


@pytest.fixture
def tapped(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The rules and the random numbers of the filter that each tap would use for its first connection."""
    seen: list[Any] = []

    def make(dial: object, filters: Callable[[int], object], **_: object) -> None:
        seen.append(filters(1))
        raise ReachedError

    monkeypatch.setattr(tap, "RuleFilter", lambda rules, rng: (rules, rng))
    monkeypatch.setattr(tap, "Tap", make)
    return seen


def test_a_tap_has_the_rules_of_its_file_and_then_those_of_its_line(
    tapped: list[Any], files: Mapping[str, str]
) -> None:
    with pytest.raises(ReachedError):
        main.run(filled(files, "tap", "0", POOL, "--rule", "duplicate method=mining.submit", "--rules", "RULES.TOML"))
    assert [str(rule) for rule in tapped[0][0]] == ["drop method=mining.ping", "duplicate method=mining.submit"]


def test_the_seed_of_a_tap_decides_what_chance_does(tapped: list[Any]) -> None:
    for seed in ("1", "1", "2"):
        with pytest.raises(ReachedError):
            main.run(["tap", "0", POOL, "--rule", "drop chance=0.5", "--seed", seed])
    drawn = [rng.random() for _, rng in tapped]
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    "command",
    [("tap", "0", POOL), ("pool", "--listen", "0", "--network-difficulty", "1", "--address", ADDRESS)],
    ids=lambda words: words[0],
)
def test_a_recording_keeps_secrets_only_if_it_is_to(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[tuple[str, object]] = []

    def recorder(path: Path, *, secrets: bool, **_: object) -> None:
        kept.append((path.name, secrets))
        raise RecordingError("the recorder of this test")

    monkeypatch.setattr(capture, "Recorder", recorder)
    for words in ((), ("--record-secrets",)):
        assert main.run([*command, "--record", str(tmp_path / "record"), *words]) == ExitCode.FAILED
    assert kept == [("record", False), ("record", True)]


def test_a_replay_keeps_the_pace_that_it_is_told(files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[object, object]] = []

    def replays(*_: object, pace: float, ignore: object, **__: object) -> None:
        seen.append((pace, ignore))
        raise ReachedError

    monkeypatch.setattr(replay, "replays", replays)
    with pytest.raises(ReachedError):
        main.run(["replay", files["RUN.JSONL"], "--to", POOL, "--pace", "0.5", "--ignore", "mining.notify"])
    assert seen == [(0.5, frozenset({"mining.notify"}))]


@pytest.mark.parametrize(
    ("words", "login"),
    [
        ((), ["old", "older"]),
        (("--user", "alice"), ["alice", "x"]),
        (("--user", "alice", "--pass", "hunter22"), ["alice", "hunter22"]),
    ],
)
def test_a_replay_logs_in_as_told(words: tuple[str, ...], login: list[str], files: Mapping[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        answers: list[Any] = []

        def answer() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as lines:
                answers.append(json.loads(next(lines)))

        thread = Thread(target=answer)
        thread.start()
        main.run(filled(files, "replay", "RUN.JSONL", "--to", f"127.0.0.1:{server.getsockname()[1]}", *words))
        thread.join()
    assert answers[0]["params"] == login
