"""The file of remembered kernel figures: whatever is in it, a choice is made, and a figure is one that can be."""

import tempfile
from pathlib import Path

from stratum_miner.backends.cpu import choice, kernel_figures, kernel_speed, kernels

FILE = Path(tempfile.mkdtemp(prefix="fuzz-kernels-")) / "kernels.json"
AVAILABLE = kernels.available_kernels()
KEY = b"@KEY@"
"""In an input it stands for the entry of this machine."""
FIGURES = [
    kernel_speed.MeasuredKernel(kernel, 1e6 + index, 1e6 + index, True) for index, kernel in enumerate(AVAILABLE)
]


def run(data: bytes) -> None:
    FILE.write_bytes(data.replace(KEY, kernel_figures._key(AVAILABLE).encode()))
    known = kernel_figures.recall(AVAILABLE, FILE)
    for item in known or ():
        assert 0 < item.hash_rate <= kernel_speed.FASTEST
        assert 0 < item.rolling_hash_rate <= kernel_speed.FASTEST
    chosen = choice.conclude(FIGURES, FILE)
    assert chosen.reason.isprintable()
    choice.correct(chosen, 2e6, 2e6, FILE)
    assert kernel_figures.recall(AVAILABLE, FILE) is not None or known is None
