"""The figures that a run must have come to: computed from stories of the wires, the node's chain and the clock.

Nothing here asks the program, with two exceptions that are held against the wire themselves: the journal, which alone
knows the shares that were found and never left, and the times in it, between which a measured latency must lie.
"""

import itertools
import math
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from tests.audit import bitcoin
from tests.audit.expect import Exactly, Expectation, OneOf, Within, rounded, spread
from tests.audit.node import ChainOnDisk, Offer
from tests.audit.program import late_between
from tests.audit.relay import Connection
from tests.audit.scene import Device, MinerAtRest, PoolAtRest
from tests.audit.surfaces import Reading
from tests.audit.witness import Job, Share, Story, Submit, word

LAG_S = 1.0
"""Between the moment at which the relay passed a line on and the moment at which a program had dealt with it."""
SAMPLING_S = 1.5
"""Between two samples of a hash rate there is half a second; a busy machine takes its samples late."""
KEPT = 1000
"""Newest latencies that quantiles are of."""
UNITS_S = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
GIVEN_UP = "the miner stopped before the pool answered"
Spans = list[tuple[float, float]]
FATES = ("accepted", "rejected", "stale", "lost")


def merged(spans: Spans) -> Spans:
    """The same time, each moment once."""
    found: Spans = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found


def length(spans: Spans, start: float = -math.inf, end: float = math.inf) -> float:
    """Seconds of these spans between two moments."""
    return sum(max(0.0, min(b, end) - max(a, start)) for a, b in spans)


@dataclass(slots=True)
class Work:
    """When devices searched for certain, and when they may have."""

    surely: Spans
    at_most: Spans
    late: float
    """Seconds by which this process was woken too late meanwhile, and for which the miner was kept from its work. A
    simulated device stands still for as long.
    """

    def seconds(self, start: float = -math.inf, end: float = math.inf) -> tuple[float, float]:
        """Least and most."""
        # between two units of work there is a gap; a job that comes is dealt with after the relay passed it on
        least = max(0.0, 0.9 * length(self.surely, start, end) - self.late)
        return least, length(self.at_most, start, end) + 0.05


def work(stories: list[Story], until: float, late: float = 0.0) -> Work:
    """The work of a miner on these wires up to a moment, and how late the machine woke programs up meanwhile."""
    surely, at_most = [], []
    for story in stories:
        talks = [talk for talk in story.conversations if talk.jobs]
        for talk in talks:
            later = [item.opened for item in story.connections if item.number > talk.connection.number]
            # that a connection is over a miner knows for certain when it opens the next one
            ended = min([*later, until]) if talk.connection.closed is not None else until
            at_most.append((talk.jobs[0].at, ended))
            if talk.submits:
                surely.append((talk.submits[0].at, talk.submits[-1].at))
    return Work(merged(surely), merged(at_most), late)


def _certainly_before_the_last(submits: list[Submit]) -> Submit | None:
    """A submit whose nonce was found before that of the last submit. A busy computer shows a nonce on the wire long
    after it was found, and what is found without a connection is sent on the next one.
    """
    earlier = [item for item in submits if item.connection != submits[-1].connection]
    return next(reversed(earlier or submits[:-1]), None)


