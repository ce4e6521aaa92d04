"""The two sides of bench-check: what is installed where, and that nothing is left in the repository."""

import subprocess
from pathlib import Path

import pytest

from benchmarks import record, sides
from benchmarks.harness import BenchmarkError, Side


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository whose package has the value 1 in its only commit, and 2 in the checkout."""
    root = tmp_path / "repository"
    for name, text in {
        "stratum_miner/__init__.py": "VALUE = 1\n",
        "native/one.c": "int one;\n",
        "CMakeLists.txt": "",
        "requirements/runtime.txt": "trio==1\n",
        ".gitignore": "build/\n",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    for words in (
        ("init", "--quiet"),
        ("add", "--all"),
        ("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "One"),
    ):
        subprocess.run(["git", "-C", str(root), *words], check=True)
    (root / "stratum_miner" / "__init__.py").write_text("VALUE = 2\n")
    installed = tmp_path / "installed"
    (installed / "stratum_miner" / "cpu").mkdir(parents=True)
    (installed / "stratum_miner" / "cpu" / "native.so").write_bytes(b"compiled")
    (installed / "other.py").write_text("VALUE = 3\n")
    (installed / "checkout.pth").write_text("import sys; sys.argv.append('a .pth file of the checkout')\n")
    for module in (record, sides):
        monkeypatch.setattr(module, "ROOT", root)
    monkeypatch.setattr(sides, "INSTALLED", installed)
    monkeypatch.setattr(sides, "FOLDER", root / "build" / "bench-check")
    return root


def says(side: Side, program: str) -> str:
    return subprocess.run([side.python, "-P", "-c", program], capture_output=True, text=True, check=True).stdout


PROGRAM = """
import pathlib, sys, stratum_miner, other
print(stratum_miner.VALUE, other.VALUE, sys.argv, *pathlib.Path(stratum_miner.__file__).parent.rglob("*.so"))
"""


def test_each_side_has_its_own_code_and_the_other_packages_of_this_environment(repository: Path) -> None:
    (base, commit), own = sides.base_side("HEAD"), sides.own_side()
    for side, value in ((base, 1), (own, 2)):
        words = says(side, PROGRAM).split()
        assert words[:3] == [str(value), "3", "['-c']"]
        assert Path(words[3]).read_bytes() == b"compiled"
        assert Path(words[3]).is_relative_to(repository / "build")
    assert commit.startswith(base.name)
    listed = subprocess.run(["git", "-C", repository, "worktree", "list"], capture_output=True, text=True, check=True)
    assert len(listed.stdout.splitlines()) == 1


def test_the_side_of_a_commit_is_made_once(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = sides.base_side("HEAD")
    monkeypatch.setattr(sides, "make", None)
    assert sides.base_side("HEAD") == first


def test_other_sources_in_c_are_compiled(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands are only looked at, because compiling takes long."""
    (repository / "native" / "one.c").write_text("int two;\n")
    commands: list[tuple[str, ...]] = []
    run = sides.run

    def watched(*command: str) -> None:
        commands.append(command)
        if "wheel" in command:
            raise BenchmarkError("no compiler")
        run(*command)

    monkeypatch.setattr(sides, "run", watched)
    with pytest.raises(BenchmarkError, match="no compiler"):
        sides.base_side("HEAD")
    [wheel] = [command for command in commands if "wheel" in command]
    assert {"--no-index", "--no-build-isolation", "--no-deps"} <= set(wheel)
    assert commands[-1][3:5] == ("worktree", "remove")


def test_other_locked_packages_are_installed_or_the_line_says_why_not(
    repository: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "requirements" / "runtime.txt").write_text("trio==2\n")
    locks: list[str] = []
    run = sides.run

    def watched(*command: str) -> None:
        if "install" in command:
            locks.append(Path(command[-1]).read_text())
            raise BenchmarkError("no network")
        run(*command)

    monkeypatch.setattr(sides, "run", watched)
    base, _ = sides.base_side("HEAD")
    sides.own_side()
    assert locks == ["trio==1\n"]
    assert capsys.readouterr().out.endswith("no network\nthe base is measured with the packages of this checkout\n")
    assert says(base, "import other; print(other.VALUE)") == "3\n"


def test_requirements_that_are_not_met_are_those_to_install(tmp_path: Path) -> None:
    project = tmp_path / "pyproject.toml"
    project.write_text('[project]\ndependencies = ["trio>=0.1", "trio>=9999", "no-such-package[x]>=1"]\n')
    assert sides.missing(project) == ["trio>=9999", "no-such-package[x]>=1"]


def test_a_base_without_the_package_is_refused(repository: Path) -> None:
    subprocess.run(["git", "-C", repository, "rm", "-rq", "--cached", "stratum_miner"], check=True)
    commit = ("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "--quiet", "--message", "None")
    subprocess.run(["git", "-C", repository, *commit], check=True)
    with pytest.raises(sides.BaseError, match="expected a commit with the package stratum_miner, got 'HEAD'"):
        sides.base_side("HEAD")
