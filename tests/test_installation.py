"""Whether the extras are installed, and which command adds one to the installation at hand."""

import json
import shlex
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest

from stratum_miner import installation
from stratum_miner.installation import EXTRAS, Environment, MissingExtraError, how_to_add, is_installed, require

ROOT = Path(__file__).parents[1]
METADATA = """\
Metadata-Version: 2.4
Name: stratum-miner
Version: 0.1.0
Requires-Dist: trio>=0.30
Provides-Extra: page
Provides-Extra: testing
Provides-Extra: regtest
Provides-Extra: all
Requires-Dist: starlette>=0.40; extra == "page"
Requires-Dist: anyio>=4.4; extra == 'testing'
Requires-Dist: pytest>=8 ; extra == "testing"
Requires-Dist: py-bitcoinkernel==0.1.0a5; python_version < "3.14" and extra == "regtest"
Requires-Dist: stratum-miner[page,testing]; extra == "all"
"""


class MadeUp:
    """An environment that exists only as the files that installers leave."""

    def __init__(self, root: Path) -> None:
        self.checkout = root / "my checkout"
        self.checkout.mkdir()
        self.wheel = root / "stratum_miner-0.1.0-cp311-abi3-linux_x86_64.whl"
        self.wheel.touch()
        self.prefix = root / "environments" / "stratum-miner"
        self.info = self.prefix / "lib" / "stratum_miner-0.1.0.dist-info"
        self.info.mkdir(parents=True)
        (self.info / "METADATA").write_text(METADATA)

    def command(self, extra: str = "page", *, has_pip: bool = True, is_managed: bool = False) -> list[str]:
        """The words of the command that adds an extra, as a shell reads them."""
        python = str(self.prefix / "bin" / "python")
        environment = Environment(prefix=self.prefix, python=python, has_pip=has_pip, is_managed=is_managed)
        sentence = how_to_add(extra, metadata.Distribution.at(self.info), environment)
        assert "\n" not in sentence
        self.sentence, _, command = sentence.rpartition("Run: ")
        return [word.replace(str(self.prefix), "PREFIX") for word in shlex.split(command)]

    def came_from(self, url: str, installer: str = "pip", **details: Any) -> None:
        (self.info / "direct_url.json").write_text(json.dumps({"url": url, **details}))
        (self.info / "INSTALLER").write_text(f"{installer}\n")


@pytest.fixture
def made_up(tmp_path: Path) -> MadeUp:
    return MadeUp(tmp_path)


def test_an_editable_checkout(made_up: MadeUp) -> None:
    made_up.came_from(made_up.checkout.as_uri(), dir_info={"editable": True})
    wanted = ["PREFIX/bin/python", "-m", "pip", "install", "--editable", f"{made_up.checkout}[page]"]
    assert made_up.command() == wanted
    assert made_up.command(has_pip=False) == ["pip", "--python", "PREFIX/bin/python", *wanted[3:]]
    made_up.came_from(made_up.checkout.as_uri(), "uv", dir_info={"editable": True})
    assert made_up.command(has_pip=False) == ["uv", "pip", "install", "--python", "PREFIX/bin/python", *wanted[4:]]


def test_a_checkout_and_a_wheel(made_up: MadeUp) -> None:
    made_up.came_from(made_up.checkout.as_uri(), dir_info={})
    assert made_up.command()[3:] == ["install", f"{made_up.checkout}[page]"]
    made_up.came_from(made_up.wheel.as_uri(), archive_info={"hash": "sha256=00"})
    assert made_up.command("testing")[3:] == ["install", f"{made_up.wheel}[testing]"]


def test_a_source_that_is_gone_or_unknown(made_up: MadeUp) -> None:
    """The command then names the packages, and never the program itself, which no index need have."""
    packages = ["install", "anyio>=4.4", "pytest>=8"]
    assert made_up.command("testing")[3:] == packages
    made_up.came_from("file:///nowhere/stratum_miner.whl", archive_info={})
    assert made_up.command("testing")[3:] == packages
    for broken in ("{", "[]", "{}", '{"url": 3}', '{"url": "x", "vcs_info": {}, "dir_info": 7}'):
        (made_up.info / "direct_url.json").write_text(broken)
        assert made_up.command("testing")[3:4] == ["install"], broken


