"""The C code for macOS: compiled with clang's own headers and stand-ins for those of Apple, but never linked or run."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .test_native import NATIVE, is_x86

CMAKE = (NATIVE / "CMakeLists.txt").read_text()
SOURCES = sorted(NATIVE.glob("*.c"))
STAND_INS = {
    "assert.h": "void __assert_rtn(const char *, const char *, int, const char *) __attribute__((noreturn));\n"
    "#define assert(e) ((e) ? (void)0 : __assert_rtn(__func__, __FILE__, __LINE__, #e))\n",
    "stdio.h": "typedef struct FILE FILE; extern FILE *stderr; int fprintf(FILE *, const char *, ...);\n",
    "stdlib.h": "#include <stddef.h>\nchar *getenv(const char *); void abort(void) __attribute__((noreturn));\n"
    "void *malloc(size_t); void free(void *); int posix_memalign(void **, size_t, size_t);\n",
    "string.h": "#include <stddef.h>\nvoid *memcpy(void *, const void *, size_t); void *memset(void *, int, size_t);\n"
    "void *memmove(void *, const void *, size_t); size_t strlen(const char *);\n"
    "size_t strspn(const char *, const char *); size_t strcspn(const char *, const char *);\n",
    "strings.h": "#include <stddef.h>\nint strncasecmp(const char *, const char *, size_t);\n",
    "time.h": "struct timespec { long tv_sec; long tv_nsec; }; int clock_gettime(int, struct timespec *);\n"
    "#define CLOCK_MONOTONIC 6\n",
}


@pytest.fixture
def clang() -> str:
    found = shutil.which("clang")
    if found is None:
        pytest.skip("no clang")
    return found


@pytest.fixture
def headers(tmp_path: Path) -> Path:
    folder = tmp_path / "include"
    folder.mkdir()
    for name, text in STAND_INS.items():
        (folder / name).write_text(text)
    return folder


def compiled(clang: str, headers: Path, target: str, source: Path, *flags: str) -> bytes:
    """The object file of a source. AssertionError, with the compiler's words, for a warning or an error."""
    out = headers / f"{source.stem}.o"
    done = subprocess.run(
        [clang, f"--target={target}", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-ffreestanding",
         "-isystem", str(headers), "-c", str(source), "-o", str(out), *flags],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{source.name} for {target}:\n{done.stderr}"
    return out.read_bytes()


@pytest.mark.slow
@pytest.mark.parametrize("target", ["arm64-apple-macos11", "x86_64-apple-macos10.13"])
def test_every_source_compiles_for_macos_without_warnings(clang: str, headers: Path, target: str) -> None:
    flags = re.findall(r"-fstack-protector-strong|-D_FORTIFY_SOURCE=2", CMAKE)
    assert len(flags) == 2
    for source in SOURCES:
        assert compiled(clang, headers, target, source, "-U_FORTIFY_SOURCE", *flags)[:4] == b"\xcf\xfa\xed\xfe", source


def test_the_kernels_of_arm_are_in_the_objects_for_arm(clang: str, headers: Path) -> None:
    for name in ("neon", "armv8_sha2"):
        built = compiled(clang, headers, "arm64-apple-macos11", NATIVE / f"sha256d_{name}.c")
        assert f"_sha256d_kernel_{name}".encode() in built


@pytest.mark.skipif(not is_x86, reason="compares what a processor of x86 is found to have")
def test_avx512_is_never_used_on_macos(clang: str, tmp_path: Path) -> None:
    """The same detection, run here as it is and as for macOS: AVX-512 alone is gone."""
    (tmp_path / "main.c").write_text(
        '#include <stdio.h>\n#include "cpu_features.h"\n'
        'int main(void) { printf("%u %u\\n", cpu_features(), (unsigned)CPU_AVX512); return 0; }\n'
    )
    found = []
    for flags in ([], ["-D__APPLE__"]):
        command = [clang, "-std=gnu11", *flags, f"-I{NATIVE}", str(tmp_path / "main.c"), str(NATIVE / "cpu_features.c")]
        subprocess.run([*command, "-o", str(tmp_path / "main")], check=True)
        done = subprocess.run([str(tmp_path / "main")], capture_output=True, text=True, check=True, env={})
        found.append([int(word) for word in done.stdout.split()])
    (here, avx512), (on_macos, _) = found
    if not here & avx512:
        pytest.skip("this processor has no AVX-512")
    assert on_macos == here & ~avx512


def test_flags_that_only_the_linker_of_linux_knows_are_kept_from_that_of_macos() -> None:
    """``ld`` of macOS ends with an error for ``-z``."""
    for block in re.findall(r"^( *)add_link_options\((.*?)\)$", CMAKE, re.MULTILINE):
        assert block[0] or "-z" not in block[1]
    assert re.search(r"if\(NOT APPLE\)\n  add_link_options\(LINKER:-z,relro[^)]*\)\nendif\(\)", CMAKE)
    assert "-march" not in CMAKE
    assert "-mcpu" not in CMAKE


def test_the_widest_template_leaves_no_macro_of_its_own_behind() -> None:
    """A file may include a template twice, and no macro of a template means anything after it."""
    for path in (NATIVE / "sha256d_plain.h", NATIVE / "sha256d_rolling.h", NATIVE / "sha256d_second_hash.h"):
        lines = path.read_text().splitlines()
        defined = {line.split()[1].split("(")[0] for line in lines if line.startswith("#define ")}
        undefined = {line.split()[1] for line in lines if line.startswith("#undef ")}
        assert defined - {"SECOND_HASH"} == undefined - {"SECOND_HASH"}, path.name
