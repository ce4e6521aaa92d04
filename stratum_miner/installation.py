"""Checks whether the extras of this program are installed. An extra is a group of optional dependencies that only some
commands and options need.

If an extra is missing, the error contains the command that adds it. The command depends on how the program was
installed. This module finds that out from files that installers leave behind: direct_url.json (PEP 610), INSTALLER (PEP
627) and EXTERNALLY-MANAGED (PEP 668). pipx and uv also leave a file in each environment that they make for a program.
"""

import json
import shlex
import sys
import sysconfig
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit

NAME = "stratum-miner"
EXTRAS: Mapping[str, tuple[str, ...]] = {
    "page": ("starlette",),
    "metrics": ("starlette", "prometheus_client"),
    "regtest": ("pbk",),
    "cluster": ("distributed",),
    "testing": ("anyio", "pytest", "trustme"),
}
"""The modules that each extra must provide. pyproject.toml lists the packages of the extras."""
NOT_SINCE: Mapping[str, tuple[int, int]] = {"regtest": (3, 14)}
"""The first version of Python for which a package of the extra has no files, so that the extra installs nothing."""


class MissingExtraError(ImportError):
    """An extra is not installed. The message is one line that says how to install it."""


def is_installed(extra: str) -> bool:
    """Return whether all modules of an extra can be found. No module is imported."""
    return all(find_spec(module) is not None for module in EXTRAS[extra])


def require(extra: str, user: str) -> None:
    """Raise MissingExtraError if an extra is not installed. ``user`` is the option or the command that needs it."""
    if not is_installed(extra):
        raise MissingExtraError(
            f"{user}: expected the extra {extra!r} of {NAME}, but it is not installed. {how_to_install(extra)}"
        )


def how_to_install(extra: str) -> str:
    """Return a sentence with the command that adds an extra to this installation, or with the reason why none can."""
    if extra in NOT_SINCE and sys.version_info[:2] >= NOT_SINCE[extra]:
        major, minor = NOT_SINCE[extra]
        return f"No files of its packages exist for Python {major}.{minor} and newer: use Python 3.11 to 3.{minor - 1}"
    try:
        return how_to_add(extra, metadata.distribution(NAME), Environment.current())
    except metadata.PackageNotFoundError:
        folder = str(Path(__file__).parents[1])
        return f"The program runs without being installed. Run: pip install {shlex.quote(f'{folder}[{extra}]')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """A Python environment into which this program is installed."""

    prefix: Path
    """Root directory of the environment."""
    python: str
    """Path of the Python interpreter of the environment."""
    has_pip: bool
    is_managed: bool
    """Whether the operating system manages this environment, so that pip must not change it."""

    @classmethod
    def current(cls) -> "Environment":
        """Return the environment of this process."""
        managed = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED").exists()
        return cls(
            prefix=Path(sys.prefix),
            python=sys.executable,
            has_pip=find_spec("pip") is not None,
            is_managed=managed and sys.prefix == sys.base_prefix,
        )


def how_to_add(extra: str, distribution: metadata.Distribution, environment: Environment) -> str:
    """Return a sentence with the command that adds an extra to an installed distribution of this program.

    If possible, the command names the checkout, the wheel or the URL from which the distribution was installed.
    Otherwise it names the packages of the extra. It never looks for this program in a package index.
    """
    source, is_editable = _source(distribution.read_text("direct_url.json") or "")
    packages = " ".join(map(shlex.quote, _packages(extra, distribution.requires or ())))
    editable = "--editable " if is_editable else ""
    python = shlex.quote(environment.python)
    if (environment.prefix / "pipx_metadata.json").exists():
        return f"Run: pipx inject {shlex.quote(environment.prefix.name)} {packages}"
    receipt = environment.prefix / "uv-receipt.toml"
    if receipt.exists() and source:
        extras, others = _uv_tool(receipt)
        return f"Run: uv tool install {editable}{_spelt(source, {*extras, extra})}{others}"
    if environment.is_managed:
        if source:
            return (
                "The operating system manages this Python, so install the program into an environment of its own. "
                f"Run: pipx install {editable}{_spelt(source, {extra})}"
            )
        return f"The operating system manages this Python, so install {packages} with its package manager"
    if receipt.exists() or (not environment.has_pip and (distribution.read_text("INSTALLER") or "").strip() == "uv"):
        pip = f"uv pip install --python {python}"
    else:
        pip = f"{python} -m pip install" if environment.has_pip else f"pip --python {python} install"
    return f"Run: {pip} {editable + _spelt(source, {extra}) if source else packages}"


def _spelt(source: str, extras: Collection[str]) -> str:
    """Return the argument that names this program and ``extras`` in a shell command that installs the program from
    ``source``."""
    wanted = f"[{','.join(sorted(extras))}]"
    return shlex.quote(f"{source}{wanted}" if source.startswith("/") else f"{NAME}{wanted} @ {source}")


def _uv_tool(receipt: Path) -> tuple[set[str], str]:
    """Return what ``uv tool install`` installed together with this program: the extras, and the options for further
    packages. uv has recorded both in the file ``receipt``.

    ``uv tool install`` removes installed extras and packages that its arguments do not name. Therefore, a command that
    adds an extra must also name all extras and packages that are already installed.
    """
    try:
        items = tomllib.loads(receipt.read_text())["tool"]["requirements"]
        extras = {extra for item in items if item["name"] == NAME for extra in item.get("extras", ())}
        others = [item["name"] + item.get("specifier", "") for item in items if item["name"] != NAME]
    except (OSError, ValueError, TypeError, KeyError):
        return set(), ""
    return extras, "".join(f" --with {shlex.quote(other)}" for other in others)


def _source(text: str) -> tuple[str, bool]:
    """Return what a direct_url.json says: the source of the installation, and whether it is editable."""
    try:
        content = json.loads(text)
        url, vcs = str(content["url"]), content.get("vcs_info")
        if vcs:
            return f"{vcs['vcs']}+{url}@{vcs.get('requested_revision') or vcs['commit_id']}", False
        is_editable = bool(content.get("dir_info", {}).get("editable"))
    except (ValueError, TypeError, KeyError, AttributeError):
        return "", False
    parts = urlsplit(url)
    if parts.scheme != "file":
        return url, False
    path = Path(unquote(parts.path))
    return (str(path), is_editable) if path.exists() else ("", False)


def _packages(extra: str, requirements: Iterable[str]) -> list[str]:
    """Return the packages of an extra from the requirements in the metadata, such as
    ``pytest>=8; extra == "testing"``. Another condition may stand before the name of the extra."""
    found = [text.partition(";") for text in requirements]
    wanted = f'extra == "{extra}"'
    return [package.strip() for package, _, marker in found if marker.replace("'", '"').strip().endswith(wanted)]
