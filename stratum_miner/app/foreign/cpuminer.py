"""Converts configuration files of cpuminer (pooler's minerd) and of cpuminer-opt."""

from typing import Any

from stratum_miner.app.config.problems import ConfigError, InvalidValue, Problem, shown
from stratum_miner.app.foreign import values
from stratum_miner.app.foreign.pools import SettingPairs, add_pool, ordered, switch_off
from stratum_miner.app.foreign.rules import Conversion, Idle, KeyRule, Lost, To, is_off

_POOL_KEYS = ("url", "user", "pass", "userpass")
_SHORT = {
    "a": "algo",
    "B": "background",
    "D": "debug",
    "o": "url",
    "O": "userpass",
    "p": "pass",
    "P": "protocol-dump",
    "q": "quiet",
    "r": "retries",
    "R": "retry-pause",
    "s": "scantime",
    "S": "syslog",
    "t": "threads",
    "T": "timeout",
    "u": "user",
    "x": "proxy",
}


def long_name(key: str) -> str:
    """Return the long name of an option that is written as on a command line, such as "-o" or "--url"."""
    bare = key.lstrip("-")
    return _SHORT.get(bare, bare) if key.startswith("-") else key


def convert_cpuminer(conversion: Conversion) -> None:
    """Convert the file. Raises ConfigError if it is for another algorithm than SHA-256d."""
    table = conversion.source.table
    _check_algorithm(conversion)
    pool = {key: value for key in _POOL_KEYS if (value := conversion.take(key)) is not None}
    add_pool(conversion, "", pool, _pool_key)
    result = conversion.result
    result.pools = [ordered(made) for made in result.pools]
    encrypted = any(made["url"].startswith("stratum+ssl") for made in result.pools)
    certificate = conversion.take("cert")
    if not is_off(certificate):
        if encrypted:
            conversion.apply_rule("cert", certificate, To("tls_ca", values.text))
        else:
            conversion.leave("cert", certificate, "the pool has no TLS")
    unsafe = encrypted and not is_off(certificate) and "tls_ca" not in result.options
    proxy = conversion.take("proxy")
    if not is_off(proxy):
        try:
            conversion.carry("proxy", proxy, {"proxy": values.proxy(proxy, plain="http", socks5="socks5")})
        except InvalidValue as error:
            conversion.lose("proxy", proxy, str(error))
            unsafe = True
    if unsafe:
        for made in result.pools:
            switch_off(conversion, "pool", made)
    if "benchmark" in table and is_off(table["benchmark"]):
        conversion.leave("benchmark", conversion.take("benchmark"), "this setting is off")
    _convert_retries(conversion)
    conversion.apply(_RULES)


def _check_algorithm(conversion: Conversion) -> None:
    value = conversion.take("algo")
    if is_off(value):
        conversion.lose(
            "algo",
            value,
            "the file names no algorithm, so sha256d is assumed; some cpuminers then mine scrypt",
        )
    elif not isinstance(value, str) or not values.is_sha256d(value):
        source = conversion.source
        raise ConfigError(
            Problem(
                f"{source.where}:{source.lines.get('algo', 0)}", f"expected the algorithm sha256d, got {shown(value)}"
            )
        )
    else:
        conversion.leave("algo", value, "stratum-miner mines nothing else")


def _pool_key(key: str, value: Any) -> SettingPairs:
    if key == "url":
        url = values.text(value)
        yield from values.pool_url(url, http_is_stratum=False)
    elif key == "userpass":
        user, colon, password = values.secret(value).partition(":")
        if not colon:
            raise InvalidValue("expected USER:PASS")
        yield "user", values.text(user)
        yield "pass", password
    else:
        yield key, values.secret(value) if key == "pass" else values.text(value)


