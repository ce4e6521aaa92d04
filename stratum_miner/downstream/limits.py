"""The limits that a pool or a proxy sets for its miners."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class MinerLimits:
    """Limits for the connections of miners. Times are in seconds. Raises ValueError if a limit is outside its range."""

    max_connections_per_address: int | None = None
    """Maximum number of connections from one IP address at the same time; None for any number."""
    authorize_timeout: float = 60.0
    """Seconds within which a miner must subscribe and authorize, as in ckpool. In a proxy, this time includes the wait
    for a pool."""
    idle_timeout: float = 7200.0
    """Seconds without a request after which a miner is disconnected, as in DATUM. The limit can be long, because TCP
    keepalive detects a vanished miner within minutes."""
    send_timeout: float = 30.0
    """Seconds within which one write to a miner must finish."""
    max_queue: int = 256 << 10
    """Maximum number of bytes that may wait to be sent to one miner, about a hundred usual jobs. If more would wait,
    the miner is disconnected."""
    max_refused_shares: int = 500
    """Maximum number of shares in a row that are answered with an error. If the next share is answered with an error,
    too, the miner is disconnected."""
    resume_seconds: float = 600.0
    """Seconds for which a miner that disconnected can resume its session and keep its extranonce1 and jobs, as in
    ckpool."""
    stop_grace: float = 5.0
    """Maximum number of seconds for which a stopping pool or proxy waits for the results of open shares."""

    def __post_init__(self) -> None:
        for name in ("authorize_timeout", "idle_timeout", "send_timeout", "max_queue"):
            if not (value := getattr(self, name)) > 0:
                raise ValueError(f"{name}: expected more than 0, got {value}")
        for name in ("max_refused_shares", "resume_seconds", "stop_grace"):
            if not (value := getattr(self, name)) >= 0:
                raise ValueError(f"{name}: expected 0 or more, got {value}")
        if self.max_connections_per_address is not None and self.max_connections_per_address < 1:
            raise ValueError(
                f"max_connections_per_address: expected None, or 1 or more, got {self.max_connections_per_address}"
            )
