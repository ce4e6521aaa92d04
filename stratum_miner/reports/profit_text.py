"""A profit scenario as text for a terminal: the result in sentences and tables, comparisons, payout schemes and
charts."""

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
    """Print the result in sentences, the table of periods, and the table of machines if there are several."""
    for line in sentences(scenario):
        print_line(output, line)
    output.print(_table(output, profit_tables.periods(scenario)))
    if len(scenario.machines) > 1 or scenario.machines[0].count > 1:
        output.print(_table(output, profit_tables.fleet(scenario)))
    for line in (*solo_odds(scenario), *_dates(scenario)):
        print_line(output, line)


def print_line(output: Console, line: str) -> None:
    """Print one line of plain text."""
    output.print(line, markup=False, highlight=False, emoji=False)


def sentences(scenario: Scenario) -> list[str]:
    """Return the result in sentences: the profit, the break-even points, and when the purchase price is repaid."""
    operation = scenario.operation
    if scenario.price is None:
        year = PERIODS["year"]
        lines = [
            f"Mining earns {operation.btc_per_day_net * year:.6g} bitcoin per year and costs "
            f"{_money(operation.costs_per_day * year, scenario)} per year to run."
        ]
        if operation.break_even_price is not None:
            lines.append(
                f"It breaks even at a price of {operation.break_even_price:,.0f} per bitcoin. "
                "Give the current price with --price to see the profit."
            )
        return lines
    month = operation.profit_per_day * PERIODS["month"]
    verdict = f"earns {_money(month, scenario)}" if month >= 0 else f"loses {_money(-month, scenario)}"
    even = operation.break_even_electricity
    limit = f". It breaks even at {even:.4g} per kWh" if even is not None else ""
    lines = [f"Mining {verdict} per month at {operation.electricity:f} per kWh{limit}."]
    if operation.break_even_price is not None and operation.break_even_difficulty is not None:
        lines.append(
            f"It also breaks even at a price of {operation.break_even_price:,.0f} per bitcoin, or at a difficulty of "
            f"{scaled(operation.break_even_difficulty).strip()}."
        )
    if scenario.depreciation_per_day is not None:
        left = (operation.profit_per_day - scenario.depreciation_per_day) * PERIODS["month"]
        verdict = "leaves" if left >= 0 else "loses"
        lines.append(f"After depreciation it {verdict} {_money(abs(left), scenario)} per month.")
    returned = scenario.payback
    if returned is not None:
        back = f"repaid after {returned.days:,} days" if returned.days else f"never repaid: {returned.reason}"
        lines.append(f"The purchase price is {back}.")
    return lines


def solo_odds(scenario: Scenario) -> list[str]:
    """Return sentences about the odds of solo mining, about the energy that mining needs, and about the emissions of
    CO2."""
    operation = scenario.operation
    rate = operation.blocks_per_day
    kwh = operation.kwh_per_day * PERIODS["year"]
    emitted = energy.emissions(kwh)
    return [
        f"Solo, a block takes {rounded(odds.mean_wait_days(rate) / odds.YEAR_DAYS)} years on average. "
        f"The probability of a block within a year is {odds.probability_of_block(rate, odds.YEAR_DAYS):.3g}.",
        f"Mining needs {rounded(float(operation.joules_per_terahash))} J/TH and {rounded(float(kwh))} kWh per year, "
        f"which emit {rounded(float(emitted.low))} to {rounded(float(emitted.high))} kg of CO2 "
        f"({rounded(float(emitted.best))} kg with the average electricity of miners).",
    ]


def compare(output: Console, scenarios: Sequence[Scenario]) -> None:
    """Print the comparison of several scenarios."""
    output.print(_table(output, profit_tables.comparison(scenarios)))
    print_line(output, "Money is per month. The column even/kWh is the price of a kWh at which the profit is zero.")


def payout_schemes(output: Console, scenario: Scenario) -> None:
    """Print the quantiles of the income of a month and of a year under each payout scheme."""
    for period in ("month", "year"):
        output.print(_table(output, profit_tables.payouts(scenario, period)))
    print_line(
        output,
        "Whole numbers are satoshis, numbers with a decimal point are bitcoin. Each column is the amount that the "
        f"income does not exceed with that probability, in a pool of {hash_rate_text(scenario.pool.hash_rate)}. "
        "The means are the same, except that a PPS pool keeps the transaction fees. The spread is the standard "
        "deviation divided by the mean.",
    )


def machines(output: Console, known: dict[str, Machine]) -> None:
    """Print the table of known machines."""
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
    table = _table(output, Rows(("machine", "hash rate", "W", "J/TH", "date", "source"), rows))
    table.columns[-1].justify = "left"
    table.columns[-1].no_wrap = False
    table.columns[-1].overflow = "ellipsis"
    output.print(table)


def drawings(output: Console, scenario: Scenario) -> None:
    """Print every chart as text."""
    space = plots.TextSize(width=min(output.width, MAX_WIDTH) - 2, ascii_only=is_plain(output))
    for figure in figures(scenario):
        output.print()
        output.print(plots.render(figure, space))


def agreement(output: Console, found: Sequence[Agreement], seed: int, runs: int) -> None:
    """Print a table that compares the result of each formula with that of a simulation."""
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
    output.print(_table(output, Rows(("quantity", "formula", "simulated", "interval", ""), rows)))
    print_line(
        output,
        f"Seed {seed}, {runs:,} simulation runs of {DAYS:g} days. The interval is the 99.9 % confidence interval of "
        "the simulated value.",
    )


def _dates(scenario: Scenario) -> list[str]:
    dates = [f"{what} of {day}" for what, day in scenario.dates.items()]
    if not dates:
        return []
    return [f"Dates: {', '.join(dates)}. The figures are for the current difficulty unless a line says otherwise."]


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
