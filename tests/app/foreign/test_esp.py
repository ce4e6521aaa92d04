"""Settings of AxeOS and NerdMiner, and what becomes of them."""

from typing import Any

import pytest

from stratum_miner.app.config.problems import ConfigError
from tests.app.foreign.conversion import imported, left, lost, settings

INFO: dict[str, Any] = {
    "power": 17.5,
    "temp": 58.25,
    "hashRate": 1195.0,
    "ASICModel": "BM1370",
    "stratumURL": "public-pool.io",
    "stratumPort": 4333,
    "stratumUser": "bc1qexample.bitaxe",
    "stratumTLS": 1,
    "stratumCert": "",
    "stratumSuggestedDifficulty": 1000,
    "stratumExtranonceSubscribe": True,
    "fallbackStratumURL": "solo.ckpool.org",
    "fallbackStratumPort": 3333,
    "fallbackStratumUser": "bc1qexample.backup",
    "fallbackStratumTLS": 0,
    "frequency": 525.0,
    "coreVoltage": 1150,
    "hostname": "bitaxe",
    "ssid": "home",
    "version": "v2.13.0",
    "sharesRejectedReasons": [],
}
POOLS: dict[str, dict[str, Any]] = {
    "pool1": {
        "url": "stratum+ssl://public-pool.io:4333",
        "user": "bc1qexample.bitaxe",
        "suggest_difficulty": "1000",
        "extranonce_subscribe": True,
    },
    "pool2": {"url": "stratum+tcp://solo.ckpool.org:3333", "user": "bc1qexample.backup"},
}
CSV = """\
key,type,encoding,value
main,namespace,,
hostname,data,string,bitaxe
wifissid,data,string,home
wifipass,data,string,hunter2wifi
stratumurl,data,string,public-pool.io
stratumport,data,u16,4333
stratumtls,data,u16,1
stratumuser,data,string,bc1qexample.bitaxe
stratumpass,data,string,hunter2
stratumdiff,data,u16,1000
fbstratumurl,data,string,solo.ckpool.org
fbstratumport,data,u16,3333
fbstratumuser,data,string,bc1qexample.backup
fbstratumpass,data,string,x
asicfrequency,data,u16,525
asicvoltage,data,u16,1150
asicmodel,data,string,BM1370
"""


def test_the_answer_of_axeos() -> None:
    assert imported(INFO).program == "AxeOS"
    assert settings(INFO) == {"device": ["bitaxe-gamma:auto,frequency=525,voltage=1.15"], "pools": POOLS}
    assert not imported(INFO).lost
    assert "no password" in left(INFO)["stratumPassword"]
    assert {note.key for note in imported(INFO).notes} >= set(INFO)


def test_the_settings_as_csv() -> None:
    found = settings(CSV)
    assert found["device"] == ["bitaxe-gamma:auto,frequency=525,voltage=1.15"]
    assert (found["pools"]["pool1"]["url"], found["pools"]["pool1"]["pass"]) == (POOLS["pool1"]["url"], "hunter2")
    assert found["pools"]["pool2"]["url"] == POOLS["pool2"]["url"]
    assert "hunter2" not in repr(imported(CSV).notes)


def test_a_list_of_pools() -> None:
    pools = [
        {
            "id": number,
            "stratumURL": f"pool{number}.example",
            "stratumPort": 3333,
            "stratumUser": "u",
            "stratumTLS": tls,
        }
        for number, tls in enumerate((0, 1, 0))
    ]
    content = {**INFO, "pools": [*pools, {"id": 3, "stratumURL": ""}], "primaryPoolIndex": 1, "secondaryPoolIndex": 0}
    found = settings(content)["pools"]
    assert [pool["url"] for pool in found.values()] == [
        "stratum+ssl://pool1.example:3333",
        "stratum+tcp://pool0.example:3333",
        "stratum+tcp://pool2.example:3333",
    ]
    assert [pool.get("enabled", True) for pool in found.values()] == [True, True, False]
    swapped = settings({**content, "useFallbackStratum": 1})["pools"]
    assert swapped["pool1"]["url"] == "stratum+tcp://pool0.example:3333"


