"""The commands of cgminer 4.13 that this miner supports, as one table, and their answers.

Tools read the fields ``Code`` and ``STATUS`` of an answer to see whether a command succeeded, so the values of these
fields are the same as in cgminer.
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
    """One command with everything that its answer needs."""

    view: View
    """The view with the counts of the whole run."""
    control: Control
    parameter: str
    may: Callable[[str], bool]
    """Returns whether the client may send the command of that name."""
    zero: Zero = field(default_factory=Zero)

    @property
    def counted(self) -> View:
        """The view with counts since the last ``zero`` command."""
        return self.zero.since(self.view)


@dataclass(frozen=True, slots=True)
class Command:
    """The function that answers a command, whether the command changes something, and whether a client may join it with
    other commands in one request."""

    answer: Callable[[CommandRequest], CommandReply]
    writes: bool = False
    joinable: bool = True


def answer(name: str, request: CommandRequest, *, joined: bool) -> CommandReply:
    """Carry out one command and return its reply, which may be an error.

    ``joined`` is true if the client joined several commands in one request.
    """
    command = COMMANDS.get(name)
    if command is None:
        return CommandReply(INVALID_COMMAND)
    if not request.may(name) or (joined and not command.joinable):
        return CommandReply(Status("E", 45, f"Access denied to '{name}' command"))
    try:
        return command.answer(request)
    except _CommandError as error:
        return CommandReply(error.status)
    except ControlRefused as error:
        return CommandReply(Status("E", 52, f"Refused: {error}"))


class _CommandError(Exception):
    def __init__(self, code: int, text: str, severity: str = "E") -> None:
        self.status = Status(severity, code, text)


# ---- commands that only read --------------------------------------------------------------------------------------


def _version(request: CommandRequest) -> CommandReply:
    row = {"CGMiner": __version__, "API": API_VERSION, "Miner": DESCRIPTION}
    return CommandReply(Status("S", 22, "CGMiner versions"), "VERSION", [row])


def _summary(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 11, "Summary"), "SUMMARY", [fields.summary(request.counted)])


def _pools(request: CommandRequest) -> CommandReply:
    rows = fields.pools(request.counted)
    return CommandReply(Status("S", 7, f"{len(rows)} Pool(s)"), "POOLS", rows, is_table=True)


def _devices(request: CommandRequest) -> CommandReply:
    rows = fields.devices(request.counted)
    if not rows:
        return CommandReply(Status("E", 10, "No ASCs"))
    return CommandReply(Status("S", 9, f"{len(rows)} ASC(s)"), "DEVS", rows, is_table=True)


def _device(request: CommandRequest) -> CommandReply:
    chosen = _device_view(request)
    rows = [row for row in fields.devices(request.counted) if row["ASC"] == chosen.id]
    return CommandReply(Status("S", 106, f"ASC{chosen.id}"), "ASC", rows, is_table=True)


def _details(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 69, "Device Details"), "DEVDETAILS", fields.details(request.view), is_table=True)


def _statistics(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 70, "CGMiner stats"), "STATS", fields.statistics(request.counted), is_table=True)


def _notify(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 60, "Notify"), "NOTIFY", fields.notices(request.view), is_table=True)


def _configuration(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 33, "CGMiner config"), "CONFIG", [fields.configuration(request.view)])


def _coin(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 78, "CGMiner coin"), "COIN", [fields.coin(request.view)])


def _lcd(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 125, "LCD"), "LCD", [fields.lcd(request.counted)])


def _asc_count(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 104, "ASC count"), "ASCS", [{"Count": len(request.view.devices)}])


def _pga_count(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 59, "PGA count"), "PGAS", [{"Count": 0}])


def _no_usb(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("I", 88, "No USB Statistics"))


def _check(request: CommandRequest) -> CommandReply:
    name = request.parameter
    if not name:
        raise _CommandError(71, "Missing check cmd")
    known = name in COMMANDS
    row = {"Exists": "Y" if known else "N", "Access": "Y" if known and request.may(name) else "N"}
    return CommandReply(Status("S", 72, "Check command"), "CHECK", [row])


# ---- commands that make changes -----------------------------------------------------------------------------------


def _privileged(request: CommandRequest) -> CommandReply:
    return CommandReply(Status("S", 46, "Privileged access OK"))


def _switch_pool(request: CommandRequest) -> CommandReply:
    pool = _pool(request, request.parameter)
    request.control.switch_pool(pool.id)
    return CommandReply(Status("S", 27, f"Switching to pool {pool.id}:'{pool.url}'"))


def _enable_pool(request: CommandRequest) -> CommandReply:
    pool = _pool(request, request.parameter)
    if pool.enabled:
        raise _CommandError(49, f"Pool {pool.id}:'{pool.url}' already enabled", "I")
    request.control.change_pool(pool.id, PoolChange(enabled=True))
    return CommandReply(Status("S", 47, f"Enabling pool {pool.id}:'{pool.url}'"))


def _disable_pool(request: CommandRequest) -> CommandReply:
    pool = _pool(request, request.parameter)
    if not pool.enabled:
        raise _CommandError(50, f"Pool {pool.id}:'{pool.url}' already disabled", "I")
    if sum(other.enabled for other in request.view.pools) == 1:
        raise _CommandError(51, f"Cannot disable last active pool {pool.id}:'{pool.url}'")
    request.control.change_pool(pool.id, PoolChange(enabled=False))
    return CommandReply(Status("S", 48, f"Disabling pool {pool.id}:'{pool.url}'"))


def _remove_pool(request: CommandRequest) -> CommandReply:
    pool = _pool(request, request.parameter)
    if len(request.view.pools) == 1:
        raise _CommandError(66, f"Cannot remove last pool {pool.id}:'{pool.url}'")
    if pool.active:
        raise _CommandError(67, f"Cannot remove active pool {pool.id}:'{pool.url}'")
    request.control.remove_pool(pool.id)
    return CommandReply(Status("S", 68, f"Removed pool {pool.id}:'{pool.url}'"))


def _add_pool(request: CommandRequest) -> CommandReply:
    if not request.parameter:
        raise _CommandError(52, "Missing addpool details")
    parts = _split(request.parameter)
    if len(parts) != 3 or not all(parts[:2]):
        raise _CommandError(53, "Invalid addpool details: expected URL,USER,PASS")
    url, user, password = parts
    pool_id = request.control.add_pool(NewPool(url=url, user=user, password=password or "x"))
    return CommandReply(Status("S", 55, f"Added pool {pool_id}: '{url}'"))


def _pool_priority(request: CommandRequest) -> CommandReply:
    order = [_pool(request, part).id for part in request.parameter.split(",")]
    for pool_id in order:
        if order.count(pool_id) > 1:
            raise _CommandError(74, f"Duplicate pool specified {pool_id}")
    ordered = [pool.id for pool in sorted(request.view.pools, key=lambda pool: pool.priority)]
    moved: list[tuple[int, int]] = []
    for position, pool_id in enumerate(order):
        before = ordered.index(pool_id)
        try:
            request.control.change_pool(pool_id, PoolChange(priority=position))
        except ControlRefused:  # e.g. a backend is bound to the pool
            # undo the changes so far: move the other pools back to their old positions
            for other, back in reversed(moved):
                with suppress(ControlRefused):
                    request.control.change_pool(other, PoolChange(priority=back))
            raise
        ordered.insert(position, ordered.pop(before))
        moved.append((pool_id, before))
    return CommandReply(Status("S", 73, "Changed pool priorities"))


def _pool_quota(request: CommandRequest) -> CommandReply:
    number, comma, quota = request.parameter.partition(",")
    pool = _pool(request, number)
    if not comma or not quota:
        raise _CommandError(86, f"Missing config value N for '{number},N'")
    if not _is_number(quota):
        raise _CommandError(121, f"Invalid negative number ({quota[:20]}) for '{pool.url}'")
    request.control.change_pool(pool.id, PoolChange(quota=int(quota)))
    return CommandReply(Status("S", 122, f"Set pool '{pool.url}' to quota {int(quota)}'"))


def _enable_device(request: CommandRequest) -> CommandReply:
    device = _device_view(request)
    if device.state not in fields.DISABLED and device.state not in fields.STATUS:
        raise _CommandError(108, f"ASC {device.id} already enabled", "I")
    request.control.restart_device(device.id)
    return CommandReply(Status("I", 110, f"ASC {device.id} sent enable message"))


def _disable_device(request: CommandRequest) -> CommandReply:
    device = _device_view(request)
    if device.state in fields.DISABLED:
        raise _CommandError(109, f"ASC {device.id} already disabled", "I")
    request.control.remove_device(device.id)
    return CommandReply(Status("I", 111, f"ASC {device.id} set disable flag"))


def _set_device(request: CommandRequest) -> CommandReply:
    index = _device_view(request).id
    if not request.parameter.partition(",")[2]:
        raise _CommandError(116, "Missing option after ASC number")
    raise _CommandError(117, f"ASC {index} does not support ascset", "W")


def _identify_device(request: CommandRequest) -> CommandReply:
    index = _device_view(request).id
    raise _CommandError(114, f"ASC{index} does not support identify", "W")


def _save(request: CommandRequest) -> CommandReply:
    raise _CommandError(43, "Can't open or create save file: stratum-miner does not write its configuration file")


def _restart(request: CommandRequest) -> CommandReply:
    raise _CommandError(45, "Access denied to 'restart' command: restart the miner where it was started")


def _quit(request: CommandRequest) -> CommandReply:
    request.control.quit()
    return BYE


def _zero(request: CommandRequest) -> CommandReply:
    if not request.parameter:
        raise _CommandError(94, "Missing zero parameters")
    what, _, with_summary = request.parameter.partition(",")
    if not with_summary:
        raise _CommandError(75, "Missing parameter: true/false")
    name = {"all": "All", "bestshare": "BestShare"}.get(what.lower())
    if name is None:
        raise _CommandError(95, f"Invalid zero parameter '{what[:20]}'")
    if with_summary[0] not in "tTfF":
        raise _CommandError(76, "Invalid parameter should be true or false")
    shares, best = request.counted.summary.shares, request.counted.summary.best_share
    (request.zero.everything if name == "All" else request.zero.best_share)(request.view)
    if with_summary[0] in "tT":
        log.info(
            "figures_zeroed", accepted=shares.accepted, rejected=shares.rejected, stale=shares.stale, best_share=best
        )
        return CommandReply(Status("S", 96, f"Zeroed {name} stats with summary"))
    return CommandReply(Status("S", 97, f"Zeroed {name} stats without summary"))


def _pause(request: CommandRequest) -> CommandReply:
    request.control.pause(OVER_CGMINER)
    return CommandReply(Status("S", 46, "Paused"))


def _resume(request: CommandRequest) -> CommandReply:
    request.control.resume(OVER_CGMINER)
    return CommandReply(Status("S", 46, "Mining continues"))


# ---- parameters ---------------------------------------------------------------------------------------------------


def _pool(request: CommandRequest, text: str) -> PoolView:
    if not text:
        raise _CommandError(25, "Missing pool id parameter")
    pools = {pool.id: pool for pool in request.view.pools}
    if not _is_number(text) or int(text) not in pools:
        raise _CommandError(26, f"Invalid pool id {text[:20]} - {_known(pools)}")
    return pools[int(text)]


def _device_view(request: CommandRequest) -> DeviceView:
    text = request.parameter.partition(",")[0]
    if not text:
        raise _CommandError(15, "Missing device id parameter")
    devices = {device.id: device for device in request.view.devices}
    if not devices:
        raise _CommandError(105, "No ASCs")
    if not _is_number(text) or int(text) not in devices:
        raise _CommandError(107, f"Invalid ASC id {text[:20]} - {_known(devices)}")
    return devices[int(text)]


def _is_number(text: str) -> bool:
    """Return whether the text is an integer of at most six ASCII digits."""
    return text.isascii() and text.isdecimal() and len(text) <= 6


def _known(ids: Collection[int]) -> str:
    """Return the part of an error message that says which ids are valid: a range, as in cgminer, or a list of all ids
    if some ids in the range no longer exist."""
    if len(ids) == max(ids) + 1:
        return f"range is 0 - {max(ids)}"
    return f"expected one of {', '.join(map(str, sorted(ids)))}"


def _split(text: str) -> list[str]:
    """Split a text at commas. A comma after a backslash does not split."""
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
