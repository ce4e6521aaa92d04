"""The vocabulary: each command of cgminer 4.13 that makes sense for us, and what it answers. One table.

A tool reads ``Code`` and ``STATUS`` to see what became of its wish, so they are cgminer's own.
"""

from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from stratum_miner import __version__
from stratum_miner.monitoring.cgminer import fields
from stratum_miner.monitoring.cgminer.dialect import BYE, INVALID_COMMAND, CommandReply, Status
from stratum_miner.monitoring.cgminer.zero import Zero
from stratum_miner.monitoring.control import OVER_CGMINER, Control, ControlRefused, NewPool, PoolChange
from stratum_miner.monitoring.view import DeviceView, PoolView, View

log = structlog.get_logger(__name__)

API_VERSION = "3.7"
DESCRIPTION = f"stratum_miner {__version__}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRequest:
    """One command with all that it needs."""

    view: View
    """The view, with the counts of the whole run."""
    control: Control
    parameter: str
    may: Callable[[str], bool]
    """Whether the asker may say another command."""
    zero: Zero = field(default_factory=Zero)

    @property
    def counted(self) -> View:
        """The view with what is counted since the last ``zero``."""
        return self.zero.since(self.view)


@dataclass(frozen=True, slots=True)
class Command:
    """What a name does."""

    answer: Callable[[CommandRequest], CommandReply]
    writes: bool = False
    joinable: bool = True


def answer(name: str, asked: CommandRequest, *, joined: bool) -> CommandReply:
    """The reply to one command, whatever it is."""
    command = COMMANDS.get(name)
    if command is None:
        return CommandReply(INVALID_COMMAND)
    if not asked.may(name) or (joined and not command.joinable):
        return CommandReply(Status("E", 45, f"Access denied to '{name}' command"))
    try:
        return command.answer(asked)
    except _Wrong as wrong:
        return CommandReply(wrong.status)
    except ControlRefused as error:
        return CommandReply(Status("E", 52, f"Refused: {error}"))


class _Wrong(Exception):  # noqa: N818  answered
    def __init__(self, code: int, text: str, severity: str = "E") -> None:
        super().__init__(text)
        self.status = Status(severity, code, text)


# ---- what only tells ----------------------------------------------------------------------------------------------


def _version(asked: CommandRequest) -> CommandReply:
    row = {"CGMiner": __version__, "API": API_VERSION, "Miner": DESCRIPTION}
    return CommandReply(Status("S", 22, "CGMiner versions"), "VERSION", [row])


def _summary(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 11, "Summary"), "SUMMARY", [fields.summary(asked.counted)])


def _pools(asked: CommandRequest) -> CommandReply:
    rows = fields.pools(asked.counted)
    return CommandReply(Status("S", 7, f"{len(rows)} Pool(s)"), "POOLS", rows, is_table=True)


def _devices(asked: CommandRequest) -> CommandReply:
    rows = fields.devices(asked.counted)
    if not rows:
        return CommandReply(Status("E", 10, "No ASCs"))
    return CommandReply(Status("S", 9, f"{len(rows)} ASC(s)"), "DEVS", rows, is_table=True)


def _device(asked: CommandRequest) -> CommandReply:
    chosen = _device_view(asked)
    rows = [row for row in fields.devices(asked.counted) if row["ASC"] == chosen.id]
    return CommandReply(Status("S", 106, f"ASC{chosen.id}"), "ASC", rows, is_table=True)


def _details(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 69, "Device Details"), "DEVDETAILS", fields.details(asked.view), is_table=True)


def _statistics(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 70, "CGMiner stats"), "STATS", fields.statistics(asked.counted), is_table=True)


def _notify(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 60, "Notify"), "NOTIFY", fields.notices(asked.view), is_table=True)


def _configuration(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 33, "CGMiner config"), "CONFIG", [fields.configuration(asked.view)])


