"""The table of all supported products. Its key is the kind of the product, such as ``bitaxe-gamma``. To add a product,
add a ``Board`` to the table (docs/reference/asic.md#adding-a-chip-or-a-board)."""

from collections.abc import Mapping

from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.boards.antminer import ANTMINER_U1, ANTMINER_U2
from stratum_miner.backends.asic.boards.bitaxe import BITAXE_GAMMA, BITAXE_SUPRA, BITAXE_ULTRA
from stratum_miner.backends.asic.boards.compac import COMPAC, TWO_PAC
from stratum_miner.backends.asic.boards.compac_a1 import COMPAC_A1
from stratum_miner.backends.asic.boards.compac_f import COMPAC_F
from stratum_miner.backends.asic.boards.erupter import ERUPTER, ICARUS
from stratum_miner.backends.asic.boards.newpac import NEWPAC, R606
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.spelling import did_you_mean

BOARDS: Mapping[str, Board] = {
    board.kind: board
    for board in (
        ICARUS,
        ERUPTER,
        ANTMINER_U1,
        ANTMINER_U2,
        COMPAC,
        TWO_PAC,
        NEWPAC,
        R606,
        COMPAC_F,
        COMPAC_A1,
        BITAXE_GAMMA,
        BITAXE_SUPRA,
        BITAXE_ULTRA,
    )
}


def board_of(kind: str) -> Board:
    """Return the board with the name ``kind``. Raises BackendOptionError for an unknown kind. The error suggests the
    nearest correct spelling."""
    if kind in BOARDS:
        return BOARDS[kind]
    raise BackendOptionError(
        f"device kind: expected one of {', '.join(BOARDS)}, got {kind!r}{did_you_mean(kind, BOARDS)}"
    )
