"""Checks the options that say who may use the APIs, before any of them is opened."""

import ipaddress
from typing import TYPE_CHECKING

from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.process.exit_codes import UsageError

if TYPE_CHECKING:
    from stratum_miner.monitoring.cgminer import AccessList
    from stratum_miner.monitoring.ip_networks import IpNetwork


def cgminer_access(chosen: MineOptions) -> "AccessList | None":
    """Return who may use the API of --cgminer-api, or None without this option.

    Raises UsageError for a wrong --api-allow or --api-groups, and for these options without --cgminer-api.
    """
    if chosen.cgminer_api is None:
        for flag, value in (("--api-allow", chosen.api_allow), ("--api-groups", chosen.api_groups)):
            if value is not None:
                raise UsageError(f"{flag}: needs --cgminer-api, as in --cgminer-api 127.0.0.1:4028")
        return None
    from stratum_miner.monitoring import cgminer  # noqa: PLC0415  only with --cgminer-api

    try:
        return cgminer.AccessList.parse(
            chosen.api_allow, chosen.api_groups, reading=cgminer.READING, all_commands=cgminer.COMMANDS
        )
    except cgminer.AccessError as error:
        raise UsageError(f"--api-{error}") from None


def axeos_trusted(chosen: MineOptions) -> "tuple[IpNetwork, ...]":
    """Return the networks of --axeos-control. Raises UsageError for a wrong one, and for this option without
    --axeos-api."""
    if chosen.axeos_api is None and chosen.axeos_control is not None:
        raise UsageError("--axeos-control: needs --axeos-api, as in --axeos-api 192.168.1.5:80")
    return tuple(map(_network, chosen.axeos_control or ()))


def _network(text: str) -> "IpNetwork":
    try:
        return ipaddress.ip_network(text)
    except ValueError as error:
        raise UsageError(
            f"--axeos-control: expected a network, such as 192.168.1.0/24, got {text!r}: {error}"
        ) from None
