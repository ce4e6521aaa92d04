"""Where passwords come from, and that none is shown."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog

from stratum_miner.app.operation.hooks import Hook
from stratum_miner.app.process import logs, secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.process.line_limit import LineLimit
from stratum_miner.backends.cpu import kernels


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["mine", "-p", "geheim"], ["mine", "-p", "***"]),
        (["mine", "-pgeheim"], ["mine", "-p***"]),
        (["mine", "--pass=geheim"], ["mine", "--pass=***"]),
        (["mine", "--pass", "geheim", "-q"], ["mine", "--pass", "***", "-q"]),
        (["mine", "-O", "user:geheim"], ["mine", "-O", "user:***"]),
        (["mine", "--userpass=user:geheim"], ["mine", "--userpass=user:***"]),
        (["pool", "--node", "http://u:geheim@h:1"], ["pool", "--node", "http://***@h:1"]),
        (["pool", "--node=http://u:geheim@h:1"], ["pool", "--node=http://***@h:1"]),
        (["pool", "--node", "kernel"], ["pool", "--node", "kernel"]),
        (["mine", "-P", "-u", "u"], ["mine", "-P", "-u", "u"]),
        (["mine", "-qp", "geheim", "-D"], ["mine", "-qp", "***", "-D"]),
        (["mine", "-DPqpgeheim"], ["mine", "-DPqp***"]),
        (["mine", "-qO", "user:geheim"], ["mine", "-qO", "user:***"]),
        (["mine", "-x", "socks5://u:geheim@h:1"], ["mine", "-x", "socks5://***@h:1"]),
        (["mine", "-xsocks5://u:geheim@h:1"], ["mine", "-xsocks5://***@h:1"]),
        (["mine", "--on_event", "block=geheim"], ["mine", "--on_event", "***"]),
        (["mine", "--on-event=block=geheim"], ["mine", "--on-event=***"]),
        (["mine", "-o", "stratum+tcp://u:geheim@h:1"], ["mine", "-o", "stratum+tcp://***@h:1"]),
        (["mine", "-ou:geheim@h:1", "-q"], ["mine", "-o***@h:1", "-q"]),
        (["mine", "--url=u:ge/?#@heim:geheim@h:1"], ["mine", "--url=***@h:1"]),
        (["ping", "stratum+ssl://u:geheim@h:1"], ["ping", "stratum+ssl://***@h:1"]),
        (["ping", "u:geheim@[::1]:1", "h:2"], ["ping", "***@[::1]:1", "h:2"]),
        (["replay", "f", "--to", "u:geheim@h:1"], ["replay", "f", "--to", "***@h:1"]),
        (["mine", "-ohost:1", "-Pq", "-upo"], ["mine", "-ohost:1", "-Pq", "-upo"]),
    ],
)
def test_command_lines_lose_their_passwords(arguments: list[str], shown: list[str]) -> None:
    assert secrets.hidden_arguments(arguments) == shown
    assert "geheim" not in str(secrets.hidden_arguments(arguments))


def test_registered_secrets_never_reach_a_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    secrets.register("correct horse")
    for log_format in ("plain", "json"):
        logs.configure(log_format=log_format)
        structlog.get_logger().info("event", text="say correct horse", nested={"a": ["correct horse"]})
        err = capsys.readouterr().err
        assert "***" in err
        assert "correct horse" not in err


def test_conventional_passwords_are_not_replaced_everywhere() -> None:
    secrets.register("x")
    assert secrets.redact("max") == "max"


def test_secret_files(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_text("swordfish\nsecond line\n")
    assert secrets.read_secret_file(good, "--pass-file") == "swordfish"
    for name, content, needle in (("empty", "", "got none"), ("large", "x" * 5000, "at most 4096")):
        path = tmp_path / name
        path.write_text(content)
        with pytest.raises(UsageError, match=needle):
            secrets.read_secret_file(path, "--pass-file")
    with pytest.raises(UsageError, match="directory"):
        secrets.read_secret_file(tmp_path, "--pass-file")


def test_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATUM_MINER_PASS", "opensesame")
    assert secrets.from_environment("STRATUM_MINER_PASS") == "opensesame"
    assert secrets.redact("opensesame!") == "***!"
    monkeypatch.setenv("STRATUM_MINER_PASS", "")
    assert secrets.from_environment("STRATUM_MINER_PASS") is None


def test_a_secret_that_begins_like_another_leaves_no_rest() -> None:
    secrets.register("short-secret")
    secrets.register("short-secret-and-more")
    assert secrets.redact("short-secret-and-more") == "***"


def test_whatever_is_shown_as_text_is_redacted_as_text() -> None:
    secrets.register("opensesame")
    assert secrets.redact({"opensesame": ValueError("opensesame")}) == {"opensesame": "***"}
    assert secrets.redact([1, None, 2.5, True, Path("/opensesame")]) == [1, None, 2.5, True, "/***"]


WORDS = (
    "mining",
    "share",
    "pool",
    "event",
    "level",
    "accepted",
    "warning",
    "reason",
    "avx2",
    "1234",
    "127.0",
    "share_lost",
)


@pytest.fixture
def only(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Forgets the secrets of other tests, and registers these."""

    def register(*texts: str) -> None:
        monkeypatch.setattr(secrets, "_known", secrets._Known())
        monkeypatch.setattr(secrets, "_open", frozenset())
        monkeypatch.setattr(logs, "_lines", LineLimit(lambda: None))  # the lines of other tests do not count
        for text in texts:
            secrets.register(text)

    return register


