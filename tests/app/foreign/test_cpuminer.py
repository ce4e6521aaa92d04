"""Configurations of cpuminer and cpuminer-opt, and what becomes of each key."""

from typing import Any

import pytest

from stratum_miner.app.config.problems import ConfigError
from tests.app.foreign.conversion import cpuminer, imported, left, lost, only_pool, settings

OPT = """\
{
\t"_comment1" : "any long-format command line argument",
\t"_comment1" : "may be used",
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
\t"protocol" : true,
\t"quiet" : false
}
"""


def test_a_file_of_cpuminer_opt() -> None:
    assert settings(OPT) == {
        "threads": 4,
        "backend_option": ["affinity=0,2"],
        "proxy": "socks5h://127.0.0.1:9050",
        "time_limit": 3600,
        "retry_pause": 30,
        "protocol_dump": True,
        "pools": {"pool1": {"url": "stratum+tcp://pool.example:3333", "user": "worker", "pass": "hunter2cpu"}},
    }
    assert imported(OPT).program == "cpuminer-opt"
    assert not imported(OPT).lost
    assert "hunter2" not in repr(imported(OPT).notes)


@pytest.mark.parametrize(
    ("proxy", "carried"),
    [
        ("127.0.0.1:8118", "http://127.0.0.1:8118"),
        ("http://proxy.example:8118", "http://proxy.example:8118"),
        ("socks5://127.0.0.1:9050", "socks5://127.0.0.1:9050"),
        ("socks5h://me:hunter2@127.0.0.1:9050", "socks5h://me:hunter2@127.0.0.1:9050"),
        ("me:hunter2@proxy.example:8118", "http://me:hunter2@proxy.example:8118"),
    ],
)
def test_proxies(proxy: str, carried: str) -> None:
    content = cpuminer(proxy=proxy)
    assert settings(content)["proxy"] == carried
    assert "hunter2" not in repr(imported(content).notes) + imported(content).toml(hide=True)


@pytest.mark.parametrize("proxy", ["socks4://p:1", "socks4a://p:1", "https://p:1", "socks5://p", 8118])
def test_a_lost_proxy_switches_the_pool_off(proxy: Any) -> None:
    assert only_pool(cpuminer(proxy=proxy))["enabled"] is False
    assert {"proxy", "pool"} <= set(lost(cpuminer(proxy=proxy)))


def test_tls_and_its_certificates() -> None:
    content = cpuminer(url="stratum+tcps://pool.example:3334", cert="/etc/pool.pem")
    assert settings(content)["tls_ca"] == "/etc/pool.pem"
    assert only_pool(content)["url"] == "stratum+ssl://pool.example:3334"
    assert "tls_ca" not in settings(cpuminer(cert="/etc/pool.pem"))
    assert only_pool({**content, "cert": 5})["enabled"] is False


@pytest.mark.parametrize(
    ("keys", "pool"),
    [
        ({"url": "stratum+tcp://alice.rig:secret@pool.example:1"}, ("pool.example:1", "alice.rig", "secret")),
        ({"url": "pool.example:1", "userpass": "bob:p:q"}, ("pool.example:1", "bob", "p:q")),
        ({"-o": "pool.example:1", "-O": "bob:p"}, ("pool.example:1", "bob", "p")),
        ({"--url": "pool.example:1", "--user": "bob", "-p": "p"}, ("pool.example:1", "bob", "p")),
    ],
)
def test_workers_and_passwords(keys: dict[str, str], pool: tuple[str, str, str]) -> None:
    found = only_pool({"algo": "sha256d", "threads": 1, **keys})
    assert (found["url"].removeprefix("stratum+tcp://"), found["user"], found["pass"]) == pool


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"algo": "scrypt"}, "old.json:1: expected the algorithm sha256d, got 'scrypt'"),
        ({"algo": "sha256t"}, "expected the algorithm sha256d, got 'sha256t'"),
        ({"algo": "x11"}, "expected the algorithm sha256d, got 'x11'"),
        ({"url": "http://127.0.0.1:9332/"}, "Pools with getwork or getblocktemplate are not supported"),
        ({"url": "https://pool.example:443"}, "Pools with getwork or getblocktemplate are not supported"),
        ({"url": ""}, "the pool has no address"),
        ({"url": None, "benchmark": True}, "expected at least one pool that can be used, got none (cpuminer)"),
        ({"url": "x\ud800:1"}, "expected only printable characters"),
    ],
)
def test_files_without_a_pool_to_mine_on(keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(cpuminer(**keys))
    assert said in str(caught.value)


@pytest.mark.parametrize("name", ["sha256d", "SHA256D", "sha-256d", "sha256"])
def test_names_of_the_algorithm(name: str) -> None:
    assert "algo" in left(cpuminer(algo=name))


def test_a_file_without_an_algorithm_says_what_is_assumed() -> None:
    content = cpuminer()
    del content["algo"]
    assert "scrypt" in lost(content)["algo"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"threads": "4"}, {"threads": 4}),
        ({"threads": 0}, {}),
        ({"cpu_affinity": "0x5"}, {"backend_option": ["affinity=0,2"]}),
        ({"cpu_affinity": -1}, {}),
        ({"retries": 0}, {"retry": False}),
        ({"retries": "-1"}, {}),
        ({"retries": 3, "retry_pause": "7"}, {"retries": 3, "retry_pause": 7}),
        ({"no_redirect": True}, {"pool_redirect": False}),
        ({"no_extranonce": True}, {"extranonce_subscribe": False}),
        ({"max_temp": 80}, {"pause_above": 80.0}),
        ({"background": True, "syslog": True, "scantime": 5}, {}),
    ],
)
def test_other_keys(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    found = imported(cpuminer(**keys))
    assert found.options == expected
    assert not found.lost


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("retries", "many"), ("retry-pause", "often"), ("retry-pause", 9999), ("timeout", 5)),
        *(("threads", "many"), ("api-bind", "0.0.0.0:4048"), ("api-remote", True), ("no-stratum", True)),
        *(("benchmark", True), ("debug", "maybe"), ("diff-factor", 2), ("max-rate", "1e9"), ("unheard-of", 1)),
        *(("coinbase-addr", "bc1q"), ("cpu-affinity", "9" * 40)),
    ],
)
def test_what_cannot_be_carried_over_is_said(key: str, value: Any) -> None:
    assert key in lost({**cpuminer(), key: value})
