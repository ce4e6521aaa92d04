"""The exchanges by hand in docs/measured/foreign_pools, tried on our own pool."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from docs.measured.foreign_pools import ckpool, nomp, public_pool
from docs.measured.foreign_pools.exchanges import Table
from stratum_miner.conformance import ALL
from stratum_miner.pool import PoolConfig, open_pool
from stratum_miner.testing.scripted_node import HARD_BITS, ScriptedNode, make_template
from tests.network.free_port import free_port

PAGE = Path(__file__).parents[1] / "docs" / "measured" / "foreign-pools.md"
ROW = re.compile(r"^\| ([A-Z0-9, -]+) \| [A-Z, ]+ \| (.+) \| `([a-z0-9-]+)` \|$", re.MULTILINE)
TABLES = [ckpool.TABLE, nomp.TABLE, public_pool.TABLE]


@pytest.fixture
async def address() -> AsyncIterator[str]:
    node = ScriptedNode(make_template(nbits=HARD_BITS))
    async with open_pool(node, PoolConfig(payout_script=b"\x51", port=0, difficulty=1e-6)) as pool:
        yield f"127.0.0.1:{pool.port}"


async def outcome(table: Table, *words: str) -> int:
    return await trio.to_thread.run_sync(lambda: table.main([*words]))


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.pool)
def test_each_exchange_names_checks_of_the_suite(table: Table) -> None:
    named = {check for each in table.exchanges.values() for check in each.checks.split(", ")}
    assert named <= {case.id for case in ALL}


async def test_an_exchange_sees_what_a_pool_does(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert await outcome(ckpool.TABLE, address, "share-under-another-name-is-refused", "http-closes") == 0
    said = capsys.readouterr().out
    assert said.endswith("\nyes  share-under-another-name-is-refused\nyes  http-closes\n")
    assert '> {"id": 3, "method": "mining.submit", "params": ["somebody.else", ' in said


async def test_an_exchange_sees_what_a_pool_does_not(address: str, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["share-again-in-capitals", "second-subscribe-changes-extranonce1", "dies-of-four-parameters"]
    assert await outcome(nomp.TABLE, address, *names) == 1
    names_of_no = [line.split()[1] for line in capsys.readouterr().out.splitlines() if line.startswith("no   ")]
    assert names_of_no == names


def test_a_pool_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert nomp.TABLE.main([f"127.0.0.1:{free_port()}", "configure-is-unanswered"]) == 4
    assert "Connection refused" in capsys.readouterr().out


@pytest.mark.parametrize("words", [["here"], ["127.0.0.1:1", "nothing"], [], ["127.0.0.1:1", "late-block-is-lost"]])
def test_a_wrong_command_line(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        nomp.TABLE.main(words)
    assert ended.value.code == 2
    assert capsys.readouterr().err


def test_each_row_of_the_page_is_that_of_an_exchange() -> None:
    rows = 0
    for section in PAGE.read_text(encoding="utf-8").split("\n## "):
        table = next((table for table in TABLES if section.split(":")[0] in table.pool), None)
        for checks, text, name in ROW.findall(section) if table else []:
            rows += 1
            assert table is not None
            assert table.exchanges[name].shows == text, name
            assert set(checks.split(", ")) <= set(table.exchanges[name].checks.split(", ")), name
    assert rows > 25
