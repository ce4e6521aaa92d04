"""Finds out which of several boards a device is, by sending the commands of one chip family after the other.

Such a command could do harm to a device that is no miner. Commands are therefore sent only to devices whose USB texts
say that they are miners, and to ports that the user named, and the least harmful command comes first.
"""

from collections.abc import Callable, Iterable, Mapping

import structlog

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.backends.asic.device import Driver, Probed
from stratum_miner.backends.asic.device_location import DeviceLocation, DevicePorts, OpenPort
from stratum_miner.backends.asic.drivers import driver_of
from stratum_miner.backends.asic.errors import DeviceSilent, WrongChip

log = structlog.get_logger(__name__)


def candidates(location: DeviceLocation, kind: str | None) -> tuple[Board, ...]:
    """Return the boards that the device could be: the board of this ``kind`` if it is not None, or otherwise all boards
    that fit the USB ids and texts of the device. If none fits, return all boards.

    Boards whose required ports are missing are left out.
    """
    if kind is not None:
        boards: Iterable[Board] = (BOARDS[kind],)
    elif location.found is not None and location.found.kinds:
        boards = (BOARDS[name] for name in location.found.kinds)
    else:
        boards = BOARDS.values()
    return tuple(board for board in boards if location.port_paths(board))


async def choose_board(
    location: DeviceLocation,
    boards: Iterable[Board],
    open_port: OpenPort,
    driver: Callable[[Board], Driver] = driver_of,
) -> Board:
    """Ask the chips, and return the board that fits their answer. If there is only one candidate, return it without
    asking the chips.

    Raises DeviceSilent if no chip answers as expected, WrongChip if several boards fit the answer, and the errors that
    opening the ports raises.
    """
    left = tuple(boards)
    if len(left) == 1:
        return left[0]
    for chip in sorted(CHAINS, key=lambda name: CHAINS[name].probe_kind):
        family = tuple(board for board in left if board.chip == chip)
        if not family:
            continue
        try:
            answer = await driver(family[0]).probe(_ports(location, family[0], open_port))
        except (DeviceSilent, WrongChip) as error:
            log.debug("probed", path=location.path, chip=chip, answer=str(error))
            continue
        return _fitting(location, family, answer)
    kinds = ", ".join(board.kind for board in left)
    raise DeviceSilent(f"{location.path}: expected an answer from one of {kinds}, got none: check power and cable")


def _fitting(location: DeviceLocation, family: tuple[Board, ...], answer: Probed) -> Board:
    certain = all(board.probe_is_certain for board in family)
    fitting = [board for board in family if certain and board.chips == answer.chips] or list(family)
    if len(fitting) == 1:
        return fitting[0]
    kinds = " or ".join(f"{board.kind}:{location.path}" for board in fitting)
    raise WrongChip(f"{location.path}: several device kinds answer like this device: name its kind, {kinds}")


def _ports(location: DeviceLocation, board: Board, open_port: OpenPort) -> DevicePorts:
    paths: Mapping[str, str] = location.port_paths(board)
    return DevicePorts(location.path, lambda: paths, open_port)
