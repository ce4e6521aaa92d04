"""Nobody is told to install the program from a package index, because it is in none."""

import re
from pathlib import PurePosixPath

import pytest

from tests.packaging.test_repository import ROOT, committed

COMMAND = re.compile(
    r"""\b(?:(?:pip[x3]?|uv|poetry|pdm|conda)\s(?:[^|`&;]*\s)?(?:install|add|run)|uvx)\s[^|`&;]*?
        (?<![\w./-])['"]?stratum[-_]miner(?:\[[\w,-]*\])?['"]?(?=[\s'"`),:;]|$)(?!\s@\s)""",
    re.VERBOSE,
)
"""A command that installs a package called stratum-miner, with or without extras, and not a path or a URL."""
TEXTS = (".md", ".py", ".toml", ".yml", ".yaml", ".cfg", ".txt", ".sh", "")


@pytest.mark.parametrize(
    ("text", "installs"),
    [
        ("pip install 'stratum-miner[testing]'", True),
        ("      - run: pip install stratum-miner pytest", True),
        ("python3 -m pip install --upgrade stratum_miner", True),
        ("pipx install stratum-miner", True),
        ("uv tool install stratum-miner[all]", True),
        ("uv add --dev 'stratum-miner[testing]'", True),
        ("uvx stratum-miner demo", True),
        ("pipx run stratum-miner demo", True),
        ("pip install '.[regtest]'", False),
        ("pipx install /home/alice/stratum-miner", False),
        ("pip install './vendor/stratum_miner[testing]'", False),
        ("pip install dist/stratum_miner-0.1.0-cp311-abi3-linux_x86_64.whl", False),
        ("pip install 'stratum-miner[page] @ git+https://host.example/sm.git'", False),
        ("pipx inject stratum-miner 'starlette>=0.40'", False),
        ("pip install . && stratum-miner demo", False),
    ],
)
def test_what_counts(text: str, installs: bool) -> None:
    assert (COMMAND.search(text) is not None) is installs


def test_no_file_tells_to_install_it_from_an_index() -> None:
    here = PurePosixPath("tests/packaging/test_install_commands.py")
    found = []
    for path in committed():
        if path.suffix not in TEXTS or path == here or path.parts[0] == "requirements":
            continue
        text = (ROOT / path).read_text(encoding="utf-8", errors="replace")
        for number, line in enumerate(text.splitlines(), 1):
            if COMMAND.search(line):
                found.append(f"{path}:{number}: {line.strip()}")
    assert found == []
