"""Events that a pool and a proxy have in common: what a connected miner does. Each event is a frozen value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MinerConnected:
    """The server accepted a miner's connection."""

    session: int
    """Number of the connection, counted from 1; no other connection of this server gets it."""
    address: str
    """IP address and TCP port of the miner, as HOST:PORT."""


@dataclass(frozen=True, slots=True)
class MinerDisconnected:
    """A miner's connection is closed."""

    session: int
    """Number of the connection."""
    address: str
    """IP address and TCP port of the miner, as HOST:PORT."""
    reason: str
    """Which side closed the connection, and why, in one line."""


@dataclass(frozen=True, slots=True)
class MinerAuthorized:
    """A worker name was authorized, at the miner's request, for the first time on a connection. The worker may now
    submit shares on this connection."""

    session: int
    """Number of the connection."""
    worker_name: str
    """First parameter of mining.authorize."""
    user_agent: str
    """First parameter of mining.subscribe; empty if the miner sent none."""
