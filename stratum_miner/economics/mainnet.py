"""Figures of Bitcoin's main network that are used where a user gives none, each with its date and its source."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class DatedFigure:
    """A figure that was true on a date, and where it is stated."""

    value: Decimal
    date: date
    source: str


DIFFICULTY = DatedFigure(
    Decimal("144.40e12"),
    date(2026, 2, 20),
    "the change of the difficulty on this day, as CoinDesk reported it",
)
"""Network difficulty. Earnings on a test chain are compared with mainnet at this difficulty, too."""
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