class MinerTruth:
    """What one run of ``mine`` must say at one reading."""

    def __init__(self, miner: MinerAtRest, reading: Reading, *, ended: bool) -> None:
        self.miner = miner
        self.reading = reading
        self.ended = ended
        self.stories = miner.final if ended else miner.stories
        self.told: Any = reading.value

    # ---- shares ---------------------------------------------------------------------------------------------------

    @cached_property
    def by_pool(self) -> list[list[Share]]:
        """Shares of each pool: those on its wire, and those that were found for it and never left."""
        found = [
            [*story.shares, *self.unsent(pool.url, story)]
            for story, pool in zip(self.stories, self.miner.pools, strict=True)
        ]
        if self.ended:  # at its end a miner waits for answers for two seconds, then it gives them up
            for share in (item for shares in found for item in shares if item.fate == "open"):
                share.fate, share.reason = "lost", GIVEN_UP
        return found

    @cached_property
    def shares(self) -> list[Share]:
        """Those of all pools."""
        return [share for shares in self.by_pool for share in shares]

    @cached_property
    def records(self) -> dict[str, tuple[dict[str, Any], dict[str, Any] | None]]:
        """The journal's records of this run by header: found, and settled."""
        rows: list[dict[str, Any]] = next((item.value for item in self.miner.readings if item.surface == "journal"), [])
        mine = [row for row in rows if row.get("time", 0) >= self.miner.program.started_unix]
        settled = {row["id"]: row for row in mine if row["event"] == "settled"}
        return {row["header"]: (row, settled.get(row["id"])) for row in mine if row["event"] == "found"}

    def unsent(self, url: str, story: Story) -> list[Share]:
        """Shares that the journal has and no wire. Each is hashed here again; its fate is lost, or stale where a new
        block came before it could leave.
        """
        sent = {share.first.header for other in self.stories for share in other.shares}
        jobs = {job.identifier: job for job in story.jobs}
        found = []
        for record, settled in self.records.values():
            header = bytes.fromhex(record["header"])
            if record["pool"] != url or header in sent:
                continue
            submit = Submit(
                connection=-1,
                at=record["time"] - self.offset,
                at_unix=record["time"],
                arrived=False,
                worker=record["worker"],
                job=jobs.get(record["job"]),
                header=header,
                extranonce2=bytes.fromhex(record["extranonce2"]),
                nonce=int.from_bytes(header[76:80], "little"),
            )
            share = Share([submit])
            if settled is not None:
                share.fate = "stale" if settled["fate"] == "stale" else "lost"
                share.reason = settled["reason"]
                share.settled, share.settled_unix = settled["time"] - self.offset, settled["time"]
            found.append(share)
        return found

    def of_pool(self, index: int) -> Counter[str]:
        """Fates of one pool's shares."""
        return Counter(share.fate for share in self.by_pool[index])

    def of_worker(self, name: str, index: int | None = None) -> Counter[str]:
        """Fates of one worker's shares that left: it is the pool that knows a worker."""
        shares = self.shares if index is None else self.by_pool[index]
        return Counter(item.fate for item in shares if item.first.worker == name and item.first.connection >= 0)

    @cached_property
    def fates(self) -> Counter[str]:
        """How many of all shares met which fate."""
        total: Counter[str] = Counter()
        for index in range(len(self.stories)):
            total += self.of_pool(index)
        return total

    @property
    def all_runs(self) -> Counter[str]:
        """This run's fates and those that runs before it left in the journal."""
        return self.fates + self.miner.runs_before

    @property
    def found(self) -> int:
        """All shares."""
        return len(self.shares)

    def difficulties(self, shares: list[Share]) -> dict[str, float]:
        """What shares were worth, by fate."""
        return {fate: math.fsum(share.worth for share in shares if share.fate == fate) for fate in FATES}

    @property
    def best(self) -> float:
        """The best hash that was found."""
        return max((float(share.first.value) for share in self.shares), default=0.0)

    def reasons(self, index: int | None = None, *, fate_too: bool = False) -> dict[str, int]:
        """Why shares were not accepted."""
        shares = self.shares if index is None else self.by_pool[index]
        ends = [(share.fate, share.reason) for share in shares if share.fate in ("rejected", "stale", "lost")]
        return dict(Counter(f"{fate}: {reason}" if fate_too else reason for fate, reason in ends))

    def refusals(self) -> dict[str, int]:
        """Why pools refused shares; those without a reply are not among them."""
        return {text: count for text, count in self.reasons(fate_too=True).items() if not text.startswith("lost")}

    def commonest_reasons(self) -> Expectation:
        """The five commonest, which is what people are shown; of equally common ones any."""
        reasons = self.reasons(fate_too=True)
        told = {reason: count for reason, count in self.told.get("reasons", {}).items() if reasons.get(reason) == count}
        left = [count for reason, count in reasons.items() if reason not in told]
        good = len(told) == min(5, len(reasons)) and all(count <= min(told.values()) for count in left)
        return Exactly(told if good else reasons)

    @cached_property
    def settled(self) -> list[Share]:
        """In the order of their ends."""
        return in_order(self.shares)

    @property
    def accepted(self) -> list[Share]:
        """The oldest first."""
        return [share for share in self.settled if share.fate == "accepted"]

    @property
    def blocks(self) -> list[Share]:
        """Accepted shares that solve a block, the first on each previous block, as they were accepted."""
        found: dict[bytes, Share] = {}
        for share in self.accepted:
            if share.first.is_block and share.first.job is not None:
                found.setdefault(share.first.job.previous, share)
        return list(found.values())

    # ---- jobs -----------------------------------------------------------------------------------------------------

    def job(self, index: int) -> Job | None:
        """The newest of a pool."""
        jobs = self.stories[index].jobs
        return jobs[-1] if jobs else None

    @property
    def jobs(self) -> list[Job]:
        """The newest job of each pool that has a connection: one of them is searched."""
        found = []
        for story in self.stories:
            talks = [talk for talk in story.conversations if talk.jobs]
            if talks and (self.ended or talks[-1].connection.closed is None):
                found.append(talks[-1].jobs[-1])
        return found

    # ---- time -----------------------------------------------------------------------------------------------------

    @property
    def elapsed(self) -> tuple[float, float]:
        """How long the run lasted, least and most: it began before its first connection and after its process."""
        opened = min((item.opened for story in self.stories for item in story.connections), default=self.reading.asked)
        program = self.miner.program
        end = program.ended or self.reading.answered if self.ended else self.reading.answered
        begin = program.interrupted or program.ended if self.ended else None
        return (begin or self.reading.asked) - opened - 0.1, end - program.started

    @cached_property
    def work(self) -> Work:
        """When its devices searched."""
        end = self.miner.paused or self.reading.answered
        late = late_between(self.miner.program.started, self.reading.answered) + self.miner.kept_waiting
        return work(self.stories, min(end, self.reading.answered), late)

    @property
    def nominal(self) -> float:
        """H/s of all devices."""
        return sum(device.hash_rate for device in self.miner.devices)

    def hashes(self, rate: float | None = None) -> tuple[float, float]:
        """Since the start."""
        low, high = self.work.seconds()
        rate = self.nominal if rate is None else rate
        return low * rate, high * rate

    def average(self, rate: float | None = None) -> tuple[float, float]:
        """H/s since the start."""
        low, high = self.hashes(rate)
        least, most = self.elapsed
        return low / most, high / max(least - SAMPLING_S, 0.1)

    def window(self, seconds: float, rate: float | None = None) -> tuple[float, float]:
        """H/s over the last seconds."""
        least, most = self.elapsed
        if least < seconds + SAMPLING_S:  # it may reach back to the start
            low, high = self.average(rate)
        else:
            low, high = math.inf, 0.0
        rate = self.nominal if rate is None else rate
        now = self.reading.answered
        span = min(seconds, most)
        low = min(low, self.work.seconds(now - span + SAMPLING_S, now - SAMPLING_S)[0] * rate / (span + SAMPLING_S))
        high = max(high, self.work.seconds(now - span - SAMPLING_S, now)[1] * rate / max(span - SAMPLING_S, 0.5))
        return low, high

    def expected(self) -> tuple[float, float]:
        """Shares that the work was to find. All jobs of a scenario ask for one difficulty."""
        low, high = self.hashes()
        difficulties = {job.difficulty for story in self.stories for job in story.jobs}
        each = [bitcoin.hashes_for(item) for item in difficulties] or [math.inf]
        return low / max(each), high / min(each)

    # ---- latency --------------------------------------------------------------------------------------------------

    def latency(self, share: Share) -> tuple[float, float]:
        """Seconds from submit to answer: at least what the relay saw, at most from found to settled."""
        assert share.latency is not None
        assert share.first.header is not None
        found, settled = self.records.get(share.first.header.hex(), (None, None))
        if found is None or settled is None:
            return share.latency, share.latency + LAG_S
        return share.latency, settled["time"] - found["time"] + 0.01

    def latencies(self, index: int) -> list[tuple[float, float]]:
        """How long a pool's answered shares took, least and most for each."""
        return [self.latency(share) for share in self.by_pool[index] if share.latency is not None]

    def told_latencies(self, index: int) -> list[float]:
        """As the journal has them, the newest: each is held against the wire in its own row."""
        headers = [share.first.header.hex() for share in self.by_pool[index] if share.latency and share.first.header]
        settled = [item for header in headers for _, item in [self.records.get(header, (None, None))] if item]
        ordered = sorted((item["time"], item["id"], item["latency"]) for item in settled)
        return [latency for _, _, latency in ordered if latency is not None][-KEPT:]

    # ---- one row's figures ----------------------------------------------------------------------------------------

    @property
    def offset(self) -> float:
        """Unix time minus the monotonic clock."""
        return self.reading.asked_unix - self.reading.asked

    @property
    def first_seen_unix(self) -> float:
        """When the first wire heard of it."""
        opened = [item.opened for story in self.stories for item in story.connections]
        return min(opened, default=self.reading.asked) + self.offset

    def whole(self, bounds: tuple[float, float]) -> Within:
        """A time that is cut to seconds."""
        return Within(int(bounds[0]), int(bounds[1]))

    def number(self, expectation: Expectation) -> Expectation:
        """A truth value as metrics write it."""
        if isinstance(expectation, OneOf):
            return OneOf(tuple(float(value) for value in expectation.values))
        assert isinstance(expectation, Exactly)
        return Exactly(float(expectation.value))

    def nearest(self, bounds: tuple[float, float]) -> Within:
        """A time that is rounded to seconds."""
        return Within(round(bounds[0]), round(bounds[1]))

    def per_minute(self, count: float, elapsed: tuple[float, float] | None = None) -> tuple[float, float]:
        """So many since the start."""
        least, most = elapsed or self.elapsed
        return count / most * 60 * (1 - 1e-9), count / max(least, 0.1) * 60

    def percent(self, part: float, whole: float) -> Expectation:
        """A part of a whole, with four decimals."""
        return rounded(part / whole * 100 if whole else 0.0, 4)

    def worth_percent(self, fate: str, index: int | None = None) -> Expectation:
        """Part of the difficulty that was answered, by all pools or by one."""
        worth = self.difficulties(self.shares if index is None else self.by_pool[index])
        return self.percent(worth[fate], worth["accepted"] + worth["rejected"] + worth["stale"])

    def refused_worth(self, shares: list[Share]) -> float:
        """Difficulty of what pools refused, for whatever reason."""
        worth = self.difficulties(shares)
        return worth["rejected"] + worth["stale"]

    def refused_of_work(self, index: int | None = None) -> Expectation:
        """The same in percent of the work done, of all devices or of one: 2^32 hashes are work of difficulty 1."""
        device = None if index is None else self.device(index)
        worth = self.refused_worth(self.shares if device is None else self.shares_of(device))
        low, high = self.hashes(None if device is None else device.hash_rate)
        if not worth:
            return Exactly(0.0)
        return spread((worth / high, worth / low if low > 0 else math.inf), 100 * 2**32, 4)

    def work_per_minute(self) -> Expectation:
        """Such work in a minute."""
        (low, high), (least, most) = self.hashes(), self.elapsed
        return spread((low / most, high / max(least, 0.1)), 60 / 2**32, 2)

    def implied(self, count: float | None = None) -> tuple[float, float]:
        """The hash rate that the accepted shares alone say; with the count at one end of its interval, that end."""
        worth = self.difficulties(self.shares)["accepted"] * (1 << 256) / bitcoin.DIFFICULTY_1
        if count is not None:
            worth *= count / max(1, len(self.accepted))
        least, most = self.elapsed
        return worth / most * (1 - 1e-6), worth / max(least, 0.1) * (1 + 1e-6)

    def luck(self, found: float, told_by: str | None = None) -> Expectation:
        """Found over expected; what was expected has a row of its own."""
        if told_by is not None:
            expected = self.told["stratum_miner_" + told_by][""]
        else:
            expected = self.told.get("summary", self.told)["luck"]["expected"]
        return Exactly(found / expected) if expected else Exactly(None)

    def share_every(self) -> Expectation:
        """Seconds between shares at the rate of the last minute."""
        low, high = self.window(60)
        each = [bitcoin.hashes_for(job.difficulty) for job in self.jobs]
        if not each or not high:
            return Exactly(None)
        return Within(min(each) / high * 0.999, max(each) / low * 1.001 if low else math.inf, or_none=not low)

    def job_age(self) -> Expectation:
        """Since the newest job of the pool mined on."""
        moments = [job.at for job in self.jobs]
        return Within(self.reading.asked - max(moments) - LAG_S, self.reading.answered - min(moments) + 0.01)

    def job_moment(self) -> Expectation:
        """The same as a date."""
        moments = [job.at_unix for job in self.jobs]
        return Within(int(min(moments) - 0.01), int(max(moments) + LAG_S))

    def last_job(self) -> Expectation:
        """When the newest job was taken up, in Unix time: some moment after it came."""
        moments = [job.at_unix for job in self.jobs]
        return Within(min(moments) - 0.01, max(moments) + LAG_S)

    def hashes_by_rate(self) -> tuple[float, float]:
        """The average rate times the time: what cgminer's API gives for the hashes."""
        return self.hashes()[0], self.average()[1] * self.elapsed[1]

    def elapsed_text(self) -> Expectation:
        """The time as people read it, such as 4.2s or 3m07s: what it stands for, between the bounds."""
        parts = re.findall(r"([\d.]+)([dhms])", self.told["elapsed"])
        value = sum(float(number) * UNITS_S[unit] for number, unit in parts)
        step = UNITS_S[parts[-1][1]] if len(parts) > 1 else 0.05
        low, high = self.elapsed
        whole = "".join(number + unit for number, unit in parts) == self.told["elapsed"]
        good = whole and low - step <= value <= high + 0.05
        return Exactly(self.told["elapsed"] if good else f"{low:g} to {high:g} s")

    def rate_text(self) -> Expectation:
        """A rate as people read it: the figure of it, between the bounds."""
        number, unit = self.told["hash_rate"].split()
        value = float(number) * {"H/s": 1, "kH/s": 1e3, "MH/s": 1e6, "GH/s": 1e9}[unit]
        low, high = self.average()
        return Exactly(self.told["hash_rate"] if low * 0.99 <= value <= high * 1.01 else f"{low:g} to {high:g} H/s")

    @cached_property
    def problems(self) -> list[dict[str, Any]]:
        """What is wrong, the worst first: pools that refuse most shares, then what the test broke. A miner that stops
        speaks of its pools no more.
        """
        refusing = [] if self.ended else [self._refusing(index) for index in range(len(self.miner.pools))]
        return [problem for problem in refusing if problem is not None] + [
            {"severity": "warning", "kind": "journal", "text": text, "device_id": None, "pool_id": None}
            for text in self.miner.problems
        ]

    def _refusing(self, index: int) -> dict[str, Any] | None:
        """More than half of the newest twenty answers, and ten at least."""
        answered = [share for share in in_order(self.by_pool[index]) if share.fate in ("accepted", "rejected", "stale")]
        newest = [share for share in answered if share.latency is not None][-20:]
        refused = [share for share in newest if share.fate != "accepted"]
        if len(newest) < 10 or 2 * len(refused) <= len(newest):
            return None
        text = (
            f"Pool {self.miner.pools[index].title} did not accept {len(refused)} of the last {len(newest)} shares, "
            f"the newest of them for this reason: {refused[-1].reason}."
        )
        return {"severity": "critical", "kind": "pool_rejects", "text": text, "device_id": None, "pool_id": index}

    def problem(self, index: int, key: str) -> Expectation:
        """One field of one problem."""
        return Exactly(self.problems[index][key] if index < len(self.problems) else "no problem")

    def words_of_health(self) -> Expectation:
        """The state, who paused it, and a line for each problem that lasts."""
        return Exactly("\n".join(("paused", "paused over HTTP", *(problem["text"] for problem in self.problems))))

    # ---- pools

    def is_active(self, index: int) -> Expectation:
        """Whether it is mined on; with quotas it is one of them."""
        return OneOf((True, False)) if self.miner.active is None else Exactly(index == self.miner.active)

    def condition(self, index: int) -> Expectation:
        """As failover judges it."""
        return OneOf(self.miner.conditions.get(index, ("up",)))

    def is_up(self, index: int) -> Expectation:
        """The same as a metric."""
        return OneOf(tuple(float(word == "up") for word in self.miner.conditions.get(index, ("up",))))

    def mined_on(self) -> Expectation:
        """The URL of the pool that is mined on."""
        if self.miner.active is None:
            return OneOf(tuple(pool.url for pool in self.miner.pools))
        return Exactly(self.miner.pools[self.miner.active].url)

    def fallback(self) -> Expectation:
        """The place of the pool that is mined on, or would be next; the only pool is its own."""
        if self.miner.active is None:
            return OneOf(tuple(range(len(self.miner.pools))))
        return Exactly(self.miner.active or min(1, len(self.miner.pools) - 1))

    def on_fallback(self) -> Expectation:
        """Whether it is not the first."""
        return OneOf((0, 1)) if self.miner.active is None else Exactly(int(self.miner.active > 0))

    def if_active(self, index: int, value: Any, otherwise: Any) -> Expectation:
        """A figure that a pool has while it is mined on."""
        if self.miner.active is None:
            return OneOf((value, otherwise))
        return Exactly(value if index == self.miner.active else otherwise)

    def best_of_pool(self, index: int) -> float:
        """The best hash of its shares whose result is known. A share that was lost before it could be sent is one of
        them, though no wire says when it was lost.
        """
        return max((float(share.first.value) for share in self.by_pool[index] if share.fate != "open"), default=0.0)

    def blocks_seen(self) -> Expectation:
        """Different blocks that the jobs mined on were built upon: those of jobs with shares for certain."""
        searched = {item.job.previous for story in self.stories for item in story.submits if item.job is not None}
        return Within(len(searched), len(self._first_jobs))

    @property
    def _first_jobs(self) -> dict[bytes, Job]:
        """For each block, the first job that is built upon it."""
        found: dict[bytes, Job] = {}
        for job in sorted((job for story in self.stories for job in story.jobs), key=lambda job: job.at):
            found.setdefault(job.previous, job)
        return found

    def block_moment(self) -> Expectation:
        """Unix time of the first job upon the newest block; of several pools, which of them is mined on matters."""
        moments = [job.at_unix for job in self._first_jobs.values()]
        if not moments:
            return OneOf((None, 0.0))
        return Within((moments[-1] if len(self.stories) == 1 else moments[0]) - 0.01, moments[-1] + LAG_S)

    def masks(self) -> list[str]:
        """Version bits that each pool lets roll."""
        return [self._mask(story) for story in self.stories]

    def mask(self, index: int) -> str:
        """Version bits that one pool lets roll."""
        return self._mask(self.stories[index])

    def _mask(self, story: Story) -> str:
        return f"{story.conversations[-1].mask if story.conversations else 0:08x}"

    def received(self, index: int) -> Expectation:
        """Bytes; where a connection was cut, some that were passed on may have been thrown away."""
        return self.near(self.stories[index].bytes_down)

    def sent(self, index: int) -> Expectation:
        """Bytes; where a connection was cut, some were sent that the relay did not get or pass on."""
        return self.near(self.stories[index].bytes_up)

    def near(self, passed: int) -> Expectation:
        """Bytes that the relay passed on."""
        return Within(passed - 4000, passed + 4000) if self.miner.cuts else Exactly(passed)

    def turns(self) -> list[tuple[float, float]]:
        """Seconds on each pool, least and most, where one is mined on at a time: a turn is known by its shares."""
        marks = sorted((item.at, index) for index, story in enumerate(self.stories) for item in story.submits)
        low, high = [0.0] * len(self.stories), [0.0] * len(self.stories)
        for (before, one), (after, other) in itertools.pairwise(marks):
            if one == other:
                low[one] += after - before
                high[one] += after - before
            else:  # somewhere between the two the turn ended
                high[one] += after - before
                high[other] += after - before
        begin, end = min((job.at for story in self.stories for job in story.jobs), default=0.0), self.miner.paused
        if marks:
            high[marks[0][1]] += marks[0][0] - begin
            high[marks[-1][1]] += (end or self.reading.answered) - marks[-1][0]
        return list(zip(low, high, strict=True))

    def worker_names(self) -> list[str]:
        """The pool's own, then those of the devices."""
        return list(dict.fromkeys([self.miner.worker, *(device.worker for device in self.miner.devices)]))

    def pool_named(self, label: str) -> int:
        """Its place."""
        titles = [pool.title for pool in self.miner.pools]
        return titles.index(label)

    def label(self, labels: str, name: str) -> str:
        """One of several labels."""
        return dict(part.split("=", 1) for part in labels.split(","))[name]

    def pool_of(self, share: Share) -> int:
        """Its pool's place in the order in which pools came."""
        return next(i for i, shares in enumerate(self.by_pool) if share in shares)

    def stat(self, place: int) -> int:
        """Which pool a row of stats is about."""
        return place - len(self.miner.devices)

    def stat_name(self, place: int) -> str:
        """What a row of stats is about."""
        pool = self.stat(place)
        return f"POOL{pool}" if pool >= 0 else f"{self.device(place).backend}{place}"

    # ---- devices

    def device(self, index: int) -> Device:
        """By its place."""
        return self.miner.devices[index]

    def shares_of(self, device: Device) -> list[Share]:
        """Those that were sent under its worker name."""
        return [share for share in self.shares if share.first.worker == device.worker]

    def settled_of_device(self, index: int) -> list[Share]:
        """In the order of their ends."""
        return [share for share in self.settled if share.first.worker == self.device(index).worker]

    def of_device(self, index: int) -> Counter[str]:
        """Fates."""
        return Counter(share.fate for share in self.shares_of(self.device(index)))

    def device_reasons(self, index: int) -> dict[str, int]:
        """Why pools refused its shares."""
        shares = [share for share in self.shares_of(self.device(index)) if share.fate in ("rejected", "stale")]
        return dict(Counter(f"{share.fate}: {share.reason}" for share in shares))

    def best_of_device(self, index: int) -> float:
        """The best hash of its shares that have an end."""
        return max((float(share.first.value) for share in self.settled_of_device(index)), default=0.0)

    def blocks_of_device(self, index: int) -> int:
        """Accepted shares of it that solve a block."""
        return len([share for share in self.blocks if share.first.worker == self.device(index).worker])

    def device_name(self, index: int) -> Expectation:
        """As the backend calls it."""
        return Exactly(self.device(index).name)

    def name_of_device(self, share: Share) -> Expectation:
        """Whose share it is."""
        return Exactly(next(item.name for item in self.miner.devices if item.worker == share.first.worker))

    def id_of_device(self, share: Share) -> Expectation:
        """The place of that device in the order in which devices came."""
        return Exactly(next(i for i, item in enumerate(self.miner.devices) if item.worker == share.first.worker))

    def backend_of(self, share: Share) -> Expectation:
        """Which backend has that device."""
        return Exactly(next(item.backend for item in self.miner.devices if item.worker == share.first.worker))

    def device_labelled(self, labels: str) -> int:
        """By the labels of a metric."""
        key = self.label(labels, "backend"), self.label(labels, "device")
        return [(item.backend, item.name) for item in self.miner.devices].index(key)

    def device_rate(self, index: int, seconds: float, scale: float = 1.0, decimals: int = 12) -> Expectation:
        """H/s over the last seconds."""
        return spread(self.window(seconds, self.device(index).hash_rate), scale, decimals)

    def rate_of_devices(self, seconds: float) -> Expectation:
        """GH/s of all devices together."""
        parts = [self.device_rate(index, seconds) for index in range(len(self.miner.devices))]
        assert all(isinstance(part, Within) for part in parts)
        low, high = (sum(getattr(part, side) for part in parts) for side in ("low", "high"))
        return spread((low, high), 1e-9)

    def device_average(self, index: int) -> Expectation:
        """MH/s since the start."""
        return spread(self.average(self.device(index).hash_rate), 1e-6, 2)

    def device_hashes(self, index: int, scale: float = 1.0, decimals: int = 0) -> Expectation:
        """Since the start."""
        return spread(self.hashes(self.device(index).hash_rate), scale, decimals)

    def diff1(self, index: int) -> Expectation:
        """Hashes over 2^32, cut."""
        low, high = self.hashes(self.device(index).hash_rate)
        return Within(int(low) >> 32, int(high) >> 32)

    def nonces(self, index: int) -> Expectation:
        """Each nonce of a simulated device is a share."""
        return Exactly(len(self.shares_of(self.device(index))))

    def hardware_errors(self, index: int | None = None) -> Expectation:
        """Nonces that are none: a simulated device has none, a stick those that its emulator spoilt."""
        return Exactly(0)

    def error_percent(self) -> Expectation:
        """Hardware errors among all nonces."""
        return Exactly(0.0)

    def hardware_percent(self, index: int | None = None) -> Expectation:
        """Errors as a share of all nonces: a computer makes none."""
        return self.percent(0, 1)

    def duplicate_nonces(self, index: int) -> Expectation:
        """Nonces that had come before."""
        return Exactly(0)

    def stale_nonces(self, index: int) -> Expectation:
        """A device of its own counts them."""
        return Exactly(0)

    def chips(self, index: int) -> Expectation:
        """Nonces of each chip."""
        return Exactly([])

    @property
    def chip_count(self) -> int:
        """How many the machine that is shown has; a computer has none."""
        return 0 if self.miner.stick is None else 1

    def nonce_age(self, index: int) -> Expectation:
        """Since its last nonce, noticed at a sample."""
        submits = self._first_submits(index)
        if not submits:
            return Within(0.0, self.elapsed[1], or_none=True)
        before = _certainly_before_the_last(submits)
        most = self.elapsed[1] if before is None else self.reading.answered - before.at
        return Within(self.reading.asked - submits[-1].at - SAMPLING_S, most)

    def nonce_moment(self, index: int | None) -> Expectation:
        """The same as a date; of all devices without a place."""
        submits = self._first_submits(index)
        if not submits:
            return OneOf((0,))
        before = _certainly_before_the_last(submits)
        least = self.miner.program.started_unix if before is None else before.at_unix
        return Within(int(least), int(submits[-1].at_unix + SAMPLING_S))

    def _first_submits(self, index: int | None) -> list[Submit]:
        """The first submit of each share of a device, or of all devices, the oldest first."""
        devices = self.miner.devices if index is None else [self.device(index)]
        firsts = [item for device in devices for share in self.shares_of(device) for item in share.submits[:1]]
        return sorted(firsts, key=lambda item: item.at)

    def last_accepted(self, *, pool: int | None = None, device: int | None = None) -> Share | None:
        """The share that a pool took last: of all, of a pool, or of a device."""
        shares = self.settled_of_device(device) if device is not None else self.settled
        of_pool = self.by_pool[pool] if pool is not None else self.shares
        return next((item for item in reversed(shares) if item.fate == "accepted" and item in of_pool), None)

    def last_pool(self, index: int, otherwise: int | None) -> Expectation:
        """Which pool took a device's last share."""
        share = self.last_accepted(device=index)
        return Exactly(otherwise if share is None else self.pool_of(share))

    def device_came(self) -> Expectation:
        """When devices came: the miner begins with them, and the first job finds them there."""
        jobs = [job.at_unix for story in self.stories for job in story.jobs]
        return Within(self.miner.program.started_unix, min(jobs, default=self.reading.asked_unix) + SAMPLING_S)

    @property
    def device_elapsed(self) -> tuple[float, float]:
        """Since then."""
        least, most = self.elapsed
        return least - SAMPLING_S, most

    # ---- lists

    @property
    def shown_shares(self) -> int:
        """The API keeps the newest 200."""
        return min(200, len(self.settled))

    def share_told(self, place: int) -> Share | None:
        """The share on the wire that a row of the API speaks of: no two have the same hash. The stream has four digits
        of its difficulty, which several may share: those are in the order in which they ended, in both.
        """
        values = [row["difficulty"] for row in (self.told["shares"] if isinstance(self.told, dict) else self.told)]
        share = self._by_value.get(values[place])
        if share is not None:
            return share
        digits = f"{values[place]:.4g}"
        same = [share for share in self.settled if f"{float(share.first.value):.4g}" == digits]
        newer = sum(f"{value:.4g}" == digits for value in values[place + 1 :])  # the oldest ones may be shown no more
        return same[-1 - newer] if newer < len(same) else None

    @cached_property
    def _by_value(self) -> dict[float, Share]:
        return {float(share.first.value): share for share in self.settled}

    @property
    def points(self) -> list[dict[str, Any]]:
        """Those that the history shows."""
        return list(self.told["history"] if isinstance(self.told, dict) else self.told)

    def point_rate(self, place: int) -> Expectation:
        """H/s between two points."""
        end = self.points[place]["at"] - self.offset
        start = self.points[place - 1]["at"] - self.offset if place else self.miner.program.started
        span = end - start
        least = self.work.seconds(start + LAG_S, end - LAG_S)[0]
        most = self.work.seconds(start - LAG_S, end)[1]
        return Within(least * self.nominal / (span + LAG_S), most * self.nominal / max(span - 0.1, 0.1))

    def point_latency(self, place: int) -> Expectation:
        """Median of the newest replies of the pool mined on, in milliseconds."""
        point = self.points[place]
        pairs = sorted((item["time"], item["id"], item["latency"]) for _, item in self.records.values() if item)
        settled = sum(point[fate] for fate in FATES)
        known = [latency for _, _, latency in pairs[:settled] if latency is not None]
        if len(self.stories) > 1 or len(pairs) < settled:
            most = max((high for i in range(len(self.stories)) for _, high in self.latencies(i)), default=0.0)
            return Within(0.0, most * 1000, or_none=True)
        if not known:
            return Exactly(None)
        value = quantile(known[-KEPT:], 0.5) or 0.0
        at = point["at"] - self.offset
        idle = at + LAG_S > self.work.at_most[-1][1] or length(self.work.surely, at - LAG_S, at + LAG_S) < 2 * LAG_S
        half = 5e-7  # without a pool that is mined on there is none
        return Within(value * 1000 - half, value * 1000 + half, or_none=idle)

    def at_point(self, place: int, fate: str) -> Expectation:
        """Shares that had this end by then."""
        at = self.points[place]["at"]
        moments = [share.settled_unix or 0.0 for share in self.settled if share.fate == fate]
        return Within(sum(m <= at - LAG_S for m in moments), sum(m <= at + 0.02 for m in moments))

    # ---- the log

    def status_at(self, place: int) -> float:
        """When a status line was logged, monotonic."""
        return logged_at(self.told["status"][place]) - self.offset

    def at_status(self, place: int, fate: str) -> Expectation:
        """Shares that had this end by then."""
        at = self.status_at(place)
        moments = [share.settled or 0.0 for share in self.settled if share.fate == fate]
        return Within(sum(m <= at - LAG_S for m in moments), sum(m <= at + 0.02 for m in moments))

    def best_at_status(self, place: int) -> Expectation:
        """The best hash that had been found by then, with four digits."""
        at = self.status_at(place)
        values = sorted((share.first.at, float(share.first.value)) for share in self.shares)
        least = max((value for moment, value in values if moment <= at - LAG_S), default=0.0)
        return OneOf(tuple(f"{v:.4g}" for m, v in values if m <= at + 0.02 and v >= least) or ("0",))

    # ---- the journal

    @cached_property
    def by_header(self) -> dict[str, Share]:
        """Shares on the wire."""
        return {share.first.header.hex(): share for share in self.shares if share.first.header is not None}

    def header_told(self, place: int) -> Expectation:
        """A header whose hash is good enough for what the record says."""
        told = self.told["found"][place]
        digest = bitcoin.sha256d(bytes.fromhex(told["header"]))
        good = bitcoin.shown(digest) == told["hash"]
        return Exactly(told["header"] if good else f"a header with the hash {told['hash']}")

    def journal_field(self, place: int, key: str) -> Expectation:
        """Each field of a found share against the wire, or against its own header where it was never sent."""
        told = self.told["found"][place]
        share = self.by_header.get(told["header"])
        if share is None or share.first.job is None:
            return Exactly(f"something of a job that was on the wire, got {told['job']}")
        first, job = share.first, share.first.job
        header = first.header or b""
        talks = [item for story in self.stories for item in story.conversations if job in item.jobs]
        fate = share.fate
        match key:
            case "id":
                return Exactly(self.told["found"][0]["id"] + place)
            case "event":
                return Exactly("found")
            case "time":
                return Within(self.miner.program.started_unix, first.at_unix + 0.01)
            case "pool":
                return Exactly(self.miner.pools[self.pool_of(share)].url)
            case "worker":
                return OneOf((first.worker, self.miner.worker))
            case "session_id":
                return OneOf(tuple(talk.session_id for talk in talks))
            case "settled":
                settled = told["settled"] or {}
                wrong = []
                if settled.get("fate") != fate:
                    wrong.append(f"fate {fate}")
                if share.latency is not None and not (
                    share.latency <= settled.get("latency", -1) <= settled["time"] - told["time"] + 0.01
                ):
                    wrong.append(f"latency from {share.latency}")
                names = ("event", "id", "time", "fate", "reason", "latency")
                return Exactly(wrong or {name: settled.get(name) for name in names})
        return Exactly(
            {
                "extranonce1": job.extranonce1.hex(),
                "extranonce2": first.extranonce2.hex(),
                "job": job.identifier,
                "ntime": int.from_bytes(header[68:72], "little"),
                "nonce": first.nonce,
                "version": int.from_bytes(header[:4], "little"),
                "difficulty": float(first.value),
                "share_difficulty": float(job.difficulty),
                "hash": bitcoin.shown(first.digest or b""),
                "block": first.is_block,
            }.get(key, f"a field that the audit knows, got {key}")
        )


