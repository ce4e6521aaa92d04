"""Configurations of cgminer and bfgminer, in the form in which real ones are, and what becomes of each key."""

import json
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.app.config.problems import ConfigError
from tests.app.foreign.conversion import OPTIONS, cgminer, imported, left, lost, only_pool, settings

SAVED = """\
{
"pools" : [
\t{
\t\t"url" : "stratum+tcp://main.example:3333",
\t\t"user" : "bc1qexample.rig",
\t\t"pass" : "hunter2main"
\t},
\t{
\t\t"quota" : "3;socks5:127.0.0.1:9050|stratum+tcp://side.example:3334/#xnsub",
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
"api-port" : "4029",
"api-allow" : "W:127.0.0.1,R:192.168.1/24",
"expiry" : "120",
"gekko-newpac-freq" : "150",
"hotplug" : "5",
"load-balance" : true,
"log" : "5",
"no-pool-disable" : true,
"queue" : "1",
"scan-time" : "60",
"shares" : "0",
"suggest-diff" : "256",
"shares-per-fortnight" : true
}
"""


def test_a_saved_file() -> None:
    assert settings(SAVED) == {
        "strategy": "quota",
        "cgminer_api": "0.0.0.0:4029",
        "api_allow": "W:127.0.0.1,R:192.168.1/24",
        "suggest_difficulty": "256",
        "device": ["newpac:auto,frequency=150", "auto"],
        "pools": {
            "pool1": {
                "url": "stratum+tcp://main.example:3333",
                "user": "bc1qexample.rig",
                "pass": "hunter2main",
                "priority": 0,
            },
            "pool2": {
                "url": "stratum+tcp://side.example:3334",
                "user": "someone",
                "pass": "hunter2side",
                "quota": 3,
                "proxy": "socks5h://127.0.0.1:9050",
                "extranonce_subscribe": True,
                "priority": 1,
            },
        },
    }
    found = imported(SAVED)
    assert found.program == "cgminer"
    assert {note.key: note.line for note in found.lost} == {
        "pools[2].url": 15,
        "pools[2]": 15,
        "shares-per-fortnight": 34,
    }
    assert "solo" in lost(SAVED)["pools[2].url"]


def test_every_key_is_accounted_for_and_no_secret_is_shown() -> None:
    found = imported(SAVED)
    noted = {note.key for note in found.notes}
    for key in json.loads(SAVED):
        assert any(note == key or note.startswith(f"{key}[") for note in noted), key
    assert "hunter2" not in repr(found.notes)
    assert "hunter2" not in found.toml(hide=True)
    assert "hunter2" in found.toml()


# ---- connections ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "carried"),
    [
        ("pool.example:3333", "stratum+tcp://pool.example:3333"),
        ("stratum+tcp://pool.example:3333/", "stratum+tcp://pool.example:3333"),
        ("http://pool.example:3333", "stratum+tcp://pool.example:3333"),
        ("HTTP://pool.example:80/", "stratum+tcp://pool.example:80"),
        ("https://pool.example:443", "stratum+ssl://pool.example:443"),
        ("stratum+ssl://pool.example:3334", "stratum+ssl://pool.example:3334"),
        ("stratum+tls://pool.example:3334", "stratum+ssl://pool.example:3334"),
        ("stratum+tcp://pool.example:3334/#tls", "stratum+ssl://pool.example:3334"),
        ("stratum+tcp://pool.example:3334#tlsca", "stratum+ssl://pool.example:3334"),
        ("stratum+tcp://pool.example:3334#tls=0", "stratum+tcp://pool.example:3334"),
        ("stratum+tcp://[2001:db8::1]:3333", "stratum+tcp://[2001:db8::1]:3333"),
    ],
)
def test_urls(url: str, carried: str) -> None:
    assert only_pool(cgminer({"url": url}))["url"] == carried
    assert not lost(cgminer({"url": url}))


@pytest.mark.parametrize(
    ("url", "proxy"),
    [
        ("socks5:127.0.0.1:9050|pool.example:1", "socks5h://127.0.0.1:9050"),
        ("socks5h:127.0.0.1:9050|stratum+tcp://pool.example:1", "socks5h://127.0.0.1:9050"),
        ("http:proxy.example:8080|stratum+tcp://pool.example:1", "http://proxy.example:8080"),
        ("http0:proxy.example:8080|stratum+tcp://pool.example:1", "http://proxy.example:8080"),
        ("socks5://proxy.example:1080|http://pool.example:1", "socks5h://proxy.example:1080"),
    ],
)
def test_proxies_before_urls_look_up_names_themselves(url: str, proxy: str) -> None:
    pool = only_pool(cgminer({"url": url}))
    assert (pool["url"], pool["proxy"]) == ("stratum+tcp://pool.example:1", proxy)


