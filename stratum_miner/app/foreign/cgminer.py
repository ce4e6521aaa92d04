"""Converts configuration files of cgminer and of its relatives, among which bfgminer differs most."""

import re
from collections.abc import Mapping
from typing import Any

from stratum_miner.app.config.problems import ConfigError, InvalidValue, Problem, shown
from stratum_miner.app.foreign import values
from stratum_miner.app.foreign.cgminer_api import convert_api
from stratum_miner.app.foreign.devices import convert_devices
from stratum_miner.app.foreign.pools import NothingToDo, SettingPairs, add_pool, ordered, switch_off
from stratum_miner.app.foreign.rules import Conversion, Idle, KeyRule, Lost, To, is_off
from stratum_miner.foreign_text import sanitize

BFGMINER = "bfgminer"
KERNELS = frozenset(
    {"auto", "fastauto", "c", "4way", "via", "cryptopp", "cryptopp_asm32", "sse2_32", "sse2_64", "sse4_64"}
    | {"altivec_4way"}
)
"""Values of ``algo`` of bfgminer, which are kernels for the CPU: bfgminer calls them algorithms."""
_GPU_KERNELS = frozenset({"poclbm", "phatk", "diakgcn", "diablo", "diablominer", "auto"})
"""Values of the key ``kernel`` that name a SHA-256d kernel for GPUs. In files of sgminer, this key may
name another algorithm."""
_PROXY_PREFIX = re.compile(r"(?i)(?:https?|http0|socks[45][ah]?):")


def convert_cgminer(conversion: Conversion) -> None:
    """Convert the file. Raises ConfigError if it is for another algorithm than SHA-256d."""
    content = conversion.source.table
    is_bfgminer = conversion.result.program == BFGMINER
    _check_algorithm(conversion)
    unsafe = _convert_proxy(conversion, is_bfgminer)
    pools = conversion.take("pools")
    pools = [] if pools is None else pools if isinstance(pools, list) else [pools]
    convert_key = _bfgminer_pool if is_bfgminer else _cgminer_pool
    for index, pool in enumerate(pools):
        add_pool(conversion, f"pools[{index}]", pool, convert_key)
    top = {key: value for key in ("url", "user", "pass", "userpass", "quota") if (value := conversion.take(key))}
    if isinstance(top.get("url"), str):
        add_pool(conversion, "", top, convert_key)
    else:
        for key, value in top.items():
            conversion.lose(key, value, "expected the pools under pools, as the program itself writes them")
    result = conversion.result
    result.pools = [ordered(pool) for pool in result.pools]
    if any("priority" in pool for pool in result.pools):
        for place, pool in enumerate(result.pools):
            pool.setdefault("priority", place)  # without a priority, cgminer uses the pool's position
    if unsafe:
        for number, pool in enumerate(result.pools, 1):
            if "proxy" not in pool and pool.get("enabled", True):
                switch_off(conversion, f"pools.pool{number}", pool)
    _convert_strategy(conversion)
    convert_api(conversion)
    convert_devices(conversion)
    if content.get("request-diff") is not None:
        conversion.apply_rule("request-diff", conversion.take("request-diff"), _DIFFICULTY)
    conversion.apply(_RULES, _FAMILIES)


def _check_algorithm(conversion: Conversion) -> None:
    where, lines = conversion.source.where, conversion.source.lines
    for key in ("algo", "algorithm", "scrypt", "kernel"):
        value = conversion.take(key)
        if is_off(value):
            continue
        if key == "scrypt":
            raise ConfigError(Problem(f"{where}:{lines.get(key, 0)}", "expected the algorithm sha256d, got scrypt"))
        name = value if isinstance(value, str) else ""
        if name.lower() in KERNELS:
            conversion.leave(key, value, "this key names bfgminer's kernel for the CPU; stratum-miner measures its own")
        elif key == "kernel" and name.lower() in _GPU_KERNELS:
            conversion.leave(key, value, _GPU.reason)
        elif values.is_sha256d(name):
            conversion.leave(key, value, "stratum-miner mines nothing else")
        else:
            raise ConfigError(
                Problem(f"{where}:{lines.get(key, 0)}", f"expected the algorithm sha256d, got {shown(value)}")
            )


def _convert_proxy(conversion: Conversion, is_bfgminer: bool) -> bool:
    """Convert the proxy of all pools. Return whether it is lost."""
    value = conversion.take("socks-proxy")
    if is_off(value):
        return False
    try:
        remote = "socks5" if is_bfgminer else "socks5h"  # cgminer leaves host names to the proxy
        conversion.carry("socks-proxy", value, {"proxy": values.proxy(value, plain=remote, socks5=remote)})
    except InvalidValue as error:
        conversion.lose("socks-proxy", value, str(error))
        return True
    return False


