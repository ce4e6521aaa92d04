"""The files that the documents show are read by the commands that they are for, as they stand."""

from collections.abc import Callable
from pathlib import Path

import pytest

from stratum_miner.cli import main
from stratum_miner.cli import tap as tap_module
from stratum_miner.conformance.deviations import read_deviations
from tests.cli.one_command import ReachedError, run
from tests.command_blocks import blocks


def written(directory: Path, document: str) -> str:
    """Write the only TOML file that a document shows, and return its path."""
    [block] = [block for block in blocks() if block.language == "toml" and block.document == f"docs/{document}"]
    path = directory / "shown.toml"
    path.write_text(block.text, encoding="utf-8")
    return str(path)


def test_every_document_with_a_file_is_known_here() -> None:
    assert {block.document for block in blocks() if block.language == "toml"} == {
        "docs/how-to/check-conformance.md",
        "docs/how-to/test-your-miner.md",
        "docs/how-to/what-it-earns.md",
        "docs/reference/configuration.md",
    }


def test_the_rules_of_a_tap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    def start(_dial: object, filters: Callable[[int], object], **_: object) -> None:
        filters(1)
        raise ReachedError

    monkeypatch.setattr(tap_module, "RuleFilter", lambda rules, rng: seen.extend(map(str, rules)))
    monkeypatch.setattr(tap_module, "Tap", start)
    with pytest.raises(ReachedError):
        main.run(["tap", "0", "127.0.0.1:1", "--rules", written(tmp_path, "how-to/test-your-miner.md")])
    assert seen == ["delay=2 from=pool method=mining.submit every=10"]


def test_the_known_deviations_of_a_pool(tmp_path: Path) -> None:
    known = read_deviations(Path(written(tmp_path, "how-to/check-conformance.md")))
    assert list(known) == ["HS-12", "EXT-02"]
    assert all(known.values())


def test_the_scenarios_of_profit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "profit", "--scenario", written(tmp_path, "how-to/what-it-earns.md"))
    assert (code, err) == (0, "")
    assert "garage" in out
    assert "farm" in out


def test_the_pools_of_a_configuration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "home.pass").write_text("x\n")
    code, out, err = run(capsys, "config", "check", "--config", written(tmp_path, "reference/configuration.md"))
    assert (code, err) == (0, "")
    assert "good: 2 pools, 1 backend, quota" in out
