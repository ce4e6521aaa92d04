"""VD: difficulties, and how they follow the hash rate.

Whether a pool adjusts difficulties at all, and how often, is a matter of its configuration, which no client can see:
VD-02 to VD-04 are judged only where the user states the period (``--retarget-seconds``).
"""

import math
from itertools import pairwise

import trio

from stratum_miner.bitcoin.target import expected_hashes, target_from_difficulty
from stratum_miner.conformance.case import INFO, MUST, SHOULD, WORK, Topic
from stratum_miner.conformance.connection import ProbeConnection
from stratum_miner.conformance.messages import is_sane
from stratum_miner.conformance.outcome import (
    CheckOutcome,
    Silent,
    Skip,
    UnexpectedDisconnect,
    failed,
    observed,
    passed,
    skipped,
)
from stratum_miner.conformance.probe import FIRST_JOB_PATIENCE, RENEWAL, Probe

check = Topic("difficulty")

FLOOD_FACTOR = 10
"""Times the rate a pool aims at; vardiff aims at 2 to 30 s a share, so ten shares a second is a flood anywhere."""
FLOOD_RATE = 10.0
"""Shares a second."""
PERIODS = 10
MAX_TURNS = 2
ACCOUNTED = 60
"""Shares whose difficulties are added up."""
SIGMAS = 3


