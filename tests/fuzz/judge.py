"""What every target must keep to, whatever it reads: a target is a module of ``targets`` with ``run(data)``.

``run`` feeds foreign bytes to one reader as the program does, catches the errors that the reader documents, and asserts
what must hold of anything that comes out. Everything else that leaves ``run`` is a fault.
"""

import importlib
import random
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from stratum_miner.foreign_text import is_plain
from tests.fuzz.mutation import mutate

HERE = Path(__file__).parent
CORPORA = HERE / "corpora"
NAMES = tuple(sorted(path.stem for path in (HERE / "targets").glob("*.py")))

SECONDS = 2.0
SECONDS_PER_BYTE = 200e-6
"""Processor time that an input may take: so much, and so much for each of its bytes. Ten times what any input takes on
a slow machine under atheris; a line of 16 kB that kept a regular expression busy took 17 s."""


class TookTooLong(AssertionError):  # noqa: N818  told like every other fault
    """An input took more processor time than its length warrants."""


def load(name: str) -> ModuleType:
    """The module of a target."""
    return importlib.import_module(f"tests.fuzz.targets.{name}")


def judge(target: ModuleType, data: bytes) -> None:
    """Run one input. Raises whatever the target lets out, and TookTooLong."""
    started = time.thread_time()
    target.run(data)
    taken = time.thread_time() - started
    if taken > SECONDS + len(data) * SECONDS_PER_BYTE:
        raise TookTooLong(f"{taken:.1f} s of processor time for {len(data)} bytes")


def corpus(name: str) -> list[tuple[str, bytes]]:
    """The committed inputs of a target, by the names of their files."""
    return [(path.name, path.read_bytes()) for path in sorted((CORPORA / name).iterdir())]


def mutants(name: str, rng: random.Random) -> Iterator[bytes]:
    """Inputs made of the committed ones, without end."""
    inputs = [data for _, data in corpus(name)]
    while True:
        yield mutate(rng.choice(inputs), rng)


def check_shown(text: str, limit: int = 1000) -> None:
    """That a text with foreign parts may be shown: printable, visible, on one line, bounded."""
    assert is_plain(text), ascii(text)[:300]
    assert len(text) <= limit, len(text)
