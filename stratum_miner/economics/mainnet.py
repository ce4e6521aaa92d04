"""Figures of Bitcoin's main network that are used where a user gives none, each with its date and its source."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class DatedFigure:
    """A figure, the date on which it was true, and the source that states it."""

    value: Decimal
    date: date
    source: str


DIFFICULTY = DatedFigure(
    Decimal("144.40e12"),
    date(2026, 2, 20),
    "the change of the difficulty on this day, as CoinDesk reported it",
)
"""Network difficulty of mainnet. A miner on a test chain uses it, too, to say what mainnet would pay at the same hash
rate."""
SUBSIDY = DatedFigure(
    Decimal("3.125"),
    date(2024, 4, 20),
    "the halving at block 840,000; the next one, at block 1,050,000, is expected in 2028",
)
"""Subsidy of a block, in bitcoin."""
FEES = DatedFigure(
    Decimal(0),
    date(2026, 2, 20),
    "transaction fees change from block to block and are not counted",
)
"""Average transaction fees of a block, in bitcoin."""
