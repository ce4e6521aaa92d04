"""Converts the settings of small miners with an ESP32: AxeOS (Bitaxe) and NerdMiner."""

from collections.abc import Mapping
from typing import Any

from stratum_miner.app.config.problems import InvalidValue, shown
from stratum_miner.app.foreign import values
from stratum_miner.app.foreign.notes import KeyOutcome
from stratum_miner.app.foreign.pools import NothingToDo, SettingPairs, add_pool, ordered
from stratum_miner.app.foreign.rules import Conversion
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.foreign_text import sanitize

_CHIPS = {"BM1370": "bitaxe-gamma", "BM1368": "bitaxe-supra", "BM1366": "bitaxe-ultra"}
"""The kind of a Bitaxe by its chip."""
_POOL_NAMES = {
    "url": "stratumURL",
    "port": "stratumPort",
    "user": "stratumUser",
    "password": "stratumPassword",
    "difficulty": "stratumSuggestedDifficulty",
    "extranonce": "stratumExtranonceSubscribe",
    "tls": "stratumTLS",
    "cert": "stratumCert",
    "protocol": "stratumProtocol",
    "decode": "stratumDecodeCoinbase",
}
_CSV_NAMES = {
    "url": "stratumurl",
    "port": "stratumport",
    "user": "stratumuser",
    "password": "stratumpass",
    "difficulty": "stratumdiff",
    "extranonce": "stratumxnsub",
    "tls": "stratumtls",
    "cert": "stratumcert",
    "protocol": "stratumprot",
}
_NO_TLS, _OWN_CERTIFICATE = 0, 2
"""Values of the key ``tls``. The third value, 1, means TLS with the certificates that come with the firmware."""
_VERSION_2 = ("stratumV2", "fallbackStratumV2", "sv2", "fbsv2")
"""Beginnings of keys that belong to Stratum version 2."""
_DEVICE_KEYS = ("frequency", "coreVoltage", "ASICModel")
_CSV_DEVICE_KEYS = ("asicfrequency", "asicvoltage", "asicmodel")
_WIFI = ("ssid", "wifiPass", "wifissid", "wifipass", "hostname")


def convert_axeos(conversion: Conversion) -> None:
    """Convert the answer of ``/api/system/info``, or the CSV file from which the settings of a Bitaxe are made."""
    source = conversion.source
    names = _CSV_NAMES if source.is_csv else _POOL_NAMES
    pools = conversion.take("pools")
    if isinstance(pools, list) and pools:
        _convert_list(conversion, pools)
        for key in list(source.table):
            if key.lower().startswith(("stratum", "fallbackstratum")):
                conversion.leave(key, conversion.take(key), "this key repeats a pool under pools")
    else:
        first, second = names, {part: _fallback(name, csv=source.is_csv) for part, name in names.items()}
        use = conversion.take("usefbstartum" if source.is_csv else "useFallbackStratum")
        order = (second, first) if use in (1, True) else (first, second)
        for each in order:
            _convert_flat(conversion, each)
    if not any("pass" in pool for pool in conversion.result.pools):
        conversion.leave("stratumPassword", None, "the file has no password; x is used, as most pools expect")
    conversion.result.pools = [ordered(pool) for pool in conversion.result.pools]
    _convert_device(conversion)
    for key, value in source.table.items():
        if key in _WIFI:
            conversion.leave(key, conversion.take(key) and value, "this key is about the network of the device")
        elif key not in conversion.taken and key.startswith(_VERSION_2):
            conversion.leave(key, conversion.take(key), "this key belongs to Stratum version 2")
        elif key not in conversion.taken:
            conversion.leave(
                key, conversion.take(key) and value, "this key is a reading of the device, or about its hardware"
            )


def _fallback(name: str, *, csv: bool) -> str:
    return f"fb{name}" if csv else f"fallback{name[0].upper()}{name[1:]}"


