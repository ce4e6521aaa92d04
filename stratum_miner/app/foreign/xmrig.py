"""Converts configuration files of xmrig."""

from functools import partial
from typing import Any

from stratum_miner.app.config.problems import ConfigError, InvalidValue, Problem, shown
from stratum_miner.app.foreign import values
from stratum_miner.app.foreign.pools import NothingToDo, SettingPairs, add_pool, ordered
from stratum_miner.app.foreign.rules import Conversion, Idle, KeyRule, Lost, To, is_off

_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_KEEPS = "the miner notices by itself that a pool is silent"
_NOT_SHA256D = "this key is for algorithms other than sha256d"


def convert_xmrig(conversion: Conversion) -> None:
    """Convert the file."""
    _check_algorithm(conversion)
    pools = conversion.take("pools")
    for index, pool in enumerate(pools if isinstance(pools, list) else [pools]):
        path = f"pools[{index}]"
        before = len(conversion.result.pools)
        if isinstance(pool, dict) and (other := _other_mode(pool)):
            conversion.lose(path, None, f"this pool is left out: {other}")
            continue
        has_tls = isinstance(pool, dict) and not is_off(pool.get("tls"))
        add_pool(conversion, path, pool, partial(_pool_key, has_tls=has_tls))
        if isinstance(pool, dict) and len(conversion.result.pools) > before:
            _check_fingerprint(conversion, path, pool, conversion.result.pools[-1])
    conversion.result.pools = [ordered(made) for made in conversion.result.pools]
    _convert_algorithm(conversion, pools)
    _convert_http(conversion)
    _convert_processor(conversion)
    for key in ("opencl", "cuda"):
        value = conversion.take(key)
        if value is True or (isinstance(value, dict) and not is_off(value.get("enabled"))):
            conversion.lose(key, value, "mining with GPUs is not supported")
        elif value is not None:
            conversion.leave(key, value, "this setting is off")
    value = conversion.take("api")
    if isinstance(value, dict) and not is_off(value.get("port")) and value["port"] != 0:
        conversion.lose("api", value, "use --http for statistics; its paths and answers are others")
    elif value is not None:
        conversion.leave("api", value, "this setting is off, or only names the worker")
    value = conversion.take("tls")
    if isinstance(value, dict) and not is_off(value.get("enabled")):
        conversion.lose("tls", value, "the HTTP server has no TLS; put a web server with TLS in front of it")
    elif value is not None:
        conversion.leave("tls", value, "this setting is off; the TLS of a pool is set with the pool")
    conversion.apply(_RULES)


def _check_algorithm(conversion: Conversion) -> None:
    """Raise ConfigError if the file sets another algorithm or coin for all pools. Old versions of xmrig write such
    files."""
    source = conversion.source
    for key in ("algo", "coin"):
        value = conversion.take(key)
        if is_off(value):
            continue
        if not isinstance(value, str) or not values.is_sha256d(value):
            where = f"{source.where}:{source.lines.get(key, 0)}"
            raise ConfigError(Problem(where, f"expected the algorithm sha256d, got {shown(value)}"))
        conversion.leave(key, value, "stratum-miner mines nothing else")


def _other_mode(pool: dict[str, Any]) -> str:
    """Return why a pool cannot be used at all, or an empty text."""
    for key in ("algo", "coin"):
        name = pool.get(key)
        if not is_off(name) and not (isinstance(name, str) and values.is_sha256d(name)):
            return f"expected the {'coin bitcoin' if key == 'coin' else 'algorithm sha256d'}, got {shown(name)}"
    if not is_off(pool.get("daemon")):
        return "this pool is a node; stratum-miner solo mines on a node"
    if not is_off(pool.get("self-select")):
        return "the miner cannot choose its own block templates (self-select)"
    return ""


def _pool_key(key: str, value: Any, *, has_tls: bool) -> SettingPairs:
    match key:
        case "url":
            yield from values.pool_url(values.text(value), http_is_stratum=False, tls=has_tls)
        case "user":
            yield "user", values.text(value)
        case "pass":
            if value is None:
                raise NothingToDo("this key is not set")
            yield "pass", values.secret(value)
        case "enabled":
            if values.flag(value):
                raise NothingToDo("a pool is used unless enabled = false")
            yield "enabled", False
        case "tls":
            raise NothingToDo("this key is part of url" if has_tls else "this setting is off")
        case "tls-fingerprint":
            if is_off(value):
                raise NothingToDo("this key is not set")
            yield "tls_fingerprint", values.fingerprint(value)
        case "socks5":
            if is_off(value):
                raise NothingToDo("this key is not set")
            host = f"127.0.0.1:{value}" if isinstance(value, int) and not isinstance(value, bool) else value
            yield "proxy", values.proxy(host, plain="socks5h", socks5="socks5h")
        case "keepalive":
            raise NothingToDo(_KEEPS)
        case "sni":
            raise NothingToDo("the miner always names the host to the pool")
        case "algo" | "coin":
            raise NothingToDo("stratum-miner mines nothing else" if not is_off(value) else "this key is not set")
        case "nicehash":
            raise NothingToDo("the pool decides the first bytes of the nonce by Stratum itself")
        case "variant":
            raise NothingToDo(_NOT_SHA256D)
        case "daemon-poll-interval" | "daemon-job-timeout" | "daemon-zmq-port" | "submit-to-origin":
            raise NothingToDo("this key belongs to mining on a node")
        case _ if is_off(value):
            raise NothingToDo("this setting is off")
        case "rig-id":
            raise InvalidValue("Stratum for Bitcoin has no such field; many pools take the name after a dot in user")
        case _:
            raise InvalidValue("this key of a pool is not known")