def _coin(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 78, "CGMiner coin"), "COIN", [fields.coin(asked.view)])


def _lcd(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 125, "LCD"), "LCD", [fields.lcd(asked.counted)])


def _asc_count(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 104, "ASC count"), "ASCS", [{"Count": len(asked.view.devices)}])


def _pga_count(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 59, "PGA count"), "PGAS", [{"Count": 0}])


def _no_usb(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("I", 88, "No USB Statistics"))


def _check(asked: CommandRequest) -> CommandReply:
    name = asked.parameter
    if not name:
        raise _Wrong(71, "Missing check cmd")
    known = name in COMMANDS
    row = {"Exists": "Y" if known else "N", "Access": "Y" if known and asked.may(name) else "N"}
    return CommandReply(Status("S", 72, "Check command"), "CHECK", [row])


# ---- what changes something ---------------------------------------------------------------------------------------


def _privileged(asked: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 46, "Privileged access OK"))


def _switch_pool(asked: CommandRequest) -> CommandReply:
    pool = _pool(asked, asked.parameter)
    asked.control.switch_pool(pool.id)
    return CommandReply(Status("S", 27, f"Switching to pool {pool.id}:'{pool.url}'"))


def _enable_pool(asked: CommandRequest) -> CommandReply:
    pool = _pool(asked, asked.parameter)
    if pool.enabled:
        raise _Wrong(49, f"Pool {pool.id}:'{pool.url}' already enabled", "I")
    asked.control.change_pool(pool.id, PoolChange(enabled=True))
    return CommandReply(Status("S", 47, f"Enabling pool {pool.id}:'{pool.url}'"))


def _disable_pool(asked: CommandRequest) -> CommandReply:
    pool = _pool(asked, asked.parameter)
    if not pool.enabled:
        raise _Wrong(50, f"Pool {pool.id}:'{pool.url}' already disabled", "I")
    if sum(other.enabled for other in asked.view.pools) == 1:
        raise _Wrong(51, f"Cannot disable last active pool {pool.id}:'{pool.url}'")
    asked.control.change_pool(pool.id, PoolChange(enabled=False))
    return CommandReply(Status("S", 48, f"Disabling pool {pool.id}:'{pool.url}'"))


def _remove_pool(asked: CommandRequest) -> CommandReply:
    pool = _pool(asked, asked.parameter)
    if len(asked.view.pools) == 1:
        raise _Wrong(66, f"Cannot remove last pool {pool.id}:'{pool.url}'")
    if pool.active:
        raise _Wrong(67, f"Cannot remove active pool {pool.id}:'{pool.url}'")
    asked.control.remove_pool(pool.id)
    return CommandReply(Status("S", 68, f"Removed pool {pool.id}:'{pool.url}'"))


def _add_pool(asked: CommandRequest) -> CommandReply:
    if not asked.parameter:
        raise _Wrong(52, "Missing addpool details")
    parts = _split(asked.parameter)
    if len(parts) != 3 or not all(parts[:2]):
        raise _Wrong(53, "Invalid addpool details: expected URL,USER,PASS")
    url, user, password = parts
    pool_id = asked.control.add_pool(NewPool(url=url, user=user, password=password or "x"))
    return CommandReply(Status("S", 55, f"Added pool {pool_id}: '{url}'"))


def _pool_priority(asked: CommandRequest) -> CommandReply:
    if not asked.parameter:
        raise _Wrong(25, "Missing pool id parameter")
    order = [_pool(asked, part).id for part in asked.parameter.split(",")]
    for pool_id in order:
        if order.count(pool_id) > 1:
            raise _Wrong(74, f"Duplicate pool specified {pool_id}")
    places = [pool.id for pool in sorted(asked.view.pools, key=lambda pool: pool.priority)]
    moved: list[tuple[int, int]] = []
    for place, pool_id in enumerate(order):
        before = places.index(pool_id)
        try:
            asked.control.change_pool(pool_id, PoolChange(priority=place))
        except ControlRefused:  # a pool that a backend is bound to has an order of its own: nothing is left half done
            for other, back in reversed(moved):
                with suppress(ControlRefused):
                    asked.control.change_pool(other, PoolChange(priority=back))
            raise
        places.insert(place, places.pop(before))
        moved.append((pool_id, before))
    return CommandReply(Status("S", 73, "Changed pool priorities"))


