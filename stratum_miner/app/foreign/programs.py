"""Recognises the program that a configuration file belongs to, and converts the file.

A single key says little: ``pools`` is a key of cgminer, bfgminer, xmrig and AxeOS. The file belongs to the program that
knows most of its keys.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeAlias

from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.app.foreign.cgminer import BFGMINER, CGMINER_KEYS, KERNELS, convert_cgminer
from stratum_miner.app.foreign.cpuminer import CPUMINER_KEYS, convert_cpuminer, long_name
from stratum_miner.app.foreign.esp import AXEOS_KEYS, NERDMINER_KEYS, convert_axeos, convert_nerdminer
from stratum_miner.app.foreign.notes import Imported
from stratum_miner.app.foreign.rules import Conversion
from stratum_miner.app.foreign.source import ForeignFile, decode, parse
from stratum_miner.app.foreign.xmrig import XMRIG_KEYS, convert_xmrig

ConvertFile: TypeAlias = Callable[[Conversion], None]
_BFGMINER_ONLY = frozenset(
    {"algo=KERNEL", "device", "expiry-lp", "failover-switch-delay", "http-port", "no-client-reconnect", "no-unicode"}
    | {"no-local-bitcoin", "no-pool-redirect", "no-show-processors", "no-show-procs", "noncelog", "pools.pool-goal"}
    | {"pools.pool-proxy", "quiet-work-update", "quiet-work-updates", "real-quiet", "request-diff", "scan"}
    | {"sched-time", "set", "set-device", "skip-security-checks", "stop-time", "stratum-port", "submit-threads", "S"}
    | {"cmd-dead", "cmd-idle", "cmd-sick", "cpu-threads", "log-file", "pools.pool-priority", "unicode"}
)
"""Keys that bfgminer has, and cgminer does not have or does not write."""
_CGMINER_ONLY = frozenset(
    {"anu-freq", "api-host", "btc-address", "btc-sig", "fallback-time", "gekko-", "hotplug", "osm-led-mode"}
    | {"nfu-bits", "suggest-diff", "usb", "compac-freq", "bitmain-", "avalon", "bxf-bits", "rock-freq"}
)
"""Keys that cgminer has, and bfgminer does not have."""
_CPUMINER_OPT_ONLY = frozenset(
    {"api-bind", "api-remote", "cpu-affinity", "cpu-priority", "diff-factor", "diff-multiplier", "hash-meter"}
    | {"max-temp", "no-color", "no-extranonce", "protocol", "stratum-keepalive", "time-limit"}
)
"""Keys that cpuminer-opt has, and pooler's cpuminer does not have."""
_FAMILIES: Mapping[str, tuple[frozenset[str], ConvertFile]] = {
    "cgminer": (CGMINER_KEYS | _BFGMINER_ONLY | _CGMINER_ONLY, convert_cgminer),
    "cpuminer": (CPUMINER_KEYS, convert_cpuminer),
    "xmrig": (XMRIG_KEYS, convert_xmrig),
    "AxeOS": (AXEOS_KEYS, convert_axeos),
    "NerdMiner": (NERDMINER_KEYS, convert_nerdminer),
}
"""The keys of each family of programs, and the function that converts its files. Of two families with equally many keys
in a file, the first counts."""


_ADDRESSES = frozenset({"pools", "url", "quota", "stratumURL", "stratumurl", "poolString", "PoolUrl"})
"""Keys that contain addresses of pools. If only one key of a file is recognised, the file is accepted only if this key
is one of these."""
_ADDRESSES_OF: Mapping[str, frozenset[str]] = {
    "cgminer, cpuminer or xmrig": frozenset({"url", "quota", "pools.url", "pools.quota"}),
    "AxeOS": frozenset({"stratumURL", "stratumurl", "pools.stratumURL"}),
    "NerdMiner": frozenset({"poolString", "PoolUrl"}),
}
"""Maps programs to their keys that contain addresses of pools."""


