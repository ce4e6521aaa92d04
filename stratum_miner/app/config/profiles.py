"""The named tables of a file: ``[pools.NAME]`` and ``[backends.NAME]``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from stratum_miner.app.config.document import Document
from stratum_miner.app.config.keys import LIVE, SECRET, Help, Spelt, keys_of
from stratum_miner.app.config.layers import SettingSource, table_values
from stratum_miner.app.config.problems import Problem

POOLS = "pools"
BACKENDS = "backends"
TABLES = frozenset({POOLS, BACKENDS})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

ProfileT = TypeVar("ProfileT")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolProfile:
    """``[pools.NAME]``; what it leaves out comes from the option of the same name."""

    url: Annotated[list[str] | None, LIVE, Help("HOST:PORT with its scheme; several are addresses of one pool")] = None
    user: Annotated[str | None, LIVE, Help("worker name")] = None
    password: Annotated[str | None, LIVE, SECRET, Spelt("pass"), Help("password")] = None
    pass_file: Annotated[Path | None, LIVE, Help("a file whose first line is the password")] = None
    workers: Annotated[
        list[str] | None, LIVE, Help("worker names of the backends, in their order; .NAME is put behind the user")
    ] = None
    priority: Annotated[int | None, LIVE, Help("the lowest is the best; pools without one follow in their order")] = (
        None
    )
    quota: Annotated[int | None, LIVE, Help("part of the time; any quota makes the strategy quota")] = None
    enabled: Annotated[bool, LIVE, Help("whether to use it")] = True
    suggest_difficulty: Annotated[str | None, LIVE, Help("share difficulty to ask for: a number, auto, off")] = None
    version_mask: Annotated[str | None, LIVE, Help("version bits to ask for, in hex, or off")] = None
    extranonce_subscribe: Annotated[bool | None, LIVE, Help("whether to ask for it")] = None
    user_agent: Annotated[str | None, LIVE, Help("what we call ourselves")] = None
    tls_ca: Annotated[Path | None, LIVE, Help("PEM certificates to trust instead of the system's")] = None
    tls_fingerprint: Annotated[str | None, LIVE, Help("SHA-256 of the pool's certificate: trust that alone")] = None
    tls_cert: Annotated[Path | None, LIVE, Help("our own certificate, PEM")] = None
    tls_key: Annotated[Path | None, LIVE, Help("its key, where it is in another file")] = None
    proxy: Annotated[str | None, LIVE, SECRET, Help("socks5://, socks5h:// or http://; direct: none")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendProfile:
    """``[backends.NAME]``; these are all there are, unless the command line or the environment names others."""

    backend: Annotated[str | None, Help("which kind; the table's name unless given")] = None
    threads: Annotated[int | None, Help("search threads")] = None
    kernel: Annotated[str | None, Help("force a kernel")] = None
    options: Annotated[dict[str, str] | None, Help("what else this kind of backend takes")] = None
    worker: Annotated[str | None, LIVE, Help("its worker name at every pool; .NAME is put behind the user")] = None
    pool: Annotated[str | None, Help("mine on this pool alone")] = None
    enabled: Annotated[bool, Help("whether to use it")] = True


@dataclass(frozen=True, slots=True)
class Named(Generic[ProfileT]):
    """A table with its name; ``origins`` by field, ``where`` for the table as a whole."""

    name: str
    values: ProfileT
    origins: Mapping[str, SettingSource]
    where: str


def pool_profiles(document: Document | None, problems: list[Problem]) -> list[Named[PoolProfile]]:
    """The pools of a file, the best first; mistakes are added to ``problems``."""
    found = _tables(document, POOLS, PoolProfile, problems)
    first = [item for item in found if item.values.priority is not None]
    rest = [item for item in found if item.values.priority is None]
    return [*sorted(first, key=lambda item: item.values.priority or 0), *rest]


def backend_profiles(document: Document | None, problems: list[Problem]) -> list[Named[BackendProfile]]:
    """The backends of a file in its order; mistakes are added to ``problems``."""
    return _tables(document, BACKENDS, BackendProfile, problems)


def _tables(
    document: Document | None, family: str, table: type[ProfileT], problems: list[Problem]
) -> list[Named[ProfileT]]:
    content: Any = {} if document is None else document.table.get(family, {})
    if document is None or not isinstance(content, dict):
        return []  # no table: reported as an unknown key
    keys = keys_of(table)
    found = []
    for name, value in content.items():
        where = document.where(family, name)
        if not isinstance(value, dict):
            problems.append(Problem(where, f"expected a table, as in [{family}.NAME]"))
        elif not _NAME.fullmatch(name):
            problems.append(Problem(where, f"expected a name of letters, digits, . _ -, got {name!r}"))
        else:
            values = table_values(document, (family, name), keys, problems)
            origins = {field: origin for field, (_, origin) in values.items()}
            found.append(Named(name, table(**{field: item for field, (item, _) in values.items()}), origins, where))
    return found