def is_falling(numbers: list[int]) -> bool:
    """Whether no number is larger than the one before it."""
    return sorted(numbers, reverse=True) == numbers


def in_order(shares: list[Share]) -> list[Share]:
    """Those that have an end, in the order of their ends."""
    return sorted((share for share in shares if share.settled is not None), key=lambda share: share.settled or 0.0)


class PoolTruth:
    """What one run of ``pool`` must say at one reading."""

    def __init__(self, pool: PoolAtRest, reading: Reading, *, ended: bool) -> None:
        self.pool = pool
        self.reading = reading
        self.ended = ended
        self.stories = pool.final_below if ended else pool.stories_below
        self.told: Any = reading.value

    @property
    def elapsed(self) -> tuple[float, float]:
        """How long the run lasted: it began before it said that it listens, and ended after it was told to."""
        program = self.pool.program
        if not self.ended:
            return self.reading.asked - self.pool.ready, self.reading.answered - program.started
        assert program.ended is not None
        return (program.interrupted or program.ended) - self.pool.ready, program.ended - program.started

    @cached_property
    def said(self) -> Counter[str]:
        """What it said of shares."""
        total: Counter[str] = Counter()
        for story in self.stories:
            total += story.said()
        return total

    @cached_property
    def accepted(self) -> list[Submit]:
        """Submits that it said true to."""
        submits = [item for story in self.stories for item in story.submits]
        return [item for item in submits if item.answer is not None and item.answer.accepted]

    @property
    def worth(self) -> float:
        """What accepted shares are credited with: the difficulty that was asked for."""
        return math.fsum(float(item.job.difficulty) for item in self.accepted if item.job is not None)

    @property
    def best(self) -> float:
        """The best accepted hash."""
        return max((float(item.value) for item in self.accepted), default=0.0)

    @property
    def connections(self) -> int:
        """That it accepted."""
        return len(self._connections)

    @property
    def _connections(self) -> list[Connection]:
        return [item for story in self.stories for item in story.connections if item.reached]

    @property
    def open(self) -> int:
        """Connections at the moment; at the end there is none."""
        return 0 if self.ended else sum(item.closed is None for item in self._connections)

    def endings(self) -> Expectation:
        """Connections that are over, by why. Who closed one that broke is on no wire: the sum must be right."""
        told = self.told["connections"]["ended"]
        possible = set(told) <= set(UNSURE_ENDINGS) and sum(told.values()) == self.connections - self.open
        return Exactly(told if possible else {"all": self.connections - self.open})

    def ending(self, word: str) -> Expectation:
        """The same as a metric."""
        return ending(word, self.told["stratum_pool_connections_ended_total"], self.connections - self.open)

    def bytes(self, *, up: bool) -> Expectation:
        """From or to miners; a connection that is over may have had some on the way."""
        passed = sum(item.bytes_up if up else item.bytes_down for item in self._connections)
        over = sum(item.closed is not None for item in self._connections)
        return Within(passed - 4000 * over, passed + 4000 * over) if over else Exactly(passed)

    def rate(self) -> Expectation:
        """H/s by the accepted shares of those who are connected, each since it came."""
        low = high = 0.0
        for story in self.stories:
            for talk in story.conversations:
                if self.ended or talk.connection.closed is not None or not talk.connection.reached:
                    continue
                good = [item for item in talk.submits if item.answer is not None and item.answer.accepted]
                worth = math.fsum(float(item.job.difficulty) for item in good if item.job is not None)
                hashes = worth * (1 << 256) / bitcoin.DIFFICULTY_1
                low += (hashes - 1) / (self.reading.answered - talk.connection.opened) * (1 - 1e-4)
                high += (hashes + 1) / max(self.reading.asked - talk.connection.opened - LAG_S, 0.1) * (1 + 1e-4)
        return Within(low, high) if self.open else Exactly(0.0)

    def asked_for(self) -> Expectation:
        """Difficulties of the newest jobs of those who are connected."""
        return OneOf(tuple({float(job.difficulty) for story in self.stories for job in story.jobs}))

    def found(self) -> Expectation:
        """Hashes that meet the network target. Which of the refused ones the pool knew the job of is on no wire."""
        blocks = [item for story in self.stories for item in story.submits if item.is_block and item.answer is not None]
        return Within(sum(item.answer.accepted for item in blocks if item.answer is not None), len(blocks))

    def answers_within(self, bound: str) -> Expectation:
        """Shares that were answered in so many seconds; the relay sees a little more of each."""
        seen = [item.answer.came - item.at for story in self.stories for item in story.submits if item.answer]
        return Within(sum(seconds <= float(bound) for seconds in seen), len(seen))

    @property
    def answered_in(self) -> float:
        """The sum of these times."""
        return math.fsum(item.answer.came - item.at for story in self.stories for item in story.submits if item.answer)

    @cached_property
    def heard(self) -> list[Offer]:
        """What the node heard from this run, in its order."""
        start, end = self.pool.program.started, self.pool.program.ended or math.inf
        node = self.pool.node
        return [offer for offer in node.offers if isinstance(node, ChainOnDisk) or start <= offer.at <= end]

    def offers(self, *, taken: bool) -> list[Offer]:
        """Blocks that it took, or did not: it says null, or a reason."""
        return [offer for offer in self.heard if (offer.verdict is None) is taken]

    def status_at(self, place: int) -> float:
        """When a status line was logged, monotonic."""
        return logged_at(self.reading.value["status"][place]) - (self.reading.asked_unix - self.reading.asked)

    def at_status(self, place: int) -> Expectation:
        """Shares that it had accepted by then."""
        at = self.status_at(place)
        moments = [item.answer.came for item in self.accepted if item.answer is not None]
        return Within(sum(m <= at - LAG_S for m in moments), sum(m <= at + LAG_S for m in moments))

    def rejected_at_status(self, place: int) -> Expectation:
        """Shares that it had rejected by then."""
        sure, possible = self._rejected_by(self.status_at(place))
        return Within(len(sure), len(possible))

    def reasons_at_status(self, place: int) -> Expectation:
        """Why it had rejected them, the most frequent reason first; reasons that are equally frequent in any order."""
        sure, possible = self._rejected_by(self.status_at(place))
        texts: list[str] = []
        for length in range(max(1, len(sure)), len(possible) + 1):
            counts = Counter(possible[:length])
            falling = [item for item in itertools.permutations(counts) if is_falling([counts[why] for why in item])]
            texts += [", ".join(f"{counts[why]} {why}" for why in item) for item in falling]
        return OneOf(tuple(texts))

    def _rejected_by(self, at: float) -> tuple[list[str], list[str]]:
        """The reasons of the shares that it had surely rejected at a moment, and of those that it may have."""
        answers = [item.answer for story in self.stories for item in story.submits if item.answer is not None]
        told = sorted((item.came, word(item)) for item in answers if not item.accepted)
        return [why for came, why in told if came <= at - LAG_S], [why for came, why in told if came <= at + LAG_S]

    def blocks_at_status(self, place: int) -> Expectation:
        """Blocks that the node had taken by then."""
        at = self.status_at(place)
        moments = [offer.at for offer in self.offers(taken=True)]
        return Within(sum(m <= at - LAG_S for m in moments), sum(m <= at + LAG_S for m in moments))

    def height_at_status(self, place: int) -> Expectation:
        """That of the block after the newest that the node had taken by then."""
        at = self.status_at(place)
        taken = self.offers(taken=True)
        first = taken[0].height if taken else self.pool.node.tip[0] + 1
        heights = [first, *(offer.height + 1 for offer in taken)]
        known = sum(offer.at <= at - LAG_S for offer in taken), sum(offer.at <= at + LAG_S for offer in taken)
        return Within(heights[known[0]], heights[known[1]])

    def miners_at_status(self, place: int) -> Expectation:
        """Connections that were open then."""
        at = self.status_at(place)
        spans = [
            (item.opened, item.closed or math.inf)
            for story in self.stories
            for item in story.connections
            if item.reached
        ]
        return Within(
            sum(start <= at - LAG_S and end >= at + LAG_S for start, end in spans),
            sum(start <= at + LAG_S and end >= at - LAG_S for start, end in spans),
        )

    def height(self) -> Expectation:
        """That of the block that follows the node's tip."""
        return Exactly(self.pool.node.tip[0] + 1)

    def jobs(self) -> Expectation:
        """Jobs that were published to all: one for each block at least. A miner that comes may get one of its own,
        and one that nobody was there for is on no wire.
        """
        blocks = {job.previous for story in self.stories for job in story.jobs}
        seen = {job.identifier for story in self.stories for job in story.jobs}
        return Within(len(blocks), len(seen) + 2)

    def finder(self, block: str) -> str:
        """Whose share the block was."""
        submits = [item for story in self.stories for item in story.submits if item.digest is not None]
        return next(item.worker for item in submits if bitcoin.shown(item.digest or b"") == block)


