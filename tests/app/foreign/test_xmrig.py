"""Configurations of xmrig, and what becomes of each key."""

from typing import Any

import pytest

from stratum_miner.app.config.problems import ConfigError
from tests.app.foreign.conversion import imported, left, lost, only_pool, settings, xmrig

PIN = "420c7850e09b7c0bdcf748a7da9eb3647daf8515718f36d9ccfdd6b9ff834b14"


def test_tls_pin_and_tor_arrive() -> None:
    content = xmrig({"tls": True, "tls-fingerprint": PIN, "socks5": "127.0.0.1:9050", "pass": "hunter2"})
    assert imported(content).program == "xmrig"
    assert only_pool(content) == {
        "url": "stratum+ssl://pool.example:3333",
        "user": "alice",
        "pass": "hunter2",
        "tls_fingerprint": PIN,
        "proxy": "socks5h://127.0.0.1:9050",
    }
    assert not imported(content).lost
    assert "device" not in settings(content)
    assert "hunter2" not in repr(imported(content).notes)


@pytest.mark.parametrize(
    ("pool", "expected"),
    [
        ({"url": "stratum+ssl://pool.example:1"}, {"url": "stratum+ssl://pool.example:1"}),
        ({"url": "stratum+tcp://pool.example:1", "tls": "true"}, {"url": "stratum+ssl://pool.example:1"}),
        ({"socks5": 9050}, {"proxy": "socks5h://127.0.0.1:9050"}),
        ({"socks5": "socks5://[::1]:9050"}, {"proxy": "socks5h://[::1]:9050"}),
        ({"tls": True, "tls-fingerprint": PIN.upper()}, {"tls_fingerprint": PIN}),
        ({"tls": True, "tls-fingerprint": "SHA256:" + PIN}, {"tls_fingerprint": PIN}),
        ({"enabled": False}, {"enabled": False}),
        ({"algo": None, "coin": "bitcoin"}, {"url": "stratum+tcp://pool.example:3333"}),
    ],
)
def test_pools(pool: dict[str, Any], expected: dict[str, Any]) -> None:
    found = only_pool(xmrig(pool))
    assert {key: found[key] for key in expected} == expected
    assert not lost(xmrig(pool))


@pytest.mark.parametrize(
    "pool",
    [{"tls": True, "tls-fingerprint": "420c"}, {"socks5": "socks4://p:1"}, {"socks5": "nowhere"}, {"socks5": True}],
)
def test_a_pool_without_its_protection_is_switched_off(pool: dict[str, Any]) -> None:
    assert only_pool(xmrig(pool))["enabled"] is False
    assert "pools[0]" in lost(xmrig(pool))


def test_a_pin_without_tls_is_said_to_check_nothing() -> None:
    assert "tls_fingerprint" not in only_pool(xmrig({"tls-fingerprint": PIN}))
    assert "no TLS" in lost(xmrig({"tls-fingerprint": PIN}))["pools[0].tls-fingerprint"]


@pytest.mark.parametrize(
    ("pool", "said"),
    [
        ({"algo": "rx/0"}, "expected the algorithm sha256d, got 'rx/0'"),
        ({"algo": "kawpow"}, "expected the algorithm sha256d, got 'kawpow'"),
        ({"coin": "monero"}, "expected the coin bitcoin, got 'monero'"),
        ({"daemon": True}, "stratum-miner solo mines on a node"),
        ({"self-select": "http://127.0.0.1:18081"}, "self-select"),
        ({"url": "daemon+http://127.0.0.1:18081"}, "To mine on a node, use the command stratum-miner solo"),
        ({"url": ""}, "the pool has no address"),
    ],
)
def test_other_coins_and_nodes_are_left_out(pool: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        imported(xmrig(pool))
    assert said in str(caught.value)
    content = xmrig(pool)
    content["pools"].append({"algo": "sha256d", "url": "good.example:1", "user": "u", "tls": True})
    assert only_pool(content)["url"] == "stratum+ssl://good.example:1"
    assert "pools[0]" in lost(content)


@pytest.mark.parametrize("keys", [{"algo": "cryptonight"}, {"algo": "rx/0"}, {"coin": "monero"}, {"algo": 5}])
def test_an_algorithm_of_the_whole_file(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="expected the algorithm sha256d"):
        imported(xmrig({"algo": None}, **keys))
    assert not lost(xmrig({"algo": None}, algo="sha256d"))


def test_a_file_that_names_no_algorithm_is_for_monero() -> None:
    content = xmrig({"algo": None, "tls": True})
    assert only_pool(content)["url"] == "stratum+ssl://pool.example:3333"
    assert "Monero" in lost(content)["pools"]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"watch": True}, {"watch_config": True}),
        ({"log_file": "/var/log/m.log"}, {"log_file": "/var/log/m.log"}),
        ({"log_file": None, "user_agent": None}, {}),
        ({"pause_on_battery": True}, {"pause_on_battery": True}),
        ({"http": {"enabled": True, "host": "127.0.0.1", "port": 8080}}, {"http": "127.0.0.1:8080"}),
        ({"http": {"enabled": True, "host": "0.0.0.0", "port": 80}}, {"http": "0.0.0.0:80", "http_network": True}),
        ({"http": {"enabled": False, "host": "0.0.0.0", "port": 80}}, {}),
        ({"verbose": 2}, {"debug": True}),
        ({"retries": 5, "print_time": 60, "randomx": {"init": -1}, "opencl": {"enabled": False}}, {}),
        ({"retry_pause": 5}, {"retry_pause": 5}),
        ({"api": {"id": None, "port": 0}, "opencl": False, "av": 0, "hw-aes": None, "threads": None}, {}),
    ],
)
def test_other_keys(keys: dict[str, Any], expected: dict[str, Any]) -> None:
    found = imported(xmrig(**keys))
    assert found.options == expected
    assert not found.lost


@pytest.mark.parametrize(
    ("keys", "lost_key"),
    [
        ({"opencl": {"enabled": True}}, "opencl"),
        ({"cuda": True}, "cuda"),
        ({"api": {"port": 8080, "access-token": "hunter2"}}, "api"),
        ({"bind": [{"host": "0.0.0.0", "port": 3333}]}, "bind"),
        ({"cpu": {"enabled": False}}, "cpu.enabled"),
        ({"cpu": {"enabled": True, "max-threads-hint": 50}}, "cpu.max-threads-hint"),
        ({"http": {"enabled": True, "port": 0}}, "http"),
        ({"http": {"enabled": True, "port": 8080, "access-token": "hunter2hunter2"}}, "http.access-token"),
        ({"tls": {"enabled": True}}, "tls"),
        ({"pause_on_active": 60}, "pause-on-active"),
        ({"retries": 9}, "retries"),
        ({"retry_pause": 9999}, "retry-pause"),
        ({"unheard_of": "hunter2"}, "unheard-of"),
    ],
)
def test_what_cannot_be_carried_over_is_said(keys: dict[str, Any], lost_key: str) -> None:
    content = xmrig(**keys)
    assert lost_key in lost(content)
    assert "hunter2" not in repr(imported(content).notes)


def test_a_file_for_devices_only_does_not_mine_with_the_cpu() -> None:
    assert settings(xmrig(cpu={"enabled": False}))["device"] == ["auto"]


def test_keys_of_other_algorithms_are_named_as_such() -> None:
    found = left(xmrig({"variant": 1}, randomx={"mode": "auto"}))
    assert found["pools[0].variant"] == found["randomx"] == "this key is for algorithms other than sha256d"
