"""A profit scenario as text for a terminal: the result in sentences and tables, comparisons, payout schemes and
charts."""

from collections.abc import Sequence
from decimal import Decimal

from rich.console import Console
from rich.table import Table

from stratum_miner.economics import energy, odds
from stratum_miner.economics.income import DAY_SECONDS
from stratum_miner.economics.mainnet import DatedFigure
from stratum_miner.economics.monte_carlo import DAYS, Agreement
from stratum_miner.economics.profit.machines import Machine
from stratum_miner.economics.profit.result import PERIODS
from stratum_miner.economics.profit.scenario import Scenario, option
from stratum_miner.plots import text as plots
from stratum_miner.plots.text_table import is_plain, text_table
from stratum_miner.quantities import (
    bitcoin_text,
    cases_text,
    hash_rate_text,
    rounded,
    scaled,
    significant,
    span_text,
)
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
    for line in (*solo_odds(scenario), *assumptions(scenario), *_dates(scenario)):
        print_line(output, line)


def print_lines(output: Console, lines: Sequence[str]) -> None:
    """Print lines of plain text."""
    for line in lines:
        print_line(output, line)


def print_line(output: Console, line: str) -> None:
    """Print one line of plain text."""
    output.print(line, markup=False, highlight=False, emoji=False)


def sentences(scenario: Scenario) -> list[str]:
    """Return the result in sentences: the profit, the break-even points, and when the purchase price is repaid. If the
    purchase price is never repaid, the first sentence says so."""
    operation, returned = scenario.operation, scenario.payback
    lines = [_result(scenario)]
    if scenario.depreciation_per_day is not None and scenario.price is not None:
        left = (operation.profit_per_day - scenario.depreciation_per_day) * PERIODS["month"]
        verdict = "leaves" if left >= 0 else "loses"
        lines.append(f"After depreciation it {verdict} {_money(abs(left), scenario)} per month.")
    lines += _break_even(scenario)
    if returned is not None and returned.days is None:
        return [f"The purchase price is never repaid: {returned.reason}.", *lines]
    if returned is not None:
        lines.append(f"The purchase price is repaid after {returned.days:,} days.")
    return lines


def makes_a_loss(scenario: Scenario) -> bool:
    """Return whether mining costs more than it earns, or the purchase price is never repaid."""
    if scenario.price is None:
        return False
    left = scenario.operation.profit_per_day - (scenario.depreciation_per_day or 0)
    return left < 0 or (scenario.payback is not None and scenario.payback.days is None)


def _result(scenario: Scenario) -> str:
    operation, month = scenario.operation, PERIODS["month"]
    costs = f"{_money(operation.costs_per_day * month, scenario)} per month to run"
    if not operation.btc_per_day_net:
        return f"Mining earns nothing, because the pool fee is 100 %, and costs {costs}."
    if scenario.price is None:
        coins = bitcoin_text(float(operation.btc_per_day_net * month))
        return f"Mining earns {coins} per month and costs {costs}."
    profit = operation.profit_per_day * month
    verdict = f"earns {_money(profit, scenario)}" if profit >= 0 else f"loses {_money(-profit, scenario)}"
    even = operation.break_even_electricity
    limit = f" It breaks even at {float(even):.4g} per kWh." if even is not None and operation.btc_per_day_net else ""
    return f"Mining {verdict} per month at {operation.electricity:f} per kWh.{limit}"


def _break_even(scenario: Scenario) -> list[str]:
    """Return sentences about the price of a bitcoin and the difficulty at which mining earns exactly its costs."""
    operation, price = scenario.operation, scenario.operation.break_even_price
    if price is None or not operation.costs_per_day:
        return []
    if scenario.price is None:
        return [
            f"It only pays if 1 bitcoin is worth more than {_coin_price(price, scenario)}. Give the current price with "
            "--price to see the profit or the loss."
        ]
    if operation.break_even_difficulty is None:
        return []
    also = " also" if operation.break_even_electricity is not None else ""
    return [
        f"It{also} breaks even at a price of {_coin_price(price, scenario)} per bitcoin, or at a difficulty of "
        f"{scaled(operation.break_even_difficulty).strip()}."
    ]


