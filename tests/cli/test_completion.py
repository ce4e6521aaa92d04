"""The completion scripts, tested in a real bash."""

import shutil
import subprocess
from pathlib import Path

import pytest

from stratum_miner.cli import main

from .test_process import COMMAND

BASH = shutil.which("bash")


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "stratum-miner.bash"
    with path.open("w") as out:
        subprocess.run([*COMMAND, "completion", "bash"], stdout=out, check=True)
    return path


@pytest.mark.skipif(BASH is None, reason="bash is not installed")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [
        ("min", {"mine"}),
        ("config sh", {"show"}),
        ("mine --until-s", {"--until-shares"}),
        ("mine --quiet --until-s", {"--until-shares"}),
        ("mine --log-format js", {"json"}),
        ("service un", {"unit"}),
        ("completion fi", {"fish"}),
    ],
)
def test_bash_completes(script: Path, typed: str, completed: set[str]) -> None:
    assert BASH is not None
    words = ["stratum-miner", *typed.split()]
    asked = (
        'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}; '
        '_stratum_miner; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run([BASH, "-c", asked, str(script), *words], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert {word.strip() for word in done.stdout.split("\n")} - {""} == completed


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_that_they_can_read(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "until-shares" in script
    found = shutil.which(shell)
    if found is not None:
        read = subprocess.run([found, "-n"], input=script, capture_output=True, text=True, check=False)
        assert (read.returncode, read.stderr) == (0, "")


def test_another_shell_is_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["completion", "tcsh"]) == 2
    error = capsys.readouterr().err
    assert "tcsh" in error
    assert error.count("\n") == 1
