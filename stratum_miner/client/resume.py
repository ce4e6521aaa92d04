"""What a connection leaves for the next one: the session to resume, and the shares without an answer."""

from dataclasses import dataclass

from stratum_miner.work.share import Share


@dataclass(frozen=True, slots=True)
class Resumable:
    """What a later connection needs to continue this session."""

    session_id: str | None
    extranonce1: bytes
    extranonce2_size: int


@dataclass(frozen=True, slots=True)
class Unanswered:
    """A share without a fate; ``sent`` if a pool may have seen it."""

    share: Share
    sent: bool
