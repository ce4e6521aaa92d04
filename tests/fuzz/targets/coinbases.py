"""Transactions that others made: a pool's coinbase, its height, and the block files of Bitcoin Core."""

import tempfile
from pathlib import Path

from stratum_miner.bitcoin.coinbase import height_from_coinbase_prefix, push_height
from stratum_miner.conformance.coinbase import Coinbase, CoinbaseError
from stratum_miner.pool.nodes.block_files import read_blocks
from tests.fuzz.judge import check_shown

DIRECTORY = Path(tempfile.mkdtemp(prefix="fuzz-blocks-"))


def run(data: bytes) -> None:
    try:
        coinbase = Coinbase.parse(data)
    except CoinbaseError as error:
        check_shown(str(error))
    else:
        end = coinbase.script_start + len(coinbase.script)
        assert data[coinbase.script_start : end] == coinbase.script
        assert coinbase.size == len(data)
        assert len(coinbase.commitments) <= len(coinbase.outputs)
    height = height_from_coinbase_prefix(data)
    assert height is None or push_height(height) in data
    (DIRECTORY / "blk00000.dat").write_bytes(data)
    assert sum(map(len, read_blocks(DIRECTORY))) <= len(data)
