"""Converts the keys that begin with ``api-``, which say who may use the API of cgminer."""

from typing import Any

from stratum_miner.app.config.problems import InvalidValue
from stratum_miner.app.foreign import values
from stratum_miner.app.foreign.rules import NO_SETTING, Conversion, Idle, KeyRule, Lost, is_off
from stratum_miner.monitoring.cgminer import COMMANDS, READING
from stratum_miner.monitoring.cgminer.access import AccessError, AccessList
from stratum_miner.spelling import did_you_mean

_EVERYBODY_READS = "R:0/0"
_DEPENDENT = ("api-port", "api-host", "api-network", "api-allow", "api-groups")
_REST: dict[str, KeyRule] = {
    "api-description": Idle("the API gives the name of stratum-miner"),
    "api-mcast": Lost("the API does not answer to multicast"),
    **dict.fromkeys(("api-mcast-addr", "api-mcast-code", "api-mcast-des", "api-mcast-port"), Idle("api-mcast is off")),
}


def convert_api(conversion: Conversion) -> None:
    """Convert the API and the rules of access to it. If a rule is lost, the converted rules never permit more than
    those of the file."""
    mcast = conversion.source.table.get("api-mcast")
    for key, rule in _REST.items():
        value = conversion.take(key)
        if value is not None:
            hidden = key != "api-mcast" and key.startswith("api-mcast") and not is_off(mcast)
            conversion.apply_rule(key, value, Lost("the API does not answer to multicast") if hidden else rule)
    listen = conversion.flag("api-listen", values.flag)
    given = {key: value for key in _DEPENDENT if (value := conversion.take(key)) is not None}
    if "cgminer_api" not in conversion.options:
        for key, value in given.items():
            conversion.lose(key, value, NO_SETTING)
        return
    if not listen:
        for key, value in given.items():
            conversion.leave(key, value, "the API is off, because api-listen is not true")
        if not is_off(value := conversion.source.table.get("api-listen")):
            return
        if value is not None:
            conversion.leave("api-listen", value, "this setting is off")
        return
    _switch_on(conversion, given)


def _switch_on(conversion: Conversion, given: dict[str, Any]) -> None:
    allow, network = given.get("api-allow"), False
    port, host = 4028, "127.0.0.1"
    try:
        port = values.integer(given.get("api-port", port))
        if not 1 <= port <= 65535:
            raise InvalidValue(f"expected a port from 1 to 65535, got {port}")
    except InvalidValue as error:
        conversion.lose("api-port", given["api-port"], str(error))
        port = 4028
    groups = _groups(conversion, given.get("api-groups"))
    try:
        network = values.flag(given.get("api-network", False))
    except InvalidValue as error:
        conversion.lose("api-network", given["api-network"], str(error))
    rules = ""
    if allow is not None:
        rules = _allowed(conversion, allow, groups)
    elif network:
        rules = _EVERYBODY_READS
    if rules:
        host = _host(conversion, given.get("api-host"))
    elif "api-host" in given:
        conversion.leave("api-host", given["api-host"], "without api-allow and api-network, only this computer may ask")
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    conversion.carry("api-listen", conversion.source.table["api-listen"], {"cgminer_api": address})
    for key in ("api-port", "api-host"):
        if key in given and not any(note.key == key for note in conversion.result.notes):
            conversion.leave(key, given[key], "this key is part of cgminer_api")
    if network and allow is None:
        conversion.carry("api-network", given["api-network"], {"api_allow": rules})
    elif "api-network" in given and not any(note.key == "api-network" for note in conversion.result.notes):
        conversion.leave(
            "api-network", given["api-network"], "api-allow says more" if network else "this setting is off"
        )


def _allowed(conversion: Conversion, allow: Any, groups: str) -> str:
    """Set and return the rules of access that come before the first rule that cannot be converted. This rule and all
    later ones are lost. The first rule that fits a client decides, so if only one rule were left out, a later rule
    could allow the client more."""
    kept: list[str] = []
    try:
        entries = values.text(allow).split(",")
    except InvalidValue as error:
        conversion.lose("api-allow", allow, str(error))
        return ""
    for entry in filter(None, map(str.strip, entries)):
        try:
            AccessList.parse(entry, groups or None, reading=READING, all_commands=COMMANDS)
            kept.append(entry)
        except AccessError as error:
            conversion.lose("api-allow", allow, f"{error}; this entry and those after it are left out")
            break
    if kept:
        conversion.carry("api-allow", allow, {"api_allow": ",".join(kept)})
    return ",".join(kept)


def _groups(conversion: Conversion, value: Any) -> str:
    """Set and return the groups with the commands that stratum-miner knows. Each other command is lost."""
    if value is None:
        return ""
    known = {name.lower() for name in COMMANDS} | {"*"}
    found = []
    try:
        for part in filter(None, map(str.strip, values.text(value).split(","))):
            letter, *commands = part.split(":")
            for name in commands:
                if name.lower() not in known:
                    hint = did_you_mean(name, sorted(known))
                    conversion.lose("api-groups", value, f"the API has no command {name!r}{hint}")
            found.append(":".join([letter, *(name for name in commands if name.lower() in known)]))
        made = ",".join(part for part in found if ":" in part)
        AccessList.parse(None, made, reading=READING, all_commands=COMMANDS)
    except (InvalidValue, AccessError) as error:
        conversion.lose("api-groups", value, str(error))
        return ""
    if made:
        conversion.carry("api-groups", value, {"api_groups": made})
    return made


def _host(conversion: Conversion, value: Any) -> str:
    if is_off(value):
        return "0.0.0.0"
    try:
        return values.text(value).strip("[]")
    except InvalidValue as error:
        conversion.lose("api-host", value, str(error))
        return "127.0.0.1"
