"""The C code by itself: under the sanitizers, without warnings, and with every subset of CPU features."""

import itertools
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "native"
pytestmark = pytest.mark.timeout(900)
"""Compilers and the emulator take a minute and a half of processor time, and on a busy machine ten."""
FEATURES = ("sse2", "shani", "avx2", "avx512")
SUBSETS = [subset for size in range(len(FEATURES) + 1) for subset in itertools.combinations(FEATURES, size)]
ARM_ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
"""Leaks are looked for by a process that watches another, which the emulator has not."""
is_x86 = platform.machine() in ("x86_64", "AMD64")


SANITIZERS = ("-O2", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")
ROUNDS = 300
"""Random works; make fuzz is for Python, docs/how-to/fuzz.md says how the kernels are searched for longer."""


def compile_program(compiler: str, target: Path, *flags: str, program: str = "every_kernel.c") -> None:
    link(compiler, target, *flags, program=program, kernels=compile_kernels(compiler, target.parent, *flags))


def compile_kernels(compiler: str, directory: Path, *flags: str) -> list[str]:
    """Objects of all kernels, for several programs: under sanitizers they take half a minute of processor time."""

    def compiled(source: Path) -> str:
        target = str(directory / f"{source.stem}.o")
        command = [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", *flags, f"-I{NATIVE}", "-c"]
        subprocess.run([*command, str(source), "-o", target], check=True)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as workers:
        return list(workers.map(compiled, sorted(NATIVE.glob("*.c"))))


def link(compiler: str, target: Path, *flags: str, program: str, kernels: list[str]) -> None:
    subprocess.run(
        [compiler, "-std=gnu11", "-Wall", "-Wextra", "-Werror", *flags, f"-I{NATIVE}",
         str(Path(__file__).parent / program), *kernels, "-o", str(target)],
        check=True,
    )  # fmt: skip


def own_compiler() -> str:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    return compiler


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Objects as a release has them: without assertions, but for those that stay. The installation has made them."""
    newest = max(source.stat().st_mtime for source in NATIVE.iterdir())
    for library in NATIVE.parent.glob("build/*/native/libsha256d.a"):
        if library.stat().st_mtime > newest:
            return [str(library)]
    return compile_kernels(own_compiler(), tmp_path_factory.mktemp("kernels"), "-O2", "-DNDEBUG")


@pytest.fixture(scope="module")
def every_kernel(tmp_path_factory: pytest.TempPathFactory, kernels: list[str]) -> Path:
    target = tmp_path_factory.mktemp("native") / "every_kernel"
    link(own_compiler(), target, "-O2", program="every_kernel.c", kernels=kernels)
    return target


@pytest.fixture(scope="module")
def random_work(tmp_path_factory: pytest.TempPathFactory, kernels: list[str]) -> Path:
    target = tmp_path_factory.mktemp("native") / "random_work"
    link(own_compiler(), target, "-O2", program="random_work.c", kernels=kernels)
    return target


@pytest.fixture(scope="module")
def sanitized(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Both programs under the sanitizers."""
    directory = tmp_path_factory.mktemp("sanitized")
    objects = compile_kernels(own_compiler(), directory, *SANITIZERS)
    for program in ("every_kernel", "random_work"):
        link(own_compiler(), directory / program, *SANITIZERS, program=f"{program}.c", kernels=objects)
    return {program: directory / program for program in ("every_kernel", "random_work")}


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """How to run each program under emulation."""
    compiler, emulator = shutil.which("aarch64-linux-gnu-gcc"), shutil.which("qemu-aarch64")
    if compiler is None or emulator is None:
        pytest.skip("no cross compiler for ARM (gcc-aarch64-linux-gnu) or no emulator (qemu-user)")
    directory = tmp_path_factory.mktemp("arm")
    plain = directory / "plain"
    plain.mkdir()
    compile_program(compiler, plain / "every_kernel", "-O2", "-static")  # with sanitizers it takes a minute
    kernels = compile_kernels(compiler, directory, *SANITIZERS)
    flags = (*SANITIZERS, "-static-libasan", "-static-libubsan")
    link(compiler, directory / "random_work", *flags, program="random_work.c", kernels=kernels)
    run = [emulator, "-L", "/usr/aarch64-linux-gnu"]
    programs = {"every_kernel": plain / "every_kernel", "random_work": directory / "random_work"}
    return {name: [*run, str(program)] for name, program in programs.items()}


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory, kernels: list[str]) -> Path:
    target = tmp_path_factory.mktemp("native") / "refused"
    link(own_compiler(), target, "-O2", "-DNDEBUG", program="refused.c", kernels=kernels)
    return target


def test_no_kernel_has_what_a_compiler_warns_of() -> None:
    """As far as the compiler sees it without optimization; the second tier, which optimizes, lets no other through."""
    command = [own_compiler(), "-std=gnu11", "-Wall", "-Wextra", "-Werror", f"-I{NATIVE}", "-fsyntax-only"]
    subprocess.run([*command, *map(str, sorted(NATIVE.glob("*.c")))], check=True)


def every_usable(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The kernels that a program ran or listed."""
    assert done.returncode == 0, done.stderr
    first, *others = done.stdout.split()
    assert first == "scalar"
    return {first, *others}


def test_every_kernel_finds_what_the_plain_one_finds(every_kernel: Path) -> None:
    done = subprocess.run([str(every_kernel)], capture_output=True, text=True, check=False)
    listed = subprocess.run([str(every_kernel), "list"], capture_output=True, text=True, check=False)
    assert every_usable(done) == every_usable(listed)


@pytest.mark.slow
def test_sanitizers_find_nothing_in_any_kernel(sanitized: dict[str, Path], every_kernel: Path) -> None:
    done = subprocess.run([str(sanitized["every_kernel"])], capture_output=True, text=True, check=False)
    listed = subprocess.run([str(every_kernel), "list"], capture_output=True, text=True, check=False)
    assert every_usable(done) == every_usable(listed)


def test_features_switched_off_are_not_used(every_kernel: Path) -> None:
    """A kernel needs one feature. Whatever others are off, it is used exactly where its own is on."""
    listed: dict[tuple[str, ...], set[str]] = {}
    for disabled in SUBSETS:
        environment = {**os.environ, "STRATUM_MINER_CPU_DISABLE": ",".join(disabled)}
        done = subprocess.run([str(every_kernel), "list"], env=environment, capture_output=True, text=True, check=False)
        listed[disabled] = every_usable(done)
    for disabled, names in listed.items():
        assert names == listed[()] - set(disabled), disabled


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


@pytest.mark.slow
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
    command = [own_compiler(), "-std=gnu11", f"-I{NATIVE}", "-fsyntax-only", str(tmp_path / "wrong.c")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "static assertion failed" in done.stderr


def test_an_unknown_feature_is_refused(every_kernel: Path) -> None:
    environment = {**os.environ, "STRATUM_MINER_CPU_DISABLE": "SHANI, avx-512"}
    done = subprocess.run([str(every_kernel)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGABRT
    known = "sse2, avx2, avx512, shani, neon, armv8_sha2"
    assert done.stderr == f"STRATUM_MINER_CPU_DISABLE: expected names out of {known}, got avx-512\n"


def searched(command: list[str], rounds: int, environment: dict[str, str] | None = None) -> None:
    """Random work is searched as the test's own loop does, often enough."""
    done = subprocess.run([*command, str(rounds)], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    searches, points, hits = map(int, re.findall(r"\d+", done.stdout))
    assert min(searches, points, hits) > 9 * rounds


def test_random_work_is_searched_as_our_own_loop_does(random_work: Path) -> None:
    searched([str(random_work), "1"], ROUNDS)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2])
def test_random_work_under_the_sanitizers(sanitized: dict[str, Path], seed: int) -> None:
    searched([str(sanitized["random_work"]), str(seed)], ROUNDS)


@pytest.mark.slow
def test_random_work_on_arm_under_emulation(arm: dict[str, list[str]]) -> None:
    searched([*arm["random_work"], "1"], ROUNDS // 3, ARM_ENVIRONMENT)


@pytest.mark.slow
@pytest.mark.parametrize("disabled", ["", "armv8_sha2", "neon,armv8_sha2"])
def test_arm_kernels_compute_the_same_under_emulation(arm: dict[str, list[str]], disabled: str) -> None:
    environment = {**ARM_ENVIRONMENT, "STRATUM_MINER_CPU_DISABLE": disabled}
    done = subprocess.run(arm["every_kernel"], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [name for name in ("scalar", "neon", "armv8_sha2") if name not in disabled.split(",")]


@pytest.mark.slow
def test_clang_compiles_it_without_warnings(tmp_path: Path) -> None:
    compiler = shutil.which("clang")
    if compiler is None:
        pytest.skip("no clang")
    compile_program(compiler, tmp_path / "clang", "-O2")
    assert subprocess.run([str(tmp_path / "clang")], check=False).returncode == 0


@pytest.mark.slow
def test_clang_builds_the_module_that_python_loads(tmp_path: Path) -> None:
    """The module contains code of cffi around the kernels, which not every compiler takes because gcc does."""
    compiler, cmake = shutil.which("clang"), shutil.which("cmake", path=str(Path(sys.executable).parent))
    if compiler is None or cmake is None:
        pytest.skip("no clang" if compiler is None else "no CMake beside Python")
    source = NATIVE.parent
    configure = [cmake, "-S", str(source), "-B", str(tmp_path), f"-DCMAKE_C_COMPILER={compiler}"]
    for command in ([*configure, f"-DPython_EXECUTABLE={sys.executable}"], [cmake, "--build", str(tmp_path)]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    (module,) = tmp_path.glob("native/_native.*so")
    load = f"""
import importlib.util
spec = importlib.util.spec_from_file_location("stratum_miner.backends.cpu._native", {str(module)!r})
lib = importlib.util.module_from_spec(spec).lib
usable = [kernel for kernel in range(lib.sha256d_kernel_count()) if lib.sha256d_kernel_usable(kernel)]
assert usable and all(lib.sha256d_self_test(kernel) for kernel in usable), usable
"""
    subprocess.run([sys.executable, "-c", load], check=True, timeout=60)


@pytest.mark.skipif(not is_x86, reason="feature switches are for x86")
def test_features_switched_off_are_not_offered(every_kernel: Path) -> None:
    environment = {**os.environ, "STRATUM_MINER_CPU_DISABLE": "sse2,avx512"}
    listed = subprocess.run([str(every_kernel), "list"], env=environment, capture_output=True, text=True, check=False)
    program = "from stratum_miner.backends.cpu import kernels; print(*(k.name for k in kernels.available_kernels()))"
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == every_usable(listed)
