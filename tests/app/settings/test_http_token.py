"""The sources of the API token, and that only its owner can read it."""

import os
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


def test_two_processes_that_start_together_have_one_token(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other one stores its token between the moment at which this one looks for a token and stores its own."""
    link = os.link
    found: list[tuple[str, str]] = []

    def link_later(source: str, target: Path) -> None:
        monkeypatch.setattr(os, "link", link)
        found.append(http_token.find(None))
        link(source, target)

    monkeypatch.setattr(os, "link", link_later)
    found.append(http_token.find(None))
    assert found[0] == found[1]
    [path] = (home / "state" / "stratum-miner").iterdir()
    assert found[0] == (path.read_text().strip(), str(path))
