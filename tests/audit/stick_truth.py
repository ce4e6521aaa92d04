"""What a run with a stick must say: of what it found the tap knows, which hashes each nonce of the stick again."""

from functools import cached_property
from typing import Any

from tests.audit.expect import Exactly, Expectation, Within, spread
from tests.audit.stick import Nonce, Tap
from tests.audit.truth import LAG_S, SAMPLING_S, MinerTruth


class StickTruth(MinerTruth):
    """A stick tells no hashes, only nonces: each stands for as many as it takes to find one."""

    @property
    def tap(self) -> Tap:
        """Between the stick and its driver."""
        assert self.miner.stick is not None
        return self.miner.stick

    @property
    def each(self) -> float:
        """Hashes that one nonce takes."""
        return (1 << 256) / (self.tap.target + 1)

    def hashes(self, rate: float | None = None) -> tuple[float, float]:
        """Since the start, as a whole number."""
        total = len(self.tap.good) * self.each
        return total - 0.51, total + 0.51

    def between(self, start: float, end: float) -> float:
        """Hashes that the nonces between two moments stand for."""
        return sum(start <= item.at <= end for item in self.tap.good) * self.each

    def window(self, seconds: float, rate: float | None = None) -> tuple[float, float]:
        """H/s over the last seconds."""
        least, most = self.elapsed
        low, high = self.average() if least < seconds + SAMPLING_S else (float("inf"), 0.0)
        now, span = self.reading.answered, min(seconds, most)
        low = min(low, self.between(now - span + SAMPLING_S, now - SAMPLING_S) / (span + SAMPLING_S))
        return low, max(high, self.between(now - span - SAMPLING_S, now) / max(span - SAMPLING_S, 0.5))

    def device_rate(self, index: int, seconds: float, scale: float = 1.0, decimals: int = 12) -> Expectation:
        """H/s over the last seconds, or since the stick began, which is later than the miner did."""
        low, high = self.window(seconds)
        if self.tap.works and (age := self.reading.asked - self.tap.works[0].at) < seconds + SAMPLING_S:
            high = max(high, self.hashes()[1] / max(age - SAMPLING_S, 0.5))
        return spread((low, high), scale, decimals)

    def point_rate(self, place: int) -> Expectation:
        """H/s between two points of the history."""
        end = self.points[place]["at"] - self.offset
        start = self.points[place - 1]["at"] - self.offset if place else self.miner.program.started
        least, most = self.between(start + LAG_S, end - LAG_S), self.between(start - LAG_S, end + 0.02)
        return Within(least / (end - start + LAG_S), most / max(end - start - 0.1, 0.1))

    @cached_property
    def problems(self) -> list[dict[str, Any]]:
        """The same, and a stick that computes wrongly: in more than one result of twenty, by three deviations."""
        good, bad = len(self.tap.good), len(self.tap.errors)
        allowed = 0.05 * (good + bad)
        before = [problem for problem in super().problems if problem["severity"] == "critical"]
        after = [problem for problem in super().problems if problem["severity"] != "critical"]
        if self.ended or good + bad < 20 or bad <= allowed + 3 * allowed**0.5:
            return before + after
        text = (
            f"{self.miner.devices[0].name} computes wrong results: {bad} of its last {good + bad} results "
            f"({100 * bad / (good + bad):.0f} %) are wrong."
        )
        wrong = {"severity": "warning", "kind": "device_errors", "text": text, "device_id": 0, "pool_id": None}
        return [*before, wrong, *after]

    # ---- nonces ---------------------------------------------------------------------------------------------------

    def nonces(self, index: int) -> Expectation:
        """Those that solve something."""
        return Exactly(len(self.tap.good))

    def chips(self, index: int) -> Expectation:
        """The same by chip: there is one."""
        return Exactly([len(self.tap.good)])

    def hardware_errors(self, index: int | None = None) -> Expectation:
        """Those that solve nothing."""
        return Exactly(len(self.tap.errors))

    def error_percent(self) -> Expectation:
        """Those that solve nothing among all."""
        nonces = len(self.tap.errors) + len(self.tap.good)
        return Exactly(len(self.tap.errors) / nonces * 100 if nonces else 0.0)

    def hardware_percent(self, index: int | None = None) -> Expectation:
        """Errors as a share of all nonces."""
        return self.percent(len(self.tap.errors), len(self.tap.errors) + len(self.tap.good))

    def duplicate_nonces(self, index: int) -> Expectation:
        """Those that had come before."""
        return Exactly(len(self.tap.repeated))

    def stale_nonces(self, index: int) -> Expectation:
        """Good ones that made no share: their work was void by then. The tap tells that each of them was to a work
        that another followed, or was about to follow.
        """
        found = {item.first.header[64:] for item in self.shares if item.first.header is not None}
        missed = [item for item in self.tap.good if item.work is not None and item.work.tail + item.data not in found]
        late = [item for item in missed if self._is_late(item)]
        return Exactly(len(missed) if len(late) == len(missed) else f"{len(missed)}, which {len(late)} can explain")

    def _is_late(self, nonce: Nonce) -> bool:
        """Whether a job that voids all work had come since its work was given, or comes while it is on its way."""
        assert nonce.work is not None
        jobs = [job for story in self.stories for job in story.jobs if job.clean]
        return any(nonce.work.at - LAG_S < job.at < nonce.at + LAG_S for job in jobs[1:])

    def nonce_age(self, index: int) -> Expectation:
        """Since its last good one, noticed at a sample."""
        if not self.tap.good:
            return Within(0.0, self.elapsed[1], or_none=True)
        last = self.tap.good[-1].at
        return Within(self.reading.asked - last - SAMPLING_S, self.reading.answered - last + LAG_S)

    def nonce_moment(self, index: int | None) -> Expectation:
        """The same as a date."""
        if not self.tap.good:
            return Exactly(0)
        last = self.tap.good[-1].at_unix
        return Within(int(last - LAG_S), int(last + SAMPLING_S))
