"""The C code by itself: under the sanitizers, without warnings, and with every subset of CPU features."""

import itertools
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
FEATURES = ("sse2", "shani", "avx2", "avx512")
SUBSETS = [subset for size in range(len(FEATURES) + 1) for subset in itertools.combinations(FEATURES, size)]
is_x86 = platform.machine() in ("x86_64", "AMD64")


def compile_program(compiler: str, target: Path, *flags: str, program: str = "sanitized.c") -> None:
    sources = [str(path) for path in sorted(NATIVE.glob("*.c"))]
    subprocess.run(
        [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", *flags, f"-I{NATIVE}",
         str(Path(__file__).parent / program), *sources, "-o", str(target)],
        check=True,
    )  # fmt: skip


def own_compiler() -> str:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    return compiler


@pytest.fixture(scope="session")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("native") / "sanitized"
    sanitizers = "-fsanitize=address,undefined"
    compile_program(own_compiler(), target, "-O2", "-g", sanitizers, "-fno-sanitize-recover=all")
    return target


@pytest.fixture(scope="session")
def refused(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("native") / "refused"
    # as a release is built: without assertions, but for those that stay
    compile_program(own_compiler(), target, "-O2", "-DNDEBUG", program="refused.c")
    return target


@pytest.mark.parametrize("disabled", SUBSETS, ids=lambda subset: "+".join(subset) or "none")
def test_sanitizers_find_nothing_with_any_features_off(sanitized: Path, disabled: tuple[str, ...]) -> None:
    environment = {**os.environ, "STRATUM_MINER_CPU_DISABLE": ",".join(disabled)}
    done = subprocess.run([str(sanitized)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    ran = done.stdout.split()
    assert ran[0] == "scalar"
    assert not set(ran) & set(disabled)


@pytest.mark.parametrize(
    ("rule", "assertion"),
    [
        ("kernel beyond the table", "kernel >= 0 && kernel < KERNELS"),
        ("kernel below zero", "kernel >= 0 && kernel < KERNELS"),
        ("name beyond the table", "kernel >= 0 && kernel < KERNELS"),
        ("no nonces", "nonce_count >= 1"),
        ("more nonces than there are", "nonce_count <= UINT64_C(1) << 32"),
        ("2^64 points", "nonce_count <= UINT64_MAX >> bits"),
        ("midstate with a mask", "!work->midstate_given || !bits"),
        ("position beyond the end", "position <= points"),
        ("count beyond the end", "count <= points - position"),
        ("count that wraps", "count <= points - position"),
        ("no capacity", "capacity >= 1"),
    ],
)
def test_a_call_that_breaks_a_rule_does_not_come_back(refused: Path, rule: str, assertion: str) -> None:
    done = subprocess.run([str(refused), rule], capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGABRT, done.stdout
    assert assertion in done.stderr


def test_a_call_that_keeps_all_rules_does(refused: Path) -> None:
    done = subprocess.run([str(refused)], capture_output=True, text=True, check=True)
    assert done.stdout == "came back with 4 points done\n"


def test_the_stop_word_is_changed_while_threads_search(tmp_path: Path) -> None:
    compile_program(own_compiler(), tmp_path / "raced", "-O1", "-g", "-fsanitize=thread", "-pthread", program="raced.c")
    done = subprocess.run([str(tmp_path / "raced")], capture_output=True, text=True, check=False)
    if "unexpected memory mapping" in done.stderr:
        pytest.skip("this kernel lays memory out in a way that the compiler's thread sanitizer does not know")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[0] == "scalar"


@pytest.mark.parametrize("define", ["VERSIONS 64", "VERSIONS 0", "VERSIONS 12", "VERSIONS 4"])
def test_widths_that_a_template_cannot_take_do_not_compile(tmp_path: Path, define: str) -> None:
    source = (NATIVE / "sha256d_avx2.c").read_text()
    assert "#define VERSIONS 16" in source
    (tmp_path / "wrong.c").write_text(source.replace("#define VERSIONS 16", f"#define {define}"))
    command = [own_compiler(), "-std=gnu11", f"-I{NATIVE}", "-c", str(tmp_path / "wrong.c"), "-o", os.devnull]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "static assertion failed" in done.stderr


def test_an_unknown_feature_is_refused(sanitized: Path) -> None:
    environment = {**os.environ, "STRATUM_MINER_CPU_DISABLE": "SHANI, avx-512"}
    done = subprocess.run([str(sanitized)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGABRT
    known = "sse2, avx2, avx512, shani, neon, armv8_sha2"
    assert done.stderr == f"STRATUM_MINER_CPU_DISABLE: expected names out of {known}, got avx-512\n"


@pytest.mark.parametrize("disabled", ["", "armv8_sha2", "neon,armv8_sha2"])
def test_arm_kernels_compute_the_same_under_emulation(tmp_path: Path, disabled: str) -> None:
    compiler, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("no cross compiler for ARM (gcc-aarch64-linux-gnu) or no emulator (qemu-user)")
    compile_program(compiler, tmp_path / "arm", "-O2", "-static")
    environment = {**os.environ, "STRATUM_MINER_CPU_DISABLE": disabled}
    done = subprocess.run(
        [emulator, str(tmp_path / "arm")], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [name for name in ("scalar", "neon", "armv8_sha2") if name not in disabled.split(",")]


def test_clang_compiles_it_without_warnings(tmp_path: Path) -> None:
    compiler = shutil.which("clang")
    if compiler is None:
        pytest.skip("no clang")
    compile_program(compiler, tmp_path / "clang", "-O2")
    assert subprocess.run([str(tmp_path / "clang")], check=False).returncode == 0


@pytest.mark.skipif(not is_x86, reason="feature switches are for x86")
@pytest.mark.parametrize("disabled", SUBSETS, ids=lambda subset: "+".join(subset) or "none")
def test_features_switched_off_are_not_offered(disabled: tuple[str, ...]) -> None:
    program = "from stratum_miner.backends.cpu import kernels; print([k.name for k in kernels.available_kernels()])"
    environment = {**os.environ, "STRATUM_MINER_CPU_DISABLE": ",".join(disabled)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    names = eval(done.stdout)
    assert "scalar" in names
    assert not set(names) & set(disabled)
