"""The options of ``stratum-miner profit`` and what is done with them."""

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
from stratum_miner.economics.profit.scenario import Raw, Scenario
from stratum_miner.reports import profit_page, profit_text

LIVES = 4000
"""Runs of a Monte-Carlo check: they take half a minute and give means to 1 %."""


def _text(name: str, help_text: str, group: str) -> Any:
    return Parameter(
        name=name, help=help_text, group=group, negative=(), allow_leading_hyphen=True
    )  # to say what -3W is


Files: TypeAlias = Annotated[
    list[Path] | None,
    Parameter(name="--scenario", help="TOML file of terms; repeatable, side by side.", group="Sources", negative=()),
]


def profit(
    *,
    hash_rate: Annotated[str | None, _text("--hash-rate", "Such as 1.2TH.", "Machine")] = None,
    power: Annotated[str | None, _text("--power", "At the wall, such as 17W or 3.5kW.", "Machine")] = None,
    machine: Annotated[
        list[str] | None, _text("--machine", "Name or COUNTxNAME instead; repeatable. --machines lists.", "Machine")
    ] = None,
    machines: Annotated[
        bool,
        Parameter(name="--machines", help="List the machines known.", group="Machine", negative=(), show_default=False),
    ] = False,
    hardware_file: Annotated[Path | None, _text("--hardware", "TOML file with more machines.", "Machine")] = None,
    uptime: Annotated[str | None, _text("--uptime", "Share of the time it runs; 100%.", "Machine")] = None,
    stale: Annotated[str | None, _text("--stale", "Share of work that goes stale; 0%.", "Machine")] = None,
    cooling: Annotated[str | None, _text("--cooling", "Electricity on top, such as 10%.", "Machine")] = None,
    electricity: Annotated[str | None, _text("--electricity", "Price of a kWh.", "Terms")] = None,
    hosting: Annotated[str | None, _text("--hosting", "Money a month.", "Terms")] = None,
    maintenance: Annotated[str | None, _text("--maintenance", "Money a month.", "Terms")] = None,
    capex: Annotated[str | None, _text("--capex", "What the machines cost, to be paid back.", "Terms")] = None,
    resale: Annotated[str | None, _text("--resale", "What they bring after their lifetime.", "Terms")] = None,
    lifetime: Annotated[str | None, _text("--lifetime", "Years over which they lose value.", "Terms")] = None,
    currency: Annotated[str | None, _text("--currency", "Put behind amounts, such as EUR.", "Terms")] = None,
    price: Annotated[str | None, _text("--price", "Of a bitcoin, in the money of the kWh.", "Price")] = None,
    price_date: Annotated[str | None, _text("--price-date", "When it was so, such as 2026-11-01.", "Price")] = None,
    price_command: Annotated[str | None, _text("--price-command", "A command that prints it.", "Price")] = None,
    price_url: Annotated[str | None, _text("--price-url", "An address that answers it.", "Price")] = None,
    price_field: Annotated[
        str | None, _text("--price-field", "Its place in a JSON answer, such as data.0.last.", "Price")
    ] = None,
    price_growth: Annotated[str | None, _text("--price-growth", "Assumed, per year; 0%.", "Price")] = None,
    difficulty: Annotated[str | None, _text("--difficulty", "Of the network.", "Chain")] = None,
    difficulty_growth: Annotated[
        str | None, _text("--difficulty-growth", "Assumed, per two weeks, such as 2%; 0%.", "Chain")
    ] = None,
    growth_band: Annotated[str | None, _text("--growth-band", "Less or more growth than that; 1%.", "Chain")] = None,
    subsidy: Annotated[str | None, _text("--subsidy", "Bitcoin per block, without fees.", "Chain")] = None,
    height: Annotated[str | None, _text("--height", "Instead of --subsidy; also dates the halvings.", "Chain")] = None,
    fees: Annotated[str | None, _text("--fees", "Average fees per block, bitcoin; 0.", "Chain")] = None,
    chain_date: Annotated[str | None, _text("--chain-date", "When the chain was so.", "Chain")] = None,
    pool_fee: Annotated[str | None, _text("--pool-fee", "Such as 2%; 0%.", "Pool")] = None,
    pool_hash_rate: Annotated[
        str | None, _text("--pool-hash-rate", "Of the whole pool; 3% of the network.", "Pool")
    ] = None,
    share_difficulty: Annotated[
        str | None, _text("--share-difficulty", "Your shares'; one in ten seconds.", "Pool")
    ] = None,
    scenario_files: Files = None,
    only: Annotated[list[str] | None, _text("--only", "Of a file's scenarios; repeatable.", "Sources")] = None,
    node: Annotated[str | None, _text("--node", "Ask a node: http://user:pass@host:port.", "Sources")] = None,
    node_cookie: Annotated[Path | None, _text("--node-cookie", "Its cookie file.", "Sources")] = None,
    node_password_file: Annotated[Path | None, _text("--node-password-file", "Its password.", "Sources")] = None,
    api: Annotated[str | None, _text("--api", "Ask a running miner (mine --http): its URL.", "Sources")] = None,
    horizon: Annotated[str | None, _text("--horizon", "Years to look ahead; 3.", "Output")] = None,
    schemes: Annotated[
        bool,
        Parameter(name="--schemes", help="Compare payout schemes.", group="Output", negative=(), show_default=False),
    ] = False,
    plots: Annotated[
        bool, Parameter(name="--plots", help="Draw it.", group="Output", negative=(), show_default=False)
    ] = False,
    check: Annotated[
        bool,
        Parameter(
            name="--monte-carlo", help="Play it by chance and compare.", group="Output", negative=(), show_default=False
        ),
    ] = False,
    seed: Annotated[int, Parameter(name="--seed", help="Of --monte-carlo.", group="Output")] = 1,
    html: Annotated[Path | None, _text("--html", "Write a page with everything.", "Output")] = None,
    csv: Annotated[
        bool,
        Parameter(name="--csv", help="One line for each scenario.", group="Output", negative=(), show_default=False),
    ] = False,
    json: common.Json = False,
) -> int:
    """Say what mining earns and costs, where it breaks even, when it pays back, and what the odds of a block are."""
    if csv and json:
        raise UsageError("--csv, --json: expected one of the two")
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
    complete = [scenario.complete(scenario.merged([flags, raw, *answers], raw.name)) for raw in raws]
    for item in complete:
        for doubt in item.doubts:
            profit_text.say(console, f"stratum-miner: note: {f'{item.name}: ' if item.name else ''}{doubt}")
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
        profit_text.tell(output, item)
        if schemes:
            profit_text.payout_schemes(output, item)
        if plots:
            profit_text.drawings(output, item)
    if len(scenarios) > 1:
        output.rule("side by side")
        profit_text.compare(output, scenarios)