def _convert_list(conversion: Conversion, pools: list[Any]) -> None:
    """Convert the list of pools in a file of a newer AxeOS version. AxeOS uses at most two pools of the list: a primary
    one, and one to fall back to. If the file says which pools these are, the others are added, but switched off."""
    used = [index for key in ("primaryPoolIndex", "secondaryPoolIndex") if (index := conversion.take(key)) is not None]
    if conversion.take("useFallbackStratum") in (1, True):
        used.reverse()
    used = [index for index in used if isinstance(index, int) and 0 <= index < len(pools)] or list(range(len(pools)))
    for index in [*dict.fromkeys(used), *(index for index in range(len(pools)) if index not in used)]:
        pool = pools[index]
        if isinstance(pool, dict) and not pool.get("stratumURL"):
            conversion.leave(f"pools[{index}]", None, "no pool is set here")
            continue
        before = len(conversion.result.pools)
        _add(conversion, f"pools[{index}]", pool, _POOL_NAMES)
        if index not in used and len(conversion.result.pools) > before:
            conversion.result.pools[-1]["enabled"] = False


def _convert_flat(conversion: Conversion, names: Mapping[str, str]) -> None:
    given = {name: value for name in names.values() if (value := conversion.take(name)) is not None}
    if given.get(names["url"]):
        _add(conversion, "", given, names)
    else:
        for name, value in given.items():
            conversion.leave(name, value, "no pool is set here")


def _add(conversion: Conversion, path: str, pool: Any, names: Mapping[str, str]) -> None:
    """Add a pool whose address is in several keys. TLS belongs to the address, so it is converted with it."""
    if not isinstance(pool, dict):
        add_pool(conversion, path, pool, lambda key, value: iter(()))
        return
    parts = {name: part for part, name in names.items()}
    has_tls = _tls_mode(pool.get(names["tls"])) != _NO_TLS

    def convert(key: str, value: Any) -> SettingPairs:
        match parts.get(key, ""):
            case "url":
                yield from _address(value, pool.get(names["port"]), has_tls=has_tls, port_name=names["port"])
            case "port":
                raise NothingToDo("this key is part of url")
            case "user":
                yield "user", values.text(value)
            case "password":
                if isinstance(value, str) and value and not value.strip("*"):
                    raise InvalidValue("the device does not tell its password; set pass")
                yield "pass", values.secret(value)
            case "difficulty":
                if not values.number(value):
                    raise NothingToDo("this setting is off")
                yield "suggest_difficulty", f"{values.number(value):g}"
            case "extranonce":
                yield "extranonce_subscribe", values.flag(value)
            case "tls":
                if not has_tls:
                    raise NothingToDo("this setting is off")
                if _tls_mode(value) is None:
                    raise InvalidValue(f"expected 0, 1 or 2, got {shown(value)}; the pool is used with TLS")
                if _tls_mode(value) == _OWN_CERTIFICATE and not pool.get(names["cert"]):
                    raise values.Unsafe("the device trusts a certificate that is not in this file: set tls_ca to it")
                raise NothingToDo("this key is part of url")
            case "cert":
                if _tls_mode(pool.get(names["tls"])) != _OWN_CERTIFICATE or not value:
                    raise NothingToDo("this key is not used")
                raise values.Unsafe("save this certificate in a file, and set tls_ca to the file")
            case "protocol":
                if str(value).upper() in ("SV1", "0", ""):
                    raise NothingToDo("Stratum version 1 is the only one")
                raise values.Unsafe(f"expected Stratum version 1, got {sanitize(str(value), 20)}")
            case _ if not value or key == "id" or "V2" in key or "Decode" in key:
                raise NothingToDo("this key has no effect here")
            case _:
                raise InvalidValue("this key of a pool is not known")

    add_pool(conversion, path, pool, convert)


def _tls_mode(value: Any) -> int | None:
    """Return 0 without TLS, 1 with it, 2 with a certificate of the user, or None if the value says none of these."""
    try:
        return int(values.flag(value)) if value is not None else _NO_TLS
    except InvalidValue:
        return _OWN_CERTIFICATE if str(value).strip() == "2" else None


