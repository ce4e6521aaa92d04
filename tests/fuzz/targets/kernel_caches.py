"""The file of remembered kernel figures: whatever is in it, a choice is made, and a figure is one that can be."""

import tempfile
from pathlib import Path

from stratum_miner.backends.cpu import choice, kernels

FILE = Path(tempfile.mkdtemp(prefix="fuzz-kernels-")) / "kernels.json"
AVAILABLE = kernels.available_kernels()
KEY = b"@KEY@"
"""In an input it stands for the entry of this machine."""
FIGURES = [choice.Measured(kernel, 1e6 + index, 1e6 + index, True) for index, kernel in enumerate(AVAILABLE)]


def run(data: bytes) -> None:
    FILE.write_bytes(data.replace(KEY, choice._key(AVAILABLE).encode()))
    known = choice.recall(AVAILABLE, FILE)
    for item in known or ():
        assert 0 < item.hash_rate <= choice.FASTEST
        assert 0 < item.rolling_hash_rate <= choice.FASTEST
    chosen = choice.conclude(FIGURES, FILE)
    assert chosen.reason.isprintable()
    choice.correct(chosen, 2e6, 2e6, FILE)
    assert choice.recall(AVAILABLE, FILE) is not None or known is None
