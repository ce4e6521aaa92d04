"""Encodings, comments, commas, lines and limits of the files of other miners."""

import gzip
import json

import pytest

from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.foreign.source import decode, parse

TEXT = '{"url": "stratum+tcp://pool.example:3333", "user": "bäcker", "pass": "pä😀"}'


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"]
)
def test_each_unicode_encoding_is_read_with_and_without_a_mark(encoding: str) -> None:
    table = parse(decode(TEXT.encode(encoding), "old"), "old").table
    assert (table["user"], table["pass"]) == ("bäcker", "pä😀")


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "cp437"])
def test_another_encoding_is_refused_with_its_line(encoding: str) -> None:
    content = b'{\n"url": "a:1",\n"pass": "' + "ü".encode(encoding) + b'"}'
    with pytest.raises(ConfigError, match=r"^old:3: expected text in UTF-8, got the byte 0x.*iconv") as caught:
        decode(content, "old")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b'\xff\xfe{\0"', b"\xfe\xff\xd8\0\0", b"\xef\xbb\xbf\xff", b"\x80"])
def test_half_characters_are_refused(content: bytes) -> None:
    with pytest.raises(ConfigError, match="expected text in UTF-8"):
        decode(content, "old")


def test_comments_and_last_commas_are_left_out_and_strings_stay() -> None:
    text = """// first
{
  "a": "//no comment, \\"}", /* two
  lines */ "b": [1, 2, # three
  ],
  "c": {"d": "x",}, "_comment": 1, "_comment": 2,
}
"""
    source = parse(text, "old")
    assert source.table == {"a": '//no comment, "}', "b": [1, 2], "c": {"d": "x"}, "_comment": 2}
    assert {key: source.lines[key] for key in ("a", "b", "c", "c.d")} == {"a": 3, "b": 4, "c": 6, "c.d": 6}


def test_lines_of_keys_in_lists() -> None:
    source = parse('{"pools": [\n{"url": "a"},\n\n{"url":\n"b"}]}', "old")
    assert source.lines == {"pools": 1, "pools[0]": 2, "pools[0].url": 2, "pools[1]": 4, "pools[1].url": 4}


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "old: expected the configuration file of a miner, got an empty file"),
        (" \n", "old: expected the configuration file of a miner, got an empty file"),
        ("[1]", "old: expected a JSON object, found another value"),
        (
            "null",
            "old: expected a configuration file in JSON, as other miners have it, got text that begins with 'null'",
        ),
        (
            "minerd -o a:1\n-u \x1b",
            "old: expected a configuration file in JSON, as other miners have it, got text that",
        ),
        ("{\n\n'a'", "old:3: expected JSON: "),
        ('{"a": 1,, "b": 2}', "old:1: expected JSON: "),
        ('{"a": NaN}', "old: expected JSON: NaN is not a number of JSON"),
        ('{"a": -Infinity}', "old: expected JSON: -Infinity is not a number of JSON"),
        ('{"a": 1, "b": {"a": 1},\n"a": 2}', "old:2: a: expected this key once, got it in line 1, too"),
        ("[" * 100_000, "old:1: expected at most 32 nested objects and arrays, got more"),
        ('{"a":' * 50, "old:1: expected at most 32 nested objects and arrays, got more"),
        ('{"a": "' + "\\" * 50_001, "old:1: expected JSON: "),
        ("/*" * 100_000, "old: expected a configuration file in JSON"),
        ("# nothing\n/* at all */", "old: expected the configuration file of a miner, got only comments"),
        (
            "#!/bin/sh\ncgminer -o a:1 -p secret",
            "old: expected a configuration file in JSON, as other miners have it, got "
            "text that begins with 'cgminer'. If it is a command line, give its options to stratum-miner mine",
        ),
        ("{\n\"a\": 'b'}", "old:2: expected JSON: a double quote (\"), got '"),
        ("[[group]]\nname = 'a'", "old: expected a configuration file in JSON, as other miners have it, got text that"),
        ("key;type;encoding;value\nurl;data;string;a", "old: expected the columns key,type,encoding,value with commas"),
        ("key, type, encoding, value\nurl, data, string, a", "old: expected the columns key,type,encoding,value with"),
        ('{"a": 1}\n{"a": 2}', "old:2: expected JSON: one object, got more text after its end"),
        ('{"a": "\x1b[31m"}', "old:1: expected JSON: "),
        ('{"a": ' + "9" * 5000 + "}", "old: expected JSON: "),
        (
            "url = 'a:1'",
            "old: expected a configuration file in JSON, as other miners have it, got text that begins with",
        ),
        ("key,type,encoding,value\na,data,u16,1\na,data,u16,2", "old:3: a: expected this key once, got it in line 2"),
        ("key,type,encoding,value\nssl,file,string,cert.pem", "old:2: ssl: expected a value"),
    ],
)
def test_what_cannot_be_read(text: str, error: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "old")
    assert str(caught.value).startswith(error)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("content", "error"),
    [
        (gzip.compress(b'{"url": "a:1"}', mtime=0), "old: expected text, got a file that gzip compressed"),
        (b"PK\x03\x04\0\0", "old: expected text, got a file that zip compressed"),
        (b"\x7fELF\x02\x01\xff\x01", "old: expected text, got a binary file"),
    ],
)
def test_a_file_that_is_no_text_is_named(content: bytes, error: str) -> None:
    with pytest.raises(ConfigError, match=error) as caught:
        decode(content, "old")
    assert "iconv" not in str(caught.value)


@pytest.mark.parametrize(
    "before", ["", "\n", "# the head is missing\n\n", "key,type,encoding,value\n", "# x\nKEY,Type,encoding,value\n"]
)
def test_settings_as_csv_need_no_head(before: str) -> None:
    source = parse(f"{before}stratumurl,data,string,a.example\nstratumport,data,u16,3333", "old")
    assert (source.is_csv, source.table) == (True, {"stratumurl": "a.example", "stratumport": 3333})


def test_settings_as_csv_may_have_quotes() -> None:
    source = parse('"key","type","encoding","value"\n"stratumurl","data","string","a.example"', "old")
    assert (source.is_csv, source.table) == (True, {"stratumurl": "a.example"})


def test_equal_values_of_a_key_are_no_error() -> None:
    assert parse('{"a": [1], "a": [1]}', "old").table == {"a": [1]}


def test_settings_as_csv() -> None:
    rows = ["key,type,encoding,value", "main,namespace,,", "port,data,u16,3333", 'name,data,string,"a,b"']
    source = parse("\r\n".join([*rows, "zip,data,string,007"]), "old")
    assert source.table == {"port": 3333, "name": "a,b", "zip": "007"}
    assert source.lines == {"port": 3, "name": 4, "zip": 5}


def test_a_large_file_takes_linear_time() -> None:
    text = json.dumps({"pools": [{"url": "a:1", "x": '"\\' * 20}] * 2000})
    assert len(parse(text, "old").lines) == 6001
