"""Who may say what to cgminer's API: addresses in groups, as ``--api-allow`` and ``--api-groups`` have them.

``W:192.168.1.5,R:192.168.0/16`` - the first entry that fits an address decides. W may say everything, R what only
tells, other letters what their group lists: ``P:switchpool:enablepool:*`` (a star is what R may). There is no password:
the address is all there is, so the default is this machine and reading.
"""

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from stratum_miner.monitoring.ip_networks import IpNetwork
from stratum_miner.spelling import did_you_mean

READ, WRITE = "R", "W"
_LOOPBACK = "R:127.0.0.1/8,R:::1"


class AccessError(Exception):
    """A list or a group makes no sense; the message says which part and what was expected."""


@dataclass(frozen=True, slots=True)
class AccessList:
    """Entries in order, and what each group may say."""

    entries: tuple[tuple[str, IpNetwork], ...]
    groups: Mapping[str, frozenset[str]]

    @classmethod
    def parse(
        cls, allow: str | None, groups: str | None, *, reading: Iterable[str], all_commands: Iterable[str]
    ) -> "AccessList":
        """From cgminer's own spelling; None allows this machine to read. AccessError."""
        read, known = frozenset(reading), frozenset(all_commands)
        allowed = {READ: read, WRITE: known, **_groups(groups, read, known)}
        entries = [_entry(text.strip(), allowed) for text in (allow or _LOOPBACK).split(",") if text.strip()]
        return cls(tuple(entries), allowed)

    def group_of(self, address: str) -> str | None:
        """The group of an address; None for one that is not answered at all."""
        numeric = ipaddress.ip_address(address.partition("%")[0])
        mapped = numeric.ipv4_mapped if isinstance(numeric, ipaddress.IPv6Address) else None
        host = mapped or numeric
        return next((group for group, network in self.entries if host in network), None)

    def may(self, group: str, command: str) -> bool:
        """Whether a group may say a command."""
        return command in self.groups[group]


def _groups(text: str | None, reading: frozenset[str], known: frozenset[str]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        letter, _, listed = part.strip().partition(":")
        group = letter.upper()
        if len(group) != 1 or not "A" <= group <= "Z" or group in (READ, WRITE) or group in found:
            raise AccessError(f"groups: expected a letter of its own, not R or W, as in P:switchpool:*, got {part!r}")
        commands: set[str] = set()
        for name in listed.split(":"):
            commands |= reading if name == "*" else {_command(name, known)}
        found[group] = frozenset(commands)
    return found


def _command(name: str, known: frozenset[str]) -> str:
    if name.lower() in known:
        return name.lower()
    raise AccessError(f"groups: no command is called {name!r}{did_you_mean(name, sorted(known))}")


def _entry(text: str, groups: Mapping[str, frozenset[str]]) -> tuple[str, IpNetwork]:
    group, address = READ, text
    if len(text) > 2 and text[1] == ":" and text[0].isalpha() and not text.startswith(("a::", "A::")):
        group, address = text[0].upper(), text[2:]
        if group not in groups:
            raise AccessError(f"allow: expected a group of {', '.join(sorted(groups))}, got {text!r}")
    try:
        return group, _network(address)
    except ValueError:
        raise AccessError(
            f"allow: expected GROUP:ADDRESS/BITS, as in W:127.0.0.1 or R:192.168.0/16, got {text!r}"
        ) from None


def _network(text: str) -> IpNetwork:
    """cgminer also takes 192.168.0/16 and 0/0, with the missing parts zero."""
    host, slash, bits = text.partition("/")
    if host.replace(".", "").isdecimal():
        parts = host.split(".")
        host = ".".join([*parts, *["0"] * (4 - len(parts))])
    return ipaddress.ip_network(f"{host}{slash}{bits}", strict=False)
