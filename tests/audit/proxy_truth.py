"""The figures that a run of ``proxy`` must have come to: upwards it is a miner, downwards a pool.

What became of a share is known from the wire above: it goes up as the same 80 bytes that came from below. Of a share
that never went up the arithmetic says what it is; where two answers would be true (too late, or lost, when the
connection above broke), the one that was given below counts.
"""

import math
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from typing import Any

from tests.audit import bitcoin
from tests.audit.expect import Exactly, Expectation, OneOf, Within, spread
from tests.audit.scene import ProxyAtRest
from tests.audit.surfaces import Reading
from tests.audit.truth import LAG_S, UNSURE_ENDINGS, MinerTruth, ending, quantile
from tests.audit.witness import NOT_RESUMED, SHARE_LOST, Conversation, Share, Story, Submit, says_lost, word

RATE_WINDOW_S = 300.0
"""Over so long the proxy says a miner's hash rate, or since it connected."""
REMEMBERED = ("accepted", "kept", "rejected", "open")
"""Ends of shares that are duplicates if they come again."""
UNFOUNDED = "unfounded"
"""What the proxy said of a share, and what is not so."""
WORDLESS = "refused without a reason"
"""A refusal by a pool; a proxy has to give some code."""
SESSION_OVER = "its session is over"
"""Why the client above does not even wait with a share."""
Outcome = tuple[str, str]


def _job_at(submit: Submit) -> float:
    return submit.job.at if submit.job is not None else math.inf