def _check(item: Scenario, seed: int) -> int:
    if not console.is_terminal:
        found = monte_carlo.check(item.operation, item.pool, seed=seed, runs=LIVES)
    else:
        with console.status(f"playing {LIVES} lives"):
            found = monte_carlo.check(item.operation, item.pool, seed=seed, runs=LIVES)
    profit_text.agreement(_output(), found, seed, LIVES)
    return ExitCode.OK if all(line.agrees for line in found) else ExitCode.FAILED


def _chosen(raws: list[Raw], only: list[str] | None) -> list[Raw]:
    if not raws:
        if only:
            raise UsageError("--only: expected it together with --scenario")
        return [Raw(name="", values={})]
    names = [raw.name for raw in raws]
    for name in only or []:
        if name not in names:
            raise UsageError(f"--only: no scenario is called {name!r}; there are {', '.join(names)}")
    return [raw for raw in raws if not only or raw.name in only]


def _check_price_options(price: str | None, command: str | None, url: str | None, field: str | None) -> None:
    if sum(value is not None for value in (price, command, url)) > 1:
        raise UsageError("--price, --price-command, --price-url: expected one of them")
    if field is not None and command is None and url is None:
        raise UsageError("--price-field: expected it together with --price-url or --price-command")


def _output() -> Console:
    return printing.console(highlight=False)