def _address(host: Any, port: Any, *, has_tls: bool, port_name: str) -> SettingPairs:
    address = values.text(host).strip()
    if port is not None:
        try:
            address += f":{values.integer(port)}"
        except InvalidValue as error:
            raise InvalidValue(f"{port_name}: {error}") from None
    yield from values.pool_url(address, http_is_stratum=True, tls=has_tls)


def _convert_device(conversion: Conversion) -> None:
    """Convert the Bitaxe itself. stratum-miner mines with it over USB, with the firmware bitaxe-raw."""
    csv = conversion.source.is_csv
    keys = _CSV_DEVICE_KEYS if csv else _DEVICE_KEYS
    frequency, voltage, chip = (conversion.take(key) for key in keys)
    if chip is None and frequency is None:
        return
    kind = _CHIPS.get(str(chip).strip().upper())
    if kind is None:
        conversion.result.options["device"] = ["auto"]
        conversion.lose(keys[2], chip, "stratum-miner has no driver for this device; the devices are auto")
        return
    spec = f"{kind}:auto"
    became = f"device: {spec}, which stratum-miner uses over USB and with the firmware bitaxe-raw"
    conversion.note(keys[2], chip, KeyOutcome.CARRIED, became)
    for key, value, setting, scale in ((keys[0], frequency, "frequency", 1.0), (keys[1], voltage, "voltage", 1000.0)):
        if value is None:
            continue
        try:
            changed = f"{spec},{setting}={values.number(value) / scale:g}"
            DeviceSpec.parse(changed)
            spec = changed
            conversion.note(key, value, KeyOutcome.CARRIED, f"device: {setting}={values.number(value) / scale:g}")
        except (InvalidValue, BackendOptionError) as error:
            conversion.lose(key, value, str(error).removeprefix("device: "))
    conversion.result.options["device"] = [spec]


def convert_nerdminer(conversion: Conversion) -> None:
    """Convert ``config.json`` of NerdMiner, from its SD card or from its flash memory."""
    names = ("poolString", "portNumber", "poolPassword", "btcString")
    if "poolString" not in conversion.source.table:
        names = ("PoolUrl", "PoolPort", "PoolPassword", "BtcWallet")
    pool = {key: value for key in names if (value := conversion.take(key)) is not None}

    def convert(key: str, value: Any) -> SettingPairs:
        match names.index(key):
            case 0:
                yield from _address(value, pool.get(names[1], 3333), has_tls=False, port_name=names[1])
            case 1:
                raise NothingToDo("this key is part of url")
            case 2:
                yield "pass", values.secret(value)
            case _:
                yield "user", values.text(value)

    add_pool(conversion, "", pool, convert)
    conversion.result.pools = [ordered(made) for made in conversion.result.pools]
    for key, value in conversion.source.table.items():
        if key not in pool:
            conversion.leave(key, value, "this key is about the device itself")


AXEOS_KEYS = frozenset({*_POOL_NAMES.values(), *_CSV_NAMES.values(), *_DEVICE_KEYS, *_CSV_DEVICE_KEYS, *_WIFI}) | {
    *("pools", "pools.stratumURL", "pools.stratumPort", "pools.stratumUser", "fallbackStratumURL", "fbstratumurl"),
    *("primaryPoolIndex", "secondaryPoolIndex", "boardVersion", "boardversion", "devicemodel", "axeOSVersion"),
}
"""Keys of AxeOS. The keys of a pool have the prefix ``pools.``."""
NERDMINER_KEYS = frozenset(
    {"poolString", "portNumber", "poolPassword", "btcString", "gmtZone", "saveStatsToNVS", "invertColors", "Brightness"}
    | {"PoolUrl", "PoolPort", "PoolPassword", "BtcWallet", "Timezone", "SaveStats", "WifiPW", "SSID"}
)
"""The keys of NerdMiner."""