class ProxyTruth(MinerTruth):
    """What one run of ``proxy`` must say at one reading."""

    def __init__(self, proxy: ProxyAtRest, reading: Reading, *, ended: bool) -> None:
        self.proxy = proxy
        self.reading = reading
        self.ended = ended
        self.stories = proxy.final if ended else proxy.stories
        self.below = proxy.final_below if ended else proxy.stories_below
        self.told: Any = reading.value

    @property
    def miner(self) -> ProxyAtRest:  # type: ignore[override]  # a proxy mines on its pools like a miner
        """Who mines on the pools."""
        return self.proxy

    @cached_property
    def records(self) -> dict[str, Any]:
        """It keeps no journal."""
        return {}

    def unsent(self, url: str, story: Story) -> list[Share]:
        """Good shares that never went up, which the pool that is mined on is short of."""
        if url != self.proxy.pools[self.proxy.active or 0].url:
            return []
        return [Share([item], "lost", NOT_RESUMED) for item in self.waited]

    @property
    def waited(self) -> list[Submit]:
        """Good shares that waited for a pool in vain."""
        return [item for item in self.submits if self.end_of(item)[0] == "lost" and item.header not in self.sent_up]

    def reasons_above(self, index: int) -> Expectation:
        """Why shares of a pool were not accepted. A share that came when the next session was there had no session any
        more, one that came before waited for it; which of the two, of those that came at that moment, no wire says.
        """
        reasons = Counter(self.reasons(index))
        opened = [item.subscribed_at for item in self.stories[index].conversations if item.subscribed_at is not None]
        after = [item.at - min((at for at in opened if at > _job_at(item)), default=math.inf) for item in self.waited]
        over, unsure = sum(lag > LAG_S for lag in after), sum(-LAG_S <= lag <= LAG_S for lag in after)
        return OneOf(
            tuple(
                dict(+(reasons - Counter({NOT_RESUMED: count}) + Counter({SESSION_OVER: count})))
                for count in range(over, over + unsure + 1)
            )
        )

    # ---- who came -------------------------------------------------------------------------------------------------

    @cached_property
    def talks(self) -> list[Conversation]:
        """Everybody who connected, in the order of coming."""
        talks = [talk for story in self.below for talk in story.conversations if talk.connection.reached]
        return sorted(talks, key=lambda talk: talk.connection.opened)

    @property
    def shown(self) -> list[Conversation]:
        """Those who have a row: who left without a worker has none."""
        return [talk for talk in self.talks if self.is_connected(talk) or any(talk.workers.values())]

    def is_connected(self, talk: Conversation) -> bool:
        """Whether its connection is open; at the end there is none."""
        return not self.ended and talk.connection.closed is None

    def address(self, talk: Conversation) -> str:
        """Where it comes from, for the proxy: the relay's end."""
        return f"127.0.0.1:{talk.connection.outward}"

    def talk(self, place: int | Conversation) -> Conversation:
        """The conversation that a row of the miners is about, by its address."""
        if isinstance(place, Conversation):
            return place
        rows = self.told["lines"] if "lines" in self.told else self.told["miners"]
        told = rows[place]["address"]
        return next(talk for talk in self.talks if self.address(talk) == told)

    def of(self, place: int, value: Callable[[Conversation], Any]) -> Expectation:
        """A figure of a miner's."""
        return Exactly(value(self.talk(place)))

    def opened(self, place: int) -> Expectation:
        """Unix time of its connection."""
        moment = self.talk(place).connection.opened + self.offset
        return Within(moment - 0.01, moment + LAG_S)

    @property
    def open(self) -> int:
        """Who is connected."""
        return sum(map(self.is_connected, self.talks))

    def endings(self) -> Expectation:
        """Connections that are over, by why. Who closed one that broke is on no wire: the sum must be right."""
        told, over = self.told["connections"]["ended"], len(self.talks) - self.open
        possible = set(told) <= set(UNSURE_ENDINGS) and sum(told.values()) == over
        return Exactly(told if possible else {"all": over})

    def ending(self, word: str) -> Expectation:
        """The same as a metric."""
        return ending(word, self.told["stratum_proxy_connections_ended_total"], len(self.talks) - self.open)

    def bytes_below(self, *, up: bool) -> Expectation:
        """From or to all miners; a connection that was cut had some on the way."""
        passed = sum(talk.connection.bytes_up if up else talk.connection.bytes_down for talk in self.talks)
        return (
            Within(passed - 4000 * len(self.talks), passed + 4000 * len(self.talks))
            if self.proxy.cuts
            else Exactly(passed)
        )

    def answers_within(self, bound: str) -> Expectation:
        """Shares that the pool answered, and the answer went back, in so many seconds."""
        least, most = (self._answers_within(float(bound), side) for side in (1, 0))
        return Within(max(0, least - self.late), most)

    def _answers_within(self, bound: float, side: int) -> int:
        return sum(pair[side] <= bound for index in range(len(self.stories)) for pair in self.latencies(index))

    def answered(self) -> Expectation:
        """How many there are; nobody waited any more for those that came too late."""
        return Exactly(float(self._answers_within(math.inf, 0) - self.late))

    def answered_in(self) -> Expectation:
        """The sum of these times."""
        pairs = [pair for index in range(len(self.stories)) for pair in self.latencies(index)]
        low, high = (math.fsum(pair[side] for pair in pairs) for side in (0, 1))
        return Within(0.0 if self.late else low, high)

    def bytes_of(self, place: int, *, up: bool) -> Expectation:
        """Bytes; a connection that was cut had some on the way."""
        connection = self.talk(place).connection
        passed = connection.bytes_up if up else connection.bytes_down
        cut = self.proxy.cuts and connection.closed is not None
        return Within(passed - 4000, passed + 4000) if cut else Exactly(passed)

    # ---- shares ---------------------------------------------------------------------------------------------------

    @cached_property
    def submits(self) -> list[Submit]:
        """From all miners, in the order of coming."""
        found = [item for talk in self.talks for item in self.taken(talk)]
        return sorted(found, key=lambda item: item.at)

    def taken(self, talk: Conversation) -> list[Submit]:
        """What one miner submitted and the proxy read. What was passed on to a proxy that ended, and has no answer, it
        may have read or not: no wire says so, and the miner's row of its last figures is believed within these bounds.
        """
        passed = [item for item in talk.submits if item.arrived]
        answered = max((number for number, item in enumerate(passed, 1) if item.answer is not None), default=0)
        told = self._received.get(self.address(talk), len(passed))
        return passed[:told] if self.ended and answered <= told <= len(passed) else passed

    @cached_property
    def _received(self) -> dict[str, int]:
        """How many shares the proxy said at its end that it had got from whom, by address."""
        last = [item.value for item in self.proxy.readings if item.surface == "proxy.json"]
        return {row["address"]: row["shares"]["received"] for told in last for row in told["miners"]}

    @cached_property
    def sent_up(self) -> dict[bytes, Share]:
        """By header."""
        shares = [share for story in self.stories for share in story.shares]
        return {share.first.header: share for share in shares if share.first.header is not None}

    @cached_property
    def outcomes(self) -> dict[int, Outcome]:
        """What became of each submit, in the words that the proxy counts by, and why; by the submit's identity."""
        found: dict[int, Outcome] = {}
        known: set[bytes] = set()
        for item in self.submits:
            found[id(item)] = outcome = self._judge(item, known)
            if item.header is not None and (outcome[0] in REMEMBERED or item.header in self.sent_up):
                known.add(item.header)
            if outcome[0] == "lost" and item.header is not None:
                known.discard(item.header)
        return found

    def end_of(self, submit: Submit) -> Outcome:
        """What became of one."""
        return self.outcomes[id(submit)]

    def _judge(self, submit: Submit, known: set[bytes]) -> Outcome:
        if submit.job is None:
            return "stale", ""
        if submit.header is None:
            return "refused", "other"
        if submit.header in known:
            return "refused", "duplicate share"
        if not submit.meets_share:
            return "refused", "low difficulty share"
        share = self.sent_up.get(submit.header)
        if share is None:
            return self._judge_unsent(submit)
        answer = submit.answer
        if answer is not None and says_lost(answer) and (share.settled is None or answer.came < share.settled):
            return "lost", ""  # it waited as long as it would
        if share.fate == "open":
            return ("lost" if self.ended else "open"), ""
        return share.fate, share.reason if share.fate == "rejected" else ""

    def _judge_unsent(self, submit: Submit) -> Outcome:
        """Good, and not on the wire above: too late, or without a connection, or not good enough for the pool."""
        answer = submit.answer
        if answer is None:
            return ("lost" if self.ended or self._is_over(submit) else "open"), ""
        if says_lost(answer):
            return "lost", ""
        if answer.code == 21:
            return ("stale" if self._is_old(submit, answer.came) else UNFOUNDED), ""
        if answer.accepted:
            asked = [job.difficulty for job in self._jobs_above(submit)]
            return ("kept" if asked and submit.value < max(asked) else UNFOUNDED), ""
        return UNFOUNDED, word(answer)

    def _is_old(self, submit: Submit, moment: float) -> bool:
        """Whether a job on another block had come by then."""
        assert submit.job is not None
        jobs = [job for story in self.stories for job in story.jobs if submit.job.at - LAG_S < job.at <= moment]
        return any(job.previous != submit.job.previous for job in jobs)

    def _is_over(self, submit: Submit) -> bool:
        """Whether another session above came after the one that its job belongs to."""
        return any(
            talk.subscribed_at is not None and talk.subscribed_at > submit.at
            for story in self.stories
            for talk in story.conversations
        )

    def _jobs_above(self, submit: Submit) -> list[Any]:
        """Jobs of the pool that the submit's job was made of."""
        assert submit.job is not None
        prefix = submit.job.prefix
        return [
            job
            for story in self.stories
            for job in story.jobs
            if job.previous == submit.job.previous and prefix.startswith(job.prefix + job.extranonce1)
        ]

    def of_miner(self, place: int | Conversation | None) -> list[Submit]:
        """What one miner submitted, or all of them."""
        return self.submits if place is None else self.taken(self.talk(place))

    def ends(self, place: int | None = None) -> Counter[Outcome]:
        """What became of them."""
        return Counter(map(self.end_of, self.of_miner(place)))

    def counts_of(self, talk: Conversation) -> list[int]:
        """What one miner has: accepted by the pool, and all that was good for nothing."""
        ends = Counter(self.end_of(item)[0] for item in self.taken(talk))
        return [ends["accepted"], sum(ends[end] for end in ("rejected", "refused", "stale", "lost"))]

    def count(self, what: str, place: int | None = None) -> int:
        """Shares that ended so."""
        return sum(number for (end, _), number in self.ends(place).items() if end == what)

    def why(self, what: str, place: int | None = None) -> dict[str, int]:
        """The same by reason."""
        return {reason: number for (end, reason), number in self.ends(place).items() if end == what}

    def good(self, place: int | Conversation | None = None, *, surely: bool = False) -> list[Submit]:
        """Those that the proxy found good. One that went up and was too late for the pool may have been too late for
        the proxy too, which hands such a share up only where it is a block: ``surely`` leaves those out.
        """
        found = []
        for item in self.of_miner(place):
            end, _ = self.end_of(item)
            went_up = item.header in self.sent_up
            if end in ("accepted", "rejected", "kept", "lost", "open") or (end == "stale" and went_up):
                unsure = end == "stale" and item.is_block
                found += [] if unsure and surely else [item]
        return found

    def worth(self, place: int | Conversation | None = None) -> tuple[float, float]:
        """What the good ones were asked for, least and most."""
        least, most = (
            math.fsum(float(item.job.difficulty) for item in self.good(place, surely=surely) if item.job is not None)
            for surely in (True, False)
        )
        return least, most

    def worth_below(self, place: int | None = None) -> Expectation:
        """The same as a figure."""
        least, most = self.worth(place)
        return Exactly(least) if least == most else Within(least * (1 - 1e-9), most * (1 + 1e-9))

    def best_below(self, place: int | None = None) -> Expectation:
        """The best good one."""
        return OneOf(
            tuple(
                max((float(item.value) for item in self.good(place, surely=surely)), default=0.0)
                for surely in (True, False)
            )
        )

    @property
    def late(self) -> int:
        """Answered from above after the miner had been told that the share is lost."""
        lost = [item for item in self.submits if self.end_of(item)[0] == "lost"]
        shares = [(self.sent_up.get(item.header or b""), item.answer.came) for item in lost if item.answer is not None]
        return sum(share is not None and share.settled is not None and told < share.settled for share, told in shares)

    def latency(self, share: Share) -> tuple[float, float]:
        """Between what the wire above saw and what the wire below saw."""
        assert share.latency is not None
        below = [item for item in self.submits if item.header == share.first.header and item.answer is not None]
        if not below or below[-1].answer is None:
            return share.latency, share.latency + LAG_S
        return share.latency, below[-1].answer.came - below[-1].at + 0.01

    def last_age(self, place: int) -> Expectation:
        """Since the last good share of a miner."""
        moments = [item.at for item in self.good(place)]
        if not moments:
            return Exactly(None)
        return Within(self.now[0] - max(moments) - LAG_S, self.now[1] - max(moments) + 0.01)

    # ---- hash rates -----------------------------------------------------------------------------------------------

    @property
    def now(self) -> tuple[float, float]:
        """When the figures were taken, least and most."""
        program = self.proxy.program
        if not self.ended:
            return self.reading.asked, self.reading.answered
        assert program.ended is not None
        return program.interrupted or program.ended, program.ended

    def rate_below(self, place: int | None = None) -> Expectation:
        """H/s by the good shares: of one miner since it connected; of all, the sum over those who are there."""
        if place is not None:
            return Within(*self._rate(place))
        rates = [self._rate(talk) for talk in self.talks if self.is_connected(talk)]
        return Within(sum(low for low, _ in rates), sum(high for _, high in rates)) if rates else Exactly(0.0)

    def _rate(self, place: int | Conversation) -> tuple[float, float]:
        opened = self.talk(place).connection.opened
        if self.now[1] - opened > RATE_WINDOW_S:
            raise ValueError("a run of less than five minutes, whose shares are all in the rate")
        least, most = (worth * (1 << 256) / bitcoin.DIFFICULTY_1 for worth in self.worth(place))
        return (
            (least - 1) / (self.now[1] - opened) * (1 - 1e-4),
            (most + 1) / max(self.now[0] - opened - LAG_S, 0.1) * (1 + 1e-4),
        )

    # ---- the connection above -------------------------------------------------------------------------------------

    def sizes(self) -> tuple[int | None, int | None]:
        """Bytes that tell miners apart, and bytes left to each: what the newest miner was given."""
        given = [(len(talk.extranonce1), talk.extranonce2_size) for talk in self.talks if talk.subscribed_at]
        return given[-1] if given else (None, None)

    def room(self) -> int | None:
        """Miners that so many bytes tell apart."""
        size = self.sizes()[0]
        return None if size is None else 1 << 8 * size

    @property
    def has_work(self) -> bool:
        """Whether a pool's connection with a job is open; at the end all are closed."""
        return not self.ended and bool(self.jobs)

    def connections_up(self) -> int:
        """Open at a time to one pool: one, and more where miners found no room."""
        end = self.now[0]
        opened = [
            sum(talk.connection.closed is None or talk.connection.closed >= end for talk in story.conversations)
            for story in self.stories
        ]
        return max(1, *opened)

    def asked(self) -> Exactly:
        """The difficulty of the newest job of the pool mined on."""
        jobs = [job for story in self.stories for job in story.jobs]
        return Exactly(float(max(jobs, key=lambda job: job.at).difficulty) if jobs else None)

    # ---- what it said on the wire and in its log ------------------------------------------------------------------

    def answers(self) -> Counter[str]:
        """What it must have answered, in words, to those who were there to hear it."""
        found: Counter[str] = Counter()
        for item in self.submits:
            if item.answer is not None:
                end, reason = self.end_of(item)
                said = {"kept": "accepted", "lost": SHARE_LOST}.get(end, reason or end)
                found["other" if said == WORDLESS else said] += 1
        return found

    def passed_up(self, fate: str) -> int:
        """Shares that were handed to the client above, by what became of them: each has a line in the log."""
        handed = [item for item in self.good() if self.end_of(item)[0] == fate]
        return len(handed)

    def left(self, place: int, fate: str) -> Expectation:
        """Counts of a miner at the moment at which it left: what was settled by then."""
        address = self.told["left"][place]["address"]
        talk = next(item for item in self.talks if self.address(item) == address)
        closed = talk.connection.closed or self.now[1]
        ends = [item for item in self.taken(talk) if self.end_of(item)[0] == fate]
        known = [item.answer.came for item in ends if item.answer is not None]
        return Within(sum(moment < closed - LAG_S for moment in known), len(ends))

    def left_session(self, place: int) -> Expectation:
        """The number of a miner that left."""
        address = self.told["left"][place]["address"]
        return Exactly(next(i for i, talk in enumerate(self.talks) if self.address(talk) == address) + 1)

    def latency_shown(self, index: int) -> Expectation:
        """The median, with one decimal."""
        bounds = self.latencies(index)
        low, high = (quantile([pair[side] for pair in bounds], 0.5) for side in (0, 1))
        return Exactly(None) if low is None or high is None else spread((low, high), 1000, 1)
