"""``solo`` beside a node that is killed again and again and comes back without its last blocks."""

import json
import time
from typing import Any

from stratum_miner.bitcoin.sha256d import sha256d

from ..cli.rpc_node import RpcNode, serving
from ..cli.test_process import Listened

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
CRASHES = 3
LOST = 5
BLOCKS = 40


class Chain(RpcNode):
    """Hashes by height, the newest last. A block must build on the last one; its hash need not be good."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes = ["00" * 32]
        self.best = 0
        """The greatest height it ever had."""
        self.answers |= {
            "getblockchaininfo": lambda _: self.chain | {"blocks": self.height, "headers": self.height},
            "getblocktemplate": self.give,
            "getbestblockhash": lambda _: self.hashes[-1],
            "submitblock": self.take,
        }

    @property
    def height(self) -> int:
        return len(self.hashes) - 1

    def give(self, _: list[Any]) -> dict[str, Any]:
        changing = {"previousblockhash": self.hashes[-1], "height": self.height + 1, "curtime": int(time.time())}
        return self.template | changing | {"bits": "2000ffff"}

    def take(self, params: list[str]) -> str | None:
        header = bytes.fromhex(params[0])[:80]
        block = sha256d(header)[::-1].hex()
        if block in self.hashes:
            return "duplicate"
        parent = header[4:36][::-1].hex()
        if parent != self.hashes[-1]:
            return "inconclusive" if parent in self.hashes else "prev-blk-not-found"
        self.hashes.append(block)
        self.best = max(self.best, self.height)
        return None


def test_no_block_is_lost_for_good() -> None:
    node = Chain()
    with serving(node) as port:
        solo = Listened(
            *("solo", "--node", f"http://u:secretly@127.0.0.1:{port}", "--address", ADDRESS, "--difficulty", "1e-7"),
            *("--backend", "simulated", "--backend-option", "hash_rate=2kH", "--until-blocks", str(BLOCKS)),
            *("--time-limit", "200", "--json"),
        )
        _until_height(node, solo, LOST + 3)
    for crash in range(CRASHES):
        known = list(node.hashes)
        del node.hashes[-LOST:]
        with serving(node, port):
            _until_height(node, solo, len(known) + (3 if crash < CRASHES - 1 else 10_000))
        assert node.hashes[: len(known)] == known, "the same blocks are back in the same order"
    out, err = solo.communicate(timeout=60)
    assert solo.returncode == 0, err
    result = json.loads(out)
    assert [block["hash"] for block in result["blocks"]] == node.hashes[1 : 1 + len(result["blocks"])]
    assert len(result["blocks"]) >= BLOCKS
    assert err.count("blocks_given_back") == CRASHES


def _until_height(node: Chain, solo: Listened, height: int) -> None:
    while node.height < height and solo.poll() is None:
        time.sleep(0.02)