@pytest.mark.parametrize("proxy", ["socks4:p:1", "socks4a:p:1", "ftp://p:1", "socks5:p", "socks5://p:99999", "p:1"])
def test_a_pool_without_its_proxy_has_no_address(proxy: str) -> None:
    content = cgminer()
    content["pools"].append({"url": f"{proxy}|stratum+tcp://other.example:1", "user": "u", "pass": "p"})
    assert [pool["url"] for pool in imported(content).pools] == ["stratum+tcp://pool.example:3333"]
    assert "expected" in lost(content)["pools[1].url"]


def test_a_lost_proxy_of_all_switches_pools_off() -> None:
    content = cgminer(socks_proxy="socks4://p:1")
    content["pools"].append({"url": "socks5:127.0.0.1:9050|stratum+tcp://other.example:1", "user": "u"})
    assert [pool.get("enabled", True) for pool in imported(content).pools] == [False, True]
    assert "switched off" in lost(content)["pools.pool1"]
    assert "socks-proxy" in lost(content)


def test_the_same_word_means_another_lookup_to_bfgminer() -> None:
    for_cgminer = cgminer(socks_proxy="127.0.0.1:9050", hotplug="5")
    for_bfgminer = cgminer(socks_proxy="127.0.0.1:9050", scan_time="60", no_unicode=True)
    assert settings(for_cgminer)["proxy"] == "socks5h://127.0.0.1:9050"
    assert settings(for_bfgminer)["proxy"] == "socks5://127.0.0.1:9050"
    assert imported(for_bfgminer).program == "bfgminer"
    assert only_pool(cgminer({"pool-proxy": "socks5h://127.0.0.1:9050"}))["proxy"] == "socks5h://127.0.0.1:9050"
    assert only_pool(cgminer({"pool-proxy": "127.0.0.1:8118"}))["proxy"] == "http://127.0.0.1:8118"


@pytest.mark.parametrize(
    ("keys", "enabled"),
    [
        ({"enabled": False}, False),
        ({"enabled": "false"}, False),
        ({"disabled": True}, False),
        ({"state": "disabled"}, False),
        ({"state": "enabled"}, True),
        ({"pool-proxy": "socks4://p:1"}, False),
        ({"algorithm": "scrypt"}, False),
        ({"pool-goal": "litecoin:malgo=scrypt"}, False),
        ({"pool-goal": "default"}, True),
    ],
)
def test_disabled_pools_and_pools_without_their_protection_stay_off(keys: dict[str, Any], enabled: bool) -> None:
    assert only_pool(cgminer(keys)).get("enabled", True) is enabled


def test_quotas_count_only_with_load_balance() -> None:
    pool = {"quota": "2;stratum+tcp://pool.example:3333"}
    assert settings(cgminer(pool))["strategy"] == "failover"
    assert settings(cgminer(pool, load_balance=True))["strategy"] == "quota"
    assert settings(cgminer(pool, load_balance="true"))["strategy"] == "quota"
    assert settings(cgminer({"quota": 5}, failover_only=True))["strategy"] == "failover"


