"""The checks SH-01 to SH-13: valid shares and blocks, which a pool must accept."""

import trio

from stratum_miner.bitcoin.header import display_hash
from stratum_miner.conformance.blocks import HARMLESS_ANSWERS, extend, make_block
from stratum_miner.conformance.case import CHAIN, INFO, INTRUSIVE, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.coinbase import body_of
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.outcome import CheckOutcome, failed, observed, passed, skipped
from stratum_miner.conformance.pool_under_test import ChainTip
from stratum_miner.conformance.probe import RENEWAL, FoundShare, Probe
from stratum_miner.conformance.steps import (
    expect_accepted,
    granted_mask,
    is_quick,
    measured_lag,
    percentile_95,
    replied_once,
)
from stratum_miner.work.job import Job

check = Topic("shares")

PIPELINED = 50
"""Number of shares that are sent without waiting for replies."""
MEASURED = 20
"""Number of shares for which the check SH-13 measures how quickly the pool answers."""
LATENCY = 0.5
"""Seconds within which the pool should answer a share, without the time of the network round trip."""
BLOCK_PATIENCE = 30.0
"""Seconds to wait for the first job on top of a new block."""
STALE_SECONDS = 0.1
"""Seconds that a check waits after the pool has announced a new block. It then submits a share of an earlier job: the
new block has made this job stale."""


