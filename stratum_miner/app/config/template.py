"""The first configuration file of a user. It has every key with its help text. All keys are commented out, except the
URL and the worker name of the pool."""

import textwrap
from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from stratum_miner.app.config.keys import ConfigKey
from stratum_miner.app.config.writing import assignment
from stratum_miner.quantities import duration_spelling

EXAMPLES: Mapping[str, Any] = {
    "backend": ["cpu"],
    "time_limit": "8h",
    "retry_pause": "30s",
    "retries": 5,
    "backend_option": ["duty_cycle=50"],
    "backend_worker": ["cpu=.cpu"],
    "bind": ["cpu=main"],
    "workers": [".cpu"],
    "worker": ".cpu",
    "pool": "main",
    "kernel": "avx2",
    "options": {"duty_cycle": "50"},
    "pass": "x",
    "price": "90000",
    "mainnet_difficulty": "144.4T",
    "tls_fingerprint": "64 hex digits",
    "user_agent": "stratum_miner",
    "pass_file": "pool.pass",
    "version_mask": "1fffe000",
    "suggest_difficulty": "auto",
    "tls_ca": "ca.pem",
    "tls_cert": "miner.pem",
    "tls_key": "miner.key",
    "proxy": "socks5h://127.0.0.1:9050",
    "electricity": "0.30",
    "power": "65W",
    "pool_fee": "2%",
    "http": "127.0.0.1:7780",
    "journal": "shares.journal",
    "record": "capture.jsonl",
    "http_host": ["rig.lan"],
    "http_token_file": "http.token",
    "cgminer_api": "127.0.0.1:4028",
    "api_allow": "W:127.0.0.1",
    "api_groups": "P:switchpool:enablepool",
    "axeos_api": "127.0.0.1:80",
    "axeos_control": ["192.168.1.0/24"],
    "log_file": "miner.log",
    "sched_start": "22:30",
    "sched_stop": "06:00",
    "pause_above": 85.0,
    "on_event": ["block=./celebrate"],
}
"""Example values of keys that have no default."""

WIDTH = 100
"""Largest length in characters of a line of help text."""
HEAD = """\
# Configuration of stratum-miner in TOML. To set a key, remove the # in front of it.
#
# Each key is also an option and an environment variable: until_shares, --until-shares, STRATUM_MINER_UNTIL_SHARES. The
# command line takes precedence, then the environment, then this file.
#
# stratum-miner config check --config FILE prints the errors in this file.
# stratum-miner config show --config FILE prints the settings in force and the source of each.
"""
POOL = """\
# ---- Pools, the preferred one first
#
# A key that a pool does not set takes the value of the key with the same name above.

[pools.main]
url = "stratum+tcp://127.0.0.1:3333"
user = "WORKER"
"""
BACKENDS = """\
# ---- Backends
#
# Without such a table, the key backend above names the backends. Without both, the CPU mines.
"""


def template(options: Iterable[ConfigKey], pool: Iterable[ConfigKey], backend: Iterable[ConfigKey]) -> str:
    """Return the text of the configuration file."""
    parts = [HEAD]
    groups: dict[str, list[ConfigKey]] = {}
    for key in _above_tables(options):
        groups.setdefault(_group(key), []).append(key)
    parts += [f"# ---- {group}\n\n" + "".join(map(_commented, keys)) for group, keys in groups.items()]
    parts.append(POOL + "".join(_commented(key) for key in pool if key.name not in ("url", "user")))
    parts.append(f"{BACKENDS}\n#[backends.cpu]\n" + "".join(map(_commented, backend)))
    return "\n".join(parts)


def _above_tables(keys: Iterable[ConfigKey]) -> list[ConfigKey]:
    """Return the keys that stand at the top of the file, before the first table. Keys that belong in the table of a
    pool are left out."""
    return [key for key in keys if key.name not in ("url", "user", "pass", "userpass", "pass_file", "quota")]


def _group(key: ConfigKey) -> str:
    group = key.parameter.group if key.parameter is not None else None
    return str(group[0]) if isinstance(group, tuple | list) else str(group)


def _commented(key: ConfigKey) -> str:
    example = key.default if key.default is not None else EXAMPLES.get(key.name, _example(key))
    if key.is_duration and isinstance(example, float):
        example = duration_spelling(example)
    if isinstance(example, list) and get_origin(key.wanted) is not list:
        [example] = example
    text = textwrap.fill(key.help, WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
    return f"{text}\n#{assignment(key.name, example)}\n"


def _example(key: ConfigKey) -> Any:
    wanted = key.wanted
    if get_origin(wanted) is list:
        return []
    if get_origin(wanted) is dict:
        return {}
    if get_args(wanted):
        return get_args(wanted)[0]
    return {int: 1, float: 60.0, bool: True}.get(wanted, "")
