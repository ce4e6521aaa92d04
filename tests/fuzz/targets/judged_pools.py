"""Messages of a pool that is checked: ``conformance.connection``, which keeps any messages, and its transcript.

The first byte is the size of the pieces in which the rest arrives.
"""

import trio
from trio.testing import memory_stream_pair

from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.messages import is_number, is_positive
from stratum_miner.conformance.transcript import CheckTranscript

ASKED = ("mining.configure", "mining.subscribe", "mining.authorize")


def run(data: bytes) -> None:
    trio.run(_feed, data[1:], max(1, (data[:1] or b"\1")[0]))


async def _feed(data: bytes, size: int) -> None:
    ours, _ = memory_stream_pair()
    transcript = CheckTranscript()
    wire = ProbeConnection(ours, 1, transcript, trio.current_time())
    for method in ASKED:
        await wire.send_request(method)
    for start in range(0, len(data), size):
        wire.receive(data[start : start + size])
    wire.mark_ended("the pool closed the connection")
    assert len(wire.lines) == min(data.count(b"\n"), len(wire.lines))
    for line in wire.lines:
        assert (line.value is None) == bool(line.problem)
    for job in wire.jobs:
        wire.is_stale(job)
        job.header(bytes(job.extranonce2_size), job.ntime, 0, job.version)
    for line in wire.lines:
        for value in (line.value or {}).values():
            assert is_number(value) or not is_positive(value)
