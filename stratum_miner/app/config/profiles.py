"""The named tables of a file: ``[pools.NAME]`` and ``[backends.NAME]``."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Generic, TypeVar

from stratum_miner.app.config.document import Document
from stratum_miner.app.config.keys import LIVE, SECRET, FileKeyName, Help, keys_of
from stratum_miner.app.config.layers import SettingSource, table_values
from stratum_miner.app.config.problems import Problem, shown

POOLS = "pools"
BACKENDS = "backends"
TABLES = frozenset({POOLS, BACKENDS})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")

ProfileT = TypeVar("ProfileT")


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolProfile:
    """The keys of ``[pools.NAME]``. If the table of a pool lacks one of these keys, the top-level key with the same
    name applies to the pool."""

    url: Annotated[
        list[str] | None, LIVE, Help("URL of the pool, as for --url. A list names several addresses of the same pool.")
    ] = None
    user: Annotated[str | None, LIVE, Help("Worker name at the pool.")] = None
    password: Annotated[str | None, LIVE, SECRET, FileKeyName("pass"), Help("Password of the worker.")] = None
    pass_file: Annotated[Path | None, LIVE, Help("File whose first line is the password of the worker.")] = None
    workers: Annotated[
        list[str] | None,
        LIVE,
        Help(
            "Worker names of the backends, in the order of the backends. A name that begins with a dot is appended to "
            "user."
        ),
    ] = None
    priority: Annotated[
        int | None,
        LIVE,
        Help(
            "The pool with the lowest priority is preferred. Pools without a priority follow, in the order of the file."
        ),
    ] = None
    quota: Annotated[
        int | None,
        LIVE,
        Help("The pool gets time in proportion to its quota. If a pool has a quota, the strategy is quota."),
    ] = None
    enabled: Annotated[bool, LIVE, Help("Whether the pool is used.")] = True
    suggest_difficulty: Annotated[
        str | None, LIVE, Help("Share difficulty to suggest to the pool: a number, auto or off.")
    ] = None
    version_mask: Annotated[str | None, LIVE, Help("Version bits to ask for, in hex, or off.")] = None
    extranonce_subscribe: Annotated[bool | None, LIVE, Help("Whether to send mining.extranonce.subscribe.")] = None
    user_agent: Annotated[str | None, LIVE, Help("Name and version that the pool sees.")] = None
    tls_ca: Annotated[
        Path | None, LIVE, Help("PEM file with the certificates to trust instead of those of the system.")
    ] = None
    tls_fingerprint: Annotated[
        str | None, LIVE, Help("SHA-256 fingerprint of the pool's certificate. Only this certificate is trusted.")
    ] = None
    tls_cert: Annotated[Path | None, LIVE, Help("PEM file with your own client certificate.")] = None
    tls_key: Annotated[
        Path | None,
        LIVE,
        Help("PEM file with the private key of the certificate in tls_cert, if that file does not contain the key."),
    ] = None
    proxy: Annotated[
        str | None, LIVE, SECRET, Help("Proxy for the connection to this pool, as for --proxy, or direct for none.")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendProfile:
    """The keys of ``[backends.NAME]``.

    These tables decide which backends mine, unless the command line or the environment names backends.
    """

    backend: Annotated[str | None, Help("Kind of the backend. [default: the name of the table]")] = None
    threads: Annotated[int | None, Help("Number of search threads.")] = None
    kernel: Annotated[str | None, Help("SHA-256d kernel to use.")] = None
    options: Annotated[dict[str, str] | None, Help("Other settings of this kind of backend.")] = None
    worker: Annotated[
        str | None,
        LIVE,
        Help("Worker name of the backend at every pool. A name that begins with a dot is appended to user."),
    ] = None
    pool: Annotated[str | None, Help("The backend mines only on this pool.")] = None
    enabled: Annotated[bool, Help("Whether the backend is used.")] = True


@dataclass(frozen=True, slots=True)
class Named(Generic[ProfileT]):
    """A named table of a configuration file. ``origins`` has the source of each field, and ``where`` names the table in
    errors."""

    name: str
    values: ProfileT
    origins: Mapping[str, SettingSource]
    where: str


def pool_profiles(document: Document | None, problems: list[Problem]) -> list[Named[PoolProfile]]:
    """Return the pools of a file, the preferred one first. Errors are added to ``problems``."""
    found = _tables(document, POOLS, PoolProfile, problems)
    first = [item for item in found if item.values.priority is not None]
    rest = [item for item in found if item.values.priority is None]
    return [*sorted(first, key=lambda item: item.values.priority or 0), *rest]


def backend_profiles(document: Document | None, problems: list[Problem]) -> list[Named[BackendProfile]]:
    """Return the backends of a file in its order. Errors are added to ``problems``."""
    return _tables(document, BACKENDS, BackendProfile, problems)


def _tables(
    document: Document | None, family: str, table: type[ProfileT], problems: list[Problem]
) -> list[Named[ProfileT]]:
    content: Any = {} if document is None else document.table.get(family, {})
    if document is None or not isinstance(content, dict):
        return []  # ``resolve`` reports a value that is not a table
    keys = keys_of(table)
    found = []
    for name, value in content.items():
        where = document.where(family, name)
        if not isinstance(value, dict):
            problems.append(Problem(where, f"expected a table, as in [{family}.NAME], got {shown(value)}"))
        elif not _NAME.fullmatch(name):
            problems.append(Problem(where, f"expected a name of letters, digits, . _ -, got {name!r}"))
        else:
            values = table_values(document, (family, name), keys, problems)
            origins = {field: origin for field, (_, origin) in values.items()}
            found.append(Named(name, table(**{field: item for field, (item, _) in values.items()}), origins, where))
    return found
