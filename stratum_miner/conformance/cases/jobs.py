"""The checks JOB-01 to JOB-20: the content of mining.notify, and when a pool sends it."""

import re
import time
from typing import Any

import trio

from stratum_miner.bitcoin.coinbase import (
    COIN,
    block_subsidy,
    witness_commitment_script,
)
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.bitcoin.target import difficulty_from_target, target_from_bits
from stratum_miner.conformance.blocks import extend
from stratum_miner.conformance.case import CHAIN, INFO, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.coinbase import Coinbase, CoinbaseError, body_of
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.messages import Notified
from stratum_miner.conformance.outcome import CheckOutcome, Skip, failed, observed, passed, skipped
from stratum_miner.conformance.probe import FIRST_JOB_PATIENCE, RENEWAL, Probe
from stratum_miner.work.job import Job

check = Topic("jobs")

WATCH = 35.0
"""Seconds to wait for a second job. Most pools send one within this time."""
NEW_BLOCK_SECONDS = 2.0
"""Seconds within which a pool must announce a new block with a job."""
NEW_BLOCK_PATIENCE = 30.0
"""Seconds that a check waits for the announcement of a new block. This is longer than ``NEW_BLOCK_SECONDS``, so that
the report can say how late the announcement came."""
_HEX = {
    "64": re.compile("[0-9a-fA-F]{64}"),
    "8": re.compile("[0-9a-fA-F]{8}"),
    "even": re.compile("(?:[0-9a-fA-F]{2})*"),
}


async def _notified(probe: Probe) -> tuple[ProbeConnection, Notified]:
    """Open a session, and return it with the first mining.notify that it receives, even if that is invalid. Raises Skip
    if the pool sends no mining.notify."""
    connection = await probe.session(job=False)
    if not await connection.wait_until(lambda: connection.notifies, FIRST_JOB_PATIENCE):
        raise Skip(f"no job within {FIRST_JOB_PATIENCE:g} s{': ' * connection.closed}{connection.ending}")
    return connection, connection.notifies[0]


async def _job(probe: Probe) -> tuple[ProbeConnection, Job]:
    connection, notified = await _notified(probe)
    if notified.job is None:
        raise Skip(f"no job can be made of mining.notify: {notified.problem}")
    return connection, notified.job


async def _watched(probe: Probe, seconds: float = WATCH) -> list[Job]:
    """Open a session, wait at most ``seconds`` for a second job, and return the jobs received so far."""
    connection, _ = await _job(probe)
    await connection.wait_until(lambda: len(connection.jobs) > 1, seconds)
    return connection.jobs


def _coinbase(job: Job) -> Coinbase:
    return Coinbase.parse(body_of(job).coinbase(bytes(job.extranonce2_size)))


@check(
    "JOB-01",
    "The pool must send the nine parameters of mining.notify, each in its form.",
    hurts="No miner can use the job.",
    level=MUST,
    seconds=120,
    expected="a job id, 64 hex digits, two hex strings, an array of strings of 64 hex digits, three times 8 hex "
    "digits, and a boolean",
)
async def parameters(probe: Probe) -> CheckOutcome:
    _, notified = await _notified(probe)
    wrong = _malformed(notified.params)
    if wrong:
        return failed(f"the pool sent mining.notify with {wrong}")
    return passed(f"the pool sent mining.notify with {len(notified.params)} parameters, each in its form")


def _malformed(params: list[Any]) -> str:
    if len(params) < 9:
        return f"{len(params)} parameters, expected nine"
    job_id, previous, coinb1, coinb2, branch, version, nbits, ntime, clean, *_ = params
    if not isinstance(job_id, str):
        return f"the job id {job_id!r}, expected a string"
    if not isinstance(branch, list):
        return f"the merkle branch {str(branch)[:80]!r}, expected an array"
    forms = [("prevhash", previous, "64"), ("coinb1", coinb1, "even"), ("coinb2", coinb2, "even")]
    forms += [("merkle branch", item, "64") for item in branch]
    forms += [("version", version, "8"), ("nbits", nbits, "8"), ("ntime", ntime, "8")]
    for name, value, form in forms:
        if not isinstance(value, str) or not _HEX[form].fullmatch(value):
            digits = "an even number of" if form == "even" else form
            return f"the {name} {str(value)[:80]!r}, expected {digits} hex digits"
    return "" if isinstance(clean, bool) else f"the clean_jobs {clean!r}, expected a boolean"