@pytest.mark.parametrize("log_format", ["plain", "sentences", "json"])
@pytest.mark.parametrize("word", WORDS)
def test_a_password_that_is_a_word_of_ours_changes_nothing_that_is_ours(
    word: str, log_format: logs.LogFormat, only: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    def written() -> tuple[str, list[dict[str, Any]], list[tuple[str, str]]]:
        path = tmp_path / "log"
        path.unlink(missing_ok=True)
        before = logs.events.newest(1)
        logs.configure(log_format=log_format)
        log = structlog.get_logger("stratum_miner")
        with logs.writing_to(path):
            log.info("mining", detail="stratum+tcp://pool.example:1234")
            log.info("share_accepted", job_id="7", difficulty="1234", latency_ms=12.34)
            log.warning(
                "pool_unreachable", reason="no pool accepted the share: cannot connect to 127.0.0.1:1234", next="x"
            )
            log.info("kernel_chosen", reason="avx2: 12.34 MH/s", kernel="avx2", threads=4)
            log.warning("journal_damaged", file="/var/lib/mining/share/pool/1234", lines=2)
            log.warning("hooks_too_slow", dropped="share_lost", kind="pool-down")
        shown = re.sub(r"\d\d:\d\d:\d\d|\"timestamp\": \"[^\"]*\"", "", capsys.readouterr().err)
        events = logs.events.newest(after=before[-1].number if before else 0)
        records = [json.loads(line) | {"timestamp": ""} for line in path.read_text().splitlines()]
        return shown, records, [(event.name, event.text) for event in events]

    only()
    expected = written()
    only(word)
    assert written() == expected


def test_hooks_are_called_whatever_the_password_and_their_address(only: Callable[..., None]) -> None:
    only()
    hook = Hook.parse("pool-down=http://hooks.example/pool")
    for word in ("pool_unreachable", "unreachable", "pool", "mining"):
        secrets.register(word)
    logs.configure(log_format="plain")
    before = logs.events.newest(1)
    structlog.get_logger("stratum_miner").warning("pool_unreachable", reason="cannot post to http://hooks.example/pool")
    [event] = logs.events.newest(after=before[-1].number if before else 0)
    assert hook.wants(event)
    assert event.fields["reason"] == "cannot post to ***"


def test_the_names_of_our_kernels_are_words_of_ours(only: Callable[..., None]) -> None:
    for kernel in kernels.available_kernels():
        only(kernel.name)
        assert secrets.redact(f"{kernel.name}: 12 MH/s") == f"{kernel.name}: 12 MH/s"


@pytest.mark.parametrize("word", WORDS)
def test_what_others_say_loses_even_such_a_password(
    word: str, only: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    only(word)
    assert secrets.redact_foreign(f"bad password '{word}'") == "bad password '***'"
    logs.configure(log_format="plain")
    structlog.get_logger("stratum_miner").info(
        "received", line=f'{{"id":1,"error":[20,"not {word}",null]}}', job_id=word
    )
    err = capsys.readouterr().err
    assert '"error":[20,"not ***",null]' in err
    assert "job_id=***" in err


def test_a_secret_is_hidden_in_every_field_that_may_carry_it(
    only: Callable[..., None], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    for secret in ("secretpw", "hunter2", "c0okie-c0okie"):
        only(secret)
        for log_format in ("plain", "sentences", "json"):
            logs.configure(log_format=log_format)
            log = structlog.get_logger("stratum_miner")
            with logs.writing_to(tmp_path / "log"):
                log.warning("pool_unreachable", reason=f"cannot connect to http://u:{secret}@h", next=f"<{secret}>")
                log.info(
                    "pool_message", text=f"your password is {secret}.", nested={"a": [secret]}, error=OSError(secret)
                )
                log.info("worker_authorized", worker_name="w", user_agent=f"x/{secret}")
                try:
                    raise RuntimeError(f"it was {secret!r}")
                except RuntimeError:
                    log.exception("client_failed", address="a")
            err = capsys.readouterr().err
            assert secret not in err
            assert err.count("***") >= 4
            assert secret not in (tmp_path / "log").read_text()
        assert secret not in str(logs.events.newest(20))


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ("pool", "cannot ask http://u:pool@127.0.0.1:1/x"),
        ("u:pool", "it was u:pool"),
        ("mining", "socks5h://mining:mining@h"),
        ("p/w1", "//p/w1//"),
    ],
)
def test_a_short_secret_is_hidden_where_it_can_be_nothing_else(
    secret: str, text: str, only: Callable[..., None]
) -> None:
    only(secret, f"u:{secret}")
    assert secret not in secrets.redact(text)


def test_what_is_given_openly_is_shown(only: Callable[..., None]) -> None:
    only("alice-and-bob", "hunter2")
    secrets.given_openly("alice-and-bob", "pool.example")
    assert secrets.redact("worker alice-and-bob, not hunter2") == "worker alice-and-bob, not ***"
    assert secrets.redact_foreign("bad password alice-and-bob") == "bad password ***"


def test_paths_and_names_of_ours_stay_whatever_the_secret(
    only: Callable[..., None], capsys: pytest.CaptureFixture[str]
) -> None:
    only("a-long-pathname", "erupter0", "T0ken/of/a/web/hook")
    logs.configure(log_format="plain")
    log = structlog.get_logger("stratum_miner")
    log.warning("journal_damaged", file="/srv/a-long-pathname/T0ken/of/a/web/hook/shares", lines=2)
    log.warning("device_gone", device="erupter0", reason="it said a-long-pathname")
    err = capsys.readouterr().err
    assert "file=/srv/a-long-pathname/T0ken/of/a/web/hook/shares" in err
    assert "device=erupter0 reason='it said ***'" in err
