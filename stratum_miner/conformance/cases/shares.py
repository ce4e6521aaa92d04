"""SH: shares and blocks that have to be taken."""

import trio

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.conformance.blocks import HARMLESS_ANSWERS, extend, make_block
from stratum_miner.conformance.case import CHAIN, INFO, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.coinbase import body_of
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.outcome import CheckOutcome, failed, observed, passed, skipped
from stratum_miner.conformance.pool_under_test import ChainTip
from stratum_miner.conformance.probe import RENEWAL, FoundShare, Probe
from stratum_miner.conformance.steps import expect_accepted, granted_mask, percentile_95, replied_once
from stratum_miner.work.job import Job

check = Topic("shares")

PIPELINED = 50
MEASURED = 20
"""Shares whose replies are timed."""
LATENCY = 0.5
BLOCK_PATIENCE = 30.0
STALE_SECONDS = 0.1


@check("SH-01", "A valid share is accepted.", level=MUST, kinds=(WORK,), seconds=120, expected="true")
async def valid_share(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found, answer = await probe.find_and_submit(connection)
    return expect_accepted(answer, f"a share of job {found.job.job_id!r}, difficulty {found.job.share_difficulty:g}")


@check(
    "SH-02",
    "The share target is exact: a hash just below it is a share.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true for a hash in the highest sixteenth below the target",
)
async def boundary(probe: Probe) -> CheckOutcome:
    connection = await probe.session()

    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, above=job.share_target - job.share_target // 16)

    found, answer = await probe.find_and_submit(connection, make)
    return expect_accepted(answer, f"a hash of {found.value / found.job.share_target:.4f} of the target")


@check(
    "SH-03",
    "A share of an older job on the same block is accepted.",
    level=MUST,
    kinds=(WORK,),
    seconds=4 * RENEWAL,
    expected="true",
)
async def older_job(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    until = trio.current_time() + 2.5 * RENEWAL
    while trio.current_time() < until:
        older = connection.job
        known = len(connection.jobs)
        if not await connection.wait_until(lambda: len(connection.jobs) > known, RENEWAL):  # noqa: B023  awaited at once
            return skipped(f"no second job in {RENEWAL:g} s")
        if connection.is_stale(older):
            continue
        answer = await probe.submit(connection, (await probe.find(connection, older)).params)
        if not await probe.made_stale(connection, older, answer):
            return expect_accepted(answer, f"job {older.job_id!r} after {connection.job.job_id!r}")
    return skipped("every job was declared void by the next")


@check(
    "SH-04",
    "Every extranonce2 may be used.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true for all zeros, all ones and random bytes",
)
async def any_extranonce2(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for name, byte in (("zeros", 0), ("ones", 255), ("random", None)):

        async def make(job: Job, byte: int | None = byte) -> FoundShare:
            fixed = None if byte is None else bytes([byte]) * job.extranonce2_size
            return await probe.find(connection, job, extranonce2=fixed)

        _, answer = await probe.find_and_submit(connection, make)
        if not answer.accepted:
            return failed(f"{name}: {answer}")
    return passed("zeros, ones and random bytes")


@check(
    "SH-05",
    "ntime may run with the clock.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="true for the job's ntime + 1 and + 30",
)
async def later_ntime(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for ahead in (1, 30):

        async def make(job: Job, ahead: int = ahead) -> FoundShare:
            return await probe.find(connection, job, ntime=job.ntime + ahead)

        _, answer = await probe.find_and_submit(connection, make)
        if not answer.accepted:
            return failed(f"+{ahead} s: {answer}")
    return passed("+1 s and +30 s")


@check(
    "SH-06",
    "Granted version bits may be rolled (BIP 310).",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true for one bit, all bits and none of the mask",
)
async def version_bits(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    mask = granted_mask(connection)
    for bits in (mask & -mask, mask, 0):

        async def make(job: Job, bits: int = bits) -> FoundShare:
            return await probe.find(connection, job, bits=bits)

        _, answer = await probe.find_and_submit(connection, make)
        if not answer.accepted:
            return failed(f"bits {bits:08x}: {answer}")
    return passed(f"one bit, all and none of {mask:08x}")


@check(
    "SH-07",
    "Other spellings of version bits.",
    level=INFO,
    kinds=(WORK,),
    seconds=120,
    expected="recorded: true or 20 for upper case, no leading zeros, 0x",
)
async def version_bits_spelled(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    bits = granted_mask(connection) & 0x0FFFFFFF
    spellings = {"upper case": f"{bits:08X}", "no leading zeros": f"{bits:x}", "0x": f"0x{bits:08x}"}
    replies = []
    for name, text in spellings.items():
        found = await probe.find(connection, bits=bits)
        replies.append(f"{name}: {await probe.submit(connection, found.with_param(5, text))}")
    return observed("; ".join(replies))


@check(
    "SH-08",
    "After mining.set_extranonce, jobs that follow are judged by it.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="where the pool sends one: true for a share of the next job with the new extranonce1",
)
async def set_extranonce(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    first = body_of(connection.job).extranonce1
    await connection.reply_or_none(await connection.send_request("mining.extranonce.subscribe"), 2.0)
    if not await connection.wait_until(lambda: connection.extranonce1 != first, RENEWAL):
        return skipped(f"the pool sent none in {RENEWAL:g} s")
    if not await connection.wait_until(lambda: body_of(connection.job).extranonce1 != first, RENEWAL):
        return skipped("no job followed it")
    _, answer = await probe.find_and_submit(connection)
    return expect_accepted(answer, "new job, new extranonce1")


@check(
    "SH-09",
    "Every share is answered, once, however fast they come.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected=f"{PIPELINED} shares in one piece: {PIPELINED} replies, each id once",
)
async def pipelined(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    shares = await _many(probe, connection, PIPELINED)
    requests = [connection.compose("mining.submit", *found.params) for found in shares]
    await connection.send(b"".join(line for _, line in requests))
    ids = [request for request, _ in requests]
    for request in ids:
        await connection.wait_for_reply(request, 30.0)
    await connection.wait_until(lambda: False, 0.5)  # a second reply would follow at once
    return replied_once(connection, ids)


async def _many(probe: Probe, connection: ProbeConnection, count: int) -> list[FoundShare]:
    probe.search.afford(count * 2.0**256 / connection.job.share_target, f"{count} shares")
    return [await probe.find(connection) for _ in range(count)]


@check(
    "SH-10",
    "A block reaches the node.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    disturbs=True,
    expected="the share is accepted and the next job builds on it, or with --node: the node has it",
)
async def block(probe: Probe) -> CheckOutcome:
    connection = await probe.session()

    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, at_most=min(job.network_target, job.share_target), above=-1)

    found, answer = await probe.find_and_submit(connection, make)
    if not answer.accepted:
        return failed(f"the share was refused: {answer}")
    hash_shown = display_hash(found.digest)
    if await connection.wait_until(
        lambda: any(job.previous_hash == found.digest for job in connection.jobs), BLOCK_PATIENCE
    ):
        return passed(f"the next job builds on {hash_shown}")
    if probe.pool.chain is None:
        if connection.job.previous_hash != found.job.previous_hash:
            return skipped("another block came first")
        return observed(f"inconclusive: accepted, and no job built on it in {BLOCK_PATIENCE:g} s")
    tip = await probe.pool.chain.tip()
    if tip.hash == found.digest:
        return passed(f"the node has it: {tip}")
    height = found.job.height
    if height is not None and await _node_knows(probe, connection, ChainTip(height, found.digest)):
        return skipped("the node has it, but another block came first")
    return failed(f"{hash_shown} was accepted, the node does not have it: {tip}")


@check(
    "SH-11",
    "A block found on a job that just became stale is given to the node all the same.",
    level=SHOULD,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="the node knows it: a block on top of it is taken",
)
async def stale_block(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    job = connection.job
    tip = await probe.chain.tip()
    if tip.hash != job.previous_hash:
        return skipped("the job does not build on the node's tip")
    found = await probe.find(connection, job, at_most=min(job.network_target, job.share_target), above=-1)
    await extend(probe, connection)
    if not await connection.wait_until(lambda: connection.is_stale(job), BLOCK_PATIENCE):
        return skipped("the new block was not announced")
    await trio.sleep(STALE_SECONDS)
    answer = await probe.submit(connection, found.params)
    known = await _node_knows(probe, connection, ChainTip(tip.height + 1, found.digest))
    return (passed if known else failed)(
        f"the share was answered {answer}; the node {'has' if known else 'does not have'} {display_hash(found.digest)}"
    )


async def _node_knows(probe: Probe, connection: ProbeConnection, tip: ChainTip) -> bool:
    """Whether the node has a block that need not be on its best chain: it takes another on top of it."""
    for pause in (0.1, 0.5, 1.0, 2.0):  # the pool may still be handing it over
        await trio.sleep(pause)
        block, _ = await make_block(probe, connection, tip)  # another each time: a node remembers what it refused
        if await probe.chain.submit(block) in HARMLESS_ANSWERS:
            return True
    return False


@check(
    "SH-12",
    "A block is a block, also when its hash misses the share target.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="where the network target is the wider one: the node has the block, whatever the reply",
)
async def block_below_share_difficulty(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    if connection.job.network_target <= connection.job.share_target:
        return skipped("the share target is as wide as the network target")

    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, at_most=job.network_target, above=job.share_target)

    found, answer = await probe.find_and_submit(connection, make)
    await connection.wait_until(lambda: any(job.previous_hash == found.digest for job in connection.jobs), 5.0)
    height = found.job.height
    if height is None:
        return skipped("the coinbase does not tell the height")
    known = await _node_knows(probe, connection, ChainTip(height, found.digest))
    return (passed if known else failed)(f"answered {answer}; the node {'has' if known else 'does not have'} the block")


@check(
    "SH-13",
    "Shares are answered quickly.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected=f"of {MEASURED} replies 95 % within {LATENCY * 1000:g} ms and a round trip",
)
async def latency(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    probe.search.afford(MEASURED * 2.0**256 / connection.job.share_target, f"{MEASURED} shares")
    waited = [(await probe.find_and_submit(connection))[1].waited for _ in range(MEASURED)]
    slow = percentile_95(waited)
    return (passed if slow < LATENCY + connection.dial_seconds else failed)(f"95 % within {slow * 1000:.1f} ms")
