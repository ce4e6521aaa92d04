"""What systemd is told: ready, a line of status, that we are alive, that we stop. Nothing where nobody listens.

The protocol is one datagram of NAME=VALUE lines to the socket in NOTIFY_SOCKET (sd_notify(3)); the watchdog's time is
in WATCHDOG_USEC for the process in WATCHDOG_PID.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress

import trio

from stratum_miner.monitoring.view import Summary
from stratum_miner.quantities import hash_rate_text

STATUS_S = 5.0


class ServiceManager:
    """Tells the service manager of this process; all calls are cheap and never raise."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = _watchdog_seconds(environment)

    @property
    def listens(self) -> bool:
        """Whether there is one."""
        return self._address.startswith(("/", "\0"))

    def tell(self, **values: str) -> None:
        """Send NAME=VALUE lines."""
        if self.listens:
            text = "\n".join(f"{name}={' '.join(value.split())}" for name, value in values.items())
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sending:
                sending.setblocking(False)
                sending.sendto(text.encode(), self._address)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Tell that the configuration is being read again, and when that is over, however it ends."""
        self.tell(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1000))
        try:
            yield
        finally:
            self.tell(READY="1")

    async def run(self, look: Callable[[], Summary]) -> None:
        """Ready at once; then status and signs of life until cancelled, and that it stops.

        Ready means that mining is looked after, not that a pool answers: a pool that is down at boot is no failure.
        """
        self.tell(READY="1", STATUS=_status(look()))
        pause = min(STATUS_S, self._watchdog_s / 3) if self._watchdog_s else STATUS_S
        try:
            while True:
                await trio.sleep(pause)
                alive = {"WATCHDOG": "1"} if self._watchdog_s else {}
                self.tell(**alive, STATUS=_status(look()))
        finally:
            self.tell(STOPPING="1")


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    text, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not text.isdecimal() or (owner and owner != str(os.getpid())):
        return 0.0
    return int(text) / 1e6


def _status(summary: Summary) -> str:
    shares, problems = summary.shares, summary.problems
    words = (
        f"{summary.state}{f' ({summary.detail})' if summary.detail else ''}, {hash_rate_text(summary.hash_rate_1m)}, "
        f"{shares.accepted} accepted, {shares.rejected + shares.stale} refused, {shares.lost} lost"
    )
    if not problems:
        return words
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{words}; {problems[0].text}{more}"
