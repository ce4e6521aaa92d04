"""The checks VD-01 to VD-10: share difficulties, and how the pool adjusts them to the hash rate (vardiff).

Whether and how often a pool adjusts difficulties depends on the configuration of the pool, which a client cannot see.
For VD-02 to VD-04, the user must therefore state the time between two adjustments, the retarget period
(``--retarget-seconds``).
"""

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
from stratum_miner.conformance.probe import FIRST_JOB_PATIENCE, MOST_HASHES, RENEWAL, FoundShare, Probe
from stratum_miner.work.job import Job

check = Topic("difficulty")

FLOOD_RATE = 10.0
"""Shares per second that ``_flood`` submits. Pools set the difficulty so that a share comes every 2 to 30 s, so this
rate should make them raise the difficulty."""
PERIODS = 10
"""Duration of the check VD-04, in retarget periods (times between two adjustments of the difficulty)."""
MAX_TURNS = 2
"""Largest number of turns at which the check VD-04 still regards the difficulty as stable. A turn is a fall of the
difficulty after a rise, or a rise after a fall."""
ACCOUNTED = 60
"""Number of valid shares that the check VD-09 submits."""


@check(
    "VD-01",
    "The pool must send difficulties that are numbers above 0.",
    hurts="A miner cannot compute its target, or finds no share any more.",
    level=MUST,
    seconds=120,
    expected="every difficulty is above 0 and below 1e16",
)
async def valid_difficulty(probe: Probe) -> CheckOutcome:
    connection = await probe.session(job=False)
    if not await connection.wait_until(lambda: connection.difficulties, FIRST_JOB_PATIENCE):
        return skipped(f"the pool sent no mining.set_difficulty within {FIRST_JOB_PATIENCE:g} s")
    await connection.wait_until(lambda: connection.jobs, FIRST_JOB_PATIENCE)
    bad = [value for _, value in connection.difficulties if not is_sane(value)]
    if bad:
        return failed(f"the pool sent the difficulty {bad[0]!r}")
    return passed(f"the pool sent the difficulties {', '.join(str(value) for _, value in connection.difficulties)}")


def _period(probe: Probe) -> float:
    if probe.pool.retarget_seconds is None:
        raise Skip(
            "the check needs the time between two adjustments of the difficulty; state it with --retarget-seconds",
            "--retarget-seconds",
        )
    return probe.pool.retarget_seconds


async def _flood(probe: Probe, connection: ProbeConnection, seconds: float) -> None:
    """Submit valid shares at ``FLOOD_RATE`` for ``seconds``, or until the difficulty rises or the connection ends.

    Raises Skip if finding the shares would take too much work.
    """
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
    "The pool should raise the difficulty of a miner that sends shares far too fast.",
    hurts="A fast miner and the operator: the pool answers far more shares than it needs.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=900,
    expected=f"a higher mining.set_difficulty within 2.5 retarget periods with {FLOOD_RATE:g} shares per second",
)
async def flood_raises(probe: Probe) -> CheckOutcome:
    period = _period(probe)
    connection = await probe.session()
    before = connection.difficulty or 0
    await _flood(probe, connection, 2.5 * period)
    if connection.closed:
        return failed(f"during a flood of shares, {connection.ending}")
    now = connection.difficulty or 0
    return (passed if now > before else failed)(
        f"the difficulty was {before:g} before the flood of shares and {now:g} after it"
    )


@check(
    "VD-03",
    "The pool should lower the difficulty again when a miner sends no more shares.",
    hurts="A miner that became slower finds no share for a long time, and its payment varies strongly.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=1800,
    expected="after a rise, a lower mining.set_difficulty within 10.5 retarget periods without shares",
)
async def silence_lowers(probe: Probe) -> CheckOutcome:
    period = _period(probe)
    connection = await probe.session()
    before = connection.difficulty or 0
    await _flood(probe, connection, 2.5 * period)
    raised = connection.difficulty or 0
    if raised <= before:
        return skipped("the pool did not raise the difficulty during a flood of shares")
    lowered = await connection.wait_until(lambda: (connection.difficulty or 0) < raised, 10.5 * period)
    return (passed if lowered else failed)(
        f"the difficulty was {raised:g} after the flood of shares and {connection.difficulty:g} after a time without "
        "shares"
    )


@check(
    "VD-04",
    "The pool should keep the difficulty stable at a constant hash rate.",
    hurts="A miner with a constant hash rate gets a payment that varies more than it must.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=3600,
    expected=f"at most {MAX_TURNS} changes between rising and falling in {PERIODS} retarget periods",
)
async def stays_stable(probe: Probe) -> CheckOutcome:
    period = _period(probe)
    connection = await probe.session()
    # The hash rate, in H/s, that finds two shares per second at the first difficulty.
    rate = 2.0 * float(expected_hashes(connection.job.share_target))
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
    return (passed if turns <= MAX_TURNS else failed)(
        f"the difficulty changed {turns} times between rising and falling: {shown}"
    )


