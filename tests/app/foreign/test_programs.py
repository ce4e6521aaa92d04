"""Which program a file belongs to, and how the result is shown."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.foreign.listing import listing, outcome
from tests.app.foreign.conversion import cgminer, cpuminer, imported, xmrig

PIN = "420c7850e09b7c0bdcf748a7da9eb3647daf8515718f36d9ccfdd6b9ff834b14"
POOL = {"url": "stratum+tcp://a:1", "user": "u", "pass": "p"}


@pytest.mark.parametrize(
    ("content", "program"),
    [
        ({"pools": [POOL]}, "cgminer"),
        ({"pools": [{**POOL, "tls": True}]}, "xmrig"),
        ({"pools": [{**POOL, "enabled": False}], "api-listen": True, "api-allow": "0/0", "queue": "1"}, "cgminer"),
        ({"pools": [{**POOL, "pool-priority": "0"}], "scan": "all"}, "bfgminer"),
        (cgminer(usb="1:2"), "cgminer"),
        (cgminer(gekko_compac_freq="150"), "cgminer"),
        (cgminer(set_device="compac:clock=100", expiry="120"), "bfgminer"),
        (cpuminer(), "cpuminer"),
        (cpuminer(cpu_affinity=-1), "cpuminer-opt"),
        (xmrig(), "xmrig"),
        ({"pools": [POOL], "cpu": True, "donate-level": 1}, "xmrig"),
    ],
)
def test_the_program_that_knows_most_keys_is_the_one(content: dict[str, Any], program: str) -> None:
    assert imported(content).program == program


@pytest.mark.parametrize("content", [{}, {"hello": 1}, {"quiet": True}, {"_comment": "pools"}, {"threads": 1}])
def test_a_file_of_no_known_program_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"expected a file of cgminer or bfgminer.*xmrig.*NerdMiner"):
        imported(content)


def test_the_listing_fits_a_terminal_and_shows_each_line_of_the_file() -> None:
    text = """{
"pools": [
  {"url": "stratum+tcp://a-very-long-host-name-of-a-pool.with.many.labels.example.org:3333", "user": "u",
   "pass": "hunter2"}],
"rotate": "60",
"unheard-of": "hunter2 \\u001b[31m"
}"""
    found = imported(text)
    lines = list(listing(found, 79))
    assert all(len(line) <= 79 and line.isprintable() for line in lines)
    shown = "\n".join(lines)
    assert '    4  pools[0].pass: ***\n       -> pass = "***"' in shown
    assert '    5  rotate: "60"\n       NOT CARRIED OVER: stratum-miner has only the strategies' in shown
    assert "    6  unheard-of: ...\n       NOT CARRIED OVER: this key is not known" in shown
    assert "hunter2" not in shown
    assert outcome(found) == (
        "a configuration of cgminer with 1 pool; 2 keys could not be carried over: rotate, unheard-of"
    )


def test_the_outcome_counts_pools_that_are_switched_off() -> None:
    content = cgminer({"enabled": False}, api_listen=True, queue="1")
    assert outcome(imported(content)) == (
        "a configuration of cgminer with 1 pool, 1 of them switched off; everything was carried over"
    )


def test_many_pools() -> None:
    content = {"pools": [{**POOL, "url": f"a:{port}"} for port in range(1, 71)]}
    found = imported(content)
    assert len(found.pools) == 64
    assert [note.key for note in found.lost] == [f"pools[{index}]" for index in range(64, 70)]


PROXIES = st.sampled_from(
    [
        *("127.0.0.1:9050", "socks5://127.0.0.1:9050", "socks5h://me:pw@127.0.0.1:9050", "http://proxy.example:8118"),
        *("socks4://127.0.0.1:9050", "socks4a:127.0.0.1:9050", "SOCKS5:127.0.0.1:9050", "tor", "", " ", "ftp://p:1"),
        *(9050, 0, True, None, ["127.0.0.1:9050"], {"host": "127.0.0.1"}, "socks5://p:0", "socks5://p:99999", "\x1b"),
        *("socks5://", "https://p:1", "x\ud800:1"),
    ]
)


@given(
    st.sampled_from(["xmrig", "cgminer", "cpuminer", "AxeOS"]),
    PROXIES,
    st.sampled_from([True, "true", 1, False, None, 0]),
    st.sampled_from(["pool.example:1", "stratum+tcp://pool.example:1", "stratum+ssl://pool.example:1", "http://a:1"]),
    st.sampled_from([PIN, "sha256 Fingerprint=" + PIN, "beef", 5, None]),
    st.booleans(),
)
def test_no_connection_ever_becomes_weaker(
    program: str, proxy: Any, tls: Any, url: str, pin: Any, has_proxy_for_all: bool
) -> None:
    is_encrypted = tls in (True, "true", 1) or url.startswith("stratum+ssl")
    is_pinned = False
    content: dict[str, Any]
    if program == "xmrig":
        content = xmrig({"url": url, "tls": tls, "tls-fingerprint": pin, "socks5": proxy})
        is_pinned = is_encrypted and pin is not None
    elif program == "cpuminer":
        is_encrypted = url.startswith("stratum+ssl")
        content = cpuminer(url=url, proxy=proxy)
    elif program == "AxeOS":
        proxy = None
        content = {"stratumURL": url.removesuffix(":1"), "stratumPort": 1, "stratumUser": "u", "stratumTLS": tls}
    else:
        url += "/#tls" if tls else ""
        is_encrypted = bool(tls) or url.startswith("stratum+ssl")
        content = cgminer({"url": url, **({} if has_proxy_for_all else {"pool-proxy": proxy})}, expiry="1")
        content |= {"socks-proxy": proxy} if has_proxy_for_all else {}
    is_proxied = proxy not in (None, False, "", " ")
    try:
        found = imported(json.dumps(content))
    except ConfigError:
        return
    for pool in found.pools:
        if pool.get("enabled", True):
            assert pool["url"].startswith("stratum+ssl://") or not is_encrypted
            assert "proxy" in pool or "proxy" in found.options or not is_proxied
            assert pool.get("tls_fingerprint") == PIN or not is_pinned


@pytest.mark.parametrize(
    ("other", "names"),
    [
        ({"stratumURL": "b.example", "stratumPort": 1, "stratumUser": "w"}, "AxeOS \\(stratumURL\\)"),
        ({"PoolUrl": "b.example", "PoolPort": 1, "BtcWallet": "w"}, "NerdMiner \\(PoolUrl\\)"),
    ],
)
def test_pools_of_several_programs_in_one_file_are_refused(other: dict[str, Any], names: str) -> None:
    with pytest.raises(ConfigError, match=f"expected the file of one program, got pools of .*pools.url.* and {names}"):
        imported({**cgminer(), **other})


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"PoolUrl": "stratum+ssl://a.example:4333", "PoolPort": 21496, "BtcWallet": "w"}, "PoolUrl: "),
        (
            {"poolString": "a.example", "portNumber": "x", "btcString": "w"},
            "poolString: portNumber: expected an integer",
        ),
        ({"stratumURL": "", "fallbackStratumURL": "a.example", "stratumUser": "w"}, "fallbackStratumURL: pool URL"),
    ],
)
def test_why_no_pool_can_be_used_is_said_for_each_program(content: dict[str, Any], reason: str) -> None:
    with pytest.raises(ConfigError, match="got none") as caught:
        imported(content)
    assert reason in "\n".join(map(str, caught.value.problems))