def _check_fingerprint(conversion: Conversion, path: str, pool: dict[str, Any], made: dict[str, Any]) -> None:
    """Drop a fingerprint that would check nothing, because the pool has no TLS."""
    if "tls_fingerprint" in made and not made["url"].startswith("stratum+ssl"):
        del made["tls_fingerprint"]
        conversion.lose(f"{path}.tls-fingerprint", pool["tls-fingerprint"], "the pool has no TLS, so it checks nothing")


def _convert_algorithm(conversion: Conversion, pools: Any) -> None:
    """Record that the pools are perhaps not for Bitcoin, if neither a pool nor the top level of the file names an
    algorithm or a coin. With such a file, xmrig mines Monero."""
    if not conversion.result.pools or not isinstance(pools, list):
        return
    named = (
        conversion.source.table.get("algo")
        or conversion.source.table.get("coin")
        or [
            pool
            for pool in pools
            if isinstance(pool, dict) and not (is_off(pool.get("algo")) and is_off(pool.get("coin")))
        ]
    )
    if not named:
        conversion.lose(
            "pools",
            None,
            "no pool names an algorithm, and xmrig then mines RandomX (Monero); check that the pools are for Bitcoin",
        )


def _convert_http(conversion: Conversion) -> None:
    value = conversion.take("http")
    if not isinstance(value, dict) or is_off(value.get("enabled")):
        if value is not None:
            conversion.leave("http", value, "this setting is off")
        return
    host, port = value.get("host", "127.0.0.1"), value.get("port", 0)
    try:
        host, port = values.text(host), values.integer(port)
        if not 1 <= port <= 65535:
            raise InvalidValue(f"expected a fixed port from 1 to 65535, got {port}")
    except InvalidValue as error:
        conversion.lose("http", value, str(error))
        return
    settings: dict[str, Any] = {"http": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}
    if host not in _LOOPBACK:
        settings["http_network"] = True
    conversion.carry("http", value, settings, "its paths and answers are others than those of xmrig")
    if not is_off(value.get("access-token")):
        conversion.lose(
            "http.access-token", value["access-token"], "write it into a file and set http_token_file, at least 16 "
            "characters"
        )  # fmt: skip


def _convert_processor(conversion: Conversion) -> None:
    value = conversion.take("cpu")
    if not isinstance(value, dict):
        if value is not None:
            conversion.leave("cpu", value, "this key is not set")
        return
    if value.get("enabled") is False:
        conversion.lose("cpu.enabled", False, "nothing is left to mine with: name devices with device = ...")
        conversion.result.options["device"] = ["auto"]
    hint = value.get("max-threads-hint", 100)
    if hint != 100:
        conversion.lose("cpu.max-threads-hint", hint, "set threads, the number of search threads")
    priority = value.get("priority")
    if priority not in (None, 0, 1):
        conversion.lose("cpu.priority", priority, "--backend-option priority=normal raises the priority of the threads")
    conversion.leave("cpu", value, "its other keys are about other algorithms, or not needed")


def _on(value: Any) -> bool | None:
    return values.flag(value) or None


_OTHER = Idle(_NOT_SHA256D)
_SCREEN = Idle("this key is about the screen of that program")
_SERVICE = Idle("the service manager decides this; stratum-miner service prints a systemd unit")

_RULES: dict[str, KeyRule] = {
    "log-file": To("log_file", values.text, remark="the lines are JSON"),
    "pause-on-battery": To("pause_on_battery", _on),
    "pause-on-active": Lost("the miner does not notice whether somebody uses the computer", defaults=(0,)),
    "watch": To("watch_config", _on),
    "user-agent": To("user_agent", values.text),
    "verbose": To("debug", lambda value: True if value is True or values.integer(value) > 0 else None),
    "retries": Lost("the miner goes to the next pool at once, and tries for ever", defaults=(5,)),
    "retry-pause": To("retry_pause", lambda value: values.seconds(value, 3600), defaults=(5,)),
    "autosave": Idle("stratum-miner never changes its configuration by itself"),
    "background": _SERVICE,
    "syslog": _SERVICE,
    "colors": Idle("NO_COLOR in the environment switches colours off"),
    "title": _SCREEN,
    "print-time": Lost("a status line is logged every 30 s", defaults=(60,)),
    "health-print-time": _SCREEN,
    "donate-level": Idle("stratum-miner takes no donation"),
    "donate-over-proxy": Idle("stratum-miner takes no donation"),
    "dmi": Idle("this key reads the memory modules of the computer"),
    "bind": Lost("stratum-miner proxy accepts other miners"),
    "mode": Lost("stratum-miner proxy accepts other miners"),
    **dict.fromkeys(("av", "safe", "asm", "huge-pages", "hw-aes", "max-cpu-usage", "custom-diff"), _OTHER),
    "threads": To("threads", lambda value: None if isinstance(value, list) else values.positive(value)),
    "cpu-affinity": Lost("--backend-option affinity=0,2 binds the search threads to processors"),
    "cpu-priority": Lost("--backend-option priority=normal raises the priority of the threads", defaults=(0, 1)),
    "dns": Idle("the system resolves host names"),
    "bench": Idle("use stratum-miner bench to measure"),
    "randomx": _OTHER,
    "version": Idle("this key is the version of the file"),
}
XMRIG_KEYS = frozenset({*_RULES, "pools", "cpu", "opencl", "cuda", "http", "tls"}) | {
    *("pools.algo", "pools.coin", "pools.daemon", "pools.enabled", "pools.keepalive", "pools.nicehash", "pools.rig-id"),
    *("pools.self-select", "pools.sni", "pools.socks5", "pools.tls", "pools.tls-fingerprint", "pools.submit-to-origin"),
}
"""The keys of xmrig. The keys of a pool have the prefix ``pools.``."""
