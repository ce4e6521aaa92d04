"""What a client keeps when a connection ends, for use on its next connection: the session to resume, and the shares
without a reply.

The module ``connection`` calls ``Resumption.begin`` to learn whether the pool resumed the session. If the pool did so,
the connection resubmits the shares. Otherwise the shares are reported as lost.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from stratum_miner.work.job import Origin
from stratum_miner.work.share import Share

MAX_CARRIED = 4096
"""Maximum number of shares that are kept for the next connection. If there are more, the oldest are lost."""


@dataclass(frozen=True, slots=True)
class Resumable:
    """The data with which a later connection can resume a session."""

    session_id: str | None
    """The id that the pool gave the session. None if it gave none; then the extranonce1 identifies the session."""
    extranonce1: bytes
    extranonce2_size: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A share without a reply. ``sent``: whether the share was ever sent. If so, the pool may have received it."""

    share: Share
    sent: bool


class Resumption:
    """What one client keeps from one connection to the next."""

    def __init__(self, origin: Origin, sessions: Iterator[int]) -> None:
        self.origin = origin
        """The pool, worker name and newest session. The session number is 0 before the first session."""
        self.resumable: Resumable | None = None
        """The data with which to resume the newest session; None if there is no session, or the pool refused to resume
        it."""
        self.next_id = 1
        """Id of the next request. The ids on a connection continue those of the previous connection."""
        self.accepted: set[str] = set()
        """Worker names that the pool has authorized on any connection."""
        self._sessions = sessions
        self._carried: list[Unanswered] = []

    def begin(self, session: Resumable) -> bool:
        """Record the session that the pool opened. Return True if the pool resumed the previous session.

        The pool resumed it if extranonce1 and extranonce2 size are the same as before. Otherwise the session gets a new
        number.
        """
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
        """Record that the pool gave the session another extranonce."""
        if self.resumable is not None:
            self.resumable = replace(self.resumable, extranonce1=extranonce1, extranonce2_size=extranonce2_size)

    def adopt(self, resumable: Resumable, shares: Sequence[Share]) -> None:
        """Take over a session of an earlier run of the program, and those shares of this session that have no reply.
        Call this method before the first connection."""
        self.resumable = resumable
        self._carried.extend(Unanswered(share, sent=True) for share in shares)

    def carry(self, *items: Unanswered) -> list[Unanswered]:
        """Keep shares for the next connection. If there are now more than ``MAX_CARRIED``, remove the oldest of them,
        and return these so that the caller reports them as lost."""
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
