"""The help of every option of every command: complete sentences, one spelling of defaults, and nothing untrue."""

import re
from collections.abc import Callable, Iterable
from decimal import Decimal
from functools import cache, partial
from inspect import cleandoc
from types import NoneType, UnionType
from typing import Any, get_args, get_origin

import pytest
from cyclopts import App, Argument

from stratum_miner.app.config import durations
from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.profiles import BackendProfile, PoolProfile
from stratum_miner.app.operation import hooks, pauses
from stratum_miner.app.options import pool_access
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.app.settings import http_token
from stratum_miner.app.settings.mine import default_file
from stratum_miner.cli.parser.commands import overview
from stratum_miner.cli.parser.page import help_text
from stratum_miner.cli.parser.program import command_line
from stratum_miner.economics import mainnet
from stratum_miner.economics.profit import scenario
from stratum_miner.pool.config import PoolConfig
from tests.reference import all_commands

DEFAULT = re.compile(r" \[default: [^\[\]]+\]$")
BANNED_DEFAULTS = (
    r";\s[\d.]+ ?%?\.",
    r"\bunless (given|told|said|there is none)\b",
    r"\bdefault (one|is|the|as|cpu|all)\b",
    r"\bby default\b",
    r"\bDefault\b",
)
BANNED_SPELLINGS = (r"; repeatable", r", repeatable", r"degrees C\b", r"\bper cent\b", r"\d \d{3}\b")
BANNED_WORDS = (
    "told|tells?|says?|said|hears?|heard|speaks?|spoken|spelt|"
    "somebody|nobody|anybody|whoever|"
    "this machine|lane|desk|fate|lucky|tripped|lives|conversation|departures?|"
    "no more|for want of|but for|comes to"
)
COUNTS_PER_SECOND = ("--share-rate",)
"""Options whose help mentions a time, but whose value is none."""
UNITS = re.compile(
    r"[Nn]umber of|number of (seconds|accepted)|[Ss]econds|\bS\b|\bs\b|°C|MHz|in V\b|difficulty|[Ff]actor|[Ss]eed|"
    r"integer|[Tt]ime in seconds|per second|this many times",
)


@cache
def commands() -> dict[str, App]:
    return dict(all_commands())


def options(command: str) -> list[Argument]:
    return list(commands()[command].assemble_argument_collection())


@cache
def every_option() -> list[tuple[str, Argument]]:
    """``health`` loads quickly because it declares its options in its docstring, which only its page shows."""
    return [(command, argument) for command in commands() if command != "health" for argument in options(command)]


def all_wrong(checks: Iterable[tuple[str, Callable[[], None]]]) -> str:
    """Return a line for each check that fails. One test of thousands of texts takes less time than thousands of
    tests."""
    wrong = []
    for name, check in checks:
        try:
            check()
        except AssertionError as error:
            wrong.append(f"{name}: {error}")
    return "\n".join(wrong)


def each_option(check: Callable[[str, Argument], None]) -> Callable[[], None]:
    """Make a test that checks every option of every command, and lists all that are wrong."""

    def test() -> None:
        checks = ((f"{command} {each.name}", partial(check, command, each)) for command, each in every_option())
        assert not all_wrong(checks)

    return test


def each_command(check: Callable[[str], None]) -> Callable[[], None]:
    """Make a test that checks every command, and lists all that are wrong."""

    def test() -> None:
        assert not all_wrong((command, partial(check, command)) for command in commands())

    return test


def text_of(argument: Argument) -> str:
    return argument.parameter.help or str(argument.field_info.help or "")


def type_of(argument: Argument) -> Any:
    kinds = [kind for kind in get_args(argument.hint) if kind is not NoneType]
    return kinds[0] if isinstance(argument.hint, UnionType) else argument.hint


def option_named(command: str, name: str) -> str:
    [text] = [text_of(each) for each in options(command) if name in each.names]
    return text


def shown_default(argument: Argument) -> Any:
    """The default that the parser adds to the help text; None if it adds none."""
    return argument.field_info.default if argument.show_default else None


@each_option
def test_an_option_is_explained_in_sentences(command: str, argument: Argument) -> None:
    text = text_of(argument)
    sentence = DEFAULT.sub("", text)
    assert sentence, "it has no help text"
    assert sentence[0].isupper() or sentence.startswith("`"), text
    assert sentence.endswith("."), text
    assert "  " not in text
    assert not re.search(rf"\b({BANNED_WORDS})\b", text), text
    for pattern in BANNED_SPELLINGS:
        assert not re.search(pattern, text), (pattern, text)


@each_option
def test_a_default_has_one_spelling_and_is_shown_once(command: str, argument: Argument) -> None:
    text = text_of(argument)
    for pattern in BANNED_DEFAULTS:
        assert not re.search(pattern, DEFAULT.sub("", text)), (pattern, text)
    times = text.count("[default:") + bool(shown_default(argument) not in (None, False))
    assert times <= 1, f"{text} shows its default {times} times"
    if text.count("[default:"):
        assert DEFAULT.search(text), f"the default is not at the end: {text}"
    if argument.field_info.default not in (None, False, argument.field_info.empty, ""):
        assert times == 1, f"{text} does not show its default {argument.field_info.default}"


@each_option
def test_an_option_that_takes_several_values_says_so(command: str, argument: Argument) -> None:
    if any(name.startswith("-") for name in argument.names):
        assert (get_origin(type_of(argument)) is list) == ("Repeatable." in text_of(argument)), text_of(argument)


@each_option
def test_a_number_has_a_unit(command: str, argument: Argument) -> None:
    if type_of(argument) in (int, float):
        assert UNITS.search(text_of(argument)), text_of(argument)


