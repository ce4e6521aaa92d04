"""What a pool or a proxy allows its miners."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerLimits:
    """Limits of all connections; times in seconds."""

    max_connections_per_address: int | None = None
    """The most connections from one address at a time; None: any number."""
    authorize_timeout: float = 60.0
    """Limit for subscribe and authorize, as in ckpool; in a proxy it includes the wait for a pool."""
    idle_timeout: float = 7200.0
    """A miner without a request for so long is dropped; TCP finds vanished peers earlier. DATUM's value."""
    send_timeout: float = 30.0
    """Limit within which one write must end."""
    max_queue: int = 256 << 10
    """Bytes waiting for one miner before it is dropped: a hundred usual jobs."""
    max_refused_shares: int = 500
    """Refused shares in a row that end a connection."""
    resume_seconds: float = 600.0
    """How long a miner that went away keeps its extranonce1 and its jobs, as in ckpool."""
    stop_grace: float = 5.0
    """How long last answers may take when we stop."""