def convert(content: bytes, where: str, options: frozenset[str]) -> Imported:
    """Convert the content of another program's configuration file. ``options`` are the keys that stratum-miner knows,
    and ``where`` names the file in errors.

    Raises ConfigError if the file cannot be read, if no program is recognised, if the file is for another algorithm
    than SHA-256d, if none of its pools can be used, or if pools of several programs are in it.
    """
    source = _with_long_names(parse(decode(content, where), where))
    _refuse_pools_of_several(source)
    program, convert_file = _recognise(source)
    conversion = Conversion(source, program, options)
    convert_file(conversion)
    result = conversion.result
    if not result.pools:
        problems = [
            Problem(f"{where}:{note.line}" if note.line else where, f"{note.key}: {note.text}")
            for note in result.lost
            if re.search(r"pool|url|quota|algo", note.key, re.IGNORECASE)
        ]
        raise ConfigError(
            Problem(where, f"expected at least one pool that can be used, got none ({program})"), *problems[:9]
        )
    return result


def _refuse_pools_of_several(source: ForeignFile) -> None:
    """Raise ConfigError if the file has addresses of pools under the keys of several programs: each program would use
    its own, and the others would be lost."""
    marks = set(_marks(source.table))
    found = {name: sorted(marks & keys) for name, keys in _ADDRESSES_OF.items() if marks & keys}
    if len(found) > 1:
        which = " and ".join(f"{name} ({', '.join(keys)})" for name, keys in found.items())
        text = f"expected the file of one program, got pools of {which}; write those of one program into a new file"
        raise ConfigError(Problem(source.where, text))


def _with_long_names(source: ForeignFile) -> ForeignFile:
    """Return the settings with long names for keys that are written as on a command line, such as "-o" or "--url"."""
    if not any(key.startswith("-") for key in source.table):
        return source
    table: dict[str, Any] = {}
    lines = dict(source.lines)
    for key, value in source.table.items():
        name = long_name(key)
        if name in table and table[name] != value:
            raise ConfigError(Problem(f"{source.where}:{lines.get(key, 0)}", f"{name}: expected this key once"))
        table[name] = value
        lines.setdefault(name, lines.get(key, 0))
    return replace(source, table=table, lines=lines)


def _recognise(source: ForeignFile) -> tuple[str, ConvertFile]:
    """Return the name of the program, and the function that converts its files."""
    marks = set(_marks(source.table))
    scores = {family: len(marks & keys) for family, (keys, _) in _FAMILIES.items()}
    family = max(scores, key=lambda each: scores[each])
    if not scores[family] or (scores[family] == 1 and not marks & _ADDRESSES):
        raise ConfigError(Problem(source.where, _unknown(source.table)))
    name = family
    if family == "cgminer" and len(marks & _BFGMINER_ONLY) > len(marks & _CGMINER_ONLY):
        name = BFGMINER
    elif family == "cpuminer" and marks & _CPUMINER_OPT_ONLY:
        name = "cpuminer-opt"
    return name, _FAMILIES[family][1]


def _unknown(table: Mapping[str, Any]) -> str:
    what = "no key" if not table else "none of their keys"
    return (
        'expected a file of cgminer or bfgminer ("pools"), cpuminer ("url"), xmrig ("pools"), AxeOS ("stratumURL") or '
        f'NerdMiner ("PoolUrl"), found {what}'
    )


def _marks(table: Mapping[str, Any]) -> Iterator[str]:
    """Yield the keys of the file. The keys of its pools have the prefix ``pools.``."""
    for key, value in table.items():
        yield key
        yield from (start for start in ("gekko-", "bitmain-", "avalon") if key.startswith(start))
        if key == "algo" and isinstance(value, str) and value.lower() in KERNELS:
            yield "algo=KERNEL"
        if key == "pools" and isinstance(value, list):
            for pool in value:
                if isinstance(pool, dict):
                    yield from (f"pools.{name}" for name in pool)
