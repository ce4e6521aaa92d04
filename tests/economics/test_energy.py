"""Emissions: grams per kWh of wind, of the survey of miners, and of coal."""

from decimal import Decimal

from stratum_miner.economics import energy
from stratum_miner.economics.energy import Emissions


def test_a_megawatt_hour_emits_kilograms() -> None:
    # IPCC AR5, WG III, table A.III.2: onshore wind 11, coal 820; the survey of 2025: 39.8 Mt for 138 TWh
    assert energy.emissions(Decimal(1000)) == Emissions(Decimal(11), Decimal(288), Decimal(820))
    assert round(Decimal("39.8e12") / Decimal("138e9")) == energy.emissions(Decimal(1000)).best


def test_a_stick_for_a_year() -> None:
    kwh = Decimal(17) / 1000 * 24 * 365
    assert (round(kwh), round(energy.emissions(kwh).best)) == (149, 43)
