"""A first configuration file: every key with what it means, all but the pool commented out."""

from collections.abc import Iterable, Mapping
from typing import Any, get_args, get_origin

from stratum_miner.app.config.keys import ConfigKey
from stratum_miner.app.config.writing import assignment

EXAMPLES: Mapping[str, Any] = {
    "backend": ["cpu"],
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
    "mainnet_difficulty": "144.40e12",
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
"""Examples of keys that have no default."""

HEAD = """\
# stratum-miner configuration, TOML. Each key is also an option, --until-shares for until_shares, and an environment
# variable, STRATUM_MINER_UNTIL_SHARES. What the command line says comes first, then the environment, then this file.
# stratum-miner config check --config FILE tells what is wrong with it; config show, what is in force and why.
"""
POOL = """\
# ---- Pools, the best first. What a pool leaves out comes from the options of the same name above.

[pools.main]
url = "stratum+tcp://127.0.0.1:3333"
user = "WORKER"
"""
BACKENDS = "# ---- Backends. Without any table, backend above or the CPU."


def template(options: Iterable[ConfigKey], pool: Iterable[ConfigKey], backend: Iterable[ConfigKey]) -> str:
    """The file's text."""
    parts = [HEAD]
    groups: dict[str, list[ConfigKey]] = {}
    for key in _wanted(options):
        groups.setdefault(_group(key), []).append(key)
    parts += [f"# ---- {group}\n\n" + "".join(map(_commented, keys)) for group, keys in groups.items()]
    parts.append(POOL + "".join(_commented(key) for key in pool if key.name not in ("url", "user")))
    parts.append(f"{BACKENDS}\n\n# [backends.cpu]\n" + "".join(map(_commented, backend)))
    return "\n".join(parts)


def _wanted(keys: Iterable[ConfigKey]) -> list[ConfigKey]:
    """The keys above all tables, without those that the pool's table has instead."""
    return [key for key in keys if key.name not in ("url", "user", "pass", "userpass", "pass_file", "quota")]


def _group(key: ConfigKey) -> str:
    group = key.parameter.group if key.parameter is not None else None
    return str(group[0]) if isinstance(group, tuple | list) else str(group)


def _commented(key: ConfigKey) -> str:
    example = key.default if key.default is not None else EXAMPLES.get(key.name, _example(key))
    if isinstance(example, list) and get_origin(key.wanted) is not list:
        [example] = example
    return f"# {assignment(key.name, example)}  # {key.help}\n"


def _example(key: ConfigKey) -> Any:
    wanted = key.wanted
    if get_origin(wanted) is list:
        return []
    if get_origin(wanted) is dict:
        return {}
    if get_args(wanted):
        return get_args(wanted)[0]
    return {int: 1, float: 60.0, bool: True}.get(wanted, "")
