"""JOB: what mining.notify announces, and when."""

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
"""Seconds in which most pools announce a second job."""
NEW_BLOCK_SECONDS = 2.0
NEW_BLOCK_PATIENCE = 30.0
_HEX = {
    "64": re.compile("[0-9a-fA-F]{64}"),
    "8": re.compile("[0-9a-fA-F]{8}"),
    "even": re.compile("(?:[0-9a-fA-F]{2})*"),
}


async def _notified(probe: Probe) -> tuple[ProbeConnection, Notified]:
    """A session and its first notify, usable or not."""
    connection = await probe.session(job=False)
    if not await connection.wait_until(lambda: connection.notifies, FIRST_JOB_PATIENCE):
        raise Skip(f"no job in {FIRST_JOB_PATIENCE:g} s {connection.ending}".strip())
    return connection, connection.notifies[0]


async def _job(probe: Probe) -> tuple[ProbeConnection, Job]:
    connection, notified = await _notified(probe)
    if notified.job is None:
        raise Skip(f"the job cannot be used: {notified.problem}")
    return connection, notified.job


async def _watched(probe: Probe, seconds: float = WATCH) -> list[Job]:
    """The jobs of a session until there are two, or the time is over."""
    connection, _ = await _job(probe)
    await connection.wait_until(lambda: len(connection.jobs) > 1, seconds)
    return connection.jobs


def _coinbase(job: Job) -> Coinbase:
    return Coinbase.parse(body_of(job).coinbase(bytes(job.extranonce2_size)))


@check(
    "JOB-01",
    "mining.notify has its nine parameters in their forms.",
    level=MUST,
    seconds=120,
    expected="job id, 64 hex digits, two hex strings, an array of 64 hex digits, three times 8 hex digits, a boolean",
)
async def parameters(probe: Probe) -> CheckOutcome:
    _, notified = await _notified(probe)
    wrong = _malformed(notified.params)
    return failed(wrong) if wrong else passed(f"{len(notified.params)} parameters")


def _malformed(params: list[Any]) -> str:
    if len(params) < 9:
        return f"expected nine parameters, got {len(params)}"
    job_id, previous, coinb1, coinb2, branch, version, nbits, ntime, clean, *_ = params
    if not isinstance(job_id, str):
        return f"job id: expected a string, got {job_id!r}"
    if not isinstance(branch, list):
        return f"merkle branch: expected an array, got {str(branch)[:80]!r}"
    forms = [("prevhash", previous, "64"), ("coinb1", coinb1, "even"), ("coinb2", coinb2, "even")]
    forms += [("merkle branch", item, "64") for item in branch]
    forms += [("version", version, "8"), ("nbits", nbits, "8"), ("ntime", ntime, "8")]
    for name, value, form in forms:
        if not isinstance(value, str) or not _HEX[form].fullmatch(value):
            return f"{name}: expected {form} hex digits, got {str(value)[:80]!r}"
    return "" if isinstance(clean, bool) else f"clean_jobs: expected a boolean, got {clean!r}"


@check(
    "JOB-02",
    "coinb1, both extranonces and coinb2 are one coinbase transaction.",
    level=MUST,
    seconds=120,
    expected="serialized without witness, one null input, no byte left over",
)
async def coinbase_parses(probe: Probe) -> CheckOutcome:
    connection, notified = await _notified(probe)
    if notified.job is None:
        return (
            failed(f"the job cannot be used: {notified.problem}")
            if connection.extranonce1
            else skipped(notified.problem)
        )
    try:
        coinbase = _coinbase(notified.job)
    except CoinbaseError as error:
        return failed(str(error))
    return passed(f"{coinbase.size} bytes, {len(coinbase.outputs)} outputs")


