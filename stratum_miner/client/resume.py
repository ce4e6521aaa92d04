"""What a connection leaves for the next one: the session to resume, and the shares without an answer.

``connection`` asks here whether the pool resumed the session. It then sends the shares again, or reports them as lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stratum_miner.work.job import Origin
from stratum_miner.work.share import Share

MAX_CARRIED = 4096
"""Shares kept for a resume; the oldest beyond it are lost."""


@dataclass(frozen=True, slots=True)
class Resumable:
    """What a later connection needs to continue this session."""

    session_id: str | None
    extranonce1: bytes
    extranonce2_size: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A share without an answer; ``sent`` if a pool may have seen it."""

    share: Share
    sent: bool


class Resumption:
    """What one client keeps between its connections, which come one after the other."""

    def __init__(self, origin: Origin, sessions: Iterator[int]) -> None:
        self.origin = origin
        """The newest session with the pool; its number is 0 before the first."""
        self.resumable: Resumable | None = None
        """What would continue that session; None when there is none, or the pool does not know it."""
        self.next_id = 1
        """The id of the next request. Each connection counts on from the one before."""
        self.accepted: set[str] = set()
        """Workers that the pool authorized on any connection."""
        self._sessions = sessions
        self._carried: list[Unanswered] = []

    def begin(self, session: Resumable) -> bool:
        """Note the session that the pool opened. Returns whether it is the previous one; else it gets a new number."""
        before, self.resumable = self.resumable, session
        self.origin = replace(self.origin, session_id=session.session_id)
        if before is not None and (before.extranonce1, before.extranonce2_size) == (
            session.extranonce1,
            session.extranonce2_size,
        ):
            return True
        self.origin = replace(self.origin, session=next(self._sessions))
        return False

    def change_extranonce(self, extranonce1: bytes, extranonce2_size: int) -> None:
        """Note that the pool gave the session another extranonce."""
        if self.resumable is not None:
            self.resumable = replace(self.resumable, extranonce1=extranonce1, extranonce2_size=extranonce2_size)

    def adopt(self, resumable: Resumable, shares: Sequence[Share]) -> None:
        """Take over, before the first connection, a session of an earlier run and its shares without an answer."""
        self.resumable = resumable
        self._carried.extend(Unanswered(share, sent=True) for share in shares)

    def carry(self, *items: Unanswered) -> list[Unanswered]:
        """Keep shares for the next connection. Returns the oldest ones beyond ``MAX_CARRIED``; they are lost."""
        self._carried += items
        surplus = self._carried[:-MAX_CARRIED]
        del self._carried[:-MAX_CARRIED]
        return surplus

    def take(self) -> list[Unanswered]:
        """Remove and return the shares that were kept, the oldest first."""
        carried, self._carried = self._carried, []
        return carried

    @property
    def carried(self) -> int:
        """The number of shares that are kept."""
        return len(self._carried)