@check(
    "JOB-02",
    "The pool must send a coinb1 and a coinb2 that form one coinbase transaction with both extranonces between them.",
    hurts="All miners: their shares and blocks are worthless, because the coinbase is no transaction.",
    level=MUST,
    seconds=120,
    expected="a transaction without witness, with one null input and no trailing bytes",
)
async def coinbase_parses(probe: Probe) -> CheckOutcome:
    connection, notified = await _notified(probe)
    if notified.job is None:
        return (failed if connection.extranonce1 else skipped)(
            f"no job can be made of mining.notify: {notified.problem}"
        )
    try:
        coinbase = _coinbase(notified.job)
    except CoinbaseError as error:
        return failed(f"the coinbase {error}")
    return passed(f"the coinbase has {coinbase.size} bytes and {len(coinbase.outputs)} outputs")


@check(
    "JOB-03",
    "The pool must place both extranonces inside the coinbase script, and keep the script within 2 to 100 bytes.",
    hurts="All miners: every block that they find is rejected by the network.",
    level=MUST,
    seconds=120,
    expected="a script of 2 to 100 bytes that contains both extranonces",
)
async def extranonce_in_script(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    try:
        coinbase = _coinbase(job)
    except CoinbaseError as error:
        return skipped(f"the coinbase {error}")
    body = body_of(job)
    start = len(body.prefix)
    end = start + len(body.extranonce1) + body.extranonce2_size
    if not coinbase.script_start <= start <= end <= coinbase.script_start + len(coinbase.script):
        return failed("the extranonces of the pool's coinbase do not lie inside its script")
    size = len(coinbase.script)
    return (passed if 2 <= size <= 100 else failed)(f"the pool's coinbase has a script of {size} bytes")


@check(
    "JOB-04",
    "The pool must begin the coinbase script with a minimal push of the block height (BIP 34).",
    hurts="All miners: every block that they find is rejected by the network (BIP 34).",
    level=MUST,
    seconds=120,
    expected="a minimal push; the same height in all jobs on one block; with --node, the height of its tip plus one",
)
async def height(probe: Probe) -> CheckOutcome:
    jobs = await _watched(probe)
    heights = [job.height for job in jobs]
    if None in heights:
        script = body_of(jobs[heights.index(None)]).prefix[42:].hex()
        return failed(f"the pool's coinbase script does not begin with a minimal push of a height: {script}")
    if len({(job.previous_hash, at) for job, at in zip(jobs, heights, strict=True)}) > len(
        {job.previous_hash for job in jobs}
    ):
        return failed(f"the pool sent jobs on one block with different heights: {heights}")
    if probe.pool.chain is not None:
        tip = await probe.pool.chain.tip()
        if tip.hash == jobs[-1].previous_hash and heights[-1] != tip.height + 1:
            return failed(f"the node's tip has height {tip.height}, and the pool's job has height {heights[-1]}")
    return passed(f"the pool pushed height {heights[-1]} in each of {len(jobs)} job(s)")


@check(
    "JOB-05",
    "The pool should send a well-formed witness commitment, and a coinbase that is not 64 bytes long.",
    hurts="All miners: a block with transactions that have witnesses is rejected by the network.",
    level=SHOULD,
    seconds=120,
    expected="a last commitment output of at least 38 bytes, which commits to the transactions of "
    "mining.get_transactions if the pool lists them",
)
async def commitment(probe: Probe) -> CheckOutcome:
    connection, job = await _job(probe)
    try:
        coinbase = _coinbase(job)
    except CoinbaseError as error:
        return skipped(f"the coinbase {error}")
    if coinbase.size == 64:
        return failed("the coinbase is 64 bytes long and can be taken for an inner node of the merkle tree (BIP 54)")
    scripts = coinbase.commitments
    if scripts and len(scripts[-1]) < 38:
        return failed(f"the witness commitment has {len(scripts[-1])} bytes, expected at least 38")
    transactions = await _transactions(connection, job)
    if transactions is None:
        return passed(f"the coinbase has {len(scripts)} witness commitment(s); the pool does not list its transactions")
    wanted = witness_commitment_script([sha256d(each) for each in transactions])
    has_witness = any(each[4:6] == b"\x00\x01" for each in transactions)
    if not scripts:
        if has_witness:
            return failed("the job has transactions with witnesses, and its coinbase has no witness commitment")
        return passed("the job has no transaction with a witness, so its coinbase needs no witness commitment")
    if scripts[-1][:38] != wanted:
        return failed(
            f"the last witness commitment is {scripts[-1].hex()}, expected {wanted.hex()} for the listed transactions"
        )
    return passed(f"the witness commitment commits to the {len(transactions)} transactions that the pool lists")


async def _transactions(connection: ProbeConnection, job: Job) -> list[bytes] | None:
    answer = await connection.reply_or_none(await connection.send_request("mining.get_transactions", job.job_id), 3.0)
    if answer is None or not isinstance(answer.result, list) or answer.error.code is not None:
        return None
    try:
        transactions = [bytes.fromhex(each) for each in answer.result]
    except (TypeError, ValueError):
        return None
    return transactions if transactions or not body_of(job).branch else None


@check(
    "JOB-06",
    "The check records what the coinbase pays.",
    hurts="A miner can see whom its block would pay.",
    level=INFO,
    seconds=120,
    expected="recorded: the sum, the subsidy at this height, and the output scripts",
)
async def payout(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    try:
        coinbase = _coinbase(job)
    except CoinbaseError as error:
        return observed(f"the coinbase {error}")
    at = job.height
    regtest = job.nbits == 0x207FFFFF
    interval = 150 if regtest else 210_000
    subsidy = "" if at is None else f" at a subsidy of {block_subsidy(at, interval) / COIN:.8f} BTC"
    total = sum(output.value for output in coinbase.outputs) / COIN
    scripts = ", ".join(output.script.hex() for output in coinbase.outputs[:8])
    return observed(f"the coinbase pays {total:.8f} BTC{subsidy} to the scripts {scripts}")


@check(
    "JOB-07",
    "The pool must send a valid merkle branch.",
    hurts="All miners: every block that they find is rejected by the network.",
    level=MUST,
    seconds=120,
    expected="at most 20 hashes of 32 bytes; if the pool lists its transactions, as many hashes as they need",
)
async def branch(probe: Probe) -> CheckOutcome:
    connection, notified = await _notified(probe)
    items = notified.params[4] if len(notified.params) > 4 else None
    if not isinstance(items, list) or any(
        not isinstance(each, str) or not _HEX["64"].fullmatch(each) for each in items
    ):
        return failed(
            f"the pool sent the merkle branch {str(items)[:100]}, expected an array of strings of 64 hex digits"
        )
    if len(items) > 20:
        return failed(f"the pool sent a merkle branch of {len(items)} hashes, for more than a million transactions")
    transactions = None if notified.job is None else await _transactions(connection, notified.job)
    if transactions and len(transactions).bit_length() != len(items):
        return failed(f"the pool sent a merkle branch of {len(items)} hashes for {len(transactions)} transactions")
    return passed(f"the pool sent a merkle branch of {len(items)} hashes")


@check(
    "JOB-08",
    "The pool should send a version in which the bits that miners may change are 0.",
    hurts="Miners combine such a version and their bits in different ways, and all shares of some of them are "
    "rejected.",
    level=SHOULD,
    seconds=120,
    expected="version AND mask is 0, and the top three bits are 001; otherwise miners combine version and bits "
    "differently",
)
async def version(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    if job.version >> 29 != 1:
        return failed(f"the pool sent version {job.version:08x}, in which the top three bits are not 001")
    if job.version & job.version_mask:
        return failed(
            f"the pool sent version {job.version:08x}, which has bits of the granted mask {job.version_mask:08x}"
        )
    return passed(f"the pool sent version {job.version:08x} and granted the mask {job.version_mask:08x}")


@check(
    "JOB-09",
    "The pool must send an nbits that encodes a valid target.",
    hurts="No miner can recognize a block.",
    level=MUST,
    seconds=120,
    expected="a target above 0 and below 2^256",
)
async def nbits(probe: Probe) -> CheckOutcome:
    _, notified = await _notified(probe)
    value = notified.params[6] if len(notified.params) > 6 else None
    try:
        target = target_from_bits(int(str(value), 16))
    except (TypeError, ValueError) as error:
        return failed(f"the pool sent nbits {value!r}: {error}")
    return passed(f"the pool sent nbits {value}, which is difficulty {difficulty_from_target(target):g}")


@check(
    "JOB-10",
    "The pool should send an ntime near the current time.",
    hurts="Miners with a block whose time is too far from that of the network lose the block.",
    level=SHOULD,
    seconds=120,
    expected="an ntime within 600 s of the clock of this computer",
)
async def ntime(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    ahead = job.ntime - time.time()
    return (passed if abs(ahead) <= 600 else failed)(
        f"the pool's ntime differs by {ahead:+.0f} s from the clock of this computer"
    )


@check(
    "JOB-11",
    "The pool should not use a job id for two different jobs of a session.",
    hurts="A miner sends shares of one job under the id of the other, and they are rejected.",
    level=SHOULD,
    seconds=120,
    expected="the same content in all jobs of a session with the same id",
)
async def job_ids(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    await connection.wait_until(lambda: len(connection.notifies) > 2, 2 * WATCH)
    first: dict[str, tuple[Any, bytes | None]] = {}
    for each in connection.notifies:
        content = (each.params[1:7], None if each.job is None else body_of(each.job).extranonce1)
        if first.setdefault(str(each.params[0]), content) != content:
            return failed(f"the pool sent the job id {each.params[0]!r} with two different jobs")
    return passed(f"the pool sent {len(connection.notifies)} jobs with {len(first)} different ids")


@check(
    "JOB-12",
    "The pool should send a new job at least every 60 s, also without a new block.",
    hurts="Owners of Antminers: their firmware disconnects when no job comes for longer than a minute.",
    level=SHOULD,
    seconds=240,
    expected=f"another mining.notify on the same block ({RENEWAL:g} s are allowed); Antminer firmware disconnects from "
    "a pool that is silent for longer",
)
async def renewal(probe: Probe) -> CheckOutcome:
    connection, _ = await _notified(probe)
    until = trio.current_time() + 2.5 * RENEWAL
    while trio.current_time() < until:
        known = len(connection.notifies)
        last = connection.notifies[-1]
        if not await connection.wait_until(lambda: len(connection.notifies) > known, RENEWAL):  # noqa: B023  awaited in this turn
            return failed(connection.ending or f"the pool sent no further mining.notify within {RENEWAL:g} s")
        if connection.notifies[known].previous == last.previous:
            waited = connection.notifies[known].line.seconds - last.line.seconds
            return passed(f"the pool sent another mining.notify on the same block after {waited:.1f} s")
    return skipped("every further mining.notify was for a new block")


@check(
    "JOB-13",
    "The pool must announce a new block at once.",
    hurts="All miners go on with the old block until the job comes or if clean_jobs is false, and these shares are "
    "rejected.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=90,
    expected=f"mining.notify with the new prevhash and clean_jobs true within {NEW_BLOCK_SECONDS:g} s after the node "
    "has the block; a later one is recorded",
)
async def new_block(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    tip = await extend(probe, connection)
    known = trio.current_time()
    arrived = await _announced(connection, tip)
    if arrived is None:
        return observed(f"inconclusive: the pool did not announce the new block within {NEW_BLOCK_PATIENCE:g} s")
    waited = max(0.0, trio.current_time() - known)
    if not arrived.clean:
        return failed("the pool announced the new block with clean_jobs false")
    return (passed if waited <= NEW_BLOCK_SECONDS else observed)(
        f"the pool announced the new block after {waited:.2f} s, with clean_jobs true"
    )


async def _announced(connection: ProbeConnection, previous: bytes) -> Notified | None:
    """Return the first mining.notify for a job on top of the block ``previous``. Return None if none arrives within
    ``NEW_BLOCK_PATIENCE``."""

    def found() -> Notified | None:
        return next((each for each in connection.notifies if each.job and each.job.previous_hash == previous), None)

    await connection.wait_until(found, NEW_BLOCK_PATIENCE)
    return found()


@check(
    "JOB-14",
    "The check records whether the first job on a new block is empty.",
    hurts="The pool loses the fees of the first moments if its first job is empty, and time if it is not.",
    level=INFO,
    kinds=(WORK, CHAIN),
    seconds=90,
    expected="recorded: the length of the merkle branch of each job after a new block",
)
async def empty_first(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    tip = await extend(probe, connection)
    if await _announced(connection, tip) is None:
        return observed(f"the pool did not announce the new block within {NEW_BLOCK_PATIENCE:g} s")
    await connection.listen(3.0)
    jobs = [each for each in connection.notifies if each.job and each.job.previous_hash == tip]
    sizes = [
        f"a job with {len(body_of(each.job).branch)} hashes and clean_jobs {str(each.clean).lower()}"
        for each in jobs
        if each.job
    ]
    return observed(f"after the new block, the pool sent {', '.join(sizes)}")


@check(
    "JOB-15",
    "The pool must announce a reorganisation of the block chain like a new block.",
    hurts="All miners go on with a block that is no longer part of the chain, and their blocks are worthless.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="mining.notify on the last block of a longer branch that replaces the tip, with clean_jobs true",
)
async def reorganisation(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    root = await probe.chain.tip()
    first = await extend(probe, connection)
    if await _announced(connection, first) is None:
        return skipped("the pool did not announce the block before the reorganisation")
    sibling = await extend(probe, connection, on=root)
    longer = await extend(probe, connection, on=type(root)(root.height + 1, sibling))
    tip = await probe.chain.tip()
    if tip.hash != longer:
        return skipped(f"the node did not switch to the longer branch; its tip is {tip}")
    arrived = await _announced(connection, longer)
    if arrived is None:
        return observed(f"inconclusive: the pool did not announce the new tip within {NEW_BLOCK_PATIENCE:g} s")
    return (passed if arrived.clean else failed)(
        f"the pool announced the new tip {display_hash(longer)} with clean_jobs {str(arrived.clean).lower()}"
    )


@check(
    "JOB-17",
    "The pool should send a job after each new difficulty, because a difficulty counts from the next job on.",
    hurts="A miner works at its old difficulty until the next job, with too many or too few shares.",
    level=SHOULD,
    seconds=180,
    expected=f"a mining.notify within {RENEWAL:g} s after every mining.set_difficulty, also after a suggested one",
)
async def difficulty_between_jobs(probe: Probe) -> CheckOutcome:
    connection, job = await _job(probe)
    await connection.listen(1.1)
    await connection.send_request("mining.suggest_difficulty", job.share_difficulty * 2)
    await connection.wait_until(lambda: len(connection.difficulties) > 1, 5.0)
    last, _ = connection.difficulties[-1] if connection.difficulties else (connection.lines[0], None)
    followed = await connection.wait_until(lambda: _after(connection, connection.notifies[-1].line, last), RENEWAL)
    if followed:
        return passed(f"the pool set {len(connection.difficulties)} difficulties and sent a job after the last of them")
    return failed(
        connection.ending
        or f"the pool sent no job within {RENEWAL:g} s after mining.set_difficulty {connection.difficulties[-1][1]}"
    )


def _after(connection: ProbeConnection, first: Any, second: Any) -> bool:
    """Return whether the line ``first`` was received after the line ``second``."""
    positions = {id(line): index for index, line in enumerate(connection.lines)}
    return positions[id(first)] > positions[id(second)]


@check(
    "JOB-18",
    "The check records whether the pool sends the same job again.",
    hurts="A miner that takes the second job for a new one may repeat its work.",
    level=INFO,
    seconds=120,
    expected="recorded: the ids of the first jobs, and whether one of them came twice",
)
async def sent_again(probe: Probe) -> CheckOutcome:
    jobs = await _watched(probe, RENEWAL)
    ids = [job.job_id for job in jobs]
    return observed(
        f"the pool sent the job ids {', '.join(ids[:5])}: "
        f"{'one id twice' if len(set(ids)) < len(ids) else 'all different'}"
    )


@check(
    "JOB-19",
    "The check records how large the jobs are.",
    hurts="Owners of old S19 firmware, which cannot use a large coinbase.",
    level=INFO,
    seconds=120,
    expected="recorded: the sizes of line and coinbase; old S19 firmware accepts coinbases of up to 755 bytes",
)
async def sizes(probe: Probe) -> CheckOutcome:
    _, notified = await _notified(probe)
    coinbase = ""
    if notified.job is not None:
        size = len(body_of(notified.job).coinbase(bytes(notified.job.extranonce2_size)))
        coinbase = f", with a coinbase of {size} bytes"
    return observed(f"the pool sent a mining.notify of {len(notified.line.data)} bytes{coinbase}")


@check(
    "JOB-20",
    "The check records whether the coinbase is ready for BIP 54.",
    hurts="If BIP 54 becomes a rule of the network, the blocks of a pool that is not ready are rejected.",
    level=INFO,
    seconds=120,
    expected="recorded: whether the lock time is the height of the block minus 1, and the sequence number is not "
    "ffffffff; if BIP 54 becomes a rule of the network, nodes will reject blocks with another coinbase",
)
async def ready_for_bip_54(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    try:
        coinbase = _coinbase(job)
    except CoinbaseError as error:
        return observed(f"the coinbase {error}")
    if job.height is None:
        return observed("the coinbase contains no height, so its lock time cannot be judged")
    is_ready = coinbase.lock_time == job.height - 1 and coinbase.sequence != 0xFFFFFFFF and coinbase.size != 64
    return observed(
        f"the coinbase is {'' if is_ready else 'not '}ready: at height {job.height}, it has the lock time "
        f"{coinbase.lock_time}, the sequence number {coinbase.sequence:08x} and {coinbase.size} bytes"
    )