@pytest.mark.parametrize(
    ("keys", "lost_key"),
    [
        ({"stratumTLS": 2, "stratumCert": "-----BEGIN CERTIFICATE-----"}, "stratumCert"),
        ({"stratumProtocol": "SV2"}, "stratumProtocol"),
    ],
)
def test_a_pool_without_its_protection_is_switched_off(keys: dict[str, Any], lost_key: str) -> None:
    content = {**INFO, **keys}
    assert imported(content).pools[0]["enabled"] is False
    assert lost_key in lost(content)


@pytest.mark.parametrize(
    ("keys", "lost_key"),
    [
        ({"stratumPassword": "*****"}, "stratumPassword"),
        ({"frequency": 5000}, "frequency"),
        ({"coreVoltage": 9000}, "coreVoltage"),
        ({"ASICModel": "BM1397"}, "ASICModel"),
    ],
)
def test_what_cannot_be_carried_over_is_said(keys: dict[str, Any], lost_key: str) -> None:
    content = {**INFO, **keys}
    assert lost_key in lost(content)
    assert settings(content)["device"]
    assert "*" not in imported(content).toml()


@pytest.mark.parametrize(
    "content",
    [
        {"PoolUrl": "public-pool.io", "PoolPort": 21496, "PoolPassword": "hunter2", "BtcWallet": "bc1q.nerd"},
        {"poolString": "public-pool.io", "portNumber": "21496", "poolPassword": "hunter2", "btcString": "bc1q.nerd"},
    ],
)
def test_nerdminer(content: dict[str, Any]) -> None:
    found = imported({"SSID": "home", "WifiPW": "hunter2wifi", "Timezone": 2, **content})
    assert found.program == "NerdMiner"
    assert found.pools == [{"url": "stratum+tcp://public-pool.io:21496", "user": "bc1q.nerd", "pass": "hunter2"}]
    assert not found.lost
    assert "hunter2" not in repr(found.notes)


def test_files_without_a_pool() -> None:
    for content in ({"ASICModel": "BM1370", "stratumURL": ""}, {"PoolUrl": "", "BtcWallet": "x"}):
        with pytest.raises(ConfigError, match="expected at least one pool that can be used, got none"):
            imported(content)


@pytest.mark.parametrize(
    ("tls", "scheme", "is_enabled"),
    [
        (True, "ssl", True),
        (False, "tcp", True),
        ("1", "ssl", True),
        ("0", "tcp", True),
        (2, "ssl", False),
        ("x", "ssl", True),
    ],
)
def test_each_spelling_of_tls_keeps_the_connection(tls: Any, scheme: str, is_enabled: bool) -> None:
    """Tools write true for 1. With 2, the device trusts only a certificate of its owner, which is not in the file."""
    content = {"stratumURL": "a.example", "stratumPort": 3333, "stratumUser": "w", "stratumTLS": tls}
    [pool] = imported(content).pools
    assert (pool["url"], pool.get("enabled", True)) == (f"stratum+{scheme}://a.example:3333", is_enabled)
    assert ("stratumTLS" in lost(content)) == (tls in (2, "x"))


def test_a_bad_port_is_named_by_its_key() -> None:
    with pytest.raises(ConfigError, match="stratumPort: expected an integer"):
        imported({"stratumURL": "a.example", "stratumPort": "3333 # port", "stratumUser": "w"})


def test_keys_of_stratum_2_are_no_readings() -> None:
    content = {"stratumURL": "a.example", "stratumPort": 3333, "stratumUser": "w", "stratumV2AuthorityPubkey": "9c4z"}
    assert left(content)["stratumV2AuthorityPubkey"] == "this key belongs to Stratum version 2"