@check(
    "VD-05",
    "The pool should keep the share difficulty below the network difficulty.",
    hurts="The finder: a block does not count as a share, and some pools then reject it.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=120,
    expected="no higher difficulty, also after a suggestion of 100 times the network difficulty; not judged on block "
    "chains with a difficulty below 1",
)
async def below_the_network(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    network = connection.job.network_difficulty
    if network < 0.999:
        return skipped(
            f"the network difficulty is {network:g}: on such a test chain, higher share difficulties are usual"
        )
    await connection.send_request("mining.suggest_difficulty", network * 100)
    await connection.wait_until(lambda: len(connection.difficulties) > 1, 5.0)
    above = [value for _, value in connection.difficulties if is_sane(value) and value > network * 1.001]
    suggested = f"after a suggestion of {network * 100:g} at the network difficulty {network:g}"
    if above:
        return failed(f"{suggested}, the pool set the difficulty {above[0]:g}")
    return passed(f"{suggested}, the pool set no difficulty above the network difficulty")


@check(
    "VD-06",
    "The pool should send a job soon after a new difficulty, because a difficulty counts from the next job on.",
    hurts="A miner works at its old difficulty until the next job, with too many or too few shares.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=240,
    expected=f"a mining.notify within {RENEWAL:g} s after mining.set_difficulty",
)
async def takes_effect(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    await connection.listen(1.1)
    await connection.send_request("mining.suggest_difficulty", connection.job.share_difficulty * 2)
    await _flood(probe, connection, 3.0)
    if len(connection.difficulties) < 2:
        return skipped("the pool changed the difficulty neither after a suggestion nor after many shares")
    set_at = connection.difficulties[-1][0].seconds
    jobs = len(connection.notifies)
    if connection.difficulty is not None and connection.job.share_target == target_from_difficulty(
        connection.difficulty
    ):
        return passed("the pool sent a job together with the new difficulty")
    await connection.wait_until(lambda: len(connection.notifies) > jobs, RENEWAL)
    if len(connection.notifies) > jobs:
        waited = connection.notifies[jobs].line.seconds - set_at
        return passed(f"the pool sent a job {waited:.1f} s after the new difficulty")
    return failed(connection.ending or f"the pool sent no job within {RENEWAL:g} s after the new difficulty")


@check(
    "VD-08",
    "The check records the difficulty that the pool sets after a reconnect.",
    hurts="A miner that reconnects begins with too many or too few shares again.",
    level=INFO,
    seconds=180,
    expected="recorded: the difficulties at the start, before the reconnect and after it",
)
async def after_reconnect(probe: Probe) -> CheckOutcome:
    first = await probe.session()
    start = first.difficulty
    await first.send_request("mining.suggest_difficulty", first.job.share_difficulty * 2)
    await first.wait_until(lambda: first.difficulty != start, 5.0)
    last, session = first.difficulty, first.session_id
    await first.aclose()
    second = await probe.session(subscribe=("stratum_miner-conformance", *([session] if session else [])))
    return observed(
        f"the pool set the difficulty {start} at the start, {last} before the reconnect and {second.difficulty} after "
        "it"
    )


@check(
    "VD-09",
    "The pool should accept every valid share.",
    hurts="A miner is not paid for a part of its work.",
    level=SHOULD,
    kinds=(WORK,),
    seconds=240,
    expected=f"true for each of {ACCOUNTED} valid shares, except those that met a new block or a new difficulty",
)
async def every_share(probe: Probe) -> CheckOutcome:
    connection = await probe.session()
    probe.search.afford(ACCOUNTED * float(expected_hashes(connection.job.share_target)), f"{ACCOUNTED} shares")
    judged, rejected = 0, []
    for _ in range(ACCOUNTED):
        job, known = connection.job, len(connection.difficulties)
        found = await probe.find(connection, job, above=-1)
        if connection.is_stale(job) or len(connection.difficulties) > known:
            continue
        try:
            answer = await probe.submit(connection, found.params)
        except (Silent, UnexpectedDisconnect) as reason:
            raise Skip(f"the pool did not answer a share: {reason}") from None
        if answer.refused and len(connection.difficulties) > known:
            continue
        if await probe.made_stale(connection, job, answer):
            continue
        judged += 1
        if not answer.accepted:
            rejected.append(answer)
    if not judged:
        return skipped("every share met a new block or a new difficulty before the pool answered it")
    if rejected:
        return failed(f"the pool rejected {len(rejected)} of {judged} valid shares, the first with {rejected[0]}")
    return passed(
        f"the pool accepted each of {judged} valid shares; {ACCOUNTED - judged} others met a new block or a new "
        "difficulty"
    )


@check(
    "VD-10",
    "The check records whether difficulty 1 is the target ffff x 2^208 or 2^224.",
    hurts="Nobody: the two targets differ by one part in 65,536, but miners and pools dispute about such shares.",
    level=INFO,
    kinds=(WORK,),
    seconds=120,
    expected="recorded: the answer to a share with a hash between the two targets of the share difficulty; the second "
    "target is higher by one part in 65,536",
)
async def target_of_difficulty_1(probe: Probe) -> CheckOutcome:
    connection = await probe.session()

    async def make(job: Job) -> FoundShare:
        above, at_most = job.share_target, job.share_target * 0x10000 // 0xFFFF
        if above < job.network_target:
            raise Skip("on this block chain, every hash between the two targets is a block")
        expected = 2**256 / (at_most - above)
        if expected > MOST_HASHES:
            raise Skip(
                f"such a hash takes {expected:,.0f} hashes on average, and the check computes at most {MOST_HASHES:,}. "
                "Lower the pool's share difficulty"
            )
        return await probe.find(connection, job, above=above, at_most=at_most)

    found, answer = await probe.find_and_submit(connection, make)
    one = "2^224" if answer.accepted else "ffff x 2^208"
    return observed(
        f"difficulty 1 is the target {one}: after a share with a hash of "
        f"{found.value / found.job.share_target:.8f} times the share target, the pool answered {answer}"
    )
