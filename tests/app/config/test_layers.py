"""The precedence of the sources, and the error for each kind of wrong setting."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from cyclopts import Parameter

from stratum_miner.app.config.document import parse
from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.config.keys import LIVE, SECRET, FileKeyName, Help, keys_of
from stratum_miner.app.config.layers import Layer, Resolved, resolve, unknown_variables
from stratum_miner.app.config.problems import ConfigError

FILE = Path("/etc/miner.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    threads: Annotated[int | None, Parameter(name=("-t", "--threads"), help="How many.")] = None
    until_shares: Annotated[int | None, Parameter(name="--until-shares"), LIVE] = None
    debug: Annotated[bool, Parameter(name="--debug")] = False
    url: Annotated[list[str] | None, Parameter(name="--url")] = None
    password: Annotated[list[str] | None, Parameter(name="--pass"), SECRET] = None
    limit: Annotated[float, Parameter(name="--limit")] = 1.5
    style: Annotated[Literal["plain", "json"], Parameter(name="--style")] = "plain"
    journal: Annotated[Path | None, Parameter(name="--journal")] = None
    power: Annotated[str | None, Parameter(name="--power")] = None
    options: Annotated[dict[str, str] | None, Parameter(name="--options")] = None
    time: Annotated[float | None, duration_option("--time", "How long.")] = None


def lay(text: str = "", given: dict[str, Any] | None = None, **environment: str) -> Resolved[Table]:
    return resolve(
        Table,
        given=given or {},
        environment={f"STRATUM_MINER_{name}": value for name, value in environment.items()},
        document=parse(text, FILE),
        tables=frozenset({"pools"}),
    )


def complaint(text: str = "", **environment: str) -> str:
    with pytest.raises(ConfigError) as caught:
        lay(text, None, **environment)
    return str(caught.value)


@pytest.mark.parametrize(
    ("given", "environment", "text", "value", "layer"),
    [
        (4, "3", "threads = 2", 4, Layer.COMMAND_LINE),
        (None, "3", "threads = 2", 3, Layer.ENVIRONMENT),
        (None, "", "threads = 2", 2, Layer.FILE),
        (None, "", "", None, Layer.DEFAULT),
        (4, "", "", 4, Layer.COMMAND_LINE),
        (4, "", "threads = 2", 4, Layer.COMMAND_LINE),
        (4, "3", "", 4, Layer.COMMAND_LINE),
        (None, "3", "", 3, Layer.ENVIRONMENT),
    ],
)
def test_the_command_line_beats_the_environment_beats_the_file_beats_the_default(
    given: int | None, environment: str, text: str, value: int | None, layer: Layer
) -> None:
    resolved = lay(text, {"threads": given}, THREADS=environment)
    assert resolved.values.threads == value
    assert resolved.layer("threads") is layer


def test_a_flag_that_the_file_sets_is_unset_by_the_command_line() -> None:
    assert lay("debug = true").values.debug
    assert not lay("debug = true", {"debug": False}).values.debug
    assert not lay("debug = true", DEBUG="false").values.debug


def test_a_list_is_replaced_as_a_whole() -> None:
    assert lay("url = ['a', 'b']", {"url": ["c"]}).values.url == ["c"]
    assert lay("url = ['a', 'b']", URL="c d").values.url == ["c", "d"]
    assert lay("url = 'a'").values.url == ["a"]


def test_a_secret_of_the_environment_may_hold_blanks() -> None:
    assert lay(PASS="correct horse").values.password == ["correct horse"]


def test_numbers_may_stand_for_text_and_file_names_are_relative_to_the_file() -> None:
    values = lay("power = 65.5\njournal = 'shares'\noptions = {hash_rate = 1000, x = 'y'}").values
    assert values.power == "65.5"
    assert values.journal == Path("/etc/shares")
    assert values.options == {"hash_rate": "1000", "x": "y"}
    assert lay(JOURNAL="shares").values.journal == Path("shares")


@pytest.mark.parametrize(("text", "seconds"), [("'1h30m'", 5400), ("90", 90), ("0.25", 0.25), ("'90'", 90)])
def test_a_time_in_a_file_is_a_number_of_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert lay(f"time = {text}").values.time == seconds


@pytest.mark.parametrize(("text", "seconds"), [("1h30m", 5400), ("90", 90), ("250ms", 0.25)])
def test_a_time_in_a_variable_may_have_a_unit(text: str, seconds: float) -> None:
    assert lay(TIME=text).values.time == seconds


def test_what_is_no_time_is_refused_with_its_place() -> None:
    assert complaint("time = 'soon'") == f"{FILE}:1: time: expected a time such as 90s or 1h30m, got 'soon'"
    assert complaint(TIME="1h30") == "STRATUM_MINER_TIME: expected a time such as 90s or 1h30m, got '1h30'"
    assert complaint("time = [1]").startswith(
        f"{FILE}:1: time: expected a time such as 90s or 1h30m, or a number of sec"
    )


def test_origins_are_told() -> None:
    resolved = lay("\nthreads = 2", {"url": ["a"]}, POWER="65W")
    told = {name: str(origin) for name, origin in resolved.origins.items()}
    assert told["threads"] == "/etc/miner.toml:2"
    assert told["url"] == "command line"
    assert told["power"] == "STRATUM_MINER_POWER"
    assert told["debug"] == "default"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("threads = 'two'", "/etc/miner.toml:1: threads: expected an integer, got 'two'"),
        ("threads = 2.5", "/etc/miner.toml:1: threads: expected an integer, got 2.5"),
        ("threads = true", "/etc/miner.toml:1: threads: expected an integer, got true"),
        ("\ndebug = 'yes'", "/etc/miner.toml:2: debug: expected true or false, got 'yes'"),
        ("url = [1, {}]", "/etc/miner.toml:1: url: expected a string, or a list of these, got a list with tables"),
        ("url = {a = 1}", "/etc/miner.toml:1: url: expected a string, or a list of these, got "),
        ("limit = 'x'", "/etc/miner.toml:1: limit: expected a number, got 'x'"),
        ("style = 'jsno'", "/etc/miner.toml:1: style: expected 'plain' or 'json', got 'jsno': did you mean 'json'?"),
        ("journal = 5", "/etc/miner.toml:1: journal: expected a file name, got 5"),
        ("options = 5", "/etc/miner.toml:1: options: expected a table of strings, got 5"),
        ("thread = 2", "/etc/miner.toml:1: thread: unknown key: did you mean 'threads'?"),
        ("until-shares = 2", "/etc/miner.toml:1: until-shares: unknown key: did you mean 'until_shares'?"),
        ("[pool.home]", "/etc/miner.toml:1: pool: unknown table: did you mean 'pools'?"),
        ("xyzzy = 1", "/etc/miner.toml:1: xyzzy: unknown key; stratum-miner config init NEW.toml writes"),
        ("pools = 3", "/etc/miner.toml:1: pools: expected tables, as in [pools.NAME], got 3"),
        ("[[pools]]\na = 1", "/etc/miner.toml:1: pools: expected tables, as in [pools.NAME], got a list with tables"),
        (
            "pools = [['hunter2']]",
            "/etc/miner.toml:1: pools: expected tables, as in [pools.NAME], got a list with lists",
        ),
        (
            "options = {a = true}",
            "/etc/miner.toml:1: options: expected a string or a number as the value of 'a', got true",
        ),
    ],
)
def test_each_mistake_names_line_key_wish_and_value(text: str, said: str) -> None:
    assert complaint(text).startswith(said)


def test_mistakes_in_the_environment_name_the_variable() -> None:
    assert complaint(THREADS="two") == "STRATUM_MINER_THREADS: expected an integer, got 'two'"
    assert complaint(DEBUG="maybe") == "STRATUM_MINER_DEBUG: expected true or false, got 'maybe'"


def test_all_mistakes_are_told_at_once() -> None:
    assert len(complaint("threads = 'x'\ndebugg = true\nurl = 3.5\nlimit = []", DEBUG="maybe").splitlines()) == 4


def test_a_secret_of_the_wrong_type_is_not_shown() -> None:
    said = complaint("pass = {a = 'hunter2'}")
    assert said == "/etc/miner.toml:1: pass: expected a string, or a list of these, got another value"


def test_variables_that_look_like_ours() -> None:
    environment = {"STRATUM_MINER_THREDS": "2", "STRATUM_MINER_THREADS": "2", "STRATUM_MINER_NODE": "", "OTHER": ""}
    [problem] = unknown_variables(environment, keys_of(Table), frozenset({"STRATUM_MINER_NODE"}))
    assert str(problem) == "STRATUM_MINER_THREDS: unknown variable: did you mean 'STRATUM_MINER_THREADS'?"


def test_keys_are_named_for_their_options() -> None:
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Profile:
        password: Annotated[str | None, SECRET, FileKeyName("pass"), Help("the password")] = None

    keys = keys_of(Table)
    assert list(keys)[:3] == ["threads", "until_shares", "debug"]
    assert keys["until_shares"].flag == "--until-shares"
    assert keys["until_shares"].variable == "STRATUM_MINER_UNTIL_SHARES"
    assert keys["until_shares"].live
    assert keys["pass"].field == "password"
    assert keys_of(Profile)["pass"].help == "the password"
