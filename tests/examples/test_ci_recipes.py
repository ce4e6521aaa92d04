"""The files for CI servers: YAML of the right form, whose scripts are shell and whose commands exist."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from stratum_miner.cli import main
from tests.command_blocks import blocks, commands_of
from tests.test_command_blocks import apps, idle

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "action.yml"
RECIPES = sorted((ROOT / "examples" / "ci").glob("*.yml"))
PINNED = re.compile(r"uses: [\w-]+/[\w/-]+@[0-9a-f]{40}  # v\d+\.\d+\.\d+\n")


def parsed(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(path.read_text())
    return found


def action_steps() -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = parsed(ACTION)["runs"]["steps"]
    return steps


def filled_in(step: dict[str, Any], inputs: dict[str, str]) -> str:
    """The script of a step, with the values of its variables that come from inputs."""
    script: str = step["run"]
    for name, value in step.get("env", {}).items():
        given = re.fullmatch(r"\$\{\{ inputs\.([\w-]+) \}\}", value)
        script = script.replace(f"${name}", inputs[given[1]] if given else value)
    return script


def scripts() -> Iterator[tuple[str, str]]:
    inputs = {name: item["default"] for name, item in parsed(ACTION)["inputs"].items()}
    inputs |= parsed(ROOT / "examples/ci/github.yml")["jobs"]["pool"]["steps"][0]["with"]
    for step in action_steps():
        if "run" in step:
            yield f"action.yml: {step['name']}", filled_in(step, inputs)
    for index, script in enumerate(parsed(ROOT / "examples/ci/gitlab-ci.yml")["stratum"]["script"]):
        yield f"gitlab-ci.yml: {index}", script
    services = parsed(ROOT / "examples/ci/compose.yml")["services"]
    yield "compose.yml: test", services["test"]["command"][0].replace("$$", "$")
    yield "compose.yml: pool", "stratum-miner " + " ".join(services["pool"]["command"])


SCRIPTS = list(scripts())


def words(script: str) -> list[tuple[str, ...]]:
    lines = [line.strip().removeprefix("until ") for line in script.splitlines()]
    return [command.words for line in lines for command in commands_of(line, "")]


def test_the_recipes_are_those_that_are_tested_here() -> None:
    assert [path.name for path in RECIPES] == ["compose.yml", "github.yml", "gitlab-ci.yml"]


@pytest.mark.parametrize(("place", "script"), SCRIPTS, ids=[place for place, _ in SCRIPTS])
def test_a_script_is_shell_and_its_commands_exist(
    place: str, script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0
    program, commands = apps()
    for app in commands.values():
        monkeypatch.setattr(app, "default_command", idle(app.default_command))
    program_of: Callable[[], Any] = lambda: program  # noqa: E731  a lambda needs no annotations of cyclopts
    monkeypatch.setattr(main, "command_line", program_of)
    for command in words(script):
        assert (main.run(command), capsys.readouterr().err) == (0, "")


@pytest.mark.parametrize("name", ["action.yml", "gitlab-ci.yml", "compose.yml"])
def test_each_recipe_waits_checks_loads_and_keeps_the_reports(name: str) -> None:
    found = [command for place, script in SCRIPTS if place.startswith(name) for command in words(script)]
    assert [command[0] for command in found if command[0] != "pool"] == ["ping", "conformance", "load"]
    [conformance] = [command for command in found if command[0] == "conformance"]
    [load] = [command for command in found if command[0] == "load"]
    assert {"--junit", "--html"} <= set(conformance)
    assert "--html" in load


def test_the_action_installs_its_own_checkout_and_uses_all_its_inputs() -> None:
    text = ACTION.read_text()
    assert "CHECKOUT: ${{ github.action_path }}" in text
    assert set(re.findall(r"inputs\.([\w-]+)", text)) == set(parsed(ACTION)["inputs"])
    used = re.findall(r"uses: .*\n", text)
    assert len(used) == 2
    assert all(PINNED.fullmatch(line) for line in used)
    assert all("${{" not in step.get("run", "") for step in action_steps())  # an input is no part of a script


def test_the_workflow_gives_the_action_only_inputs_that_it_has() -> None:
    [job] = parsed(ROOT / "examples/ci/github.yml")["jobs"].values()
    [step] = job["steps"]
    assert set(step["with"]) <= set(parsed(ACTION)["inputs"])
    assert job["services"]["pool"]["ports"] == ["3333:3333"]
    assert step["with"]["url"].endswith(":3333")


def test_the_reports_of_the_other_recipes_are_kept() -> None:
    artifacts = parsed(ROOT / "examples/ci/gitlab-ci.yml")["stratum"]["artifacts"]
    assert artifacts == {
        "when": "always", "paths": ["conformance.html", "load.html"], "reports": {"junit": "conformance.xml"}
    }  # fmt: skip
    test = parsed(ROOT / "examples/ci/compose.yml")["services"]["test"]
    assert test["volumes"] == [f"./reports:{test['working_dir']}"]


def test_the_tutorial_shows_the_workflow() -> None:
    shown = [block.text for block in blocks() if block.document == "docs/tutorial/pool-in-ci.md" and block.language]
    jobs = parsed(ROOT / "examples/ci/github.yml")["jobs"]
    assert jobs in [yaml.safe_load(text)["jobs"] for text in shown if "jobs:" in text]