@pytest.mark.parametrize("key", ["balance", "round_robin", "rotate"])
def test_other_strategies_are_lost(key: str) -> None:
    value = "30" if key == "rotate" else True
    assert "strategies failover and quota" in lost(cgminer(**{key: value}))[key.replace("_", "-")]
    assert not lost(cgminer(**{key: False}))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({"pools": []}, "expected at least one pool that can be used, got none (cgminer)"),
        ({"pools": [], "api-listen": True}, "expected at least one pool that can be used, got none (cgminer)"),
        ({"pools": [{"url": "", "user": "", "pass": ""}]}, "the pool has no address"),
        ({"pools": [{"user": "u"}]}, "this pool is left out"),
        ({"pools": [5, None, "stratum+tcp://a:1"]}, "expected an object, got 5"),
        ({"pools": {"url": 5}}, "expected a string, got another value"),
        (cgminer({"url": "http://127.0.0.1:8332"}), "stratum-miner solo --node mines on a node"),
        (cgminer({"url": "stratum2+tcp://a:1/key"}), "expected a pool with Stratum version 1, got version 2"),
        (cgminer({"url": "pool.example"}), "expected a port"),
        (cgminer({"url": "stratum+tcp://pool.example:1/#cbaddr=bc1q"}), "does not check who the coinbase"),
        (cgminer(scrypt=True), "expected the algorithm sha256d, got scrypt"),
        (cgminer(algorithm="scrypt"), "expected the algorithm sha256d, got 'scrypt'"),
        (cgminer(kernel="x17"), "expected the algorithm sha256d, got 'x17'"),
        (cgminer(algo=["sha256d"]), "expected the algorithm sha256d, got ['sha256d']"),
    ],
)
def test_files_without_a_pool_to_mine_on(content: Any, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(content)
    assert said in str(caught.value)


@pytest.mark.parametrize("kernel", ["auto", "fastauto", "sse2_64", "4way", "c", "altivec_4way"])
def test_a_kernel_of_bfgminer_is_no_coin(kernel: str) -> None:
    content = cgminer(algo=kernel)
    assert imported(content).program == "bfgminer"
    assert "kernel" in left(content)["algo"]


def test_a_pool_twice() -> None:
    content = cgminer()
    content["pools"] *= 2
    assert len(imported(content).pools) == 1
    assert not imported(content).lost
    content["pools"][1] = {**content["pools"][0], "pass": "other"}
    assert "pools[1]" in lost(content)


# ---- access ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"api_listen": True}, {"cgminer_api": "127.0.0.1:4028"}),
        ({"api_listen": "true", "api_port": 4030}, {"cgminer_api": "127.0.0.1:4030"}),
        ({"api_listen": True, "api_host": "10.0.0.5"}, {"cgminer_api": "127.0.0.1:4028"}),
        ({"api_listen": True, "api_network": True}, {"cgminer_api": "0.0.0.0:4028", "api_allow": "R:0/0"}),
        (
            {"api_listen": True, "api_network": True, "api_host": "10.0.0.5"},
            {"cgminer_api": "10.0.0.5:4028", "api_allow": "R:0/0"},
        ),
        (
            {"api_listen": True, "api_allow": "W:192.168.1.0/24", "api_network": True},
            {"cgminer_api": "0.0.0.0:4028", "api_allow": "W:192.168.1.0/24"},
        ),
        (
            {"api_listen": True, "api_allow": "P:10/8,R:0/0", "api_groups": "P:switchpool:enablepool:*"},
            {"cgminer_api": "0.0.0.0:4028", "api_allow": "P:10/8,R:0/0", "api_groups": "P:switchpool:enablepool:*"},
        ),
        ({"api_listen": False, "api_allow": "W:0/0"}, {}),
        ({"api_listen": "false", "api_allow": "W:0/0"}, {}),
        ({"api_allow": "W:0/0"}, {}),
    ],
)
def test_who_may_use_the_api(keys: dict[str, Any], expected: dict[str, str]) -> None:
    found = imported(cgminer(**keys))
    assert {key: value for key, value in found.options.items() if "api" in key} == expected
    assert not found.lost
    noted = {note.key for note in found.notes}
    assert {key.replace("_", "-") for key in keys} <= noted


def test_lost_rules_of_access_never_allow_more() -> None:
    content = cgminer(api_listen=True, api_allow="R:10.0.0.1,Q:10.0.0.2,W:10/8")
    assert settings(content)["api_allow"] == "R:10.0.0.1"
    assert "Q:10.0.0.2" in lost(content)["api-allow"]
    content = cgminer(api_listen=True, api_allow="nonsense")
    assert settings(content)["cgminer_api"] == "127.0.0.1:4028"
    content = cgminer(api_listen=True, api_allow="P:0/0", api_groups="P:switchpool:launchmissile")
    assert settings(content)["api_groups"] == "P:switchpool"
    assert "launchmissile" in lost(content)["api-groups"]
    assert "multicast" in lost(cgminer(api_listen=True, api_mcast=True))["api-mcast"]
    assert "port" in lost(cgminer(api_listen=True, api_port="99999"))["api-port"]