UNSURE_ENDINGS = ("closed", "lost", "by_us")
"""Which side let go of a connection first is on no wire."""


def ending(word: str, told: dict[str, float], over: int) -> Expectation:
    """Connections that ended so: together they are those that are over."""
    others = sum(told[f"ending={other}"] for other in UNSURE_ENDINGS if other != word)
    return Exactly(over - others if word in UNSURE_ENDINGS else 0.0)


def logged_at(event: dict[str, Any]) -> float:
    """Unix time of a line of the log."""
    return datetime.fromisoformat(event["timestamp"]).timestamp()


def quantile(values: list[float], part: float) -> float | None:
    """The smallest value that at least this part of them do not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[max(0, math.ceil(round(part * len(ordered), 9)) - 1)]


def garwood(count: int) -> tuple[float, float]:
    """The 95 % interval of a mean of which so many events were seen, after Garwood (1936)."""

    def below(mean: float, most: int) -> float:
        return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(most + 1))

    def solve(most: int, chance: float) -> float:
        low, high = 1e-9, 10.0 * (count + 10)
        for _ in range(100):
            middle = (low + high) / 2
            low, high = (middle, high) if below(middle, most) > chance else (low, middle)
        return low

    return (0.0 if count == 0 else solve(count - 1, 0.975)), solve(count, 0.025)
