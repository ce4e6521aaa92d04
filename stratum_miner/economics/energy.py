"""The CO2 emissions of electricity, as a range, because their exact amount is not known."""

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Emissions:
    """A lower bound, a best estimate and an upper bound of CO2 emissions. The unit is the kilogram; only
    ``GRAMS_PER_KWH`` is in grams per kWh."""

    low: Decimal
    best: Decimal
    high: Decimal


GRAMS_PER_KWH = Emissions(Decimal(11), Decimal(288), Decimal(820))
"""Grams of CO2 per kWh. The bounds are the life-cycle medians of onshore wind and of coal (IPCC AR5, WG III, annex
III). The best estimate is the average of Bitcoin mining in the Cambridge Digital Mining Industry Report of 2025: 39.8
Mt of CO2 for 138 TWh."""


def emissions(kwh: Decimal) -> Emissions:
    """Return the kilograms of CO2 that this much electricity emits."""
    return Emissions(*(kwh * grams / 1000 for grams in (GRAMS_PER_KWH.low, GRAMS_PER_KWH.best, GRAMS_PER_KWH.high)))
