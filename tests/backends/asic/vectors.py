"""The values of tests/vectors/asic.json, each with the tag of where it was captured or computed
(docs/reference/asic.md#sources-and-marks)."""

import json
from pathlib import Path
from typing import Any

from stratum_miner.bitcoin.header import BlockHeader, swap_words
from stratum_miner.bitcoin.merkle import fold_branch
from stratum_miner.bitcoin.sha256d import sha256d

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors" / "asic.json").read_text())


def unhex(text: str) -> bytes:
    return bytes.fromhex(text)


def header_a(branches: list[str], extranonce2: str, ntime: str) -> bytes:
    a = VECTORS["A"]
    coinbase = unhex(a["coinb1"] + a["extranonce1"] + extranonce2 + a["coinb2"])
    return BlockHeader(
        version=int(a["version"], 16),
        previous_hash=swap_words(unhex(a["prevhash"])),
        merkle_root=fold_branch(sha256d(coinbase), tuple(map(unhex, branches))),
        ntime=int(ntime, 16),
        nbits=int(a["nbits"], 16),
        nonce=0,
    ).to_bytes()


def header_d() -> bytes:
    d = VECTORS["D"]
    return BlockHeader(
        version=int(d["version"], 16),
        previous_hash=unhex(d["prevhash_display"])[::-1],
        merkle_root=unhex(d["merkle_display"])[::-1],
        ntime=int(d["ntime"], 16),
        nbits=int(d["nbits"], 16),
        nonce=0,
    ).to_bytes()