# ---- other keys -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"quiet": True}, {"quiet": True}),
        ({"real_quiet": True}, {"quiet": True}),
        ({"debug": "true"}, {"debug": True}),
        ({"protocol_dump": True}, {"protocol_dump": True}),
        ({"log_file": "/var/log/bfg.log"}, {"log_file": "/var/log/bfg.log"}),
        ({"text_only": True}, {"display": "lines"}),
        ({"sched_start": "22:30", "sched_stop": "6:05"}, {"sched_start": "22:30", "sched_stop": "06:05"}),
        ({"sched_time": "6:5"}, {"sched_start": "06:05"}),
        ({"request_diff": 0.5}, {"suggest_difficulty": "0.5"}),
        ({"suggest_diff": "1024"}, {"suggest_difficulty": "1024"}),
        ({"quiet": False, "suggest_diff": "0"}, {}),
        ({"fallback_time": "90"}, {"fallback_time": 90}),
        ({"failover_switch_delay": "300"}, {"fallback_time": 300}),
        ({"no_client_reconnect": True}, {"pool_redirect": False}),
        ({"no_pool_redirect": True}, {"pool_redirect": False}),
    ],
)
def test_keys_of_the_log_and_of_times(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    found = imported(cgminer(**keys))
    assert {key: value for key, value in found.options.items() if key != "device"} == expected
    assert not found.lost


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("shares", 100),
        ("log", 900),
        ("log-file", "2"),
        ("include", "other.conf"),
        ("setuid", "miner"),
        ("sharelog", "shares.log"),
        ("monitor", "cat hunter2"),
        ("cmd-sick", "reboot hunter2"),
        ("coinbase-check-addr", "bc1q"),
        ("no-stratum", True),
        ("benchmark", True),
        ("hotplug", "0"),
        ("temp-cutoff", "80"),
        ("intensity", "9"),
        ("stratum-port", 3334),
        ("btc-address", "bc1q"),
        ("sched-start", "25:00"),
        ("suggest-diff", "many"),
        ("unheard-of", "hunter2"),
    ],
)
def test_what_cannot_be_carried_over_is_said(key: str, value: Any) -> None:
    content = {**cgminer(), key: value}
    assert key in lost(content)
    assert "hunter2" not in repr(imported(content).notes)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *(("shares", "0"), ("log", "5"), ("log", "20"), ("hotplug", 5), ("anu-freq", "250.0"), ("osm-led-mode", "4")),
        *(("temp-cutoff", "95"), ("submit-stale", True), ("no-submit-stale", True), ("stratum-port", -1)),
        *(("scrypt", False), ("retries", "-1"), ("unheard-of", False), ("_comment", "x"), ("verbose", True)),
        ("expiry", "120"),
    ],
)
def test_defaults_and_keys_without_an_effect_are_no_loss(key: str, value: Any) -> None:
    assert not lost({**cgminer(), key: value})


def test_a_key_is_lost_without_an_option_for_it_unless_it_is_the_default() -> None:
    known = OPTIONS - {"fallback_time"}
    assert [note.key for note in imported(cgminer(fallback_time="90"), known).lost] == ["fallback-time"]
    assert not imported(cgminer(failover_switch_delay="300"), known).lost


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        *("url", "user", "pass", "quota", "threads", "api-listen", "api-allow", "api-port", "cpu-affinity", "shares"),
        *("proxy", "socks-proxy", "scan", "set-device", "device", "anu-freq", "rotate", "algo", "tls", "http", "cpu"),
        *("pools", "x", "stratumURL", "stratumPort", "frequency", "ASICModel", "stratumTLS", "poolString", "coin"),
        *("portNumber", "enabled", "socks5", "tls-fingerprint", "api-groups", "api-host", "state", "pool-proxy"),
    ]
)


@given(st.dictionaries(KEYS, JSON), st.lists(st.dictionaries(KEYS, JSON), max_size=3), st.booleans())
def test_whatever_stands_there_the_result_is_toml(
    top: dict[str, Any], pools: list[dict[str, Any]], has_pools: bool
) -> None:
    content = {**top, "pools": pools} if has_pools else {"url": "stratum+tcp://a:1", **top}
    try:
        found = imported(json.dumps(content).replace("NaN", "0").replace("Infinity", "1"))
    except ConfigError:
        return
    tomllib.loads(found.toml())
    found.toml(hide=True).encode()
    repr(found.notes).encode()
