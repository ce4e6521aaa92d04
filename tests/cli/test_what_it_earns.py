"""The outputs that docs/how-to/what-it-earns.md quotes are those of the program."""

import re
import shlex
from pathlib import Path

import pytest

from stratum_miner.cli.main import run

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "what-it-earns.md"
QUOTED = [
    (words[1:], output.splitlines())
    for block in re.findall(r"^```[a-z]*\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    for command, output in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
    if (words := shlex.split(command))[:1] == ["stratum-miner"] and words[1] in ("profit", "luck")
]


def test_the_page_quotes_outputs() -> None:
    assert {words[0] for words, _ in QUOTED} == {"profit", "luck"}


@pytest.mark.parametrize(("words", "quoted"), QUOTED, ids=[" ".join(words) for words, _ in QUOTED])
def test_a_quoted_output(words: list[str], quoted: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A line ``...`` stands for lines that are left out. Lines may be wrapped elsewhere."""
    assert run(words) == 0
    printed = " ".join(capsys.readouterr().out.split())
    for part in "\n".join(quoted).split("\n...\n"):
        assert " ".join(part.split()) in printed