@each_option
def test_a_time_may_have_a_unit(command: str, argument: Argument) -> None:
    text = text_of(argument)
    numbers = float in (type_of(argument), *get_args(type_of(argument)))
    if numbers and re.search(r"\b[Ss]econds?\b|\b[Tt]ime\b", text) and argument.name not in COUNTS_PER_SECOND:
        assert argument.parameter.converter is durations.convert, text


@each_command
def test_a_command_is_explained_in_sentences(command: str) -> None:
    first, *rest = cleandoc(commands()[command].help).split("\n\n")
    first = " ".join(first.split())
    assert re.match(r"[A-Z][a-z-]+ ", first), first
    assert first.endswith(".")
    assert not re.search(rf"\b({BANNED_WORDS})\b", " ".join([first, *rest])), first


@each_command
def test_a_command_lists_only_its_own_exit_codes(command: str) -> None:
    text = " ".join(cleandoc(commands()[command].help).split())
    of_conformance = {ExitCode.SHOULD_FAILED, ExitCode.NOTHING_JUDGED, ExitCode.POOL_DIED}
    of_health = {ExitCode.DEGRADED, ExitCode.NO_DEVICE, ExitCode.NO_POOL, ExitCode.PAUSED, ExitCode.STOPPING}
    _, _, listed = text.partition("Exit code ")
    codes = {int(code) for code in re.findall(r"(?:^|\. )(\d+):", listed)}
    assert codes <= {*ExitCode, 130}
    assert bool(codes & of_conformance) == (command == "conformance")
    assert bool(codes & of_health) == (command == "health")
    if command in ("conformance", "health"):
        assert codes >= (of_conformance if command == "conformance" else of_health)


@pytest.mark.parametrize("width", [40, 80])
def test_a_page_fits_its_columns(width: int) -> None:
    app = command_line()
    pages = {command: help_text(app, command.split(), everything=True, width=width) for command in commands()}
    for command, page in {"": overview(width), **pages}.items():
        lines = page.splitlines()
        assert len(lines) > 2, command
        # On a narrow screen, a name stays whole, and so does a part of an example, which must work when it is copied.
        long = [line for line in lines if len(line) > width]
        kept = r" +(stratum-miner|-|[>A-Z])|\S+$"
        assert [line for line in long if width == 80 or not re.match(kept, line)] == [], command


@pytest.mark.parametrize("table", [MineOptions, PoolProfile, BackendProfile])
def test_a_key_of_the_file_is_explained_in_sentences(table: type) -> None:
    for key in keys_of(table).values():
        sentence = DEFAULT.sub("", key.help)
        assert sentence[0].isupper(), key.help
        assert sentence.endswith("."), key.help
        assert not re.search(rf"\b({BANNED_WORDS})\b", key.help), key.help


# ---- what the texts say of the program ------------------------------------------------------------------------------


def test_defaults_in_texts_are_those_of_the_program(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"hash_rate": "1TH", "power": "20W", "electricity": "0.3", "difficulty": "1e12", "subsidy": "3"}
    it = scenario.complete_scenario(scenario.from_flags(given, [], {}))
    assert [it.operation.uptime, it.operation.stale, it.operation.cooling, it.operation.pool_fee] == [1, 0, 0, 0]
    assert [it.operation.other_costs_per_day, it.fees, it.resale] == [0, 0, 0]
    assert (it.assumptions.growth, it.assumptions.price_growth) == (0, 0)
    assert it.horizon_days == int(3 * Decimal("365.25"))
    for name, default in {
        "--uptime": "100%", "--stale": "0%", "--cooling": "0%", "--pool-fee": "0%", "--hosting": "0",
        "--maintenance": "0", "--fees": "0", "--resale": "0", "--difficulty-growth": "0%", "--price-growth": "0%",
        "--growth-band": "1%", "--horizon": "3",
    }.items():  # fmt: skip
        assert option_named("profit", name).endswith(f"[default: {default}]")
    limits = f"from {pauses.LEAST_C} to {pauses.MOST_C}. Mining resumes {pauses.COOLER_BY:g} °C below this limit."
    assert limits in option_named("mine", "--pause-above")
    assert f"Kinds are {', '.join(hooks.KINDS)}, and the name of each event" in option_named("mine", "--on-event")
    assert f"[default: {mainnet.DIFFICULTY.value / 10**12}T, of" in option_named("mine", "--mainnet-difficulty")
    assert f"at least {http_token.SHORTEST} characters" in option_named("mine", "--http-token-file")
    assert option_named("pool", "--max-difficulty").endswith(
        f"[default: {PoolConfig(payout_script=b'x').maximum_difficulty:g}]"
    )
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/me")
    assert str(default_file()) == "/home/me/.config/stratum-miner/config.toml"
    assert "~/.config/stratum-miner/config.toml" in option_named("mine", "--config")
    monkeypatch.delenv("STRATUM_MINER_PASS", raising=False)
    for command in ("ping", "misbehave", "conformance", "load"):
        assert option_named(command, "--pass").endswith(
            f"[default: STRATUM_MINER_PASS, otherwise {pool_access.password(None)}]"
        )


def test_config_init_says_that_force_replaces_a_file() -> None:
    """It said "never over another"."""
    assert "An existing file is replaced only with --force." in " ".join(commands()["config init"].help.split())


def test_a_password_file_is_called_a_file() -> None:
    """``profit --node-password-file`` was called "Its password."."""
    for command, argument in every_option():
        if argument.name.endswith("-file"):
            assert text_of(argument).startswith(("File ", "Cookie file ")) or "to this file" in text_of(argument), (
                command
            )