def solo_odds(scenario: Scenario) -> list[str]:
    """Return sentences about solo mining, the energy that is needed and the emissions of CO2."""
    operation = scenario.operation
    rate = operation.blocks_per_day
    kwh = operation.kwh_per_day * PERIODS["year"]
    emitted = energy.emissions(kwh)
    return [
        f"Solo, a block takes {span_text(odds.mean_wait_days(rate) * DAY_SECONDS)} on average. Within a year, "
        f"a block is found in {cases_text(odds.probability_of_block(rate, odds.YEAR_DAYS))}.",
        f"Mining needs {rounded(float(operation.joules_per_terahash))} J/TH and {rounded(float(kwh))} kWh per year, "
        f"which emit {rounded(float(emitted.low))} to {rounded(float(emitted.high))} kg of CO2 "
        f"({rounded(float(emitted.best))} kg with the average electricity of miners).",
    ]


def assumptions(scenario: Scenario) -> list[str]:
    """Return sentences that name each figure that the user did not give, with its date, and how to give another."""
    lines = [
        f"{machine.name}: {hash_rate_text(machine.hash_rate)} and {machine.power:,.4g} W ({machine.source}, "
        f"{machine.date})."
        for machine in scenario.machines
        if machine.source
    ]
    if scenario.defaults:
        figures = [_default(term, figure) for term, figure in scenario.defaults.items()]
        options = [option(term) for term in scenario.defaults]
        lines.append(f"Not given, so assumed: {', '.join(figures)}. Give others with {', '.join(options)} or --node.")
    return lines


def _default(term: str, figure: DatedFigure) -> str:
    if term == "difficulty":
        return f"difficulty {float(figure.value) / 1e12:.4g} T (mainnet on {figure.date})"
    if term == "subsidy":
        return f"subsidy {figure.value} bitcoin per block (since {figure.date})"
    return "no transaction fees"


def compare(output: Console, scenarios: Sequence[Scenario]) -> None:
    """Print the comparison of several scenarios. Those whose purchase price is never repaid are named first."""
    print_lines(output, never_repaid(scenarios))
    output.print(_table(output, profit_tables.comparison(scenarios)))
    print_line(output, "Money is per month. The column even/kWh is the price of a kWh at which the profit is zero.")


def never_repaid(scenarios: Sequence[Scenario]) -> list[str]:
    """Return a list of one sentence, which names the scenarios whose purchase price is never repaid. Return an empty
    list if there are none."""
    names = [item.name for item in scenarios if item.payback is not None and item.payback.days is None]
    return [f"The purchase price is never repaid in: {', '.join(names)}."] if names else []


def payout_schemes(output: Console, scenario: Scenario) -> None:
    """Print the quantiles of the income of a month and of a year under each payout scheme."""
    for period in ("month", "year"):
        output.print(_table(output, profit_tables.payouts(scenario, period)))
    print_line(
        output,
        f"Amounts are in {profit_tables.payout_unit(scenario)}. Each column is the amount that the income does not "
        f"exceed with that probability, in a pool of {hash_rate_text(scenario.pool.hash_rate)}. The means are the "
        "same, except that a PPS pool keeps the transaction fees. The spread is the standard deviation divided by the "
        "mean.",
    )


def machines(output: Console, known: dict[str, Machine]) -> None:
    """Print the table of known machines, and below it the source of each figure."""
    rows = [
        (
            machine.name,
            hash_rate_text(machine.hash_rate),
            f"{machine.power:,.4g}",
            rounded(float(machine.power) / machine.hash_rate * 1e12),
            machine.date,
        )
        for machine in known.values()
    ]
    output.print(_table(output, Rows(("machine", "hash rate", "W", "J/TH", "date"), rows)))
    print_lines(output, [f"{machine.name}: {machine.source}" for machine in known.values() if machine.source])


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


def _coin_price(price: Decimal, scenario: Scenario) -> str:
    text = f"{price:,.0f}" if price >= 100 else significant(float(price))
    return f"{text} {scenario.currency}" if scenario.currency else text


def _money(value: Decimal, scenario: Scenario) -> str:
    text = f"{value:,.2f}"
    return f"{text} {scenario.currency}" if scenario.currency else text