def _affinity(value: Any) -> list[str] | None:
    spelled = value.strip() if isinstance(value, str) else ""
    mask = int(spelled, 16) if spelled.lower().startswith("0x") and _is_hex(spelled[2:]) else values.integer(value)
    if mask <= 0 or mask.bit_length() >= values.MAX_BITS:
        return None
    return ["affinity=" + ",".join(str(bit) for bit in range(mask.bit_length()) if mask >> bit & 1)]


def _is_hex(text: str) -> bool:
    return 0 < len(text) <= 16 and all(character in "0123456789abcdefABCDEF" for character in text)


def _convert_retries(conversion: Conversion) -> None:
    value = conversion.take("retries")
    if value is None:
        return
    try:
        number = values.integer(value)
    except InvalidValue as error:
        conversion.lose("retries", value, str(error))
        return
    if number < 0:
        conversion.leave("retries", value, "the miner tries again for ever")
    else:
        conversion.carry("retries", value, {"retries": number} if number else {"retry": False})


def _on(value: Any) -> bool | None:
    return values.flag(value) or None


_API = "this key is about another protocol; use --http or --cgminer-api for statistics"
_GETWORK = Idle("this key belongs to getwork, and Stratum has no such setting")
_SOLO = Lost("use stratum-miner solo --address to mine on a node")
_SERVICE = Idle("the service manager decides this; stratum-miner service prints a systemd unit")
_SCREEN = Idle("this key is about the screen of that program")

_RULES: dict[str, KeyRule] = {
    "threads": To("threads", values.positive),
    "cpu-affinity": To("backend_option", _affinity),
    "cpu-priority": Lost("--backend-option priority=normal raises the priority of the search threads", defaults=(0, 1)),
    "debug": To("debug", _on),
    "quiet": To("quiet", _on),
    "protocol": To("protocol_dump", _on),
    "protocol-dump": To("protocol_dump", _on),
    "time-limit": To("time_limit", values.positive),
    "retry-pause": To("retry_pause", lambda value: values.seconds(value, 3600), defaults=(10, 30)),
    "no-extranonce": To("extranonce_subscribe", lambda value: False if values.flag(value) else None),
    "no-redirect": To("pool_redirect", lambda value: False if values.flag(value) else None),
    "max-temp": To("pause_above", lambda value: values.number(value) or None),
    "max-diff": Lost("the miner cannot pause while the network is difficult", defaults=(0,)),
    "max-rate": Lost("the miner cannot pause while the network is fast", defaults=(0,)),
    "diff-factor": Lost("the miner uses the difficulty of the pool", defaults=(1,)),
    "diff": Lost("the miner uses the difficulty of the pool", defaults=(1,)),
    "diff-multiplier": Lost("the miner uses the difficulty of the pool", defaults=(1,)),
    "timeout": Lost("the miner uses fixed timeouts", defaults=(0, 270, 300)),
    "stratum-keepalive": Idle("the miner connects again by itself if the pool falls silent"),
    "scantime": _GETWORK,
    "no-longpoll": _GETWORK,
    "no-getwork": _GETWORK,
    "no-gbt": _GETWORK,
    "no-stratum": Lost("pools must use Stratum"),
    "coinbase-addr": _SOLO,
    "coinbase-sig": Idle("this key belongs to mining on a node"),
    "benchmark": Lost("use stratum-miner bench to measure"),
    "cputest": Lost("use stratum-miner bench --check"),
    "background": _SERVICE,
    "syslog": _SERVICE,
    "no-color": Idle("set NO_COLOR in the environment"),
    "api-bind": Lost(_API, defaults=("127.0.0.1:4048", "4048", 0)),
    "api-remote": Lost(_API),
    **dict.fromkeys(("hash-meter", "bell"), _SCREEN),
    **dict.fromkeys(("randomize", "verify", "data-file", "key", "param-key", "param-n", "param-r"), _SCREEN),
    "config": Lost("convert this file, too: only one file is converted at a time"),
}
CPUMINER_KEYS = frozenset({*_RULES, *_POOL_KEYS, "retries", "algo", "cert", "proxy"})
"""The keys of cpuminer and cpuminer-opt."""
