"""Decides which client may send which command of the cgminer API, by the options ``--api-allow`` and ``--api-groups``.

``--api-allow`` assigns clients to groups, as in ``W:192.168.1.5,R:192.168.0/16``: the first entry that matches the IP
address of a client decides its group. Group W may send all commands, and group R the commands that only read.
``--api-groups`` defines other groups by the commands that they may send, as in ``P:switchpool:enablepool:*``, where the
star means all commands of group R. The API has no password, so by default only this computer may read,
and no client may make changes.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stratum_miner.monitoring.ip_networks import IpNetwork
from stratum_miner.spelling import did_you_mean

READ, WRITE = "R", "W"
_LOOPBACK = "R:127.0.0.1/8,R:::1"


class AccessError(Exception):
    """The value of ``--api-allow`` or ``--api-groups`` is invalid. The message quotes the invalid part and says what
    was expected."""


@dataclass(frozen=True, slots=True)
class AccessList:
    """The parsed values of ``--api-allow`` and ``--api-groups``.

    ``entries`` are pairs of a group and a range of IP addresses, in the order of the option. ``groups`` has the
    commands that each group may send."""

    entries: tuple[tuple[str, IpNetwork], ...]
    groups: Mapping[str, frozenset[str]]

    @classmethod
    def parse(
        cls, allow: str | None, groups: str | None, *, reading: Iterable[str], all_commands: Iterable[str]
    ) -> "AccessList":
        """Parse ``--api-allow`` (``allow``) and ``--api-groups`` (``groups``). If ``allow`` is None, only this computer
        may read.

        The notation is that of cgminer. ``reading`` are the commands of group R, and ``all_commands`` those of
        group W. Raises AccessError if an option is invalid.
        """
        read, known = frozenset(reading), frozenset(all_commands)
        allowed = {READ: read, WRITE: known, **_groups(groups, read, known)}
        entries = [_entry(text.strip(), allowed) for text in (allow or _LOOPBACK).split(",") if text.strip()]
        return cls(tuple(entries), allowed)

    def group_of(self, address: str) -> str | None:
        """Return the group of the client with this IP address. None: no entry matches, so the client gets no answer."""
        numeric = ipaddress.ip_address(address.partition("%")[0])
        mapped = numeric.ipv4_mapped if isinstance(numeric, ipaddress.IPv6Address) else None
        host = mapped or numeric
        return next((group for group, network in self.entries if host in network), None)

    def may(self, group: str, command: str) -> bool:
        """Return whether a group may send a command."""
        return command in self.groups[group]


def _groups(text: str | None, reading: frozenset[str], known: frozenset[str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        letter, _, listed = part.strip().partition(":")
        group = letter.upper()
        if len(group) != 1 or not "A" <= group <= "Z" or group in (READ, WRITE) or group in found:
            raise AccessError(
                f"groups: expected a letter other than R and W that no other group has, as in P:switchpool:*, "
                f"got {part!r}"
            )
        commands: set[str] = set()
        for name in listed.split(":"):
            commands |= reading if name == "*" else {_command(name, known)}
        found[group] = frozenset(commands)
    return found


def _command(name: str, known: frozenset[str]) -> str:
    if name.lower() in known:
        return name.lower()
    raise AccessError(f"groups: expected names of commands, got {name!r}{did_you_mean(name, sorted(known))}")


def _entry(text: str, groups: Mapping[str, frozenset[str]]) -> tuple[str, IpNetwork]:
    group, address = READ, text
    if text[1:2] == ":" and text[0].isalpha() and not text.startswith(("a::", "A::")):
        group, address = text[0].upper(), text[2:]
        if group not in groups:
            raise AccessError(f"allow: expected one of the groups {', '.join(sorted(groups))}, got {text!r}")
    try:
        return group, _network(address)
    except ValueError:
        raise AccessError(
            f"allow: expected GROUP:ADDRESS or GROUP:ADDRESS/BITS, as in W:127.0.0.1 or R:192.168.0.0/16, got {text!r}"
        ) from None


def _network(text: str) -> IpNetwork:
    """Return the range of IP addresses that a text describes. As in cgminer, missing parts are zero: 0/0 is
    0.0.0.0/0."""
    host, slash, bits = text.partition("/")
    if host.replace(".", "").isdecimal():
        parts = host.split(".")
        host = ".".join([*parts, *["0"] * (4 - len(parts))])
    return ipaddress.ip_network(f"{host}{slash}{bits}", strict=False)