@check("VD-01", "Difficulties are numbers above zero.", level=MUST, seconds=120, expected="finite and above zero")
async def valid_difficulty(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    if not await connection.wait_until(lambda: connection.difficulties, FIRST_JOB_PATIENCE):
        return skipped(f"no mining.set_difficulty in {FIRST_JOB_PATIENCE:g} s")
    await connection.wait_until(lambda: connection.jobs, FIRST_JOB_PATIENCE)
    bad = [value for _, value in connection.difficulties if not is_sane(value)]
    return failed(f"{bad[0]!r}") if bad else passed(", ".join(str(value) for _, value in connection.difficulties))


def _period(probe: Probe) -> float:
    if probe.pool.retarget_seconds is None:
        raise Skip("how often this pool adjusts difficulties is not stated (--retarget-seconds)")
    return probe.pool.retarget_seconds


async def _flood(probe: Probe, connection: ProbeConnection, seconds: float) -> None:
    """Submit valid shares at a constant rate until the difficulty rises or the time is over."""
    start = connection.difficulty or 1.0
    probe.search.afford(FLOOD_RATE * seconds * float(expected_hashes(connection.job.share_target)), "the flood")
    until = trio.current_time() + seconds
    due = trio.current_time()
    while trio.current_time() < until and (connection.difficulty or 0) <= start and not connection.closed:
        found = await probe.find(connection)
        await connection.send_request("mining.submit", *found.params)
        due += 1 / FLOOD_RATE
        await connection.wait_until(lambda: (connection.difficulty or 0) > start, max(0.001, due - trio.current_time()))


@check(
    "VD-02",
    "A flood of shares raises the difficulty.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=900,
    expected="a higher mining.set_difficulty within two retarget periods, and a half for slow clocks",
)
async def flood_raises(probe: Probe) -> CheckOutcome:
    period = _period(probe)
    connection = await probe.session()
    before = connection.difficulty or 0
    await _flood(probe, connection, 2.5 * period)
    if connection.closed:
        return failed(connection.ending)
    now = connection.difficulty or 0
    return (passed if now > before else failed)(f"{before:g} before, {now:g} after")


@check(
    "VD-03",
    "Silence lowers the difficulty again.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=1800,
    expected="after a raise, a lower mining.set_difficulty within ten periods without shares",
)
async def silence_lowers(probe: Probe) -> CheckOutcome:
    period = _period(probe)
    connection = await probe.session()
    before = connection.difficulty or 0
    await _flood(probe, connection, 2.5 * period)
    raised = connection.difficulty or 0
    if raised <= before:
        return skipped("the flood did not raise it")
    lowered = await connection.wait_until(lambda: (connection.difficulty or 0) < raised, 10.5 * period)
    return (passed if lowered else failed)(f"{raised:g} after the flood, {connection.difficulty:g} after the silence")


@check(
    "VD-04",
    "At a constant hash rate the difficulty comes to rest.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=3600,
    expected=f"at most {MAX_TURNS} changes of direction in {PERIODS} periods",
)
async def comes_to_rest(probe: Probe) -> CheckOutcome:
    period = _period(probe)
    connection = await probe.session()
    rate = 2.0 * float(expected_hashes(connection.job.share_target))  # two shares a second at the start
    probe.search.afford(rate * PERIODS * period, f"{PERIODS} periods")
    until = trio.current_time() + PERIODS * period
    while trio.current_time() < until and not connection.closed:
        await connection.wait_until(
            lambda: False, probe.rng.expovariate(rate / float(expected_hashes(connection.job.share_target)))
        )
        await connection.send_request("mining.submit", *(await probe.find(connection)).params)
    values = [value for _, value in connection.difficulties if is_sane(value)]
    steps = [second > first for first, second in pairwise(values) if second != first]
    turns = sum(first != second for first, second in pairwise(steps))
    shown = ", ".join(f"{value:g}" for value in values)
    return (passed if turns <= MAX_TURNS else failed)(f"{turns} changes of direction: {shown}")


@check(
    "VD-05",
    "The difficulty stays below the network's.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="also after a suggestion of 100 times the network's; on chains below difficulty 1 it is not judged",
)
async def below_the_network(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    network = connection.job.network_difficulty
    if network < 0.999:
        return skipped(f"a test chain (difficulty {network:g}): shares above it are usual there")
    await connection.send_request("mining.suggest_difficulty", network * 100)
    await connection.wait_until(lambda: len(connection.difficulties) > 1, 5.0)
    above = [value for _, value in connection.difficulties if is_sane(value) and value > network * 1.001]
    return failed(f"{above[0]:g} at a network difficulty of {network:g}") if above else passed(f"below {network:g}")


@check(
    "VD-06",
    "A difficulty that is told takes effect soon.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=240,
    expected=f"a mining.notify within 60 s of each mining.set_difficulty ({RENEWAL:g} s are waited)",
)
async def takes_effect(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    await connection.wait_until(lambda: False, 1.1)
    await connection.send_request("mining.suggest_difficulty", connection.job.share_difficulty * 2)
    await _flood(probe, connection, 3.0)
    if len(connection.difficulties) < 2:
        return skipped("neither a suggestion nor shares changed the difficulty")
    told = connection.difficulties[-1][0].seconds
    jobs = len(connection.notifies)
    if connection.difficulty is not None and connection.job.share_target == target_from_difficulty(
        connection.difficulty
    ):
        return passed("the job came with it")
    await connection.wait_until(lambda: len(connection.notifies) > jobs, RENEWAL)
    if len(connection.notifies) > jobs:
        return passed(f"after {connection.notifies[jobs].line.seconds - told:.1f} s")
    return failed(connection.ending or f"no job in {RENEWAL:g} s")


@check(
    "VD-08",
    "The difficulty after a reconnect.",
    level=INFO,
    seconds=180,
    expected="recorded: the last or the start difficulty, told before the first job",
)
async def after_reconnect(probe: Probe) -> CheckOutcome:
    first = await probe.session()
    start = first.difficulty
    await first.send_request("mining.suggest_difficulty", first.job.share_difficulty * 2)
    await first.wait_until(lambda: first.difficulty != start, 5.0)
    last, session = first.difficulty, first.session_id
    await first.aclose()
    second = await probe.session(subscribe=("stratum_miner-conformance", *([session] if session else [])))
    return observed(f"{start} at the start, {last} in the end, {second.difficulty} after the reconnect")


@check(
    "VD-09",
    "Accepted difficulties add up to the work done.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=240,
    expected=f"the sum over {ACCOUNTED} shares is that of the hashes within {SIGMAS} sigma",
)
async def accounting(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    probe.search.afford(ACCOUNTED * float(expected_hashes(connection.job.share_target)), f"{ACCOUNTED} shares")
    hashes, credited, refusals = 0.0, 0.0, 0
    for _ in range(ACCOUNTED):
        job, before = connection.job, probe.search.hashes
        found = await probe.find(connection, job, above=-1)
        try:
            answer = await probe.submit(connection, found.params)
        except (Silent, UnexpectedDisconnect) as reason:
            raise Skip(f"a share was not answered: {reason}") from None
        if await probe.made_stale(connection, job, answer):
            continue
        hashes += probe.search.hashes - before
        refusals += not answer.accepted
        credited += float(expected_hashes(job.share_target)) if answer.accepted else 0.0
    if not hashes:
        return skipped("the chain moved on before shares could be judged")
    deviation = abs(credited / hashes - 1) * math.sqrt(ACCOUNTED)
    right = deviation <= SIGMAS and not refusals
    return (passed if right else failed)(
        f"{credited:,.0f} hashes credited, {hashes:,.0f} done ({deviation:.1f} sigma), {refusals} shares refused"
    )
