"""Chip family to driver: what runs a board's chips."""

from collections.abc import Mapping

from stratum_miner.backends.asic.boards.board import Board
from stratum_miner.backends.asic.device import Driver
from stratum_miner.backends.base import BackendError

DRIVERS: Mapping[str, Driver] = {}


def driver_of(board: Board) -> Driver:
    """The driver for a board. BackendError for a board that has none yet."""
    if board.chip in DRIVERS:
        return DRIVERS[board.chip]
    raise BackendError(f"{board.product}: no driver for its chip {board.chip}")
