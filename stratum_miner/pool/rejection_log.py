"""Logs the shares that a pool rejects, without letting miners decide how much is logged.

There is at most one line for each reason in ``INTERVAL`` seconds. The first rejected share is logged at once. Later
ones of the same reason are counted, and the next line of this reason contains their number and the newest of them.
"""

import math
from dataclasses import dataclass
from typing import Final

import structlog

from stratum_miner.stratum.errors import ErrorReason

INTERVAL: Final = 10.0
"""Minimum number of seconds between two log lines of the same reason."""

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Rejections:
    """The rejected shares of one reason that are not logged yet, and the newest of them."""

    logged_at: float = -math.inf
    count: int = 0
    session: int = 0
    worker_name: str = ""
    message: str = ""


class RejectionLog:
    """Logs rejected shares as events ``shares_rejected``. Times are in seconds on trio's clock."""

    def __init__(self) -> None:
        self._by_reason: dict[ErrorReason, _Rejections] = {}

    def add(self, session: int, worker_name: str, reason: ErrorReason, message: str, now: float) -> None:
        """Record a rejected share. Log it if the last line of this reason is old enough."""
        found = self._by_reason.setdefault(reason, _Rejections())
        found.count += 1
        found.session, found.worker_name, found.message = session, worker_name, message
        if now >= found.logged_at + INTERVAL:
            self._write(reason, found, now)

    def tick(self, now: float) -> None:
        """Log the shares that were recorded and not logged, where the last line of their reason is old enough. Call
        this method about once a second, and with ``math.inf`` at the end."""
        for reason, found in self._by_reason.items():
            if found.count and now >= found.logged_at + INTERVAL:
                self._write(reason, found, now)

    def _write(self, reason: ErrorReason, found: _Rejections, now: float) -> None:
        _log.info(
            "shares_rejected",
            shares=found.count,
            reason=reason.value,
            newest=found.message,
            session=found.session,
            worker_name=found.worker_name,
        )
        found.count, found.logged_at = 0, now
