"""A scenario for a terminal: the answer in words, then tables, then what was asked for besides."""

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from stratum_miner.economics import energy, odds
from stratum_miner.economics.monte_carlo import DAYS, Agreement
from stratum_miner.economics.profit.machines import Machine
from stratum_miner.economics.profit.result import PERIODS
from stratum_miner.economics.profit.scenario import Scenario
from stratum_miner.plots import text as plots
from stratum_miner.plots.text_table import is_plain, text_table
from stratum_miner.quantities import hash_rate_text, rounded, scaled
from stratum_miner.reports import profit_tables
from stratum_miner.reports.profit_charts import figures
from stratum_miner.reports.profit_tables import Rows

MAX_WIDTH = 100


def show_scenario(output: Console, scenario: Scenario) -> None:
    """Words, the periods, and the machines of a fleet."""
    for line in sentences(scenario):
        print_line(output, line)
    output.print(_table(output, profit_tables.periods(scenario)))
    if len(scenario.machines) > 1 or scenario.machines[0].count > 1:
        output.print(_table(output, profit_tables.fleet(scenario)))
    for line in (*solo_odds(scenario), *_dates(scenario)):
        print_line(output, line)


def print_line(output: Console, line: str) -> None:
    """One line of words, as it is."""
    output.print(line, markup=False, highlight=False, emoji=False)


def sentences(scenario: Scenario) -> list[str]:
    """The answer: what is left, where nothing is left, whether the outlay comes back."""
    operation = scenario.operation
    if scenario.price is None:
        year = PERIODS["year"]
        lines = [
            f"It earns {operation.btc_per_day_net * year:.6g} bitcoin a year and costs "
            f"{_money(operation.costs_per_day * year, scenario)} to run."
        ]
        if operation.break_even_price is not None:
            lines.append(f"It breaks even at a price of {operation.break_even_price:,.0f} (none was given: --price).")
        return lines
    month = operation.profit_per_day * PERIODS["month"]
    verdict = f"earns {_money(month, scenario)}" if month >= 0 else f"loses {_money(-month, scenario)}"
    even = operation.break_even_electricity
    limit = f"; breaks even at {even:.4g}" if even is not None else ""
    lines = [f"It {verdict} a month at {operation.electricity:f} per kWh{limit}."]
    if operation.break_even_price is not None and operation.break_even_difficulty is not None:
        lines.append(
            f"It also breaks even at a price of {operation.break_even_price:,.0f} or a difficulty of "
            f"{scaled(operation.break_even_difficulty).strip()}."
        )
    if scenario.depreciation_per_day is not None:
        left = (operation.profit_per_day - scenario.depreciation_per_day) * PERIODS["month"]
        verdict = "leaves" if left >= 0 else "loses"
        lines.append(f"After depreciation it {verdict} {_money(abs(left), scenario)} a month.")
    returned = scenario.payback
    if returned is not None:
        back = f"is back after {returned.days} days" if returned.days else f"never comes back: {returned.reason}"
        lines.append(f"The outlay {back}.")
    return lines


def solo_odds(scenario: Scenario) -> list[str]:
    """The chances of finding a block alone; efficiency and emissions."""
    operation = scenario.operation
    rate = operation.blocks_per_day
    kwh = operation.kwh_per_day * PERIODS["year"]
    emitted = energy.emissions(kwh)
    return [
        f"Alone, a block takes {rounded(odds.mean_wait_days(rate) / odds.YEAR_DAYS)} years on average; "
        f"the chance of one within a year is {odds.probability_of_block(rate, odds.YEAR_DAYS):.3g}.",
        f"{rounded(float(operation.joules_per_terahash))} J/TH, {rounded(float(kwh))} kWh a year, which emit "
        f"{rounded(float(emitted.low))} to {rounded(float(emitted.high))} kg of CO2 "
        f"({rounded(float(emitted.best))} at the average mix of mining).",
    ]


def compare(output: Console, scenarios: Sequence[Scenario]) -> None:
    """Side by side."""
    output.print(_table(output, profit_tables.comparison(scenarios)))
    print_line(output, "Money is per month; it breaks even at the price of a kWh in the last but one column.")


def payout_schemes(output: Console, scenario: Scenario) -> None:
    """Quantiles of the income under each scheme, over a month and a year."""
    for period in ("month", "year"):
        output.print(_table(output, profit_tables.payouts(scenario, period)))
    print_line(
        output,
        "Satoshis, or bitcoin where there is a point; each column is what the income stays at or below with that "
        f"chance, in a pool of {hash_rate_text(scenario.pool.hash_rate)}. The means are the same, but PPS keeps the "
        "transaction fees.",
    )


def machines(output: Console, known: dict[str, Machine]) -> None:
    """The hardware table."""
    rows = [
        (
            machine.name,
            hash_rate_text(machine.hash_rate),
            f"{machine.power:,.4g}",
            rounded(float(machine.power) / machine.hash_rate * 1e12),
            machine.date,
            machine.source,
        )
        for machine in known.values()
    ]
    table = _table(output, Rows(("machine", "hash rate", "W", "J/TH", "dated", "source"), rows))
    table.columns[-1].justify = "left"
    table.columns[-1].no_wrap = False
    table.columns[-1].overflow = "ellipsis"
    output.print(table)


def drawings(output: Console, scenario: Scenario) -> None:
    """Every figure as text."""
    space = plots.TextSize(width=min(output.width, MAX_WIDTH) - 2, ascii_only=is_plain(output))
    for figure in figures(scenario):
        output.print()
        output.print(plots.render(figure, space))


def agreement(output: Console, found: Sequence[Agreement], seed: int, runs: int) -> None:
    """The closed forms beside their simulation."""
    rows = [
        (
            item.quantity,
            f"{item.formula:.5g}",
            f"{item.simulated:.5g}",
            f"{item.low:.4g} to {item.high:.4g}",
            "agrees" if item.agrees else "DIFFERS",
        )
        for item in found
    ]
    output.print(_table(output, Rows(("quantity", "formula", "played", "interval", ""), rows)))
    print_line(
        output, f"Seed {seed}, {runs} lives of {DAYS:g} days; the interval holds the simulated value with 99.9 %."
    )


def _dates(scenario: Scenario) -> list[str]:
    told = [f"{what} of {day}" for what, day in scenario.dates.items()]
    return [f"Dated: {', '.join(told)}. Everything is at today's difficulty unless it says otherwise."] if told else []


def _table(output: Console, content: Rows) -> Table:
    table = text_table(output, content.heads, between=2 if len(content.heads) < 7 else 1)
    for column in table.columns:
        column.min_width = 5
    for row in content.rows:
        table.add_row(*row)
    return table


def _money(value: Decimal, scenario: Scenario) -> str:
    text = f"{value:,.2f}"
    return f"{text} {scenario.currency}" if scenario.currency else text
