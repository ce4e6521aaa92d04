"""Configurations of cgminer and cpuminer as their own tools write them, and what becomes of each key."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.app.config.foreign import ConvertedKey, Imported, SkippedKey, convert
from stratum_miner.app.config.problems import ConfigError

OPTIONS = frozenset(
    {"strategy", "proxy", "suggest_difficulty", "until_shares", "debug", "quiet", "protocol_dump", "threads"}
    | {"backend_option", "tls_ca", "time_limit", "retry", "extranonce_subscribe"}
)

CGMINER = """\
{
"pools" : [
\t{
\t\t"url" : "stratum+tcp://main.example:3333",
\t\t"user" : "bc1qexample.rig",
\t\t"pass" : "hunter2main"
\t},
\t{
\t\t"quota" : "3;socks5:127.0.0.1:9050|stratum+tcp://side.example:3334#xnsub",
\t\t"user" : "someone",
\t\t"pass" : "hunter2side",
\t\t"pool-priority" : "1"
\t},
\t{
\t\t"url" : "http://127.0.0.1:8332",
\t\t"user" : "rpc",
\t\t"pass" : "hunter2rpc"
\t}
]
,
"api-listen" : true,
"api-port" : "4028",
"api-allow" : "W:127.0.0.1",
"expiry" : "120",
"gekko-newpac-freq" : "150",
"hotplug" : "5",
"load-balance" : true,
"log" : "5",
"no-pool-disable" : true,
"queue" : "1",
"scan-time" : "60",
"shares" : "100",
"suggest-diff" : "256",
"shares-per-fortnight" : true
}
"""
CPUMINER = """\
{
\t"_comment1" : "any long-format command line argument",
\t"api-bind" : "127.0.0.1:4048",
\t"url" : "stratum+tcp://pool.example:3333",
\t"user" : "worker",
\t"pass" : "hunter2cpu",
\t"algo" : "sha256d",
\t"threads" : 4,
\t"cpu-priority" : 0,
\t"cpu-affinity" : 5,
\t"proxy" : "socks5h://127.0.0.1:9050",
\t"retries" : -1,
\t"retry-pause" : 30,
\t"time-limit" : 3600,
\t"benchmark" : false,
\t"debug" : false,
\t"protocol" : true,
\t"quiet" : false
}
"""


def imported(text: str, options: frozenset[str] = OPTIONS) -> Imported:
    return convert(text, "old.json", options)


def carried(found: Imported) -> dict[str, str]:
    return {note.key: note.to for note in found.notes if isinstance(note, ConvertedKey)}


def dropped(found: Imported) -> dict[str, str]:
    return {note.key: note.reason for note in found.notes if isinstance(note, SkippedKey)}


def test_cgminer() -> None:
    found = imported(CGMINER)
    assert tomllib.loads(found.toml()) == {
        "strategy": "quota",
        "until_shares": 100,
        "suggest_difficulty": "256",
        "pools": {
            "pool1": {
                "url": "stratum+tcp://main.example:3333",
                "user": "bc1qexample.rig",
                "pass": "hunter2main",
                "priority": 0,  # its place, by which cgminer ranks those that say nothing
            },
            "pool2": {
                "quota": 3,
                "proxy": "socks5://127.0.0.1:9050",
                "url": "stratum+tcp://side.example:3334",
                "extranonce_subscribe": True,
                "user": "someone",
                "pass": "hunter2side",
                "priority": 1,
            },
        },
    }
    assert carried(found)["load-balance"] == "strategy"
    reasons = dropped(found)
    assert "solo" in reasons["pools[2].url"]
    assert "getwork" in reasons["expiry"]
    assert "--device" in reasons["gekko-newpac-freq"]
    assert reasons["shares-per-fortnight"] == "this key is not known"
    assert reasons["api-listen"] == "stratum-miner has no such setting"


def test_its_api_is_carried_where_we_have_it() -> None:
    found = imported(CGMINER.replace('"4028"', '"4029"'), OPTIONS | {"cgminer_api"})
    assert found.options["cgminer_api"] == "127.0.0.1:4029"
    assert dropped(found)["api-port"] == "it is part of cgminer_api"


def test_cpuminer() -> None:
    found = imported(CPUMINER)
    assert tomllib.loads(found.toml()) == {
        "threads": 4,
        "backend_option": ["affinity=0,2"],
        "proxy": "socks5h://127.0.0.1:9050",
        "time_limit": 3600,
        "protocol_dump": True,
        "pools": {"pool1": {"url": "stratum+tcp://pool.example:3333", "user": "worker", "pass": "hunter2cpu"}},
    }
    reasons = dropped(found)
    assert reasons["retries"] == "its value is the default"
    assert reasons["debug"] == "its value is the default"
    assert "api-bind" in reasons
    assert "retry-pause" in reasons


@pytest.mark.parametrize("text", [CGMINER, CPUMINER])
def test_every_key_is_accounted_for_and_no_secret_is_told(text: str) -> None:
    found = imported(text)
    noted = {note.key for note in found.notes}
    for key in json.loads(text).keys() - {"algo"}:
        assert any(note == key or note.startswith((f"{key}[", f"pool.{key}")) for note in noted), key
    assert "hunter2" not in repr(found.notes)


def test_a_cpuminer_that_names_no_algorithm_is_told_what_it_is_taken_for() -> None:
    assert "scrypt" in dropped(imported('{"url": "a:1"}'))["algo"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{\n\n'a'", "old.json:3: expected JSON: "),
        ("[1]", "old.json: expected a JSON object"),
        ("[" * 100_000, "old.json: expected JSON: "),
        ("{}", 'old.json: expected "pools", as in files of cgminer, or "url", as in files of cpuminer, found neither'),
        ('{"url": "a:1", "algo": "scrypt"}', "old.json: expected the algorithm sha256d, got 'scrypt'"),
        ('{"pools": [], "scrypt": true}', "old.json: expected the algorithm sha256d, got 'scrypt'"),
    ],
)
def test_what_is_not_taken_at_all(text: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(text)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("content", "key", "reason"),
    [
        ({"pools": [5]}, "pools[0]", "expected an object, got 5"),
        ({"pools": [{"user": "u"}]}, "pools[0]", "the pool has no url"),
        ({"pools": [{"url": "a:1", "pass": ["hunter2"]}]}, "pools[0].pass", "expected a string, got another value"),
        ({"pools": [{"quota": "x;a:1"}]}, "pools[0].quota", "expected an integer, got 'x'"),
        ({"url": "a:1", "threads": "many"}, "threads", "expected an integer, got 'many'"),
        ({"url": "a:1", "debug": "yes"}, "debug", "expected true or false, got 'yes'"),
        (
            {"url": "a:1", "proxy": "socks4://h:1"},
            "proxy",
            "expected one of the proxy types http, socks5, socks5h, got 'socks4'",
        ),
        (
            {"url": "a:1", "retries": 3},
            "retries",
            "expected a negative number (retry always) or 0 (retry never), got 3",
        ),
    ],
)
def test_values_that_make_no_sense_are_dropped_with_the_reason(content: Any, key: str, reason: str) -> None:
    assert dropped(imported(json.dumps(content)))[key] == reason


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["url", "user", "pass", "quota", "threads", "api-listen", "cpu-affinity", "shares", "proxy", "x"]
)


@given(st.dictionaries(KEYS, JSON), st.lists(st.dictionaries(KEYS, JSON), max_size=3), st.booleans())
def test_whatever_stands_there_the_result_is_toml(
    top: dict[str, Any], pools: list[dict[str, Any]], is_cgminer: bool
) -> None:
    content = {**top, "pools": pools} if is_cgminer else {"url": "a:1", **top}
    tomllib.loads(imported(json.dumps(content), OPTIONS | {"cgminer_api"}).toml())
