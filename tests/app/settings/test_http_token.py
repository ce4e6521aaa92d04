"""The sources of the API token, and that only its owner can read it."""

import stat
from pathlib import Path

import pytest

from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.process.secrets import redact
from stratum_miner.app.settings import http_token


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv(http_token.VARIABLE, raising=False)
    return tmp_path


def test_one_is_made_once_and_kept_for_its_owner(home: Path) -> None:
    token, where = http_token.find(None)
    assert len(token) >= 32
    assert stat.S_IMODE(Path(where).stat().st_mode) == 0o600
    assert http_token.find(None) == (token, where)
    assert redact(f"Bearer {token}") == "Bearer ***"


def test_a_file_goes_before_the_environment_and_that_before_what_is_kept(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(http_token.VARIABLE, "from-the-environment")
    assert http_token.find(None) == ("from-the-environment", http_token.VARIABLE)
    file = home / "token"
    file.write_text("from-a-file-of-mine\n")
    assert http_token.find(file) == ("from-a-file-of-mine", str(file))
    assert not (home / "state").exists()


def test_mistakes_are_told(home: Path) -> None:
    short = home / "short"
    short.write_text("abc\n")
    with pytest.raises(UsageError, match=r"--http: expected an API token of at least 16 characters in .*, got 3"):
        http_token.find(short)
    (home / "state").write_text("a file where a folder should be")
    with pytest.raises(
        UsageError, match=r"--http: cannot write an API token to .*. Give a token with --http-token-file"
    ):
        http_token.find(None)
