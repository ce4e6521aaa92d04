from pathlib import Path

import pytest
import structlog

from stratum_miner.cli import logs, secrets
from stratum_miner.cli.exit_codes import UsageError


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
    assert secrets.redact({"opensesame": ValueError("opensesame")}) == {"***": "***"}
    assert secrets.redact([1, None, 2.5, True, Path("/opensesame")]) == [1, None, 2.5, True, "/***"]
