"""Notices that the pool has died during a run, and finds the checks after whose requests it died.

A pool counts as dead if three attempts to get a session fail: it refuses connections, or it closes each new connection
or does not reply on it, although it has opened sessions before. A pool that has banned this computer looks the same. A
pool that only refuses further connections does not: an earlier connection is then still open.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import trio

from stratum_miner.conformance.outcome import Silent, UnexpectedDisconnect
from stratum_miner.conformance.pool_under_test import PoolUnderTest, Unreachable
from stratum_miner.conformance.probe import AGENT, LONG_PATIENCE, Facts, Probe, open_probe
from stratum_miner.conformance.share_search import Hasher

ATTEMPTS = 3
"""Number of attempts, one second apart. A single attempt can fail although the pool runs, because its listen queue is
full for a moment."""
RECENT = 1.0
"""A check did not end the pool if it ended more than this number of seconds before the pool's last message. Of several
requests, only those that were sent within this number of seconds are suspected."""


@dataclass(frozen=True, slots=True)
class NoSession:
    """Why the pool opens no session."""

    reason: str
    """What happened instead, such as "Connection refused"."""
    hangs: bool = False
    """Whether the pool sends nothing at all, so that a connection may seem open although the pool is dead."""


@dataclass(frozen=True, slots=True)
class PoolDeath:
    """The end of the pool during a run."""

    reason: str
    """What a new connection met, such as "Connection refused"."""
    after: tuple[str, ...]
    """The ids of the checks that had a request without a reply when the pool died. The request of the first one is the
    most likely to have ended the pool. Empty if no request was open."""
    running: tuple[str, ...]
    """The ids of all checks that were running."""
    seconds: float
    """The time from the start of the run to the last message of the pool."""

    def __str__(self) -> str:
        if self.after:
            first, *others = self.after
            when = f"after a request of {first}" + (f" (or, less likely, of {', '.join(others)})" if others else "")
        else:
            when = f"while no request was open ({', '.join(self.running) or 'no check'} ran)"
        return f"the pool died {self.seconds:.0f} s after the start, {when}: {self.reason}"

    @property
    def consequence(self) -> str:
        """What became of the other checks, as a sentence."""
        hint = f"; --skip {self.after[0]} leaves out the check that was probably the cause" if self.after else ""
        return f"The checks after that were skipped{hint}."


@dataclass(frozen=True, slots=True)
class Trace:
    """What matters about a check when the pool has died. All times are those of trio's clock."""

    identifier: str
    ended: float
    """When the check ended; infinite while it runs."""
    open_since: float | None
    """When the check sent its latest request without a reply; None if it has no such request."""
    received: float
    """When the check received something last."""
    served: bool
    """Whether the pool opened a session for the check."""
    connected: bool
    """Whether a connection on which the pool has sent something is still open."""
    corpse: bool
    """Whether the check may have seen the pool die: the pool ended or refused a connection, or was silent."""

    @classmethod
    def of(cls, identifier: str, probe: Probe, ended: float = float("inf")) -> "Trace":
        """Return the trace of a check that runs, or has ended at the time ``ended``."""
        unanswered = [each.sent_at for each in probe.connections if each.unanswered]
        return cls(
            identifier,
            ended,
            max(unanswered, default=None),
            max((each.received_at for each in probe.connections), default=float("-inf")),
            any(each.extranonce1 is not None for each in probe.connections),
            any(not each.closed and each.bytes_received for each in probe.connections),
            probe.in_doubt or any(each.ended_by_pool for each in probe.connections),
        )


def death_of(problem: NoSession, traces: Iterable[Trace], started: float) -> PoolDeath:
    """Return what is known about the pool's death. ``traces`` are those of all checks that have begun, and ``started``
    is the start of the run on trio's clock."""
    traces = list(traces)
    alive = max((each.received for each in traces), default=started)
    running = [each for each in traces if each.ended >= alive - RECENT]
    asked = [(each.open_since, each.identifier) for each in running if each.open_since is not None]
    # A pool that crashes ends the connections, so its last request is the latest one. A pool that hangs can be sent
    # further requests, so its last request is the one next to its last message.
    last = alive if problem.hangs else max(asked, default=(alive, ""))[0]
    likely = sorted(asked, key=lambda pair: abs(pair[0] - last))
    after = tuple(name for at, name in likely if abs(at - last) <= RECENT) or tuple(name for _, name in likely)
    return PoolDeath(problem.reason, after, tuple(each.identifier for each in running), max(0.0, alive - started))


async def no_session(pool: PoolUnderTest, hasher: Hasher, *, served: bool) -> NoSession | None:
    """Try to get a session. Return None if the pool answers mining.subscribe on a new connection, otherwise what
    happened instead.

    ``served`` says whether the pool has opened a session before. If it has not, it is enough that a connection can be
    made.
    """
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            await trio.sleep(1)
        async with open_probe(pool, hasher, Facts(), 0) as probe:
            try:
                connection = await probe.connect()
                if served:
                    await connection.call("mining.subscribe", AGENT, within=LONG_PATIENCE)
            except Unreachable as error:
                reason = str(error).removeprefix(f"{pool.name}: ")
                if isinstance(error.__cause__, trio.TooSlowError):
                    return NoSession(reason, hangs=True)
            except UnexpectedDisconnect:
                reason = "it closes each new connection without a reply"
            except Silent:
                reason = f"it accepts a new connection, and sends no reply on it within {LONG_PATIENCE:g} s"
                return NoSession(reason, hangs=True)
            else:
                return None
    return NoSession(reason)
