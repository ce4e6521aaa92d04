"""The pool's processor time for a share, and for sending a new job to a miner.

The pool runs in a process of its own. Shares come from one connection, which keeps 64 of them without a reply. A new
job goes to many connections, each of which has then received it.
"""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.pools import Rig, serve_pool
from benchmarks.processes import processor_s, serving
from benchmarks.reading import Reading, Turn

SHARES = 1500
MINERS = 200
JOBS = 4


@contextmanager
def opened() -> Iterator[Turn]:
    heights = itertools.count(102)
    with serving(serve_pool) as (pool, pipe):
        port = pipe.recv()
        rigs = [Rig(port) for _ in range(MINERS)]

        def turn() -> list[Reading]:
            used, wall = processor_s(pool), time.perf_counter()
            rigs[0].submit_many(SHARES)
            share = Reading(
                "share", "share", (time.perf_counter() - wall) / SHARES, (processor_s(pool) - used) / SHARES
            )
            used, wall = processor_s(pool), time.perf_counter()
            for _ in range(JOBS):
                pipe.send(next(heights))
                for rig in rigs:
                    rig.wait_for_job()
            sent = JOBS * MINERS
            job = Reading("new job", "miner", (time.perf_counter() - wall) / sent, (processor_s(pool) - used) / sent)
            return [share, job]

        yield turn