@check(
    "JOB-03",
    "The extranonces lie inside the coinbase script, which keeps its limit.",
    level=MUST,
    seconds=120,
    expected="a script of 2 to 100 bytes that contains both",
)
async def extranonce_in_script(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    try:
        coinbase = _coinbase(job)
    except CoinbaseError as error:
        return skipped(f"the coinbase does not parse: {error}")
    body = body_of(job)
    start = len(body.prefix)
    end = start + len(body.extranonce1) + body.extranonce2_size
    if not coinbase.script_start <= start <= end <= coinbase.script_start + len(coinbase.script):
        return failed("the extranonces reach out of the script")
    size = len(coinbase.script)
    return (passed if 2 <= size <= 100 else failed)(f"a script of {size} bytes")


@check(
    "JOB-04",
    "The coinbase script begins with the height, pushed as short as can be (BIP 34).",
    level=MUST,
    seconds=120,
    expected="a minimal push, the same for all jobs on one block, one more than the tip's where the node is known",
)
async def height(probe: Probe) -> CheckOutcome:
    jobs = await _watched(probe)
    heights = [job.height for job in jobs]
    if None in heights:
        return failed(f"no minimal push of a height: script {body_of(jobs[heights.index(None)]).prefix[42:].hex()}")
    if len({(job.previous_hash, at) for job, at in zip(jobs, heights, strict=True)}) > len(
        {job.previous_hash for job in jobs}
    ):
        return failed(f"jobs on one block have heights {heights}")
    if probe.pool.chain is not None:
        tip = await probe.pool.chain.tip()
        if tip.hash == jobs[-1].previous_hash and heights[-1] != tip.height + 1:
            return failed(f"the node is at {tip.height}, the job says {heights[-1]}")
    return passed(f"height {heights[-1]} in {len(jobs)} job(s)")


@check(
    "JOB-05",
    "The witness commitment is well formed, and the coinbase is not 64 bytes long.",
    level=SHOULD,
    seconds=120,
    expected="the last commitment output is 38 bytes or more, and that of the transactions where the pool tells them",
)
async def commitment(probe: Probe) -> CheckOutcome:
    connection, job = await _job(probe)
    try:
        coinbase = _coinbase(job)
    except CoinbaseError as error:
        return skipped(f"the coinbase does not parse: {error}")
    if coinbase.size == 64:
        return failed("the coinbase is 64 bytes long, which can pass for an inner node of the tree (BIP 54)")
    scripts = coinbase.commitments
    if scripts and len(scripts[-1]) < 38:
        return failed(f"a commitment of {len(scripts[-1])} bytes")
    transactions = await _transactions(connection, job)
    if transactions is None:
        return passed(f"{len(scripts)} commitment(s); the transactions are not told")
    wanted = witness_commitment_script([sha256d(each) for each in transactions])
    has_witness = any(each[4:6] == b"\x00\x01" for each in transactions)
    if not scripts:
        return failed("no commitment for transactions with witnesses") if has_witness else passed("none is needed")
    if scripts[-1][:38] != wanted:
        return failed(f"the last commitment is {scripts[-1].hex()}, the transactions make {wanted.hex()}")
    return passed(f"it is that of the {len(transactions)} transactions")


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
    "What the coinbase pays.",
    level=INFO,
    seconds=120,
    expected="recorded: the sum against the subsidy of the height, and the scripts",
)
async def payout(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    try:
        coinbase = _coinbase(job)
    except CoinbaseError as error:
        return observed(f"the coinbase does not parse: {error}")
    at = job.height
    regtest = job.nbits == 0x207FFFFF
    subsidy = "" if at is None else f" of a subsidy of {block_subsidy(at, 150 if regtest else 210_000) / COIN:.8f}"
    total = sum(output.value for output in coinbase.outputs) / COIN
    scripts = ", ".join(output.script.hex() for output in coinbase.outputs[:8])
    return observed(f"{total:.8f}{subsidy}, to {scripts}")


@check(
    "JOB-07",
    "The merkle branch can be one.",
    level=MUST,
    seconds=120,
    expected="up to 20 hashes of 32 bytes; where the pool tells the transactions, theirs",
)
async def branch(probe: Probe) -> CheckOutcome:
    connection, notified = await _notified(probe)
    items = notified.params[4] if len(notified.params) > 4 else None
    if not isinstance(items, list) or any(
        not isinstance(each, str) or not _HEX["64"].fullmatch(each) for each in items
    ):
        return failed(f"expected an array of 64 hex digits, got {str(items)[:100]}")
    if len(items) > 20:
        return failed(f"{len(items)} hashes: more than a million transactions")
    transactions = None if notified.job is None else await _transactions(connection, notified.job)
    if transactions and len(transactions).bit_length() != len(items):
        return failed(f"{len(items)} hashes for {len(transactions)} transactions")
    return passed(f"{len(items)} hashes")


@check(
    "JOB-08",
    "The job's version leaves the bits to be rolled at zero.",
    level=SHOULD,
    seconds=120,
    expected="version AND mask is 0, the top three bits are 001: then all ways to merge the bits agree",
)
async def version(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    if job.version >> 29 != 1:
        return failed(f"version {job.version:08x} does not begin with 001")
    if job.version & job.version_mask:
        return failed(f"version {job.version:08x} has bits of the mask {job.version_mask:08x}")
    return passed(f"version {job.version:08x}, mask {job.version_mask:08x}")


@check("JOB-09", "nbits stands for a target.", level=MUST, seconds=120, expected="positive, not above 2^256 - 1")
async def nbits(probe: Probe) -> CheckOutcome:
    _, notified = await _notified(probe)
    value = notified.params[6] if len(notified.params) > 6 else None
    try:
        target = target_from_bits(int(str(value), 16))
    except (TypeError, ValueError) as error:
        return failed(f"{value!r}: {error}")
    return passed(f"{value}: difficulty {difficulty_from_target(target):g}")


@check("JOB-10", "ntime is about now.", level=SHOULD, seconds=120, expected="within 600 s of our clock")
async def ntime(probe: Probe) -> CheckOutcome:
    _, job = await _job(probe)
    ahead = job.ntime - time.time()
    return (passed if abs(ahead) <= 600 else failed)(f"{ahead:+.0f} s")


@check(
    "JOB-11",
    "A job id stands for one job.",
    level=SHOULD,
    seconds=120,
    expected="among the jobs of a session, the same id has the same content",
)
async def job_ids(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    await connection.wait_until(lambda: len(connection.notifies) > 2, 2 * WATCH)
    first: dict[str, tuple[Any, bytes | None]] = {}
    for each in connection.notifies:
        content = (each.params[1:7], None if each.job is None else body_of(each.job).extranonce1)
        if first.setdefault(str(each.params[0]), content) != content:
            return failed(f"job id {each.params[0]!r} was used for two different jobs")
    return passed(f"{len(first)} ids in {len(connection.notifies)} announcements")


@check(
    "JOB-12",
    "Jobs are announced again while the block stays.",
    level=SHOULD,
    seconds=240,
    expected="a mining.notify at least every 60 s; Antminer firmware leaves a pool that is silent for longer",
)
async def renewal(probe: Probe) -> CheckOutcome:
    connection, _ = await _notified(probe)
    until = trio.current_time() + 2.5 * RENEWAL
    while trio.current_time() < until:
        known = len(connection.notifies)
        last = connection.notifies[-1]
        if not await connection.wait_until(lambda: len(connection.notifies) > known, RENEWAL):  # noqa: B023  awaited at once
            return failed(connection.ending if connection.closed else f"none in {RENEWAL:g} s")
        if connection.notifies[known].previous == last.previous:
            return passed(f"after {connection.notifies[known].line.seconds - last.line.seconds:.1f} s")
    return skipped("the chain does not stand still for long enough")


@check(
    "JOB-13",
    "A new block is announced at once.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=90,
    expected="mining.notify with the new prevhash and clean_jobs true within 2 s of the node; later is recorded",
)
async def new_block(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    tip = await extend(probe, connection)
    known = trio.current_time()
    arrived = await _announced(connection, tip)
    if arrived is None:
        return observed(f"inconclusive: not announced within {NEW_BLOCK_PATIENCE:g} s")
    waited = max(0.0, trio.current_time() - known)
    if not arrived.clean:
        return failed("clean_jobs is false in the first announcement")
    return (passed if waited <= NEW_BLOCK_SECONDS else observed)(f"after {waited:.2f} s, clean")


async def _announced(connection: ProbeConnection, previous: bytes) -> Notified | None:
    """The first notify that builds on a block; None when there is none in time."""

    def found() -> Notified | None:
        return next((each for each in connection.notifies if each.job and each.job.previous_hash == previous), None)

    await connection.wait_until(found, NEW_BLOCK_PATIENCE)
    return found()


@check(
    "JOB-14",
    "The first job on a new block may be an empty one.",
    level=INFO,
    kinds=(WORK, CHAIN),
    seconds=90,
    expected="recorded: the branches of the announcements after a block",
)
async def empty_first(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    tip = await extend(probe, connection)
    if await _announced(connection, tip) is None:
        return observed(f"not announced within {NEW_BLOCK_PATIENCE:g} s")
    await connection.wait_until(lambda: False, 3.0)
    jobs = [each for each in connection.notifies if each.job and each.job.previous_hash == tip]
    sizes = [f"{len(body_of(each.job).branch)} hashes, clean {each.clean}" for each in jobs if each.job]
    return observed("; ".join(sizes))


@check(
    "JOB-15",
    "A reorganisation is announced like a block.",
    level=MUST,
    kinds=(WORK, CHAIN),
    seconds=120,
    expected="when a longer branch replaces the tip: mining.notify on its last block, with clean_jobs true",
)
async def reorganisation(probe: Probe) -> CheckOutcome:
    connection, _ = await _job(probe)
    root = await probe.chain.tip()
    first = await extend(probe, connection)
    if await _announced(connection, first) is None:
        return skipped("the block before was not announced")
    sibling = await extend(probe, connection, on=root)
    longer = await extend(probe, connection, on=type(root)(root.height + 1, sibling))
    tip = await probe.chain.tip()
    if tip.hash != longer:
        return skipped(f"the node did not go over to the longer branch: {tip}")
    arrived = await _announced(connection, longer)
    if arrived is None:
        return observed(f"inconclusive: not announced within {NEW_BLOCK_PATIENCE:g} s")
    return (passed if arrived.clean else failed)(f"{display_hash(longer)}, clean {arrived.clean}")


@check(
    "JOB-17",
    "A new difficulty is told between jobs: it is followed by one.",
    level=SHOULD,
    seconds=180,
    expected=f"every mining.set_difficulty, also a suggested one, is followed by a mining.notify within {RENEWAL:g} s",
)
async def difficulty_between_jobs(probe: Probe) -> CheckOutcome:
    connection, job = await _job(probe)
    await connection.wait_until(lambda: False, 1.1)
    await connection.send_request("mining.suggest_difficulty", job.share_difficulty * 2)
    await connection.wait_until(lambda: len(connection.difficulties) > 1, 5.0)
    last, _ = connection.difficulties[-1] if connection.difficulties else (connection.lines[0], None)
    followed = await connection.wait_until(lambda: _after(connection, connection.notifies[-1].line, last), RENEWAL)
    if followed:
        return passed(f"{len(connection.difficulties)} set, each followed by a job")
    return failed(connection.ending or f"no job in {RENEWAL:g} s after set_difficulty {connection.difficulties[-1][1]}")


def _after(connection: ProbeConnection, first: Any, second: Any) -> bool:
    """Whether the first line came after the second."""
    places = {id(line): index for index, line in enumerate(connection.lines)}
    return places[id(first)] > places[id(second)]


@check(
    "JOB-18",
    "A job may be sent again.",
    level=INFO,
    seconds=120,
    expected="recorded: whether the same id comes twice with the same content",
)
async def sent_again(probe: Probe) -> CheckOutcome:
    jobs = await _watched(probe, RENEWAL)
    ids = [job.job_id for job in jobs]
    return observed(
        f"job ids {', '.join(ids[:5])}: {'one came again' if len(set(ids)) < len(ids) else 'all different'}"
    )


@check(
    "JOB-19",
    "How large jobs are.",
    level=INFO,
    seconds=120,
    expected="recorded: a line of up to 16 kB; a coinbase of up to 755 bytes is what old S19 firmware takes",
)
async def sizes(probe: Probe) -> CheckOutcome:
    _, notified = await _notified(probe)
    coinbase = (
        ""
        if notified.job is None
        else (f", a coinbase of {len(body_of(notified.job).coinbase(bytes(notified.job.extranonce2_size)))}")
    )
    return observed(f"a line of {len(notified.line.data)} bytes{coinbase}")
