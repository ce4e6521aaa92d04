"""Converts a file in a test and looks at the result."""

import json
import tomllib
from typing import Any

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.foreign.notes import Imported, KeyOutcome
from stratum_miner.app.foreign.programs import convert
from stratum_miner.app.options.mine import MineOptions

OPTIONS = frozenset(keys_of(MineOptions))


def imported(content: Any, options: frozenset[str] = OPTIONS) -> Imported:
    """Convert bytes, a text, or a value that is written as JSON."""
    if not isinstance(content, bytes):
        content = (content if isinstance(content, str) else json.dumps(content)).encode()
    return convert(content, "old.json", options)


def settings(content: Any, options: frozenset[str] = OPTIONS) -> dict[str, Any]:
    """The settings that became of a file, read back from the text of the new file."""
    return tomllib.loads(imported(content, options).toml())


def only_pool(content: Any) -> dict[str, Any]:
    """The settings of the only pool that became of a file."""
    [pool] = imported(content).pools
    return pool


def lost(content: Any) -> dict[str, str]:
    """The reasons of the keys that could not be carried over."""
    return {note.key: note.text for note in imported(content).lost}


def left(content: Any) -> dict[str, str]:
    """The reasons of the keys for which nothing is to be done."""
    return {note.key: note.text for note in imported(content).notes if note.outcome is KeyOutcome.NOTHING_TO_DO}


def cgminer(pool: Any = None, **keys: Any) -> dict[str, Any]:
    """The content of a file of cgminer with one pool. Each _ in a name stands for -."""
    pools = [{"url": "stratum+tcp://pool.example:3333", "user": "alice", "pass": "x", **(pool or {})}]
    return {"pools": pools, **{key.replace("_", "-"): value for key, value in keys.items()}}


def cpuminer(**keys: Any) -> dict[str, Any]:
    """The content of a file of cpuminer. Each _ in a name stands for -."""
    given = {key.replace("_", "-"): value for key, value in keys.items()}
    return {"url": "stratum+tcp://pool.example:3333", "user": "alice", "pass": "x", "algo": "sha256d", **given}


def xmrig(pool: Any = None, **keys: Any) -> dict[str, Any]:
    """The content of a file of xmrig with one pool. Each _ in a name stands for -."""
    given = {key.replace("_", "-"): value for key, value in keys.items()}
    pools = [{"algo": "sha256d", "url": "pool.example:3333", "user": "alice", "tls": False, **(pool or {})}]
    return {"autosave": True, "donate-level": 1, "pools": pools, **given}
