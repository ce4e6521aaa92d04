"""Which program a file belongs to, and how the result is shown."""

from typing import Any

import pytest

from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.foreign.listing import listing, outcome
from tests.app.foreign.conversion import cgminer, cpuminer, imported, xmrig

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
