"""A kernel is one file of C and one line in the table: a copy of the package is built with one, and runs it."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.package_copy import ROOT, add_line, copied, said


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cmake, ninja = (shutil.which(tool, path=Path(sys.executable).parent) for tool in ("cmake", "ninja"))
    if cmake is None or ninja is None:
        pytest.skip("no cmake or no ninja beside Python, where installing for development puts them")
    root = tmp_path_factory.mktemp("added")
    shutil.copy(ROOT / "CMakeLists.txt", root)
    native = root / "native"
    shutil.copytree(ROOT / "native", native)
    header = native / "sha256d_kernel.h"
    leave_out_all_kernels_but_the_plain_one(native, header)
    scalar = (native / "sha256d_scalar.c").read_text(encoding="utf-8")
    added = scalar.replace("sha256d_kernel_scalar", "sha256d_kernel_added").replace('"scalar"', '"added"')
    (native / "sha256d_added.c").write_text(added, encoding="utf-8")
    opening = next(line for line in header.read_text(encoding="utf-8").splitlines() if "EACH(scalar)" in line)
    add_line(header, f"{opening}\n", opening.replace("scalar", "added "))
    build = root / "build"
    # without optimization, which would take most of a minute
    tools = (f"-DCMAKE_MAKE_PROGRAM={ninja}", f"-DPython_EXECUTABLE={sys.executable}")
    options = ("-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug", *tools)
    for command in (("-S", str(root), "-B", str(build), *options), ("--build", str(build))):
        done = subprocess.run([cmake, *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    package = copied(root)
    shutil.copy(build / "native" / "_native.abi3.so", package / "backends" / "cpu")
    return package


def leave_out_all_kernels_but_the_plain_one(native: Path, header: Path) -> None:
    """The others take seconds to compile, and what is added has nothing to do with them."""
    names = set(re.findall(r"EACH\((\w+)\)", header.read_text(encoding="utf-8"))) - {"scalar"}
    assert len(names) > 1
    for name in names:
        (native / f"sha256d_{name}.c").unlink()
    table = re.sub(rf"EACH\(({'|'.join(names)})\)", "", header.read_text(encoding="utf-8"))
    header.write_text(table, encoding="utf-8")


def test_it_keeps_the_contract(copy: Path) -> None:
    program = (
        "import trio\n"
        "from stratum_miner.backends.cpu.backend import CpuBackend\n"
        "from stratum_miner.testing import check_backend\n"
        "async def check():\n"
        "    await check_backend(lambda: CpuBackend(kernel='added', threads=2))\n"
        "trio.run(check)\n"
        "print('kept')"
    )
    assert said(copy, "-c", program).splitlines()[-1] == "kept"


def test_it_is_measured_and_told_of(copy: Path) -> None:
    program = "from stratum_miner.backends.cpu.kernels import available_kernels; print(available_kernels())"
    assert "name='added'" in said(copy, "-c", program)
    bench = ("bench", "--seconds", "0.01", "--threads", "1", "--kernel", "added", "--json")
    result = json.loads(said(copy, "-m", "stratum_miner", *bench).splitlines()[-1])
    assert [(row["name"], row["self_test"]) for row in result["kernels"]] == [("added", True)]
    assert result["chosen"] == "added"


def test_the_doctor_knows_whether_it_is_a_fast_one(copy: Path) -> None:
    program = (
        "from stratum_miner.app.doctor import processor\n"
        "from stratum_miner.backends.cpu import kernels\n"
        "added = kernels.kernel_named('added')\n"
        "kernels.available_kernels = lambda: (added,)\n"
        "print(added.is_plain, any('-cpu host' in finding.fix for finding in processor.kernel_findings({})))"
    )
    assert said(copy, "-c", program).splitlines()[-1] == "True True"


def test_a_password_like_it_hides_nothing_of_ours(copy: Path) -> None:
    program = (
        "from stratum_miner.app.process import secrets\n"
        "secrets.register('added')\n"
        "print(secrets.redact('added: 12.34 MH/s'))"
    )
    assert said(copy, "-c", program) == "added: 12.34 MH/s\n"


def test_errors_name_it(copy: Path) -> None:
    arguments = ("mine", "--no-config", "-o", "127.0.0.1:1", "-u", "w", "--kernel", "addedd")
    assert "did you mean 'added'" in said(copy, "-m", "stratum_miner", *arguments, fails=True)