def _pool_quota(asked: CommandRequest) -> CommandReply:
    if not asked.parameter:
        raise _Wrong(25, "Missing pool id parameter")
    number, comma, quota = asked.parameter.partition(",")
    pool = _pool(asked, number)
    if not comma or not quota:
        raise _Wrong(86, f"Missing config value N for '{number},N'")
    if not _is_number(quota):
        raise _Wrong(121, f"Invalid negative number ({quota[:20]}) for '{pool.url}'")
    asked.control.change_pool(pool.id, PoolChange(quota=int(quota)))
    return CommandReply(Status("S", 122, f"Set pool '{pool.url}' to quota {int(quota)}'"))


def _enable_device(asked: CommandRequest) -> CommandReply:
    device = _device_view(asked)
    if device.state not in fields.DISABLED and device.state not in fields.STATUS:
        raise _Wrong(108, f"ASC {device.id} already enabled", "I")
    asked.control.restart_device(device.id)
    return CommandReply(Status("I", 110, f"ASC {device.id} sent enable message"))


def _disable_device(asked: CommandRequest) -> CommandReply:
    device = _device_view(asked)
    if device.state in fields.DISABLED:
        raise _Wrong(109, f"ASC {device.id} already disabled", "I")
    asked.control.remove_device(device.id)
    return CommandReply(Status("I", 111, f"ASC {device.id} set disable flag"))


def _set_device(asked: CommandRequest) -> CommandReply:
    index = _device_view(asked).id
    if not asked.parameter.partition(",")[2]:
        raise _Wrong(116, "Missing option after ASC number")
    raise _Wrong(117, f"ASC {index} does not support ascset", "W")


def _identify_device(asked: CommandRequest) -> CommandReply:
    index = _device_view(asked).id
    raise _Wrong(114, f"ASC{index} does not support identify", "W")


def _save(asked: CommandRequest) -> CommandReply:
    raise _Wrong(43, "Can't open or create save file: the configuration is a file that its owner writes")


def _restart(asked: CommandRequest) -> CommandReply:
    raise _Wrong(45, "Access denied to 'restart' command: whoever started the miner restarts it")


def _quit(asked: CommandRequest) -> CommandReply:
    asked.control.quit()
    return BYE


def _zero(asked: CommandRequest) -> CommandReply:
    if not asked.parameter:
        raise _Wrong(94, "Missing zero parameters")
    what, _, with_summary = asked.parameter.partition(",")
    if not with_summary:
        raise _Wrong(75, "Missing parameter: true/false")
    name = {"all": "All", "bestshare": "BestShare"}.get(what.lower())
    if name is None:
        raise _Wrong(95, f"Invalid zero parameter '{what[:20]}'")
    if with_summary[0] not in "tTfF":
        raise _Wrong(76, "Invalid parameter should be true or false")
    shares, best = asked.counted.summary.shares, asked.counted.summary.best_share
    (asked.zero.everything if name == "All" else asked.zero.best_share)(asked.view)
    if with_summary[0] in "tT":
        log.info(
            "figures_zeroed", accepted=shares.accepted, rejected=shares.rejected, stale=shares.stale, best_share=best
        )
        return CommandReply(Status("S", 96, f"Zeroed {name} stats with summary"))
    return CommandReply(Status("S", 97, f"Zeroed {name} stats without summary"))


def _pause(asked: CommandRequest) -> CommandReply:
    asked.control.pause(OVER_CGMINER)
    return CommandReply(Status("S", 46, "Paused"))


