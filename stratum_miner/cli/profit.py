"""``stratum-miner profit``: what mining earns and costs, from options, files, a node, a miner and price sources."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from cyclopts import Parameter
from rich.console import Console

from stratum_miner.app.options import common
from stratum_miner.app.process import output_files, printing
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.app.process.logs import console
from stratum_miner.app.settings import asked_terms
from stratum_miner.economics import monte_carlo
from stratum_miner.economics.profit import result, scenario
from stratum_miner.economics.profit.machines import known_machines
from stratum_miner.economics.profit.scenario import (
    DEFAULT_BAND,
    DEFAULT_HORIZON_YEARS,
    MAINNET,
    SECONDS_PER_SHARE,
    USUAL_POOL_SHARE,
    RawScenario,
    Scenario,
)
from stratum_miner.reports import profit_page, profit_text

RUNS = 4000
"""Number of simulation runs of --monte-carlo. Together they take a few seconds, and their means are accurate to 1 %."""


def _default(term: str, unit: str = "", size: int = 1) -> str:
    figure = MAINNET[term]
    return f"{figure.value / size:f}{unit}, of {figure.date}"


def _text(name: str, help_text: str, group: str) -> Any:
    # With allow_leading_hyphen, a value such as -3W reaches the parser of the option, which reports what is wrong with
    # the value.
    return Parameter(name=name, help=help_text, group=group, negative=(), allow_leading_hyphen=True)


Files: TypeAlias = Annotated[
    list[Path] | None,
    Parameter(
        name="--scenario",
        help="TOML file with one or more scenarios, whose keys are the options of this command. Several scenarios are "
        "compared side by side. Repeatable.",
        group="Sources",
        negative=(),
    ),
]


def profit(
    *,
    hash_rate: Annotated[
        str | None, _text("--hash-rate", "Hash rate of your devices, such as 1.2TH.", "Device")
    ] = None,
    power: Annotated[
        str | None, _text("--power", "Power that your devices take from the mains, such as 17W or 3.5kW.", "Device")
    ] = None,
    machine: Annotated[
        list[str] | None,
        _text(
            "--machine",
            "NAME or COUNTxNAME: a known device, to use instead of --hash-rate and --power. --machines lists the "
            "names. Repeatable.",
            "Device",
        ),
    ] = None,
    machines: Annotated[
        bool,
        Parameter(
            name="--machines",
            help="List the known devices instead of calculating.",
            group="Device",
            negative=(),
            show_default=False,
        ),
    ] = False,
    hardware_file: Annotated[
        Path | None, _text("--hardware", "TOML file with more devices for --machine.", "Device")
    ] = None,
    uptime: Annotated[
        str | None, _text("--uptime", "Percentage of the time in which the devices run. [default: 100%]", "Device")
    ] = None,
    stale: Annotated[
        str | None, _text("--stale", "Percentage of the shares that are stale and not paid. [default: 0%]", "Device")
    ] = None,
    cooling: Annotated[
        str | None,
        _text(
            "--cooling",
            "Electricity for cooling, as a percentage of the electricity of the devices, such as 10%. [default: 0%]",
            "Device",
        ),
    ] = None,
    electricity: Annotated[
        str | None, _text("--electricity", "Price of 1 kWh, such as 0.30, 30ct or 0.30EUR.", "Terms")
    ] = None,
    hosting: Annotated[
        str | None,
        _text("--hosting", "Cost of hosting per month, in the currency of --electricity. [default: 0]", "Terms"),
    ] = None,
    maintenance: Annotated[
        str | None,
        _text(
            "--maintenance", "Cost of maintenance per month, in the currency of --electricity. [default: 0]", "Terms"
        ),
    ] = None,
    capex: Annotated[
        str | None,
        _text(
            "--capex",
            "Purchase price of all devices, in the currency of --electricity, for the payback time. "
            "[default: the sum of the known prices of --machine]",
            "Terms",
        ),
    ] = None,
    resale: Annotated[
        str | None,
        _text(
            "--resale",
            "Resale value of all devices after --lifetime, in the currency of --electricity. [default: 0]",
            "Terms",
        ),
    ] = None,
    lifetime: Annotated[
        str | None,
        _text(
            "--lifetime",
            "Number of years over which the value of the devices falls from --capex to --resale. Without this option, "
            "no depreciation is shown.",
            "Terms",
        ),
    ] = None,
    currency: Annotated[
        str | None,
        _text(
            "--currency",
            "Name of the currency to print after amounts of money. [default: the one beside an amount]",
            "Terms",
        ),
    ] = None,
    price: Annotated[str | None, _text("--price", "Price of 1 BTC, in the currency of --electricity.", "Price")] = None,
    price_date: Annotated[
        str | None, _text("--price-date", "Date on which the price was valid, such as 2026-11-01.", "Price")
    ] = None,
    price_command: Annotated[
        str | None,
        _text("--price-command", "Command that prints the price of 1 BTC, to use instead of --price.", "Price"),
    ] = None,
    price_url: Annotated[
        str | None, _text("--price-url", "URL whose answer is the price of 1 BTC, to use instead of --price.", "Price")
    ] = None,
    price_field: Annotated[
        str | None,
        _text(
            "--price-field",
            "Where the price is in the JSON of --price-url or --price-command: keys and list positions (from 0) with "
            "dots between them, such as data.0.last.",
            "Price",
        ),
    ] = None,
    price_growth: Annotated[
        str | None, _text("--price-growth", "Assumed growth of the price per year, such as 5%. [default: 0%]", "Price")
    ] = None,
    difficulty: Annotated[
        str | None,
        _text(
            "--difficulty",
            f"Difficulty of the Bitcoin network, such as 144.4T. [default: {_default('difficulty', 'T', 10**12)}]",
            "Chain",
        ),
    ] = None,
    difficulty_growth: Annotated[
        str | None,
        _text(
            "--difficulty-growth",
            "Assumed growth of the difficulty in two weeks, such as 2%. [default: 0%]",
            "Chain",
        ),
    ] = None,
    growth_band: Annotated[
        str | None,
        _text(
            "--growth-band",
            "Percentage points by which the growth may lie above or below --difficulty-growth. The chart of the cash "
            "flow shows what lies between as a band. "
            f"[default: {DEFAULT_BAND:.0%}]",
            "Chain",
        ),
    ] = None,
    subsidy: Annotated[
        str | None,
        _text(
            "--subsidy",
            f"Subsidy of a block in BTC, without fees. [default: {_default('subsidy')}]",
            "Chain",
        ),
    ] = None,
    height: Annotated[
        str | None,
        _text(
            "--height",
            "Height of the block chain, to use instead of --subsidy. The dates of the halvings also follow from the "
            "height.",
            "Chain",
        ),
    ] = None,
    fees: Annotated[
        str | None, _text("--fees", "Average transaction fees of a block in BTC. [default: 0]", "Chain")
    ] = None,
    chain_date: Annotated[
        str | None,
        _text(
            "--chain-date",
            "Date on which the chain figures (difficulty, height, fees) were valid, such as 2026-11-01.",
            "Chain",
        ),
    ] = None,
    pool_fee: Annotated[
        str | None, _text("--pool-fee", "Fee of the pool as a percentage, such as 2%. [default: 0%]", "Pool")
    ] = None,
    pool_hash_rate: Annotated[
        str | None,
        _text(
            "--pool-hash-rate",
            "Hash rate of the whole pool, such as 20EH. "
            f"[default: {USUAL_POOL_SHARE:.0%} of the network, but at least yours]",
            "Pool",
        ),
    ] = None,
    share_difficulty: Annotated[
        str | None,
        _text(
            "--share-difficulty",
            "Difficulty of your shares at the pool. "
            f"[default: the difficulty that gives one share every {SECONDS_PER_SHARE} s]",
            "Pool",
        ),
    ] = None,
    scenario_files: Files = None,
    only: Annotated[
        list[str] | None,
        _text("--only", "Name of a scenario in the --scenario files: use only this one. Repeatable.", "Sources"),
    ] = None,
    node: Annotated[
        str | None,
        _text(
            "--node",
            "JSON-RPC of a Bitcoin node, http://USER:PASS@HOST:PORT, from which to get difficulty, height, subsidy "
            "and fees.",
            "Sources",
        ),
    ] = None,
    node_cookie: Annotated[
        Path | None,
        _text("--node-cookie", "Cookie file of the Bitcoin node, to use instead of USER:PASS in --node.", "Sources"),
    ] = None,
    node_password_file: Annotated[
        Path | None,
        _text(
            "--node-password-file",
            "File whose first line is the password of the Bitcoin node, to use instead of PASS in --node.",
            "Sources",
        ),
    ] = None,
    api: Annotated[
        str | None,
        _text(
            "--api",
            "URL of a miner that runs with --http, such as http://127.0.0.1:7780, from which to get hash rate and "
            "power.",
            "Sources",
        ),
    ] = None,
    horizon: Annotated[
        str | None, _text("--horizon", f"Number of years to look ahead. [default: {DEFAULT_HORIZON_YEARS}]", "Output")
    ] = None,
    schemes: Annotated[
        bool,
        Parameter(
            name="--schemes",
            help="Compare payout schemes of pools: mean income, and how much it varies.",
            group="Output",
            negative=(),
            show_default=False,
        ),
    ] = False,
    plots: Annotated[
        bool,
        Parameter(
            name="--plots",
            help="Plot the profit, the cash flow and the odds of solo mining as text.",
            group="Output",
            negative=(),
            show_default=False,
        ),
    ] = False,
    check: Annotated[
        bool,
        Parameter(
            name="--monte-carlo",
            help="Compare the results of the formulas with those of a random simulation.",
            group="Output",
            negative=(),
            show_default=False,
        ),
    ] = False,
    seed: Annotated[
        int, Parameter(name="--seed", help="Seed for the random choices of --monte-carlo.", group="Output")
    ] = 1,
    html: Annotated[
        Path | None, _text("--html", "Write an HTML page with all results and plots to this file.", "Output")
    ] = None,
    csv: Annotated[
        bool,
        Parameter(
            name="--csv",
            help="Print the results as CSV on stdout, one line for each scenario.",
            group="Output",
            negative=(),
            show_default=False,
        ),
    ] = False,
    json: common.Json = False,
) -> int:
    """Calculate what mining earns and costs, where it breaks even, when it pays back, and the odds of a block.

    A device and a price of electricity suffice, as in: stratum-miner profit --machine bitaxe-gamma --electricity 0.30

    Exit code 1: the node, the miner or the source of the price did not answer, or --monte-carlo contradicts a formula.
    """
    if csv and json:
        raise UsageError("--csv, --json: expected one of the two, got both")
    known = known_machines(hardware_file)
    if machines:
        profit_text.machines(_output(), known)
        return ExitCode.OK
    given = {
        "hash_rate": hash_rate, "power": power, "uptime": uptime, "stale": stale, "cooling": cooling,
        "electricity": electricity, "hosting": hosting, "maintenance": maintenance, "capex": capex, "resale": resale,
        "lifetime": lifetime, "currency": currency, "price": price, "price_date": price_date,
        "price_growth": price_growth, "difficulty": difficulty, "difficulty_growth": difficulty_growth,
        "growth_band": growth_band, "subsidy": subsidy, "height": height, "fees": fees, "chain_date": chain_date,
        "pool_fee": pool_fee, "pool_hash_rate": pool_hash_rate, "share_difficulty": share_difficulty,
        "horizon": horizon,
    }  # fmt: skip
    flags = scenario.from_flags(given, machine or [], known)
    output_files.check_writable(html, "--html")
    _check_price_options(price, price_command, price_url, price_field)
    answers = asked_terms.layers(
        api=api,
        node=node,
        node_cookie=node_cookie,
        node_password_file=node_password_file,
        price_url=price_url,
        price_command=price_command,
        price_field=price_field,
    )
    raws = _chosen([raw for path in scenario_files or [] for raw in scenario.from_file(path, known)], only)
    complete = [scenario.complete_scenario(scenario.merged([flags, raw, *answers], raw.name)) for raw in raws]
    for item in complete:
        for doubt in item.warnings:
            profit_text.print_line(console, f"stratum-miner: note: {f'{item.name}: ' if item.name else ''}{doubt}")
    if html is not None:
        output_files.write(html, profit_page.page(complete), "--html")
    if json:
        found = [result.result(item) for item in complete]
        printing.print_json(found[0] if len(found) == 1 else {"scenarios": found})
    elif csv:
        for line in result.as_csv(complete).splitlines():
            printing.say(line)
    else:
        _tell(complete, schemes=schemes, plots=plots)
    if check:
        return _check(complete[0], seed)
    return ExitCode.OK


def _tell(scenarios: Sequence[Scenario], *, schemes: bool, plots: bool) -> None:
    output = _output()
    for item in scenarios:
        if len(scenarios) > 1:
            output.rule(item.name)
        profit_text.show_scenario(output, item)
        if schemes:
            profit_text.payout_schemes(output, item)
        if plots:
            profit_text.drawings(output, item)
    if len(scenarios) > 1:
        output.rule("side by side")
        profit_text.compare(output, scenarios)


def _check(item: Scenario, seed: int) -> int:
    if not console.is_terminal:
        found = monte_carlo.check(item.operation, item.pool, seed=seed, runs=RUNS)
    else:
        with console.status(f"simulating {RUNS} runs"):
            found = monte_carlo.check(item.operation, item.pool, seed=seed, runs=RUNS)
    profit_text.agreement(_output(), found, seed, RUNS)
    return ExitCode.OK if all(line.agrees for line in found) else ExitCode.FAILED


def _chosen(raws: list[RawScenario], only: list[str] | None) -> list[RawScenario]:
    if not raws:
        if only:
            raise UsageError("--only needs --scenario, as in --scenario FILE --only NAME")
        return [RawScenario(name="", values={})]
    names = [raw.name for raw in raws]
    for name in only or []:
        if name not in names:
            raise UsageError(f"--only: expected a scenario of {', '.join(names)}, got {name!r}")
    return [raw for raw in raws if not only or raw.name in only]


def _check_price_options(price: str | None, command: str | None, url: str | None, field: str | None) -> None:
    if sum(value is not None for value in (price, command, url)) > 1:
        raise UsageError("--price, --price-command, --price-url: expected at most one of them, got several")
    if field is not None and command is None and url is None:
        raise UsageError("--price-field needs --price-url or --price-command, whose answer has the field")


def _output() -> Console:
    return printing.console(highlight=False)
