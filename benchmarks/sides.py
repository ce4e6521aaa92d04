"""Makes the two sides of ``make bench-check``: an environment with the code of a commit, and one with that of today.

Both are made in the same way, so that they differ in nothing but the code: a virtual environment without pip, into
which the package ``stratum_miner`` is copied. The other packages are those of the environment that runs this. If the
commit locks other versions of them, or needs others, its environment gets these. The compiled module is copied,
too, if the commit has the C sources of this checkout; otherwise it is built, without the network.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.harness import BenchmarkError, Side
from benchmarks.record import ROOT, git

FOLDER = ROOT / "build" / "bench-check"
LOCK = Path("requirements", "runtime.txt")
INSTALLED = Path(sysconfig.get_path("purelib"))


class BaseError(Exception):
    """No side can be made of the commit. The text says why, and what to do."""


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check the commit out in a git worktree, and remove it at the end of the block."""
    with tempfile.TemporaryDirectory(prefix="bench-check-") as folder:
        tree = Path(folder, "tree")
        run("git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(tree), commit)
        try:
            yield tree
        finally:
            run("git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree))


def base_side(name: str) -> tuple[Side, str]:
    """Return the side of a commit, and the commit. It is made once and kept. Raises BaseError."""
    commit = git("rev-parse", "--verify", "--quiet", "--short=12", f"{name}^{{commit}}")
    if not commit:
        raise BaseError(f"BASE: expected a commit of this repository, such as HEAD~1, got {name!r}")
    place = FOLDER / f"{commit}-{sys.implementation.cache_tag}"
    if not (place / "complete").exists():
        shutil.rmtree(place, ignore_errors=True)
        with checked_out(commit) as tree:
            if not (tree / "stratum_miner" / "__init__.py").exists():
                raise BaseError(f"BASE: expected a commit with the package stratum_miner, got {name!r}")
            make(place, tree)
        (place / "complete").touch()
    return Side(commit[:8], place / "bin" / "python"), commit


def own_side() -> Side:
    """Return the side of this checkout, with all changes that are not committed. It is made anew each time."""
    place = FOLDER / "checkout"
    shutil.rmtree(place, ignore_errors=True)
    make(place, ROOT)
    return Side("this checkout", place / "bin" / "python")


def make(place: Path, tree: Path) -> None:
    """Make an environment at ``place`` with the package of ``tree``."""
    run(sys.executable, "-m", "venv", "--without-pip", str(place))
    packages = next(place.glob("lib/python*/site-packages"))
    # a plain line of a .pth file is a directory whose own .pth files do not count, that of the checkout among them
    (packages / "others.pth").write_text(f"{INSTALLED}\n", encoding="utf-8")
    if tree != ROOT and not (tree / LOCK).exists():
        if words := missing(tree / "pyproject.toml"):
            install_packages(place, *words)
    elif tree != ROOT and (tree / LOCK).read_bytes() != (ROOT / LOCK).read_bytes():
        install_packages(place, "--require-hashes", "--requirement", str(tree / LOCK))
    shutil.copytree(
        tree / "stratum_miner", packages / "stratum_miner", ignore=shutil.ignore_patterns("__pycache__", "*.so")
    )
    compiled = compiled_modules(tree)
    for relative, module in compiled.items():
        (packages / relative).parent.mkdir(parents=True, exist_ok=True)
        (packages / relative).write_bytes(module)
    run(str(place / "bin" / "python"), "-m", "compileall", "-q", str(packages / "stratum_miner"))


def install_packages(place: Path, *words: str) -> None:
    """Install packages that a commit needs, in front of those of this environment. Without the network, say so."""
    print("the base needs other packages than this checkout; installing them", flush=True)
    pip = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "--python", str(place), "install")
    try:
        run(*pip, *words)
    except BenchmarkError as error:
        print(f"{error}\nthe base is measured with the packages of this checkout", flush=True)


def missing(project: Path) -> list[str]:
    """Return the requirements of a commit without a lock that this environment does not meet."""
    found = []
    for text in tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]:
        requirement = Requirement(text)
        try:
            is_met = requirement.specifier.contains(metadata.version(requirement.name))
        except metadata.PackageNotFoundError:
            is_met = False
        if not is_met:
            found.append(str(text))
    return found


def compiled_modules(tree: Path) -> dict[str, bytes]:
    """Return the compiled modules of the package by their paths in site-packages."""
    if tree == ROOT or native(tree) == native(ROOT):
        found = {str(path.relative_to(INSTALLED)): path for path in INSTALLED.glob("stratum_miner/**/*.so")}
        if not found:
            raise BaseError("expected the compiled module in this environment, got none. Run make demo once")
        return {relative: path.read_bytes() for relative, path in found.items()}
    print("compiling the C kernels of the base, which differ from today's", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        run(
            sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "wheel", "--no-deps", "--no-index",
            "--no-build-isolation", "--wheel-dir", folder, str(tree),
        )  # fmt: skip
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            return {name: wheel.read(name) for name in wheel.namelist() if name.endswith(".so")}


def native(tree: Path) -> dict[str, bytes]:
    """Return the files from which the compiled module is built."""
    names = [*sorted((tree / "native").glob("*")), tree / "CMakeLists.txt"]
    return {path.name: path.read_bytes() for path in names if path.suffix in {".c", ".h", ".txt"}}


def run(*command: str) -> None:
    """Run a command. Raises BenchmarkError with its last words if it fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "GIT_"))}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    if ended.returncode:
        words = (ended.stderr + ended.stdout).strip().splitlines()
        raise BenchmarkError(f"{' '.join(command[:4])} ... failed: {' | '.join(words[-3:])}")
