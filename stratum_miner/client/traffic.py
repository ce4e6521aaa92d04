"""What comes and goes on a connection to a pool, counted."""

from dataclasses import astuple, dataclass


@dataclass(slots=True, eq=False)
class Traffic:
    """Every figure only grows."""

    bytes_received: int = 0
    """Inside TLS, as are those sent."""
    bytes_sent: int = 0
    jobs: int = 0
    """Valid ones, also those that were followed by another before anybody could work on them."""
    bad_lines: int = 0
    """Lines that could not be used, and jobs that are none."""
    unpaired_replies: int = 0

    def __add__(self, other: "Traffic") -> "Traffic":
        """The sum of both."""
        return Traffic(*map(sum, zip(astuple(self), astuple(other), strict=True)))
