"""The processor time to record a share and its result in the share journal, all threads of the journal included."""

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from benchmarks.reading import NotHereError, Reading, Turn
from stratum_miner.client.reconnecting import Destination
from stratum_miner.miner.journal import Journal
from stratum_miner.work.example import unit_of
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from stratum_miner.work.unit import NonceFound

SHARES = 1000
DIFFERENT = 250


def found() -> list[Share]:
    """Return shares that solve no block, because the record of a block has more fields and is synced at once."""
    unit = unit_of(1)
    assert unit.job is not None
    unit = replace(unit, job=replace(unit.job, nbits=0x1D00FFFF))
    shares = []
    for nonce in range(unit.first_nonce, unit.first_nonce + 100 * DIFFERENT):
        verdict = verify(NonceFound(replace(unit, first_nonce=0, nonce_count=1 << 32), nonce, unit.version))
        if isinstance(verdict, Share):
            shares.append(verdict)
        if len(shares) == DIFFERENT:
            return shares
    raise NotHereError("not enough shares")


@contextmanager
def opened() -> Iterator[Turn]:
    shares = found()
    destination = Destination("stratum+tcp://pool.example:3333", "worker", "s1")
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder, "journal"))

        def turn() -> list[Reading]:
            wall, used = time.perf_counter(), time.process_time()
            for number in range(SHARES):
                share = shares[number % DIFFERENT]
                journal.submitted(share, destination)
                journal.resolved(ShareResult(share, ShareOutcome.ACCEPTED))
            journal.flush(60)
            wall, used = time.perf_counter() - wall, time.process_time() - used
            return [Reading("share and result", "share", wall / SHARES, used / SHARES)]

        yield turn
        journal.close()