# ---- pools ----------------------------------------------------------------------------------------------------------


def _cgminer_pool(key: str, value: Any) -> SettingPairs:
    return _pool_key(key, value, socks5="socks5h")


def _bfgminer_pool(key: str, value: Any) -> SettingPairs:
    return _pool_key(key, value, socks5="socks5")


def _pool_key(key: str, value: Any, *, socks5: str) -> SettingPairs:
    match key:
        case "url":
            yield from _url(values.text(value))
        case "quota":  # the value may contain the quota and the URL, as in "3;stratum+tcp://..."
            quota, semicolon, url = (value if isinstance(value, str) else str(value)).partition(";")
            yield "quota", values.integer(quota)
            if semicolon:
                yield from _url(values.text(url))
        case "user":
            yield key, values.text(value)
        case "pass":
            yield key, values.secret(value)
        case "userpass":
            user, _, password = values.secret(value).partition(":")
            yield "user", values.text(user)
            yield "pass", password
        case "pool-priority" | "prio" | "priority":
            yield "priority", values.integer(value)
        case "pool-proxy" | "proxy" | "socks-proxy":
            if is_off(value):
                raise NothingToDo("this setting is off")
            yield "proxy", values.proxy(value, plain=socks5 if key == "socks-proxy" else "http", socks5=socks5)
        case "enabled":
            yield "enabled", values.flag(value)
        case "disabled" | "removed":
            yield "enabled", not values.flag(value)
        case "state":
            yield "enabled", _state(value)
        case "extranonce-subscribe" | "extranonce_subscribe" | "xnsub":
            yield "extranonce_subscribe", values.flag(value)
        case "no-extranonce" | "no-extranonce-subscribe":
            yield "extranonce_subscribe", not values.flag(value)
        case "suggest-diff" | "request-diff":
            yield "suggest_difficulty", _difficulty(value) or "off"
        case "algorithm" | "algo":
            _check_pool_algorithm(value)
        case "pool-goal":
            _check_goal(values.text(value))
        case "name" | "description" | "profile":
            raise NothingToDo("this key only names the pool")
        case "force-rollntime":
            raise NothingToDo("stratum-miner does not roll the time of a job beyond what Stratum allows")
        case _ if is_off(value):
            raise NothingToDo("this setting is off")
        case _ if key.startswith(("coinbase-check", "cbcheck", "cbc")):
            raise InvalidValue(_COINBASE_CHECK.reason)
        case _:
            raise InvalidValue("this key of a pool is not known")


def _state(value: Any) -> bool:
    name = values.text(value).lower()
    if name not in ("enabled", "disabled", "hidden", "rejecting"):
        raise InvalidValue(f"expected enabled or disabled, got {shown(value)}")
    return name == "enabled"


def _check_pool_algorithm(value: Any) -> None:
    """Raise NothingToDo for SHA-256d, and Unsafe for another algorithm: a pool for it must not be used."""
    name = values.text(value)
    if not name or values.is_sha256d(name) or name.lower() in KERNELS:
        raise NothingToDo("stratum-miner mines nothing else")
    raise values.Unsafe(f"expected the algorithm sha256d, got {shown(value)}")


def _check_goal(goal: str) -> None:
    algorithm = re.search(r"malgo=([^,\s]*)", goal)
    if algorithm and not values.is_sha256d(algorithm[1]):
        raise values.Unsafe(f"expected the algorithm sha256d, got {sanitize(algorithm[1], 40)!r}")
    if goal != "default":
        raise InvalidValue("stratum-miner has one goal for all pools")
    raise NothingToDo("this setting is the default")


def _url(spelled: str) -> SettingPairs:
    """Yield the settings in a URL of cgminer. The URL may begin with a proxy (``socks5:HOST:PORT|``) and end with flags
    (``#xnsub``)."""
    proxy, bar, url = spelled.rpartition("|")
    url, _, flags = url.partition("#")
    names = [name.strip().lower() for name in re.split(r"[,&#]", flags) if name.strip()]
    known = {name.partition("=")[0]: name.partition("=")[2] not in ("0", "no", "false") for name in names}
    lost = [name for name in known if name.startswith(("cb", "coinbase"))]
    if lost:
        raise values.Unsafe(f"#{sanitize(lost[0], 40)}: {_COINBASE_CHECK.reason}")
    tls = known.get("tls") or (known.get("tlsca") and "tls" not in known)
    settings = list(values.pool_url(url, http_is_stratum=True, tls=bool(tls)))
    if bar:
        match = _PROXY_PREFIX.match(proxy)
        if not match:
            raise values.Unsafe("expected a proxy before the |, as in socks5:HOST:PORT|")
        settings.append(("proxy", values.proxy(proxy, plain="http", socks5="socks5h")))
    yield from settings
    if known.get("xnsub"):
        yield "extranonce_subscribe", True


