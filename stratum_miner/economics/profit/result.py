"""The figures of a scenario as one object for --json, and as rows for --csv. Money is in the user's currency."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import Any

from stratum_miner.economics import chain, energy, odds, outlook, schemes, sensitivity
from stratum_miner.economics.income import Operation, energy_cost_per_btc, hash_price
from stratum_miner.economics.profit.scenario import YEAR, Scenario

PERIODS = {"hour": Decimal(1) / 24, "day": Decimal(1), "month": YEAR / 12, "year": YEAR}
"""Number of days in each period."""


def result(scenario: Scenario) -> dict[str, Any]:
    """Return every figure of a scenario for --json; a figure that cannot be computed is None."""
    operation, priced = scenario.operation, scenario.price is not None
    kwh = operation.kwh_per_day * YEAR
    emitted = energy.emissions(kwh)
    depreciation = scenario.depreciation_per_day
    found: dict[str, Any] = {
        "name": scenario.name,
        "hash_rate": operation.hash_rate,
        "power_w": float(operation.power),
        "joules_per_terahash": float(operation.joules_per_terahash),
        "hashes_per_block": chain.hashes_per_block(operation.difficulty),
        "network_hash_rate": chain.network_hash_rate(operation.difficulty),
        "blocks_per_day": operation.blocks_per_day,
        "btc_per_day_gross": float(operation.btc_per_day_gross),
        "btc_per_day_net": float(operation.btc_per_day_net),
        "revenue_per_day": float(operation.revenue_per_day) if priced else None,
        "electricity_per_day": float(operation.electricity_per_day),
        "other_costs_per_day": float(operation.other_costs_per_day),
        "depreciation_per_day": _number(depreciation),
        "profit_per_day": float(operation.profit_per_day) if priced else None,
        "profit_after_depreciation_per_day": (
            float(operation.profit_per_day - depreciation) if priced and depreciation is not None else None
        ),
        "hash_price_per_ph_day": (
            float(hash_price(operation.difficulty, operation.block_reward, operation.price)) if priced else None
        ),
        "break_even_electricity": _number(operation.break_even_electricity) if priced else None,
        "break_even_price": _number(operation.break_even_price),
        "break_even_difficulty": operation.break_even_difficulty if priced else None,
        "energy_cost_per_btc": float(
            energy_cost_per_btc(
                operation.electricity,
                joules_per_terahash=operation.joules_per_terahash,
                difficulty=operation.difficulty,
                block_reward=operation.block_reward,
            )
        ),
        **_odds(operation),
        **_payback(scenario),
        "kwh_per_year": float(kwh),
        "co2_kg_per_year": {"low": float(emitted.low), "best": float(emitted.best), "high": float(emitted.high)},
        **_growth(scenario),
        "seconds_per_share": odds.seconds_per_share(scenario.pool.share_difficulty, operation.hash_rate),
        "relative_spread_30_days": {
            item.scheme: item.relative_spread for item in schemes.compare(operation, scenario.pool, 30, scenario.fees)
        },
        "payouts": {"month": _payouts(scenario, "month"), "year": _payouts(scenario, "year")},
        "sensitivity": (
            [
                {"input": swing.name, "lowered": float(swing.lowered), "raised": float(swing.raised)}
                for swing in sensitivity.tornado(operation)
            ]
            if priced
            else []
        ),
        "machines": [_machine(scenario, index) for index in range(len(scenario.machines))],
        "inputs": _inputs(scenario),
        "defaults": {
            term: {"value": float(figure.value), "date": figure.date.isoformat(), "source": figure.source}
            for term, figure in scenario.defaults.items()
        },
    }
    return found


def machine_operation(scenario: Scenario, index: int) -> Operation:
    """Return the operation of all machines of one kind in a scenario, without the costs of hosting and maintenance."""
    machine = scenario.machines[index]
    return replace(
        scenario.operation,
        hash_rate=machine.hash_rate * machine.count,
        power=machine.power * machine.count,
        other_costs_per_day=Decimal(0),
    )


def as_csv(scenarios: Sequence[Scenario]) -> str:
    """Return CSV text with a row for each scenario and a column for each figure that is a number or a string.

    The name of a nested figure consists of its keys, joined by dots.
    """
    rows = [_flat(result(scenario)) for scenario in scenarios]
    output = io.StringIO()
    writer = csv.DictWriter(output, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    return output.getvalue()


def _flat(value: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, item in value.items():
        if isinstance(item, dict) and key != "payouts":
            flat |= _flat(item, f"{prefix}{key}.")
        elif not isinstance(item, dict | list):
            flat[prefix + key] = item
    return flat


def _odds(operation: Operation) -> dict[str, float]:
    rate = operation.blocks_per_day
    return {
        "solo_probability_year": odds.probability_of_block(rate, days=odds.YEAR_DAYS),
        "solo_one_in_year": 1 / odds.probability_of_block(rate, days=odds.YEAR_DAYS),
        "solo_mean_wait_years": odds.mean_wait_days(rate) / odds.YEAR_DAYS,
        "solo_median_wait_years": odds.median_wait_days(rate) / odds.YEAR_DAYS,
        "best_share_day_median": odds.median_best_share(operation.hash_rate * 86400),
    }


def _payback(scenario: Scenario) -> dict[str, Any]:
    returned = scenario.payback
    if returned is None:
        missing = "outlay was given (--capex)" if scenario.capex is None else "price was given (--price)"
        return {"payback_days": None, "payback_reason": f"no {missing}"}
    most = {"most_earned": float(returned.most), "best_day": returned.best_day}
    if returned.days is None:
        return {"payback_days": None, "payback_reason": returned.reason, **most}
    return {"payback_days": returned.days, **most}


def _growth(scenario: Scenario) -> dict[str, Any]:
    """Return figures that follow from the assumed growth of the difficulty. Halvings are ignored.

    The figures are the growth per year, the income of the first year as a multiple of the income of the first day, and
    the day from which mining costs more than it earns."""
    growth, operation = scenario.assumptions.growth, scenario.operation
    end = outlook.shut_off_day(float(operation.revenue_per_day), float(operation.costs_per_day), growth)
    return {
        "difficulty_growth_year": (1 + growth) ** (365 / outlook.EPOCH_DAYS) - 1,
        "income_days_first_year": math.fsum(outlook.income_factor(day, growth) for day in range(365)),
        "shut_off_day": end if scenario.price is not None and math.isfinite(end) else None,
    }


def _payouts(scenario: Scenario, period: str) -> list[dict[str, Any]]:
    compared = schemes.compare(scenario.operation, scenario.pool, float(PERIODS[period]), scenario.fees)
    return [
        {
            "scheme": item.scheme,
            "mean_btc": float(item.mean),
            "relative_spread": item.relative_spread,
            "chance_of_nothing": item.probability_of_nothing,
            "quantiles_btc": dict(
                zip((f"{chance:.0%}" for chance in schemes.QUANTILES), map(float, item.quantiles()), strict=True)
            ),
        }
        for item in compared
    ]


def _machine(scenario: Scenario, index: int) -> dict[str, Any]:
    machine, operation = scenario.machines[index], machine_operation(scenario, index)
    return {
        "name": machine.name,
        "count": machine.count,
        "hash_rate": operation.hash_rate,
        "power_w": float(operation.power),
        "joules_per_terahash": float(operation.joules_per_terahash),
        "btc_per_day_net": float(operation.btc_per_day_net),
        "electricity_per_day": float(operation.electricity_per_day),
        "profit_per_day": float(operation.profit_per_day) if scenario.price is not None else None,
        "source": machine.source,
        "date": machine.date,
    }


def _inputs(scenario: Scenario) -> dict[str, Any]:
    operation = scenario.operation
    return {
        "difficulty": operation.difficulty,
        "height": scenario.height,
        "next_halving": None if scenario.height is None else chain.next_halving(scenario.height),
        "subsidy": float(scenario.subsidy),
        "fees": float(scenario.fees),
        "price": _number(scenario.price),
        "currency": scenario.currency,
        "electricity": float(operation.electricity),
        "pool_fee": float(operation.pool_fee),
        "stale": float(operation.stale),
        "uptime": float(operation.uptime),
        "cooling": float(operation.cooling),
        "capex": _number(scenario.capex),
        "difficulty_growth": scenario.assumptions.growth,
        "price_growth": scenario.assumptions.price_growth,
        "pool_hash_rate": scenario.pool.hash_rate,
        "share_difficulty": scenario.pool.share_difficulty,
        "price_date": str(scenario.dates["price"]) if "price" in scenario.dates else None,
        "chain_date": str(scenario.dates["chain"]) if "chain" in scenario.dates else None,
    }


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)