def _resume(asked: CommandRequest) -> CommandReply:
    asked.control.resume(OVER_CGMINER)
    return CommandReply(Status("S", 46, "Mining again"))


# ---- parameters ---------------------------------------------------------------------------------------------------


def _pool(asked: CommandRequest, text: str) -> PoolView:
    if not text:
        raise _Wrong(25, "Missing pool id parameter")
    pools = {pool.id: pool for pool in asked.view.pools}
    if not _is_number(text) or int(text) not in pools:
        raise _Wrong(26, f"Invalid pool id {text[:20]} - {_known(pools)}")
    return pools[int(text)]


def _device_view(asked: CommandRequest) -> DeviceView:
    text = asked.parameter.partition(",")[0]
    if not text:
        raise _Wrong(15, "Missing device id parameter")
    devices = {device.id: device for device in asked.view.devices}
    if not devices:
        raise _Wrong(105, "No ASCs")
    if not _is_number(text) or int(text) not in devices:
        raise _Wrong(107, f"Invalid ASC id {text[:20]} - {_known(devices)}")
    return devices[int(text)]


def _is_number(text: str) -> bool:
    """Whether it is a whole number of ordinary digits; longer ones than of anything here are none."""
    return text.isascii() and text.isdecimal() and len(text) <= 6


def _known(ids: Collection[int]) -> str:
    """cgminer gives a range, which says nothing true once an id within it is no more."""
    if len(ids) == max(ids) + 1:
        return f"range is 0 - {max(ids)}"
    return f"expected one of {', '.join(map(str, sorted(ids)))}"


def _split(text: str) -> list[str]:
    """At commas; a backslash before one keeps it."""
    parts, escaped = [""], False
    for character in text:
        if escaped:
            parts[-1] += character
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == ",":
            parts.append("")
        else:
            parts[-1] += character
    return parts


COMMANDS: dict[str, Command] = {
    "version": Command(_version),
    "config": Command(_configuration),
    "devs": Command(_devices),
    "edevs": Command(_devices),
    "pools": Command(_pools),
    "summary": Command(_summary),
    "stats": Command(_statistics),
    "estats": Command(_statistics),
    "notify": Command(_notify),
    "devdetails": Command(_details),
    "coin": Command(_coin),
    "lcd": Command(_lcd),
    "usbstats": Command(_no_usb),
    "pgacount": Command(_pga_count),
    "asccount": Command(_asc_count),
    "asc": Command(_device, joinable=False),
    "check": Command(_check, joinable=False),
    "privileged": Command(_privileged, writes=True, joinable=False),
    "switchpool": Command(_switch_pool, writes=True, joinable=False),
    "enablepool": Command(_enable_pool, writes=True, joinable=False),
    "disablepool": Command(_disable_pool, writes=True, joinable=False),
    "addpool": Command(_add_pool, writes=True, joinable=False),
    "removepool": Command(_remove_pool, writes=True, joinable=False),
    "poolpriority": Command(_pool_priority, writes=True, joinable=False),
    "poolquota": Command(_pool_quota, writes=True, joinable=False),
    "ascenable": Command(_enable_device, writes=True, joinable=False),
    "ascdisable": Command(_disable_device, writes=True, joinable=False),
    "ascidentify": Command(_identify_device, writes=True, joinable=False),
    "ascset": Command(_set_device, writes=True, joinable=False),
    "save": Command(_save, writes=True, joinable=False),
    "restart": Command(_restart, writes=True, joinable=False),
    "pause": Command(_pause, writes=True, joinable=False),
    "resume": Command(_resume, writes=True, joinable=False),
    "zero": Command(_zero, writes=True, joinable=False),
    "quit": Command(_quit, writes=True, joinable=False),
}
READING = frozenset(name for name, command in COMMANDS.items() if not command.writes)
