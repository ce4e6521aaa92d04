"""Files of users: bounded, and what is wrong in them named with its line."""

import os
from decimal import Decimal
from pathlib import Path

import pytest

from stratum_miner.user_files import UserFileError, parse_toml, read, read_text

TOO_DEEP = "^expected at most 32 nested tables and lists, got more$"


def test_a_file_is_read_up_to_a_bound(tmp_path: Path) -> None:
    path = tmp_path / "some.toml"
    path.write_text("a = 1\n")
    assert read(path, 6) == b"a = 1\n"
    with pytest.raises(UserFileError, match="at most 5 bytes") as caught:
        read(path, 5)
    assert caught.value.where(path) == str(path)
    with pytest.raises(FileNotFoundError):
        read(tmp_path / "none.toml", 5)


def test_a_pipe_with_a_name_is_refused_and_one_that_we_were_given_is_read(tmp_path: Path) -> None:
    pipe = tmp_path / "some.toml"
    os.mkfifo(pipe)
    with pytest.raises(UserFileError, match="expected a file, got a pipe"):
        read(pipe, 100)
    reader, writer = os.pipe()
    os.write(writer, b"a = 1\n")
    os.close(writer)
    try:
        assert read(Path(f"/dev/fd/{reader}"), 100) == b"a = 1\n"
    finally:
        os.close(reader)


def test_what_is_no_text_is_told_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "latin.toml"
    path.write_bytes(b"a = 1\nb = '\xe9'\n")
    with pytest.raises(UserFileError, match="expected UTF-8") as caught:
        read_text(path, 100)
    assert caught.value.where(path) == f"{path}:2"


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("a = 1\nb = \n", "expected TOML: invalid value", 2),
        ("a = hunter2\n", 'expected TOML: invalid value. A text is in straight quotes, as in user = "rig1"', 1),
        ("a = “hunter2”\n", 'expected TOML: invalid value. A text is in straight quotes, as in user = "rig1"', 1),
        (
            "a = 1\npass: hunter2\n",
            "expected TOML: expected '=' after a key in a key/value pair. TOML has an equals sign between key and "
            'value, and a text in quotes, as in user = "rig1"',
            2,
        ),
        ("a = [1,\n", "expected TOML: ", 2),
        ("a = " + "[" * 10_000, TOO_DEEP, None),
        ("a = " + "[" * 32 + "]" * 32, TOO_DEEP, None),
        ("a = " + "{a = " * 31 + "{}" + "}" * 31, TOO_DEEP, None),
        ("a." * 100_000 + "x = 1", TOO_DEEP, None),
        ("'a' . \"a\" . " * 20_000 + "x = 1", TOO_DEEP, None),
        ("[" + "a." * 100_000 + "x]", TOO_DEEP, None),
        ("x = { " + "a." * 100_000 + "x = 1 }", TOO_DEEP, None),
        ("a = " + "9" * 5000, "a number in it is too large", None),
        ("a = 1e99999999999999999999", "a number in it is too large", None),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(text: str, told: str, line: int | None) -> None:
    with pytest.raises(UserFileError, match=told) as caught:
        parse_toml(text, Decimal)
    assert caught.value.line == line


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * 31 + "]" * 31,
        "a." * 31 + "x = 1",
        "networks = [" + '"10.0.0.1", ' * 500 + "]",
        "networks = [" + "'10.0.0.1', " * 500 + "]",
        "rates = [" + "1.5, " * 2000 + "]",
        "a = 1 # " + "." * 2000,
        "a.b = 1\n[t]\n" + "\n".join(f"k{number}.b = 1.5" for number in range(2000)),
    ],
    ids=lambda text: text[:12],
)
def test_many_dots_are_not_a_long_key(text: str) -> None:
    assert parse_toml(text)


def test_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    """Notepad of Windows begins a file with this mark."""
    path = tmp_path / "config.toml"
    path.write_bytes(b'\xef\xbb\xbfurl = "h:1"\r\n')
    assert parse_toml(read_text(path, 100)) == {"url": "h:1"}
