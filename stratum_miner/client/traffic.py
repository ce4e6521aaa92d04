"""Counts what is received and sent on a connection to a pool."""

from dataclasses import dataclass, fields


@dataclass(slots=True, eq=False)
class Traffic:
    """The counters of one connection. They only grow."""

    bytes_received: int = 0
    """Number of bytes received, after TLS decryption."""
    bytes_sent: int = 0
    """Number of bytes sent, before TLS encryption."""
    jobs: int = 0
    """Number of valid jobs, including those that were skipped because a newer one came at the same time."""
    bad_lines: int = 0
    """Number of unusable lines plus number of invalid jobs."""
    unpaired_replies: int = 0
    """Number of replies to requests that the client did not send."""

    def __add__(self, other: "Traffic") -> "Traffic":
        """Add the counters of two connections: each counter of the result is the sum of the two counters of the same
        name."""
        return Traffic(**{name: getattr(self, name) + getattr(other, name) for name in _COUNTERS})


_COUNTERS = [field.name for field in fields(Traffic)]
