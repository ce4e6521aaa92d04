"""``stratum-miner profit``: what a machine earns and costs at given terms, in words, a table or JSON."""

import re
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from stratum_miner.backends import options as backend_options
from stratum_miner.cli import mining, options
from stratum_miner.cli.exit_codes import ExitCode, UsageError
from stratum_miner.cli.quantities import scaled
from stratum_miner.economics import chain, energy, odds
from stratum_miner.economics.income import Operation, energy_cost_per_btc, hash_price
from stratum_miner.economics.payback import Payback, payback

PERIODS = {
    "hour": Decimal(1) / 24,
    "day": Decimal(1),
    "month": Decimal(odds.YEAR_DAYS) / 12,
    "year": Decimal(odds.YEAR_DAYS),
}
"""Days in each."""
_POWER = re.compile(r"([\d.]+)\s*(m|k|M)?W")
_WATTS = {None: Decimal(1), "m": Decimal("0.001"), "k": Decimal(1000), "M": Decimal(1_000_000)}
_PERCENT = re.compile(r"([\d.]+)\s*%")
MAX_DIFFICULTY = 1e30
MAX_MONEY = Decimal(10) ** 12


def profit(
    *,
    hash_rate: Annotated[str, Parameter(name="--hash-rate", help="Such as 1.2TH.", group="Machine")],
    power: Annotated[str, Parameter(name="--power", help="At the wall, such as 17W or 3.5kW.", group="Machine")],
    electricity: Annotated[str, Parameter(name="--electricity", help="Price of a kWh.", group="Terms")],
    difficulty: Annotated[float, Parameter(name="--difficulty", help="Of the network.", group="Chain")],
    price: Annotated[str, Parameter(name="--price", help="Of a bitcoin, in the money of the kWh.", group="Terms")],
    subsidy: Annotated[
        str | None, Parameter(name="--subsidy", help="Bitcoin per block, without fees.", group="Chain")
    ] = None,
    height: Annotated[
        int | None, Parameter(name="--height", help="Instead of --subsidy; also dates the next halving.", group="Chain")
    ] = None,
    fees: Annotated[str, Parameter(name="--fees", help="Average fees per block, bitcoin.", group="Chain")] = "0",
    pool_fee: Annotated[str, Parameter(name="--pool-fee", help="Such as 2%.", group="Terms")] = "0%",
    stale: Annotated[str, Parameter(name="--stale", help="Share of work that goes stale.", group="Machine")] = "0%",
    uptime: Annotated[str, Parameter(name="--uptime", help="Share of the time it runs.", group="Machine")] = "100%",
    capex: Annotated[
        str | None, Parameter(name="--capex", help="What the machine cost, to be paid back.", group="Terms")
    ] = None,
    difficulty_growth: Annotated[
        str, Parameter(name="--difficulty-growth", help="Per two weeks, such as 2%.", group="Chain")
    ] = "0%",
    json: options.Json = False,
) -> int:
    """Say what mining earns and costs at today's difficulty, where it breaks even, and what the odds of a block are."""
    if (subsidy is None) == (height is None):
        raise UsageError("--subsidy, --height: expected one of the two, such as --subsidy 3.125 or --height 930000")
    if height is not None and not 0 <= height < 100_000_000:
        raise UsageError(f"--height: expected 0 or more, got {height}")
    if not 0 < difficulty <= MAX_DIFFICULTY:
        raise UsageError(f"--difficulty: expected a number above 0 and up to {MAX_DIFFICULTY:g}, got {difficulty:g}")
    new_coins = _amount("--subsidy", subsidy) if subsidy else Decimal(chain.subsidy(height or 0)) / chain.SATOSHIS
    rate = backend_options.hash_rate({"--hash-rate": hash_rate}, "--hash-rate")
    assert rate is not None
    operation = Operation(
        hash_rate=rate,
        power=_watts(power),
        electricity=_amount("--electricity", electricity),
        difficulty=difficulty,
        block_reward=new_coins + _amount("--fees", fees),
        price=_amount("--price", price),
        pool_fee=_share("--pool-fee", pool_fee),
        stale=_share("--stale", stale),
        uptime=_share("--uptime", uptime),
    )
    if not operation.block_reward:
        raise UsageError("--subsidy, --fees: expected a block to be worth something, got 0")
    returned = _returned(operation, capex, difficulty_growth, height, new_coins)
    if json:
        mining.print_json(_result(operation, returned))
    else:
        _tell(operation, returned)
    return ExitCode.OK


def _returned(
    operation: Operation, capex: str | None, growth: str, height: int | None, subsidy: Decimal
) -> Payback | None:
    growing = _share("--difficulty-growth", growth)
    if capex is None:
        return None
    days = None
    if height is not None:
        days = (chain.next_halving(height) - height) * chain.BLOCK_SECONDS // 86400
    return payback(
        _amount("--capex", capex),
        operation.revenue_per_day,
        operation.electricity_per_day,
        growth=float(growing),
        halving_after_days=days,
        subsidy_share=subsidy / operation.block_reward,
    )


