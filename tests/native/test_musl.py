"""The kernels with musl, the C library of Alpine: they compile without a warning, and find what our own loop finds."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .test_native import compile_program, is_x86


@pytest.mark.slow
@pytest.mark.skipif(not is_x86, reason="musl-gcc compiles for the architecture of this computer")
def test_random_work_is_searched_right_with_musl(tmp_path: Path) -> None:
    compiler = shutil.which("musl-gcc")
    if compiler is None:
        pytest.skip("no musl-gcc: apt install musl-tools")
    compile_program(compiler, tmp_path / "random_work", "-O1", program="random_work.c")
    done = subprocess.run([str(tmp_path / "random_work"), "7", "20"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    searches, points, hits = map(int, re.findall(r"\d+", done.stdout))
    assert min(searches, points, hits) > 200
