"""Converts configuration files of cgminer and cpuminer (JSON) to a configuration of stratum-miner.

The functions do no input or output. Every key of the other file becomes a ``ConvertedKey`` or a ``SkippedKey``, so that
no key is lost silently.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from stratum_miner.app.config.problems import ConfigError, InvalidValue, Problem, shown
from stratum_miner.app.config.writing import assignment
from stratum_miner.foreign_text import is_plain, sanitize

ALGORITHM = "sha256d"
MAX_POOLS = 64
MAX_BITS = 64
"""Largest number of bits of an integer in a converted file. The longest useful integer is a bit mask of processors."""
_PROXIES = ("http", "socks5", "socks5h")


@dataclass(frozen=True, slots=True)
class ConvertedKey:
    """A key that was converted to the key ``to`` of stratum-miner.

    The object does not contain the value of the key, because the value may be a password.
    """

    key: str
    to: str


@dataclass(frozen=True, slots=True)
class SkippedKey:
    """A key that was not converted, and the reason."""

    key: str
    reason: str


@dataclass(slots=True)
class Imported:
    """The settings that were found in a file, and what became of each key."""

    kind: str
    options: dict[str, Any] = field(default_factory=dict)
    pools: list[dict[str, Any]] = field(default_factory=list)
    notes: list[ConvertedKey | SkippedKey] = field(default_factory=list)

    def toml(self) -> str:
        """Return the settings as the text of a configuration file."""
        lines = [
            f"# converted from a configuration of {self.kind}",
            *(assignment(*item) for item in self.options.items()),
        ]
        for number, pool in enumerate(self.pools, 1):
            lines += ["", f"[pools.pool{number}]", *(assignment(*item) for item in pool.items())]
        return "\n".join(lines) + "\n"


Convert: TypeAlias = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class _To:
    """How a key is converted to an option of stratum-miner: the name of the option, and a function that converts the
    value. If the function returns None, the option keeps its default."""

    key: str
    convert: Convert


def convert(text: str, where: str, options: frozenset[str]) -> Imported:
    """Convert ``text``, a configuration file of cgminer or cpuminer. ``options`` are the option keys that stratum-miner
    knows, and ``where`` names the file in errors.

    Raises ConfigError if the file belongs to neither cgminer nor cpuminer, or if its algorithm is not sha256d.
    """
    content = _object(text, where)
    algorithm = content.get("algo", ALGORITHM)
    if algorithm != ALGORITHM or content.get("scrypt") is True:
        other = "scrypt" if content.get("scrypt") is True else algorithm
        raise ConfigError(Problem(where, f"expected the algorithm {ALGORITHM}, got {shown(other)}"))
    if isinstance(content.get("pools"), list):
        return _of_cgminer(content, options)
    if "url" in content:
        return _of_cpuminer(content, options)
    raise ConfigError(
        Problem(where, 'expected "pools", as in files of cgminer, or "url", as in files of cpuminer, found neither')
    )


def _object(text: str, where: str) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise ConfigError(Problem(f"{where}:{error.lineno}", f"expected JSON: {error.msg}")) from None
    except (RecursionError, ValueError) as error:
        raise ConfigError(Problem(where, f"expected JSON: {error}")) from None
    if not isinstance(content, dict):
        raise ConfigError(Problem(where, "expected a JSON object, found another value"))
    return content


# ---- cgminer ----------------------------------------------------------------------------------------------------


def _of_cgminer(content: Mapping[str, Any], options: frozenset[str]) -> Imported:
    found = Imported("cgminer")
    for number, pool in enumerate(content["pools"][:MAX_POOLS]):
        _take_pool(found, pool, f"pools[{number}]")
    if any("priority" in pool for pool in found.pools):
        for place, pool in enumerate(found.pools):
            pool.setdefault("priority", place)  # without a priority, cgminer uses the pool's position
    if len(content["pools"]) > MAX_POOLS:
        found.notes.append(SkippedKey("pools", f"only the first {MAX_POOLS} pools are converted"))
    _take(found, content, _CGMINER | _cgminer_api(content, options), options, handled=frozenset({"pools", "algo"}))
    return found


def _take_pool(found: Imported, pool: Any, where: str) -> None:
    if not isinstance(pool, dict):
        found.notes.append(SkippedKey(where, f"expected an object, got {shown(pool)}"))
        return
    made: dict[str, Any] = {}
    notes: list[ConvertedKey | SkippedKey] = []
    for key, value in pool.items():
        name = f"{where}.{sanitize(key)}"
        try:
            for to, item in _pool_setting(key, value):
                made[to] = item
                notes.append(ConvertedKey(name, to))
        except InvalidValue as error:
            notes.append(SkippedKey(name, str(error)))
    if "url" not in made:
        notes = [item for item in notes if isinstance(item, SkippedKey)] or [SkippedKey(where, "the pool has no url")]
        found.notes += notes
        return
    found.notes += notes
    found.pools.append(made)


def _pool_setting(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    match key:
        case "url":
            yield from _url(_text(value))
        case "quota":  # the value may contain the quota and the URL, as in "3;stratum+tcp://..."
            quota, semicolon, url = _text(value).partition(";")
            yield "quota", _integer(quota)
            if semicolon:
                yield from _url(url)
        case "user":
            yield key, _text(value)
        case "pass":
            yield key, _secret(value)
        case "userpass":
            user, _, secret = _secret(value).partition(":")
            yield "user", _text(user)
            yield "pass", secret
        case "pool-priority" | "prio" | "priority":
            yield "priority", _integer(value)
        case _:
            raise InvalidValue("this key of a pool is not known")


def _url(text: str) -> Iterator[tuple[str, Any]]:
    """Yield the settings in a URL of cgminer. The URL may begin with a proxy (``socks5:HOST:PORT|``) and end with flags
    (``#xnsub``)."""
    proxy, bar, url = text.rpartition("|")
    url, _, flags = url.partition("#")
    if url.startswith(("http://", "https://")):
        raise InvalidValue(
            "pools with getwork or getblocktemplate are not supported; stratum-miner solo mines on a node"
        )
    if bar:
        yield "proxy", _proxy(proxy.replace(":", "://", 1))
    yield "url", url.rstrip("/")
    if flags and "xnsub" in flags:
        yield "extranonce_subscribe", True


def _cgminer_api(content: Mapping[str, Any], options: frozenset[str]) -> dict[str, "_To | str"]:
    """Return how to convert ``api-listen`` and ``api-port``, which together become the option ``cgminer_api``.

    Returns an empty mapping if ``options`` does not contain ``cgminer_api``, or if the file does not switch on the API.
    """
    if "cgminer_api" not in options or content.get("api-listen") is not True:
        return {}
    port = content.get("api-port", "4028")
    return {
        "api-listen": _To("cgminer_api", lambda _: f"127.0.0.1:{_integer(port)}"),
        "api-port": "it is part of cgminer_api" if str(port).isdecimal() else f"expected a number, got {shown(port)}",
    }


# ---- cpuminer ---------------------------------------------------------------------------------------------------


def _of_cpuminer(content: Mapping[str, Any], options: frozenset[str]) -> Imported:
    found = Imported("cpuminer")
    pool = {key: content[key] for key in ("url", "user", "pass", "userpass") if key in content}
    _take_pool(found, pool, "pool")
    if "algo" not in content:
        found.notes.append(
            SkippedKey(
                "algo",
                f"the file does not have this key, so {ALGORITHM} is assumed; without it, some cpuminers mine scrypt",
            )
        )
    _take(found, content, _CPUMINER, options, handled=frozenset({*pool, "algo"}))
    return found


def _affinity(value: Any) -> list[str] | None:
    mask = _integer(value)
    if mask < 0:
        return None
    return ["affinity=" + ",".join(str(bit) for bit in range(mask.bit_length()) if mask >> bit & 1)]


# ---- both -------------------------------------------------------------------------------------------------------


def _take(
    found: Imported,
    content: Mapping[str, Any],
    rules: Mapping[str, "_To | str"],
    options: frozenset[str],
    handled: frozenset[str],
) -> None:
    for key, value in content.items():
        if key in handled:
            continue
        name = sanitize(key)
        rule = rules.get(key) or next(
            (reason for start, reason in _FAMILIES if key.startswith(start)), "this key is not known"
        )
        if isinstance(rule, _To) and rule.key not in options:
            rule = _NONE
        if isinstance(rule, str):
            found.notes.append(SkippedKey(name, rule))
            continue
        try:
            made = rule.convert(value)
        except InvalidValue as error:
            found.notes.append(SkippedKey(name, str(error)))
            continue
        if made is None:
            found.notes.append(SkippedKey(name, "its value is the default"))
        else:
            found.options[rule.key] = made
            found.notes.append(ConvertedKey(name, rule.key))


def _text(value: Any) -> str:
    """Return ``value`` if it is a printable string. Raises InvalidValue otherwise: JSON strings can also contain
    control characters and surrogates."""
    if not isinstance(value, str):
        raise InvalidValue("expected a string, got another value")
    if not is_plain(value):
        raise InvalidValue("expected only printable characters, got unprintable characters, too")
    return value


def _secret(value: Any) -> str:
    """Return ``value`` if it can be a password: a string of valid Unicode, which may contain unprintable characters.
    Raises InvalidValue otherwise."""
    if not isinstance(value, str):
        raise InvalidValue("expected a string, got another value")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValue("expected valid Unicode, got a surrogate") from None
    return value


def _integer(value: Any) -> int:
    try:
        number = int(value) if isinstance(value, int | str) and not isinstance(value, bool) else None
    except ValueError:
        number = None
    if number is None or number.bit_length() > MAX_BITS:
        raise InvalidValue(f"expected an integer, got {shown(value)}")
    return number


def _positive(value: Any) -> int | None:
    return _integer(value) if _integer(value) > 0 else None


def _flag(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value or None
    raise InvalidValue(f"expected true or false, got {shown(value)}")


def _proxy(value: Any) -> str:
    text = _text(value)
    scheme, separator, _ = text.partition("://")
    if not separator:
        return f"socks5://{text}"
    if scheme not in _PROXIES:
        raise InvalidValue(f"expected one of the proxy types {', '.join(_PROXIES)}, got {shown(scheme)}")
    return text


def _constant(value: Any) -> Convert:
    return lambda given: value if _flag(given) else None


def _retries(value: Any) -> bool | None:
    number = _integer(value)
    if number > 0:
        raise InvalidValue(f"expected a negative number (retry always) or 0 (retry never), got {number}")
    return None if number < 0 else False


_DEVICES = "use --device, which takes the settings of each device; stratum-miner devices lists the devices"
_GETWORK = "it belongs to getwork, and Stratum has no such setting"
_GPU = "mining with GPUs is not supported"
_SERVICE = "the service manager decides this; stratum-miner service prints a systemd unit"
_NONE = "stratum-miner has no such setting"

_CGMINER: dict[str, _To | str] = {
    "load-balance": _To("strategy", _constant("quota")),
    "failover-only": _To("strategy", _constant("failover")),
    "balance": "stratum-miner has only the strategies failover and quota",
    "round-robin": "stratum-miner has only the strategies failover and quota",
    "rotate": "stratum-miner has only the strategies failover and quota",
    "socks-proxy": _To("proxy", _proxy),
    "suggest-diff": _To("suggest_difficulty", lambda value: str(_positive(value)) if _positive(value) else None),
    "shares": _To("until_shares", _positive),
    "debug": _To("debug", _flag),
    "quiet": _To("quiet", _flag),
    "protocol-dump": _To("protocol_dump", _flag),
    "sched-start": _To("sched_start", _text),
    "sched-stop": _To("sched_stop", _text),
    "sharelog": "use --journal FILE, which has another format",
    "text-only": "the log is always text",
    "compact": "the log is always text",
    "verbose": "use -D to log decisions and -P to log the protocol",
    "log": "a status line is logged every 30 s",
    "submit-stale": "stale shares are not submitted, unless they solve a block",
    "no-submit-stale": "stale shares are not submitted, unless they solve a block",
    "no-pool-disable": "the miner leaves a pool that rejects shares for a while, and then tries it again",
    "fix-protocol": _GETWORK,
    "expiry": _GETWORK,
    "queue": _GETWORK,
    "scan-time": _GETWORK,
    "btc-address": "use stratum-miner solo --address to mine on a node",
    "btc-sig": "use stratum-miner solo to mine on a node",
    "benchmark": "use stratum-miner bench to measure",
    "syslog": _SERVICE,
    "kernel-path": _GPU,
    "intensity": _GPU,
    "vectors": _GPU,
    "worksize": _GPU,
    "hotplug": _DEVICES,
    "usb": _DEVICES,
    "device": _DEVICES,
    "temp-cutoff": _DEVICES,
    "temp-overheat": _DEVICES,
    "temp-target": _DEVICES,
    "temp-hysteresis": _DEVICES,
}
_CPUMINER: dict[str, _To | str] = {
    "threads": _To("threads", _positive),
    "cpu-affinity": _To("backend_option", _affinity),
    "cpu-priority": "search threads have a low priority; --backend-option priority=normal raises it",
    "proxy": _To("proxy", _proxy),
    "cert": _To("tls_ca", _text),
    "debug": _To("debug", _flag),
    "quiet": _To("quiet", _flag),
    "protocol": _To("protocol_dump", _flag),
    "protocol-dump": _To("protocol_dump", _flag),
    "time-limit": _To("time_limit", _positive),
    "retries": _To("retry", _retries),
    "no-extranonce": _To("extranonce_subscribe", lambda value: False if _flag(value) else None),
    "retry-pause": "the pauses grow automatically, up to 60 s",
    "timeout": "the miner uses fixed timeouts",
    "scantime": _GETWORK,
    "no-longpoll": _GETWORK,
    "no-getwork": _GETWORK,
    "no-gbt": _GETWORK,
    "no-stratum": "pools must use Stratum",
    "no-redirect": "a pool may redirect the miner only within its own domain",
    "coinbase-addr": "use stratum-miner solo --address to mine on a node",
    "coinbase-sig": "use stratum-miner solo to mine on a node",
    "benchmark": "use stratum-miner bench to measure",
    "background": _SERVICE,
    "syslog": _SERVICE,
    "no-color": "set NO_COLOR in the environment",
    "api-bind": "it is another protocol; use --http for statistics",
    "api-remote": "it is another protocol; use --http for statistics",
}
_FAMILIES: tuple[tuple[str, str], ...] = (
    ("api-", _NONE),
    ("gpu-", _GPU),
    ("auto-", _GPU),
    *((f"{family}-", _DEVICES) for family in ("gekko", "bitmain", "avalon", "icarus", "bxf", "bxm", "hfa", "klondike")),
    *((f"{family}-", _DEVICES) for family in ("bflsc", "bab", "minion", "rock", "usb", "block-erupter", "compac")),
)
"""Prefixes of further keys that are skipped, each with the reason. They apply to keys that the tables above do not
contain."""