def _amount(option: str, text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal(-1)
    if not (value.is_finite() and 0 <= value <= MAX_MONEY):
        raise UsageError(f"{option}: expected a number from 0 to {MAX_MONEY:.0e}, got {text!r}")
    return value


def _watts(text: str) -> Decimal:
    match = _POWER.fullmatch(text.strip())
    try:
        value = Decimal(match[1]) * _WATTS[match[2]] if match else Decimal(-1)
    except InvalidOperation:
        value = Decimal(-1)
    if not 0 <= value <= MAX_MONEY:
        raise UsageError(f"--power: expected watts with their unit, such as 17W or 3.5kW, got {text!r}")
    return value


def _share(option: str, text: str) -> Decimal:
    match = _PERCENT.fullmatch(text.strip())
    try:
        value = Decimal(match[1]) / 100 if match else Decimal(-1)
    except InvalidOperation:
        value = Decimal(-1)
    if not 0 <= value <= 1:
        raise UsageError(f"{option}: expected a percentage from 0% to 100%, such as 2%, got {text!r}")
    return value


def _result(operation: Operation, returned: Payback | None) -> dict[str, Any]:
    kwh = operation.kwh_per_day * Decimal(odds.YEAR_DAYS)
    emitted = energy.emissions(kwh)
    result: dict[str, Any] = {
        "btc_per_day_gross": float(operation.btc_per_day_gross),
        "btc_per_day_net": float(operation.btc_per_day_net),
        "revenue_per_day": float(operation.revenue_per_day),
        "electricity_per_day": float(operation.electricity_per_day),
        "profit_per_day": float(operation.profit_per_day),
        "hash_price_per_ph_day": float(hash_price(operation.difficulty, operation.block_reward, operation.price)),
        "break_even_electricity": _number(operation.break_even_electricity),
        "break_even_price": _number(operation.break_even_price),
        "break_even_difficulty": operation.break_even_difficulty,
        "energy_cost_per_btc": float(
            energy_cost_per_btc(
                operation.electricity, operation.joules_per_terahash, operation.difficulty, operation.block_reward
            )
        ),
        "joules_per_terahash": float(operation.joules_per_terahash),
        "solo_probability_year": odds.chance_of_block(operation.blocks_per_day, odds.YEAR_DAYS),
        "solo_mean_wait_years": odds.mean_wait_days(operation.blocks_per_day) / odds.YEAR_DAYS,
        "solo_median_wait_years": odds.median_wait_days(operation.blocks_per_day) / odds.YEAR_DAYS,
        "kwh_per_year": float(kwh),
        "co2_kg_per_year": {
            "low": float(emitted.low),
            "best": float(emitted.best),
            "high": float(emitted.high),
        },
        "payback_days": returned.days if returned else None,
    }
    if returned is None:
        result["payback_reason"] = "no outlay was given (--capex)"
    elif returned.days is None:
        result["payback_reason"] = returned.reason
    return result


def _number(value: Decimal | None) -> float | None:
    return None if value is None else float(value)


def _rounded(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.3g}"


def _tell(operation: Operation, returned: Payback | None) -> None:
    output = Console()
    month = operation.profit_per_day * PERIODS["month"]
    verdict = f"earns {month:.2f} a month" if month >= 0 else f"loses {-month:.2f} a month"
    even = operation.break_even_electricity
    limit = f"; breaks even at {even:.4g}" if even is not None else ""
    output.print(f"It {verdict} at {operation.electricity:f} per kWh{limit}.", markup=False, highlight=False)
    if operation.break_even_price is not None and operation.break_even_difficulty is not None:
        output.print(
            f"It also breaks even at a price of {operation.break_even_price:,.0f} or a difficulty of "
            f"{scaled(operation.break_even_difficulty).strip()}.",
            markup=False,
            highlight=False,
        )
    table = Table()
    for heading in ("per", "bitcoin", "revenue", "electricity", "profit"):
        table.add_column(heading, justify="left" if heading == "per" else "right")
    for name, days in PERIODS.items():
        table.add_row(
            name,
            f"{operation.btc_per_day_net * days:.10f}",
            f"{operation.revenue_per_day * days:,.4f}",
            f"{operation.electricity_per_day * days:,.4f}",
            f"{operation.profit_per_day * days:,.4f}",
        )
    output.print(table)
    wait = odds.mean_wait_days(operation.blocks_per_day) / odds.YEAR_DAYS
    chance = odds.chance_of_block(operation.blocks_per_day, odds.YEAR_DAYS)
    output.print(
        f"Alone, a block takes {_rounded(wait)} years on average; the chance of one within a year is {chance:.3g}.",
        markup=False,
        highlight=False,
    )
    if returned is not None:
        back = (
            f"is back after {returned.days} days"
            if returned.days is not None
            else f"never comes back: {returned.reason}"
        )
        output.print(f"The outlay {back}.", markup=False, highlight=False)
