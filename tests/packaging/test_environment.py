"""``make demo`` and ``make test`` up to the point where the program runs: when .venv is made, kept, and made again.

The Makefile and requirements/environment.sh are the real ones. Python and pip are a script that pretends to be them.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRETENDER = r"""#!/bin/sh
echo "$(basename "$0") $*" >>"$CALLS"
case "$*" in
  "-m venv "*) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/has_pip" ;;
  "-c import pip") [ -e "${0%/bin/python}/has_pip" ] ;;
  *version_info*) echo "$PRETENDED_VERSION" ;;
  *version.split*) echo "$PRETENDED_VERSION.7" ;;
  "-m pip install "*"--editable ."*)
    printf '#!%s\n' "$PWD/.venv/bin/python" >.venv/bin/stratum-miner
    chmod +x .venv/bin/stratum-miner
    echo '  [1/2] Building C object a.c.o'
    echo '  [2/2] Linking C static library b.a'
    ;;
  "-m pip install "*)
    case "$TROUBLE" in
      interrupted) kill -KILL 0 ;;
      offline)
        echo "WARNING: Retrying (Retry(total=0)) after connection broken by 'NewConnectionError('<pip._vendor.urllib3.\
connection.HTTPSConnection object at 0x7f>: Failed to establish a new connection: [Errno -3] Temporary failure in name \
resolution')': /simple/pip/"
        echo "ERROR: No matching distribution found for pip==26.3"
        exit 1
        ;;
      refused) echo "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES" && exit 1 ;;
    esac
    case "$*" in
      *pip.txt) ;;
      *) echo 'Collecting trio==0.35.0 (from -r x)' && echo 'Installing collected packages: trio' ;;
    esac
    ;;
  "-m pip check") ;;
  *) echo "unexpected: $*" && exit 9 ;;
