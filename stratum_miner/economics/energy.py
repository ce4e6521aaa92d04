"""Energy over a year and what it emits, which nobody knows but as a range."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Emissions:
    """Kilograms of CO2, or grams per kWh."""

    low: Decimal
    best: Decimal
    high: Decimal


GRAMS_PER_KWH = Emissions(Decimal(11), Decimal(288), Decimal(820))
"""Life-cycle medians of onshore wind and of coal (IPCC AR5, WG III, annex III); between them the mix of mining that the
Cambridge Digital Mining Industry Report of 2025 implies: 39.8 Mt for 138 TWh."""


def emissions(kwh: Decimal) -> Emissions:
    """Kilograms for so much electricity."""
    return Emissions(*(kwh * grams / 1000 for grams in (GRAMS_PER_KWH.low, GRAMS_PER_KWH.best, GRAMS_PER_KWH.high)))