# ---- strategy -------------------------------------------------------------------------------------------------------


def _convert_strategy(conversion: Conversion) -> None:
    by_quota = conversion.flag("load-balance", values.flag)
    if by_quota:
        conversion.carry("load-balance", True, {"strategy": "quota"})
    elif any("quota" in pool for pool in conversion.result.pools):
        conversion.result.options["strategy"] = "failover"  # without load-balance, cgminer ignores quotas
    for key in ("balance", "round-robin", "rotate"):
        value = conversion.take(key)
        if is_off(value) or str(value) == "0":
            if value is not None:
                conversion.leave(key, value, "this setting is off")
        else:
            conversion.lose(key, value, "stratum-miner has only the strategies failover and quota")


# ---- other keys -----------------------------------------------------------------------------------------------------


def _difficulty(value: Any) -> str | None:
    found = values.number(value)
    return f"{found:g}" if found > 0 else None


def _log_file(value: Any) -> str:
    name = values.text(value)
    if name.isdecimal():
        raise InvalidValue("expected a file, got the number of an open one; redirect the log of mine instead")
    return name


def _time_of_day(value: Any) -> str:
    match = re.fullmatch(r"(\d{1,2}):(\d{1,2})", values.text(value), re.ASCII)
    if not match or int(match[1]) > 23 or int(match[2]) > 59:
        raise InvalidValue(f"expected a time of day, as in 22:30, got {shown(value)}")
    return f"{int(match[1]):02}:{int(match[2]):02}"


def _on(value: Any) -> bool | None:
    return values.flag(value) or None


_DEVICE = Lost("use --device, which takes the settings of each device; stratum-miner devices lists the devices")
_UNDRIVEN = Lost("stratum-miner has no driver for this device")
_GETWORK = Idle("this key belongs to getwork, and Stratum has no such setting")
_GPU = Lost("mining with GPUs is not supported")
_DISPLAY = Idle("this key is about the screen of that program")
_LOG = Lost("stratum-miner logs a status line every 30 s", defaults=(5, 20))
_SOLO = Lost("use stratum-miner solo to mine on a node")
_PROXY = Lost("use stratum-miner proxy to accept other miners", defaults=(-1,))
_REDIRECT = To("pool_redirect", lambda value: False if values.flag(value) else None)
_COINBASE_CHECK = Lost("stratum-miner does not check who the coinbase transaction pays")
_DIFFICULTY = To("suggest_difficulty", _difficulty)
_SHARES = Lost(
    "the program counts the difficulty of shares, and until_shares the shares themselves; set until_shares yourself",
    defaults=(0,),
)
_COMMAND = Lost("a command is never taken from a foreign file; set on_event = device-sick=COMMAND yourself")
_RETURN = To("fallback_time", lambda value: values.seconds(value, 86400), defaults=(120, 300))

