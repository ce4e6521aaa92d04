"""The pool's processor time for a share, and for sending a new job to a miner.

The pool runs in a process of its own. Shares come from one connection, in batches of 64. A new job goes to many
connections, each of which has then received it.
"""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager

from benchmarks.pools import BATCH, Rig, serve_pool
from benchmarks.processes import processor_s, serving
from benchmarks.reading import Reading, Turn

BATCHES = 25
MINERS = 200
JOBS = 10


@contextmanager
def opened() -> Iterator[Turn]:
    heights = itertools.count(102)
    with serving(serve_pool) as (pool, pipe):
        port = pipe.recv()
        rigs = [Rig(port) for _ in range(MINERS)]

        def turn() -> list[Reading]:
            used, wall = processor_s(pool), time.perf_counter()
            rigs[0].submit_many(BATCHES)
            share = Reading(
                "share",
                "share",
                (time.perf_counter() - wall) / (BATCHES * BATCH),
                (processor_s(pool) - used) / (BATCHES * BATCH),
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
