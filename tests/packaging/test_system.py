"""requirements/system.sh: what is missing on a system, in one line that ends with the command that installs it.

Each test has a PATH of its own, with programs that pretend to be those of the system.
"""

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "requirements" / "system.sh"
SHELL = shutil.which("sh") or "/bin/sh"
INDEX = "3.11.2", "/usr"


@dataclass
class System:
    """A directory of programs, the only one in PATH."""

    directory: Path
    variables: dict[str, str] = field(default_factory=dict)

    def program(self, name: str, body: str = "exit 0") -> None:
        path = self.directory / name
        assert not path.is_symlink()  # writing would change a program of this machine
        path.write_text(f"#!{SHELL}\n{body}\n")
        path.chmod(0o755)

    def python(self, name: str, *lines: str) -> None:
        """A Python whose answer to the script's question is these lines: version, prefix, what is missing."""
        self.program(name, f"printf '%s\\n' {' '.join(lines)}")

    def without(self, name: str) -> None:
        (self.directory / name).unlink()

    def check(self, *arguments: str) -> tuple[int, str]:
        """The exit code and the only line."""
        done = subprocess.run(
            [SHELL, str(SCRIPT), *arguments],
            env={"PATH": str(self.directory), **self.variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stderr == ""
        assert len(done.stdout.splitlines()) <= 1
        return done.returncode, done.stdout.strip()

    def command(self, *arguments: str) -> str:
        """The command at the end of the line of a system that lacks something."""
        code, line = self.check(*arguments)
        assert code == 1
        assert line.startswith("stratum_miner needs more of this system. Missing: ")
        return line.rpartition(" Install with: ")[2]


@pytest.fixture
def system(tmp_path: Path) -> System:
    """A Debian for which nothing is missing."""
    made = System(tmp_path)
    made.program("sed", f'exec {shutil.which("sed")} "$@"')
    made.program("id", "echo 1000")
    made.program("uname", "echo Linux")
    for name in ("apt-get", "apt-cache", "sudo", "cc", "make"):
        made.program(name)
    made.python("python3", *INDEX)
    return made


def test_nothing_is_missing(system: System) -> None:
    assert system.check() == (0, "")


def test_this_very_system_is_complete() -> None:
    """The tests themselves run on a system with all of it, and this Python was asked in earnest."""
    done = subprocess.run([SHELL, str(SCRIPT)], capture_output=True, text=True, check=False)
    if done.returncode != 0 and "Missing:" in done.stdout:
        pytest.skip(done.stdout.strip())
    assert done.stdout == "" or "make PYTHON=" in done.stdout


@pytest.mark.parametrize(
    ("missing", "packages"),
    [
        (["ensurepip"], "python3-venv"),
        (["headers"], "python3-dev"),
        (["ensurepip", "headers"], "python3-venv python3-dev"),
    ],
)
def test_parts_of_python_that_debian_has_in_other_packages(system: System, missing: list[str], packages: str) -> None:
    system.python("python3", *INDEX, *missing)
    lists = "sudo apt update && " if not list(Path("/var/lib/apt/lists").glob("*_Packages*")) else ""
    assert system.command() == f"{lists}sudo apt install {packages}"


def test_everything_that_is_missing_is_in_one_line(system: System) -> None:
    system.python("python3", *INDEX, "ensurepip", "headers")
    for name in ("cc", "make"):
        system.without(name)
    code, line = system.check()
    assert code == 1
    assert "ensurepip (venv needs it), Python.h (the headers of Python), a C compiler, make. Install with: " in line
    assert line.endswith("apt install python3-venv python3-dev gcc libc6-dev make")


def test_another_python_has_packages_of_its_own(system: System) -> None:
    system.python("python3.12", "3.12.1", "/usr", "ensurepip", "headers")
    assert system.command("python3.12").endswith("apt install python3.12-venv python3.12-dev")
    system.python("python3.12", "3.12.1", "/usr", "headers")
    assert system.command(str(system.directory / "python3.12")).endswith("apt install python3.12-dev")


def test_no_python_at_all(system: System) -> None:
    system.without("python3")
    code, line = system.check()
    assert code == 1
    assert "Python 3.11 or newer (python3 is not there, or does not run)" in line
    assert line.endswith("apt install python3 python3-venv python3-dev")


@pytest.mark.parametrize("version", ["2.7.18", "3.6.15", "3.9.2", "3.10.13"])
def test_a_newer_python_beside_one_that_is_too_old(system: System, version: str) -> None:
    system.python("python3", version, "/usr", "headers")
    system.python("python3.12", "3.12.1", "/usr")
    assert system.check("python3", "test") == (
        1,
        f"stratum_miner needs Python 3.11 or newer; python3 is {version}, but python3.12 is: "
        "make PYTHON=python3.12 test",
    )


@pytest.mark.parametrize("version", ["3.11.0", "3.13.5", "3.20.1", "4.0.0"])
def test_versions_that_are_new_enough(system: System, version: str) -> None:
    system.python("python3", version, "/usr")
    assert system.check() == (0, "")


def test_a_python_that_pyenv_only_knows_of_is_not_offered(system: System) -> None:
    system.python("python3", "3.9.2", "/usr")
    system.program("python3.12", "echo 'pyenv: python3.12: command not found' >&2; exit 127")
    assert "python3.12 is" not in system.check()[1]


def test_a_newer_python_among_the_packages(system: System) -> None:
    """Ubuntu 22.04: its python3 is 3.10, and it has a package of 3.11."""
    system.python("python3", "3.10.12", "/usr")
    system.program("apt-cache", "case $2 in python3.11-venv) exit 0 ;; *) exit 100 ;; esac")
    assert system.command("python3", "test").endswith(
        "apt install python3.11 python3.11-venv python3.11-dev && make PYTHON=python3.11 test"
    )


def test_no_newer_python_among_the_packages(system: System) -> None:
    """Debian 11."""
    system.python("python3", "3.9.2", "/usr")
    system.program("apt-cache", "exit 100")
    code, line = system.check()
    assert code == 1
    assert "python3 is 3.9.2, and this system has no newer package: Debian 12, Ubuntu 24.04 and later have one" in line


def test_packages_add_nothing_to_a_python_of_another_origin(system: System) -> None:
    system.python("python3", "3.12.1", "/home/alice/.pyenv/versions/3.12.1", "headers")
    assert system.check() == (
        1,
        "stratum_miner cannot be built with python3: the Python 3.12.1 in /home/alice/.pyenv/versions/3.12.1 has no "
        "Python.h (the headers of Python); use another Python: make PYTHON=/usr/bin/python3 demo",
    )


def test_a_compiler_without_the_headers_of_c(system: System) -> None:
    system.program("cc", "exit 1")
    assert system.command().endswith("apt install gcc libc6-dev")


def test_a_compiler_by_another_name(system: System) -> None:
    system.without("cc")
    system.program("clang")
    assert system.check() == (0, "")
    system.without("clang")
    system.variables["CC"] = "zig cc"
    system.program("zig", '[ "$1" = cc ]')
    assert system.check() == (0, "")
    system.variables["CC"] = "zig c++"
    code, line = system.check()
    assert code == 1
    assert "CC=zig c++ does not compile C: unset CC" in line


def test_who_may_install(system: System) -> None:
    system.python("python3", *INDEX, "headers")
    system.without("sudo")
    assert system.command().startswith("su -l -c 'apt ")
    assert system.command().endswith("apt install python3-dev'")
    system.program("doas")
    assert system.command().endswith("doas apt install python3-dev")
    system.program("id", "echo 0")
    assert system.command().endswith("apt install python3-dev")
    assert "doas" not in system.command()


@pytest.mark.parametrize(
    ("manager", "command"),
    [
        ("dnf", "sudo dnf install python3-devel gcc glibc-devel make"),
        ("pacman", "sudo pacman -S --needed python gcc make"),
        ("apk", "sudo apk add python3-dev gcc musl-dev make"),
        ("zypper", "sudo zypper install python3-devel gcc glibc-devel make"),
    ],
)
def test_other_distributions(system: System, manager: str, command: str) -> None:
    for name in ("apt-get", "cc", "make"):
        system.without(name)
    system.program(manager)
    system.python("python3", *INDEX, "headers")
    assert system.command() == command


def test_macos(system: System) -> None:
    for name in ("apt-get", "cc"):
        system.without(name)
    system.program("uname", "echo Darwin")
    assert system.command() == "xcode-select --install"
    system.program("brew")
    assert system.command() == "xcode-select --install"
    system.program("cc")
    system.without("python3")
    assert system.command() == "brew install python"


def test_a_system_that_nobody_knows(system: System) -> None:
    for name in ("apt-get", "cc"):
        system.without(name)
    assert system.check() == (
        1,
        "stratum_miner needs more of this system. Missing: a C compiler. Many systems call the packages: gcc",
    )