def test_a_repository_and_an_archive(made_up: MadeUp) -> None:
    vcs = {"vcs": "git", "commit_id": "0123", "requested_revision": "v1"}
    made_up.came_from("https://host.example/sm.git", vcs_info=vcs)
    assert made_up.command()[4:] == ["stratum-miner[page] @ git+https://host.example/sm.git@v1"]
    made_up.came_from("https://host.example/sm.whl", archive_info={})
    assert made_up.command()[4:] == ["stratum-miner[page] @ https://host.example/sm.whl"]


def test_pipx(made_up: MadeUp) -> None:
    made_up.came_from(made_up.checkout.as_uri(), dir_info={})
    (made_up.prefix / "pipx_metadata.json").write_text("{}")
    assert made_up.command("testing") == ["pipx", "inject", "stratum-miner", "anyio>=4.4", "pytest>=8"]


def test_a_tool_of_uv(made_up: MadeUp) -> None:
    """The command repeats what the tool has already, because uv takes away what it does not name."""
    made_up.came_from(made_up.checkout.as_uri(), "uv", dir_info={})
    receipt = made_up.prefix / "uv-receipt.toml"
    receipt.write_text(
        '[tool]\nrequirements = [{ name = "stratum-miner", extras = ["testing"], directory = "/x" },'
        '{ name = "ipython", specifier = ">=8" }]\n'
    )
    expected = ["uv", "tool", "install", f"{made_up.checkout}[page,testing]", "--with", "ipython>=8"]
    assert made_up.command(has_pip=False) == expected
    receipt.write_text("[tool")
    assert made_up.command(has_pip=False) == ["uv", "tool", "install", f"{made_up.checkout}[page]"]
    (made_up.info / "direct_url.json").unlink()
    assert made_up.command() == ["uv", "pip", "install", "--python", "PREFIX/bin/python", "starlette>=0.40"]


def test_a_python_that_the_system_manages(made_up: MadeUp) -> None:
    made_up.came_from(made_up.checkout.as_uri(), dir_info={})
    assert made_up.command(is_managed=True) == ["pipx", "install", f"{made_up.checkout}[page]"]
    assert made_up.sentence.startswith("The operating system manages this Python")
    (made_up.info / "direct_url.json").unlink()
    made_up.command(is_managed=True)
    assert "pip" not in made_up.sentence


def test_the_program_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of the environment that runs this test names the checkout."""
    monkeypatch.setattr(installation, "NOT_SINCE", {})
    assert f"{ROOT}[regtest]" in shlex.split(installation.how_to_install("regtest"))


def test_a_program_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(installation, "NAME", "stratum-miner-of-nobody")
    assert shlex.split(installation.how_to_install("page"))[-1] == f"{ROOT}[page]"


# ---- the table of extras -----------------------------------------------------------------------------------------


def test_the_table_has_the_extras_of_the_project() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    [everything] = extras.pop("all")
    assert set(extras) == set(EXTRAS)
    assert everything == f"stratum-miner[{','.join(extras)}]"
    assert {extra: len(packages) for extra, packages in extras.items()} == {
        extra: len(modules) for extra, modules in EXTRAS.items()
    }


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extra_is_missing_as_soon_as_one_of_its_modules_is(extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in EXTRAS[extra]:
        with monkeypatch.context() as patched:
            patched.setitem(sys.modules, module, None)
            assert not is_installed(extra)
            with pytest.raises(MissingExtraError, match=f"^--x: expected the extra '{extra}' of "):
                require(extra, "--x")


def test_an_extra_with_a_condition_of_its_own(made_up: MadeUp) -> None:
    assert made_up.command("regtest")[-1] == "py-bitcoinkernel==0.1.0a5"


def test_an_extra_that_this_python_cannot_have_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    limited = {extra for extra, lines in requirements.items() for line in lines if "python_version" in line}
    assert limited == set(installation.NOT_SINCE)
    for extra, (major, minor) in installation.NOT_SINCE.items():
        assert all(f"python_version < '{major}.{minor}'" in line for line in requirements[extra])
        monkeypatch.setitem(EXTRAS, extra, ("no_such_module",))
        monkeypatch.setattr(sys, "version_info", (major, minor, 0, "final", 0))
        with pytest.raises(MissingExtraError, match=f"exist for Python {major}.{minor} and newer: use Python 3.11 to"):
            require(extra, "demo")
        monkeypatch.setattr(sys, "version_info", (major, minor - 1, 9, "final", 0))
        with pytest.raises(MissingExtraError, match="Run: "):
            require(extra, "demo")