esac
"""


@dataclass
class Checkout:
    """A directory with the files that make looks at, and the pretended Python."""

    directory: Path
    python: Path
    calls: Path

    def make(self, *arguments: str, pip: str = "", version: str = "3.11") -> tuple[int, str]:
        """Run make. Returns its exit code and all that it printed."""
        self.calls.write_text("")
        done = subprocess.run(
            ["make", *arguments],
            cwd=self.directory,
            env={
                "PATH": f"{self.python.parent}:{os.environ['PATH']}",
                "CALLS": str(self.calls),
                "TROUBLE": pip,
                "PRETENDED_VERSION": version,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            start_new_session=True,
        )
        return done.returncode, done.stdout

    def made_again(self) -> bool:
        """Whether the last call of make made .venv."""
        return "python3 -m venv .venv" in self.calls.read_text().splitlines()

    def installed(self) -> list[str]:
        """The lock files that the last call of make installed."""
        words = [line.split() for line in self.calls.read_text().splitlines() if "--requirement" in line]
        return [line[line.index("--requirement") + 1] for line in words]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    if shutil.which("make") is None:
        pytest.skip("no make")
    directory, programs = tmp_path / "a checkout", tmp_path / "programs"
    (directory / "requirements").mkdir(parents=True)
    programs.mkdir()
    for name in ("Makefile", "requirements/environment.sh"):
        shutil.copy(ROOT / name, directory / name)
    for name in ("pyproject.toml", "CMakeLists.txt", "requirements/all.txt", "requirements/demo.txt"):
        (directory / name).write_text("pip==26.3 \\\n    --hash=sha256:00\ntrio==0.35.0 \\\n    --hash=sha256:11\n")
    (directory / "requirements" / "system.sh").write_text("exit 0\n")
    python = programs / "python3"
    python.write_text(PRETENDER)
    python.chmod(0o755)
    return Checkout(directory, python, tmp_path / "calls")


@pytest.fixture
def demo(checkout: Checkout) -> Checkout:
    """A checkout whose .venv was made for the demo."""
    code, said = checkout.make(".venv/.demo")
    assert code == 0, said
    assert checkout.made_again()
    return checkout


def test_each_step_is_announced(checkout: Checkout) -> None:
    code, said = checkout.make(".venv/.demo")
    assert code == 0
    assert said.splitlines() == [
        "making .venv with Python 3.11.7",
        "installing, as locked in requirements/demo.txt: trio ...",
        "compiling the C kernels ..",
    ]
    assert checkout.installed() == [".venv/pip.txt", "requirements/demo.txt"]
    assert not list((checkout.directory / ".venv").glob("*.txt"))


def test_a_second_call_does_nothing(demo: Checkout) -> None:
    code, said = demo.make(".venv/.demo")
    assert code == 0
    assert "up to date" in said
    assert demo.installed() == []


def test_the_tests_add_the_rest_and_then_the_demo_uses_it(demo: Checkout) -> None:
    assert demo.make(".venv/.installed")[0] == 0
    assert not demo.made_again()
    assert demo.installed()[1:] == ["requirements/all.txt"]
    os.utime(demo.directory / "requirements" / "demo.txt", (2e9, 2e9))
    assert "environment.sh make" not in demo.make("--dry-run", "demo")[1]


def test_a_changed_source_is_built_into_the_same_environment(demo: Checkout) -> None:
    os.utime(demo.directory / "CMakeLists.txt", (2e9, 2e9))
    assert demo.make(".venv/.demo")[0] == 0
    assert demo.installed() != []
    assert not demo.made_again()


@pytest.mark.parametrize("trouble", ["offline", "refused"])
def test_an_environment_that_works_survives_a_failure(demo: Checkout, trouble: str) -> None:
    os.utime(demo.directory / "CMakeLists.txt", (2e9, 2e9))
    assert demo.make(".venv/.demo", pip=trouble)[0] != 0
    assert demo.make(".venv/.demo")[0] == 0
    assert not demo.made_again()


@pytest.mark.parametrize("trouble", ["interrupted", "offline", "refused"])
def test_what_came_to_no_end_is_made_again(checkout: Checkout, trouble: str) -> None:
    assert checkout.make(".venv/.demo", pip=trouble)[0] != 0
    code, said = checkout.make(".venv/.demo")
    assert code == 0
    assert checkout.made_again()
    assert said.startswith("making .venv again: ")


def test_an_upgrade_that_was_interrupted_is_made_again(demo: Checkout) -> None:
    os.utime(demo.directory / "CMakeLists.txt", (2e9, 2e9))
    assert demo.make(".venv/.demo", pip="interrupted")[0] != 0
    os.utime(demo.directory / "CMakeLists.txt", (1e9, 1e9))
    assert demo.make(".venv/.demo")[0] == 0
    assert demo.made_again()


def test_an_environment_without_pip_is_made_again(demo: Checkout) -> None:
    """Python 3.11 without ensurepip leaves one, and one of another version has its pip elsewhere."""
    (demo.directory / ".venv" / "has_pip").unlink()
    assert demo.make(".venv/.demo")[0] == 0
    assert demo.made_again()


def test_a_directory_of_another_name_gets_a_new_environment(demo: Checkout) -> None:
    demo.directory = demo.directory.rename(demo.directory.with_name("moved"))
    assert demo.make(".venv/.demo")[0] == 0
    assert demo.made_again()


def test_a_python_of_another_version_counts_if_it_was_named(demo: Checkout) -> None:
    newer = demo.python.with_name("python3.12")
    newer.write_text("#!/bin/sh\nexport PRETENDED_VERSION=3.12\n" + PRETENDER.partition("\n")[2])
    newer.chmod(0o755)
    assert demo.make(".venv/.demo", "PYTHON=python3")[0] == 0
    assert "venv" not in demo.calls.read_text().replace(".venv", "")
    assert demo.make(".venv/.demo", "PYTHON=python3.12")[0] == 0
    assert "python3.12 -m venv .venv" in demo.calls.read_text().splitlines()


def test_an_index_that_cannot_be_reached_is_one_line(checkout: Checkout) -> None:
    code, said = checkout.make(".venv/.demo", pip="offline")
    assert code == 2
    lines = [line for line in said.splitlines() if not line.startswith(("making ", "make: "))]
    assert lines == [
        "pip cannot reach the package index (Failed to establish a new connection: [Errno -3] Temporary failure in "
        "name resolution). Check the network, and the index and proxy in pip's configuration (pip config list). Then "
        "run make again."
    ]


def test_other_failures_are_in_the_words_of_pip(checkout: Checkout) -> None:
    said = checkout.make(".venv/.demo", pip="refused")[1]
    assert "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES\n" in said
    assert "The whole output of pip is in .venv/install.log" in said
    assert "DO NOT MATCH" in (checkout.directory / ".venv" / "install.log").read_text()


def test_nothing_is_made_on_a_system_that_lacks_something(checkout: Checkout) -> None:
    (checkout.directory / "requirements" / "system.sh").write_text('echo "missing for $2: a compiler"\nexit 1\n')
    code, said = checkout.make("test")
    assert code == 2
    assert [line for line in said.splitlines() if not line.startswith("make: ")] == ["missing for test: a compiler"]
    assert not (checkout.directory / ".venv").exists()
