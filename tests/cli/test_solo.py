"""``solo``: the node decides what is a block."""

import json
import time

import pytest

from stratum_miner.app.options import node_access
from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.cli import main
from stratum_miner.pool.nodes.base import SubmitResult
from stratum_miner.testing.scripted_node import EASY_BITS, ScriptedNode, make_template

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"


class Judge:
    """A node that rejects a number of blocks and accepts the rest."""

    def __init__(self, refusals: float) -> None:
        self.refused: list[str] = []
        self.taken: list[str] = []
        self._refusals = refusals

    def __call__(self, block: bytes) -> SubmitResult:
        block_hash = display_hash(sha256d(block[:80]))
        if len(self.refused) < self._refusals:
            self.refused.append(block_hash)
            return SubmitResult.from_text("bad-cb-amount")
        self.taken.append(block_hash)
        return SubmitResult.from_text(None)


@pytest.fixture
def judge(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Judge:
    made = Judge(request.param)
    node = ScriptedNode(make_template(nbits=EASY_BITS, curtime=int(time.time())), judge=made, grows=True)
    node.network = Network.REGTEST
    monkeypatch.setattr(node_access, "open_node", lambda *_, **__: node)
    return made


SOLO = ["solo", "--node", "http://u:p@127.0.0.1:1", "--address", ADDRESS, "--difficulty", "1e-6", "--json"]


@pytest.mark.parametrize("judge", [2], indirect=True)
def test_a_goal_of_blocks_waits_for_one_that_the_node_takes(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    code = main.run([*SOLO, "-t", "1", "--until-blocks", "1"])
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert code == 0
    assert [block["hash"] for block in result["blocks"]] == judge.taken
    refused = {block["hash"]: block["reason"] for block in result["blocks_refused"]}
    assert [refused[block_hash] for block_hash in judge.refused] == ["bad-cb-amount"] * 2
    shares = [line for line in err.splitlines() if "share_accepted" in line]
    assert shares
    assert not [line for line in shares if "block=" in line]


@pytest.mark.parametrize("judge", [float("inf")], indirect=True)
def test_a_goal_of_blocks_is_missed_where_the_node_refuses_them(
    judge: Judge, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ("--backend", "simulated", "--backend-option", "hash_rate=100kH")  # some twenty blocks a second
    assert main.run([*SOLO, *search, "--until-blocks", "1", "--time-limit", "3"]) == 1
    out, err = capsys.readouterr()
    result = json.loads(out)
    assert result["blocks"] == []
    assert judge.refused
    assert [block["hash"] for block in result["blocks_refused"]] == judge.refused
    assert err.count("block_refused") == len(judge.refused)


@pytest.mark.parametrize("judge", [1], indirect=True)
def test_the_summary_for_people_tells_refused_blocks_apart(judge: Judge, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run([*SOLO[:-1], "-t", "1", "--until-blocks", "1"]) == 0
    _, err = capsys.readouterr()
    assert "; blocks 1, and " in err
    assert "that the node rejected" in err
