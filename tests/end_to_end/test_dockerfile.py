"""The Dockerfile without a Docker engine: what its stages say, and in CI what their steps do, in a scratch directory.

No image is built here; that the base images and Debian's packages fit is not shown.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SECRET = re.compile(r"pass|token|secret|key", re.IGNORECASE)


@dataclass(slots=True)
class Stage:
    """One FROM, with its instructions in order."""

    base: str
    name: str
    steps: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        return [words for name, words in self.steps if name == instruction]

    def only(self, instruction: str) -> str:
        [words] = self.all(instruction)
        return words


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text())
    found: list[Stage] = []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        instruction, _, words = line.partition(" ")
        if instruction == "ARG" and not found:
            continue  # for the FROM lines: see the test of the base image
        if instruction == "FROM":
            base, _, name = words.partition(" AS ")
            found.append(Stage(base, name))
        else:
            found[-1].steps.append((instruction, words.strip()))
    return found


def test_only_the_wheel_goes_from_the_compiler_to_the_image(stages: list[Stage]) -> None:
    build, final = stages
    assert build.base == final.base == "${BASE}"
    assert final.only("COPY") == f"--from={build.name} /wheels /wheels"
    assert not any("apt-get" in words for words in final.all("RUN"))
    assert any("gcc" in words for words in build.all("RUN"))


def test_the_base_image_is_named_by_its_digest() -> None:
    [base] = re.findall(r"^ARG BASE=(.*)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    name, _, digest = base.partition("@")
    assert name == "python:3.11-slim"
    if not digest:
        pytest.skip("the base image is named by its tag alone: run make base-image where Docker reaches its registry")
    assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest)


def test_all_that_pip_takes_is_locked(stages: list[Stage]) -> None:
    commands = [
        command
        for stage in stages
        for words in stage.all("RUN")
        for command in words.split(" && ")
        if re.search(r"pip (install|wheel)", command)
    ]
    assert len(commands) == 4
    for command in commands:
        # what is not checked against the lock is our own wheel, made without anything that pip would have to fetch
        assert "--require-hashes" in command or "--no-deps" in command
        assert "pip wheel" not in command or "--no-build-isolation" in command


def test_it_runs_as_nobody_special_and_ends_gracefully(stages: list[Stage]) -> None:
    final = stages[-1]
    assert int(final.only("USER")) >= 1000
    assert final.only("STOPSIGNAL") == "SIGTERM"
    assert json.loads(final.only("ENTRYPOINT")) == ["stratum-miner"]  # no shell between the signal and us
    names = [name for name, _ in final.steps]
    assert names.index("USER") < names.index("VOLUME")  # the volume takes over whose the directory is


def test_its_health_check_is_ours_and_can_be_run(stages: list[Stage]) -> None:
    options, _, command = stages[-1].only("HEALTHCHECK").partition(" CMD ")
    assert "--start-period=" in options
    shell, flag, line = json.loads(command)
    assert (shell, flag) == ("sh", "-c")
    wrong_use = line.replace("python ", f"{shlex.quote(sys.executable)} ").replace(".health", ".health nonsense")
    done = subprocess.run([shell, flag, wrong_use], capture_output=True, text=True, check=False)
    assert "--api: expected a URL" in done.stderr
    assert done.returncode == 1  # 2 by itself, as every state but mining has a code above 1


def test_no_secret_is_baked_in(stages: list[Stage]) -> None:
    for stage in stages:
        for words in (*stage.all("ENV"), *stage.all("ARG")):
            assert not SECRET.search(words)
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    assert "*" in ignored
    assert [line for line in ignored if line.startswith("!")] == [f"!{name}" for name in _copied(stages[0])]


def test_what_is_copied_is_there(stages: list[Stage]) -> None:
    for name in _copied(stages[0]):
        assert (ROOT / name).exists()


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="builds a wheel, for half a minute: in CI only")
def test_the_steps_make_a_program_that_runs(stages: list[Stage], tmp_path: Path) -> None:
    source, wheels, python = tmp_path / "src", tmp_path / "wheels", tmp_path / "image" / "bin" / "python"
    source.mkdir()
    for name in _copied(stages[0]):
        place = ROOT / name
        if place.is_dir():
            shutil.copytree(place, source / name, ignore=shutil.ignore_patterns("__pycache__", "*.so"))
        else:
            shutil.copy(place, source / name)
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "image")], check=True)
    for stage, directory in zip(stages, (source, tmp_path), strict=True):
        for words in stage.all("RUN"):
            for command in words.split(" && "):
                if command.startswith(("python -m pip ", "cp ")):
                    line = command.replace("python ", f"{shlex.quote(str(python))} ", 1)
                    line = line.replace("/wheels", shlex.quote(str(wheels)))
                    subprocess.run(["sh", "-c", line], cwd=directory, check=True)
    program = python.parent / "stratum-miner"
    done = subprocess.run([str(program), "doctor", "--json"], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert any(item["topic"] == "cpu" for item in json.loads(done.stdout))
    unit = subprocess.run([str(program), "service", "unit"], capture_output=True, text=True, check=True, cwd=tmp_path)
    assert f"ExecStart={program} mine" in unit.stdout


def _copied(stage: Stage) -> list[str]:
    return [name for words in stage.all("COPY") for name in words.split()[:-1]]
