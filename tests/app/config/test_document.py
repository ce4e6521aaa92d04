"""The line of each key of a TOML file, and the errors for a file that is not TOML."""

import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.app.config.document import MAX_BYTES, parse, read
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.nesting import MAX_DEPTH

FILE = Path("miner.toml")
TEXT = """\
# a comment
threads = 2
url = [
  "a:1",  # one
  "b:2",
]
note = '''
[pools.fake]
threads = 9
'''
a.b = 1

[pools.home]
quota = 3
"odd key" = {x = 1, y = 2}

[[list]]
z = 1
"""


def test_every_key_has_its_line() -> None:
    document = parse(TEXT, FILE)
    assert document.table == tomllib.loads(TEXT)
    assert document.lines == {
        ("threads",): 2,
        ("url",): 3,
        ("note",): 7,
        ("a",): 11,
        ("a", "b"): 11,
        ("pools",): 13,
        ("pools", "home"): 13,
        ("pools", "home", "quota"): 14,
        ("pools", "home", "odd key"): 15,
        ("pools", "home", "odd key", "x"): 15,
        ("pools", "home", "odd key", "y"): 15,
        ("list",): 17,
        ("list", "z"): 18,
    }


def test_places_are_told_of_the_nearest_key_that_has_one() -> None:
    document = parse(TEXT, FILE)
    assert document.where("pools", "home", "quota") == "miner.toml:14: pools.home.quota"
    assert document.where("pools", "home", "user") == "miner.toml:13: pools.home.user"
    assert document.where("nothing") == "miner.toml: nothing"


def test_windows_line_ends() -> None:
    assert parse("a = 1\r\nb = 2\r\n", FILE).lines == {("a",): 1, ("b",): 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a = 1\nb = \n", "miner.toml:2: expected TOML: invalid value"),
        ("a = 1\na = 2\n", "miner.toml:2: expected TOML: cannot overwrite a value"),
        ("a = [1,\n", "miner.toml:2: expected TOML: "),
        ("[pools.home\n", "miner.toml:1: expected TOML: expected ']'"),
    ],
)
def test_what_is_no_toml(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, FILE)
    assert str(caught.value).startswith(said)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    large, latin = tmp_path / "large.toml", tmp_path / "latin.toml"
    large.write_bytes(b"#" * (MAX_BYTES + 1))
    latin.write_bytes(b"a = 1\nuser = '\xe9'\n")
    for path, said in (
        (tmp_path / "missing.toml", "cannot read this file: No such file"),
        (tmp_path, "cannot read this file: Is a directory"),
        (large, "at most"),
        (latin, ":2: expected UTF-8"),
    ):
        with pytest.raises(ConfigError, match=said):
            read(path)


@pytest.mark.parametrize(
    ("text", "told"),
    [("a = " + "[" * 100_000, "expected at most 32 nested"), ("a = " + "9" * 100_000, "expected TOML: a number")],
)
def test_what_the_parser_chokes_on(text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=rf"^miner\.toml: {told}"):
        parse(text, FILE)


@given(st.text())
def test_any_text_parses_or_is_refused_with_a_place(text: str) -> None:
    try:
        table = tomllib.loads(text.replace("\r\n", "\n"))
    except tomllib.TOMLDecodeError:
        with pytest.raises(ConfigError, match=r"^miner\.toml:\d+: expected TOML[:,] ") as caught:
            parse(text, FILE)
        assert len(caught.value.problems) == 1
    else:
        document = parse(text, FILE)
        assert document.table == table
        assert set(table) == {path[0] for path in document.lines}


@pytest.mark.parametrize("text", ["threads.{}x = 1", "[{}x]", "[[{}x]]", "pools.{}x = []"])
def test_a_key_of_thousands_of_parts_is_an_error_of_one_line(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text.format("a." * 3_000), FILE)
    assert [str(problem) for problem in caught.value.problems] == [
        f"miner.toml: expected at most {MAX_DEPTH} nested tables and lists, got more"
    ]


def test_as_many_parts_as_are_allowed_have_their_line() -> None:
    deepest = (*["a"] * (MAX_DEPTH - 1), "x")
    assert parse(".".join(deepest) + " = 1", FILE).lines[deepest] == 1


def test_a_statement_of_many_lines_is_not_parsed_again_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "a = 1\nb = [\n" + "1,\n" * 300 + "]\nc = 1\n"
    assert parse(text, FILE).lines == {("a",): 1, ("b",): 2, ("c",): 304}
    expected = tomllib.loads(text)
    parsed: list[int] = []
    loads = tomllib.loads

    def counted(statement: str, **more: Callable[[str], object]) -> dict[str, object]:
        parsed.append(len(statement))
        return loads(statement, **more)

    monkeypatch.setattr("tomllib.loads", counted)
    monkeypatch.setattr("stratum_miner.app.config.document._MAX_RETRIED", 20_000)
    found = parse(text, FILE)
    assert found.table == expected
    assert found.lines == {("a",): 1}
    assert sum(parsed) < 25_000  # 137 thousand characters if each line were tried


@pytest.mark.parametrize(
    ("text", "line"),
    [('{"url": "a:1"}', 1), ("\n // of cgminer\n/* and\nmore */ {\n", 4), ("\ufeff{}", 1), ("// a\n" * 50 + "{", 51)],
)
def test_json_of_another_miner_is_told_from_toml(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, Path("my pools.conf"))
    place, _, said = str(caught.value).partition(": ")
    assert place == f"my pools.conf:{line}"
    assert said.startswith("expected TOML, got JSON, in which cgminer, cpuminer and xmrig keep their settings.")
    assert said.endswith("To convert it, run stratum-miner config import 'my pools.conf'")


def test_a_brace_in_toml_is_no_json() -> None:
    assert parse("# {\noptions = {a = '1'}\n", Path("f")).table == {"options": {"a": "1"}}


def test_a_text_that_looks_like_comments_of_json_is_judged_quickly() -> None:
    with pytest.raises(ConfigError):
        parse("// " * 20_000, Path("f"))