_RULES: Mapping[str, KeyRule] = {
    "failover-only": Idle("the strategy failover does just this"),
    "fallback-time": _RETURN,
    "failover-switch-delay": _RETURN,
    "suggest-diff": _DIFFICULTY,
    "shares": _SHARES,
    "debug": To("debug", _on),
    "debuglog": To("debug", _on),
    "quiet": To("quiet", _on),
    "real-quiet": To("quiet", _on, remark="warnings and errors are still logged"),
    "protocol-dump": To("protocol_dump", _on),
    "sched-start": To("sched_start", _time_of_day),
    "sched-stop": To("sched_stop", _time_of_day),
    "sched-time": To("sched_start", _time_of_day),
    "stop-time": To("sched_stop", _time_of_day),
    "log-file": To("log_file", _log_file),
    "logfile": To("log_file", _log_file),
    "text-only": To("display", lambda value: "lines" if values.flag(value) else None),
    "cmd-sick": _COMMAND,
    "cmd-dead": _COMMAND,
    "cmd-idle": _COMMAND,
    "cpu-threads": To("threads", values.positive),
    "threads": To("threads", values.positive),
    "sharelog": Lost("use --journal FILE, which has another format"),
    "noncelog": Lost("use --journal FILE, which has the shares"),
    "monitor": Lost("no command gets the log; use --log-file FILE, or --on-event KIND=COMMAND"),
    "log": _LOG,
    "include": Lost("convert this file, too: only one file is converted at a time"),
    "submit-stale": Idle("stale shares are not submitted, unless they solve a block"),
    "no-submit-stale": Idle("stale shares are not submitted, unless they solve a block"),
    "no-pool-disable": Idle("the miner leaves a pool that rejects shares for a while, and then tries it again"),
    "disable-rejecting": Idle("the miner leaves a pool that rejects shares for a while, and then tries it again"),
    "no-client-reconnect": _REDIRECT,
    "no-pool-redirect": _REDIRECT,
    "no-restart": Lost("the miner restarts a device that hangs"),
    "retries": Idle("the miner tries again for ever"),
    "retry-pause": Idle("the pauses between attempts grow by themselves, up to 60 s"),
    "fix-protocol": _GETWORK,
    "expiry": _GETWORK,
    "expiry-lp": _GETWORK,
    "queue": _GETWORK,
    "scan-time": _GETWORK,
    "scantime": _GETWORK,
    "no-gbt": _GETWORK,
    "no-getwork": _GETWORK,
    "no-longpoll": _GETWORK,
    "submit-threads": _GETWORK,
    "skip-security-checks": _GETWORK,
    "no-stratum": Lost("pools must use Stratum"),
    "no-local-bitcoin": Idle("the miner never adds a node of this computer by itself"),
    "btc-address": _SOLO,
    "btc-sig": _SOLO,
    "generate-to": _SOLO,
    "coinbase-addr": _SOLO,
    "coinbase-sig": Idle("this key belongs to mining on a node"),
    "http-port": _PROXY,
    "stratum-port": _PROXY,
    "benchmark": Lost("use stratum-miner bench to measure"),
    "benchmark-intense": Lost("use stratum-miner bench to measure"),
    "syslog": Idle("under systemd, the log goes to the journal; stratum-miner service prints a unit"),
    "setuid": Lost("set User= in the systemd unit that stratum-miner service prints"),
    "chroot-dir": Lost("the systemd unit that stratum-miner service prints limits what the miner may see"),
    "lowmem": Idle("the miner needs little memory anyway"),
    "net-delay": Idle("this key is about slow routers and getwork"),
    "kernel-path": Idle("stratum-miner has its kernels inside"),
    "hotplug": Lost("the miner always notices devices that are plugged in", defaults=(5,)),
    "no-hotplug": Lost("the miner always notices devices that are plugged in"),
    "usb": Lost("the devices are not limited: name each with --device KIND:PATH; stratum-miner devices lists them"),
    "icarus-options": Lost("kind and port decide these settings: name each device, as in --device icarus:/dev/ttyUSB0"),
    "icarus-timing": Lost("set hash_rate of the device instead", defaults=("default",)),
    "temp-cutoff": Lost("set temperature_limit of a device with a sensor", defaults=(95,)),
    "temp-overheat": Lost("set temperature_limit of a device with a sensor", defaults=(85,)),
    "temp-target": Lost("set temperature_limit of a device with a sensor", defaults=(75,)),
    "temp-hysteresis": Lost("set temperature_limit of a device with a sensor", defaults=(3,)),
    "au3-freq": Lost(_UNDRIVEN.reason, defaults=(225,)),
    "au3-volt": Lost(_UNDRIVEN.reason, defaults=(775, 750)),
    "nfu-bits": Lost(_UNDRIVEN.reason, defaults=(50,)),
    "osm-led-mode": Lost(_UNDRIVEN.reason, defaults=(4,)),
    "rock-freq": Lost(_UNDRIVEN.reason, defaults=(270, 200)),
    "bxf-bits": Lost(_UNDRIVEN.reason, defaults=(54,)),
    "bxm-bits": Lost(_UNDRIVEN.reason, defaults=(54,)),
    "bxf-debug": Lost(_UNDRIVEN.reason, defaults=(0,)),
    "bxf-temp-target": Lost(_UNDRIVEN.reason, defaults=(82,)),
    "bflsc-overheat": Lost(_UNDRIVEN.reason, defaults=(85,)),
    "gekko-start-freq": Lost(_DEVICE.reason, defaults=(100,)),
    "gekko-step-freq": Lost(_DEVICE.reason, defaults=(6.25,)),
    "gekko-step-delay": Lost(_DEVICE.reason, defaults=(15,)),
    "gekko-tune-up": Lost(_DEVICE.reason, defaults=(97,)),
    "gekko-tune-down": Lost(_DEVICE.reason, defaults=(95,)),
    "gekko-tune2": Lost(_DEVICE.reason, defaults=(0,)),
    "gekko-wait-factor": Lost(_DEVICE.reason, defaults=(0.3, 0.4, 0.5)),
    "gekko-bauddiv": Lost(_DEVICE.reason, defaults=(0,)),
    "gekko-terminus-freq": Lost(_UNDRIVEN.reason, defaults=(150,)),
    "gekko-r909-freq": Lost(_UNDRIVEN.reason, defaults=(450,)),
    "gekko-kbox-freq": Lost(_UNDRIVEN.reason, defaults=(200,)),
    "gekko-compaca2-freq": Lost(_UNDRIVEN.reason, defaults=(300,)),
    "gekko-compaca2-start-freq": Lost(_UNDRIVEN.reason, defaults=(300,)),
    "gekko-compaca2-corev": Lost(_UNDRIVEN.reason, defaults=(270,)),
    "gekko-compaca1-start-freq": Lost(_DEVICE.reason, defaults=(300,)),
    "gekko-mine2": Idle("the driver of that program ignores it"),
    "tcp-keepalive": Idle("the miner notices by itself that a pool is silent"),
    "gekko-serial": Lost("name the stick by its path: ls /dev/serial/by-id shows the serial numbers"),
    "intensity": _GPU,
    "vectors": _GPU,
    "worksize": _GPU,
    "shaders": _GPU,
    "lookup-gap": _GPU,
    "thread-concurrency": _GPU,
    "xintensity": _GPU,
    "rawintensity": _GPU,
    "gpu-platform": Idle("mining with GPUs is not supported"),
    **dict.fromkeys(
        ("compact", "verbose", "worktime", "per-device-stats", "widescreen", "unicode", "no-unicode", "show-procs"),
        _DISPLAY,
    ),
    **dict.fromkeys(
        ("show-processors", "no-show-procs", "no-show-processors", "weighed-stats", "quit-summary", "log-microseconds"),
        _DISPLAY,
    ),
    **dict.fromkeys(
        ("quiet-work-updates", "quiet-work-update", "verbose-work-updates", "verbose-work-update"), _DISPLAY
    ),
    **dict.fromkeys(("device-protocol-dump", "force-dev-init", "usb-dump", "no-adl", "adl"), _DISPLAY),
}
_FAMILIES: tuple[tuple[str, KeyRule], ...] = (
    ("coinbase-check", _COINBASE_CHECK),
    ("cbc", _COINBASE_CHECK),
    ("gpu-", _GPU),
    ("auto-", _GPU),
    *((f"{family}", _UNDRIVEN) for family in ("gekko-compaca2", "gekko-terminus", "gekko-r909", "gekko-kbox")),
    *((f"{family}-", _DEVICE) for family in ("gekko", "icarus", "compac", "block-erupter", "usb")),
    *((f"{family}", _UNDRIVEN) for family in ("avalon", "bitmain", "bxf", "bxm", "hfa", "klondike", "bflsc", "bab")),
    *((f"{family}", _UNDRIVEN) for family in ("minion", "rock", "nfu", "osm", "au3", "T1", "drillbit", "hro", "cta")),
    *((f"{family}", _UNDRIVEN) for family in ("bfl-", "antminer-", "bitburner", "bmsc", "ltc-", "multi-version")),
)
"""Beginnings of keys, each with the rule for all keys that begin so and have no rule of their own."""
CGMINER_KEYS = (
    frozenset(_RULES)
    | {"pools", "api-listen", "api-port", "api-allow", "api-groups", "api-network"}
    | {
        *(
            "algo",
            "algorithm",
            "scrypt",
            "socks-proxy",
            "load-balance",
            "balance",
            "round-robin",
            "rotate",
            "scan-serial",
        ),
        *(
            "pools.quota",
            "pools.userpass",
            "pools.priority",
            "pools.prio",
            "pools.state",
            "pools.algorithm",
            "pools.name",
        ),
        *("api-mcast-port", "api-mcast", "api-description", "gekko-", "bitmain-", "avalon"),
    }
)
"""The keys of cgminer and bfgminer. The keys of a pool have the prefix ``pools.``."""
