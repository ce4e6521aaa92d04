"""``solo`` on a chain like testnet4 while its twenty minutes pass: no block is invalid, and the easy one is found."""

import json
import subprocess
import sys
import time
from typing import Any

from stratum_miner.bitcoin.sha256d import sha256d

from ..cli.rpc_node import TIP, RpcNode, serving

ADDRESS = "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx"
REAL_BITS, EASY_BITS = "1d00ffff", "207fffff"
SECONDS = 3
"""Until the easy bits are the required ones."""


class TimedBits(RpcNode):
    """Wants the bits that belong to the time in a header, as Bitcoin Core does (pow.cpp, GetNextWorkRequired)."""

    def __init__(self) -> None:
        super().__init__("testnet4")
        self.tip_time = int(time.time()) + SECONDS - 1201
        self.refused: list[str] = []
        self.template["longpollid"] = TIP
        self.answers |= {
            "getblockheader": {"time": self.tip_time},
            "getblocktemplate": self.give,
            "submitblock": self.judge,
        }

    def required(self, at: int) -> str:
        return EASY_BITS if at > self.tip_time + 1200 else REAL_BITS

    def give(self, params: list[dict[str, Any]]) -> dict[str, Any]:
        if "longpollid" in params[0]:
            time.sleep(3600)  # the tip stays, and Core's long poll returns for nothing else
        now = int(time.time())
        return self.template | {"curtime": now, "bits": self.required(now), "mintime": self.tip_time - 3000}

    def judge(self, params: list[str]) -> str | None:
        header = bytes.fromhex(params[0])[:80]
        at, bits = int.from_bytes(header[68:72], "little"), header[72:76][::-1].hex()
        assert sha256d(header)[31] < 0x80
        if bits == self.required(at):
            return None
        self.refused.append(f"bad-diffbits: {bits} at {at - self.tip_time}")
        return "bad-diffbits"


def test_the_easy_block_is_found_and_none_is_invalid() -> None:
    node = TimedBits()
    with serving(node) as port:
        began = time.time()
        done = subprocess.run(
            [sys.executable, "-m", "stratum_miner", "solo", "--node", f"http://u:secretly@127.0.0.1:{port}",
             "--address", ADDRESS, "--difficulty", "1e-6", "--backend", "simulated", "--until-blocks", "1",
             "--time-limit", "100", "--json"],
            capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip
        assert time.time() > began + SECONDS - 2, f"not before its time: {done.stderr}"
    assert node.refused == []
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)["blocks"]) == 1