@check(
    "SH-01",
    "The pool must accept a valid share.",
    hurts="A miner is not paid for its work.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true",
)
async def valid_share(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    found, answer = await probe.find_and_submit(connection)
    return expect_accepted(
        answer, f"a valid share of job {found.job.job_id!r} at difficulty {found.job.share_difficulty:g}"
    )


@check(
    "SH-02",
    "The pool must accept a share with a hash just below the share target.",
    hurts="A miner is not paid for a part of its work.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true for a hash within the highest sixteenth below the share target",
)
async def boundary(probe: Probe) -> CheckOutcome:
    connection = await probe.session()

    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, above=job.share_target - job.share_target // 16)

    found, answer = await probe.find_and_submit(connection, make)
    return expect_accepted(
        answer, f"a share with a hash of {found.value / found.job.share_target:.4f} times the share target"
    )


@check(
    "SH-03",
    "The pool must accept a share of an older job on the same block.",
    hurts="A miner loses the shares that are on their way when a new job comes.",
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
        if not await connection.wait_until(lambda: len(connection.jobs) > known, RENEWAL):  # noqa: B023  awaited in this turn
            return skipped(f"the pool sent no second job within {RENEWAL:g} s")
        if connection.is_stale(older):
            continue
        answer = await probe.submit(connection, (await probe.find(connection, older)).params)
        if not await probe.made_stale(connection, older, answer):
            return expect_accepted(answer, f"a share of job {older.job_id!r}, sent after job {connection.job.job_id!r}")
    return skipped("every further job was on a new block or had clean_jobs true")


@check(
    "SH-04",
    "The pool must accept any value of the extranonce2.",
    hurts="A miner that counts its extranonce2 through all values loses shares.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true for shares with an extranonce2 of zero bytes, of ff bytes and of random bytes",
)
async def any_extranonce2(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for name, byte in (("zero", 0), ("ff", 255), ("random", None)):

        async def make(job: Job, byte: int | None = byte) -> FoundShare:
            fixed = None if byte is None else bytes([byte]) * job.extranonce2_size
            return await probe.find(connection, job, extranonce2=fixed)

        _, answer = await probe.find_and_submit(connection, make)
        if not answer.accepted:
            return failed(f"after a share with an extranonce2 of {name} bytes, the pool answered {answer}")
    return passed("the pool accepted shares with an extranonce2 of zero bytes, of ff bytes and of random bytes")


@check(
    "SH-05",
    "The pool should accept an ntime a little later than that of the job.",
    hurts="A miner that advances the time within a job, as many ASICs do, loses shares.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="true for shares with the job's ntime + 1 s and + 30 s",
)
async def later_ntime(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    for ahead in (1, 30):

        async def make(job: Job, ahead: int = ahead) -> FoundShare:
            return await probe.find(connection, job, ntime=job.ntime + ahead)

        _, answer = await probe.find_and_submit(connection, make)
        if not answer.accepted:
            return failed(f"after a share with the job's ntime + {ahead} s, the pool answered {answer}")
    return passed("the pool accepted shares with the job's ntime + 1 s and + 30 s")


@check(
    "SH-06",
    "The pool must accept shares with any of the version bits that it granted (BIP 310).",
    hurts="A miner with version rolling, such as nearly every ASIC, loses shares.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected="true for shares with one bit, all bits and no bit of the mask",
)
async def version_bits(probe: Probe) -> CheckOutcome:
    connection = await probe.session(ambiguous_version=True)
    mask = granted_mask(connection)
    for bits in (mask & -mask, mask, 0):

        async def make(job: Job, bits: int = bits) -> FoundShare:
            return await probe.find(connection, job, bits=bits)

        _, answer = await probe.find_and_submit(connection, make)
        if not answer.accepted:
            return failed(f"after a share with the version bits {bits:08x}, the pool answered {answer}")
    return passed(f"the pool accepted shares with one bit, all bits and no bit of the mask {mask:08x}")


@check(
    "SH-07",
    "The check records how the pool answers version bits in other notations.",
    hurts="A miner that writes its version bits in another way loses shares if the pool rejects them.",
    level=INFO,
    kinds=(INTRUSIVE, WORK),
    seconds=120,
    expected="recorded: true, or error 20, for upper case, no leading zeros, and 0x in front",
)
async def version_bits_spelled(probe: Probe) -> CheckOutcome:
    connection = await probe.session(ambiguous_version=True)
    bits = granted_mask(connection) & 0x0FFFFFFF
    spellings = {
        "in upper case": f"{bits:08X}",
        "without leading zeros": f"{bits:x}",
        "with 0x in front": f"0x{bits:08x}",
    }
    replies = []
    for name, text in spellings.items():
        found = await probe.find(connection, bits=bits)
        answer = await probe.submit(connection, found.with_param(5, text))
        replies.append(f"after a share with version bits {name}, the pool answered {answer}")
    return observed("; ".join(replies))


@check(
    "SH-08",
    "The pool must judge shares of the jobs after mining.set_extranonce by the new extranonce1.",
    hurts="A miner that changes its extranonce1 as the pool asks loses all further shares.",
    level=MUST,
    kinds=(WORK,),
    seconds=3 * RENEWAL,
    expected="if the pool sends mining.set_extranonce: true for a share of a later job with the new extranonce1",
)
async def set_extranonce(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    first = body_of(connection.job).extranonce1
    await connection.reply_or_none(await connection.send_request("mining.extranonce.subscribe"), 2.0)
    if not await connection.wait_until(lambda: connection.extranonce1 != first, RENEWAL):
        return skipped(f"the pool sent no mining.set_extranonce within {RENEWAL:g} s")
    if not await connection.wait_until(lambda: body_of(connection.job).extranonce1 != first, RENEWAL):
        return skipped("the pool sent no job after mining.set_extranonce")
    _, answer = await probe.find_and_submit(connection)
    return expect_accepted(answer, "a share of a job after mining.set_extranonce")


@check(
    "SH-09",
    "The pool must answer every share exactly once, however fast the shares come.",
    hurts="A fast miner does not learn what became of its shares, and sends them again or disconnects.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    expected=f"one reply to each of {PIPELINED} shares that are sent together",
)
async def pipelined(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    shares = await _many(probe, connection, PIPELINED)
    requests = [connection.compose("mining.submit", *found.params) for found in shares]
    await connection.send(b"".join(line for _, line in requests))
    ids = [request for request, _ in requests]
    for request in ids:
        await connection.wait_for_reply(request, 30.0)
    await connection.listen(0.5)  # a pool that answers twice would send the second reply within this time
    return replied_once(connection, ids)


async def _many(probe: Probe, connection: ProbeConnection, count: int) -> list[FoundShare]:
    probe.search.afford(count * 2.0**256 / connection.job.share_target, f"{count} shares")
    return [await probe.find(connection) for _ in range(count)]


@check(
    "SH-10",
    "The pool must submit a block to its node.",
    hurts="The finder and the pool lose the block.",
    level=MUST,
    kinds=(WORK,),
    seconds=120,
    disturbs=True,
    expected="true, and then a job on top of the block; with --node, it is enough that the node has the block",
)
async def block(probe: Probe) -> CheckOutcome:
    connection = await probe.session()

    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, at_most=min(job.network_target, job.share_target), above=-1)

    found, answer = await probe.find_and_submit(connection, make)
    if not answer.accepted:
        return failed(f"after the share that is a block, the pool answered {answer}")
    hash_shown = display_hash(found.digest)
    if await connection.wait_until(
        lambda: any(job.previous_hash == found.digest for job in connection.jobs), BLOCK_PATIENCE
    ):
        return passed(f"the pool accepted the block {hash_shown} and sent a job on top of it")
    if probe.pool.chain is None:
        if connection.job.previous_hash != found.job.previous_hash:
            return skipped(f"the pool accepted the block {hash_shown}, but another block came first")
        return observed(
            f"inconclusive: the pool accepted the block {hash_shown}, and sent no job on top of it within "
            f"{BLOCK_PATIENCE:g} s"
        )
    tip = await probe.pool.chain.tip()
    if tip.hash == found.digest:
        return passed(f"the pool accepted the block, and the node has it: {tip}")
    height = found.job.height
    if height is not None and await _node_knows(probe, connection, ChainTip(height, found.digest)):
        return skipped(f"the node has the block {hash_shown}, but another block came first")
    return failed(f"the pool accepted the block {hash_shown}, but the node does not have it; its tip is {tip}")


@check(
    "SH-11",
    "The pool should submit a block to its node also if its job has just become stale.",
    hurts="The finder and the pool lose a block that would have won if most of the network had seen it first.",
    level=SHOULD,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="the node has the block: it accepts another block on top of it",
)
async def stale_block(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    job = connection.job
    tip = await probe.chain.tip()
    if tip.hash != job.previous_hash:
        return skipped("the pool's job does not build on the node's tip")
    found = await probe.find(connection, job, at_most=min(job.network_target, job.share_target), above=-1)
    await extend(probe, connection)
    if not await connection.wait_until(lambda: connection.is_stale(job), BLOCK_PATIENCE):
        return skipped("the pool did not announce the new block")
    await trio.sleep(STALE_SECONDS)
    answer = await probe.submit(connection, found.params)
    known = await _node_knows(probe, connection, ChainTip(tip.height + 1, found.digest))
    return (passed if known else failed)(
        f"after the block on a stale job, the pool answered {answer}; the node {'has' if known else 'does not have'} "
        f"the block {display_hash(found.digest)}"
    )


async def _node_knows(probe: Probe, connection: ProbeConnection, tip: ChainTip) -> bool:
    """Return whether the node has the block ``tip``, even if this block is not on the best chain. To find out, the
    function submits another block on top of ``tip``. The node accepts such a block only if it has ``tip``."""
    for pause in (0.1, 0.5, 1.0, 2.0):  # try several times, because the pool may submit its block a little later
        await trio.sleep(pause)
        # Each attempt makes a different block, because a node remembers the blocks that it has rejected.
        block, _ = await make_block(probe, connection, tip)
        if await probe.chain.submit(block) in HARMLESS_ANSWERS:
            return True
    return False


@check(
    "SH-12",
    "The pool must submit a block to its node also if its hash does not meet the share target.",
    hurts="The finder and the pool lose the block.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="if the network target is easier than the share target: the node has the block, whatever the reply",
)
async def block_below_share_difficulty(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    if connection.job.network_target <= connection.job.share_target:
        return skipped("the network target is not easier than the share target")

    async def make(job: Job) -> FoundShare:
        return await probe.find(connection, job, at_most=job.network_target, above=job.share_target)

    found, answer = await probe.find_and_submit(connection, make)
    await connection.wait_until(lambda: any(job.previous_hash == found.digest for job in connection.jobs), 5.0)
    height = found.job.height
    if height is None:
        return skipped("the coinbase of the job contains no height")
    known = await _node_knows(probe, connection, ChainTip(height, found.digest))
    return (passed if known else failed)(
        f"after a block that does not meet the share target, the pool answered {answer}; the node "
        f"{'has' if known else 'does not have'} the block"
    )


@check(
    "SH-13",
    "The pool should answer shares quickly.",
    hurts="A miner takes a share for lost if the answer comes too late.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected=f"95 % of {MEASURED} replies within {LATENCY * 1000:g} ms plus a round trip",
)
async def latency(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    probe.search.afford(MEASURED * 2.0**256 / connection.job.share_target, f"{MEASURED} shares")
    async with measured_lag() as lag:
        waited = [(await probe.find_and_submit(connection))[1].waited for _ in range(MEASURED)]
    slow = percentile_95(waited)
    return is_quick(
        slow < LATENCY + connection.dial_seconds,
        lag,
        f"the pool answered 95 % of {MEASURED} shares within {slow * 1000:.1f} ms",
    )
