"""Notifies systemd that the miner is ready, that it stops, what its status is, and that it is alive (for the watchdog).

A notification is one datagram of NAME=VALUE lines to the socket that the variable NOTIFY_SOCKET names (sd_notify(3)).
Without this variable, nothing is sent. WATCHDOG_USEC is the time limit of the watchdog in microseconds. It applies only
to the process with the id WATCHDOG_PID.
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
"""Largest number of seconds between two notifications of the status."""


class ServiceManager:
    """Sends notifications to the service manager that started this process, if there is one. All calls are fast and
    never raise."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._watchdog_s = _watchdog_seconds(environment)

    @property
    def listens(self) -> bool:
        """Whether a service manager started this process and reads its notifications."""
        return self._address.startswith(("/", "\0"))

    def notify(self, **values: str) -> None:
        """Send NAME=VALUE lines to the service manager. Errors are ignored. Without a service manager, do nothing."""
        if self.listens:
            text = "\n".join(f"{name}={' '.join(value.split())}" for name, value in values.items())
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sending:
                sending.setblocking(False)
                sending.sendto(text.encode(), self._address)

    @contextmanager
    def reloading(self) -> Iterator[None]:
        """Report that the miner reloads its configuration. At the end of the ``with`` block, report that it is ready
        again."""
        self.notify(RELOADING="1", MONOTONIC_USEC=str(time.monotonic_ns() // 1000))
        try:
            yield
        finally:
            self.notify(READY="1")

    async def run(self, look: Callable[[], Summary]) -> None:
        """Report that the miner is ready. Then report its status, and that it is alive, until cancelled. At the end,
        report that it stops.

        Ready means that the miner runs. A pool need not have answered, because a pool that is down when the computer
        boots is no failure of the service.
        """
        self.notify(READY="1", STATUS=_status(look()))
        pause = min(STATUS_S, self._watchdog_s / 3) if self._watchdog_s else STATUS_S
        try:
            while True:
                await trio.sleep(pause)
                alive = {"WATCHDOG": "1"} if self._watchdog_s else {}
                self.notify(**alive, STATUS=_status(look()))
        finally:
            self.notify(STOPPING="1")


def _watchdog_seconds(environment: Mapping[str, str]) -> float:
    text, owner = environment.get("WATCHDOG_USEC", ""), environment.get("WATCHDOG_PID", "")
    if not text.isdecimal() or (owner and owner != str(os.getpid())):
        return 0.0
    return int(text) / 1e6


def _status(summary: Summary) -> str:
    shares, problems = summary.shares, summary.problems
    words = (
        f"{summary.state}{f' ({summary.detail})' if summary.detail else ''}, {hash_rate_text(summary.hash_rate_1m)}, "
        f"{shares.accepted} accepted, {shares.rejected} rejected, {shares.stale} stale, {shares.lost} lost"
    )
    if not problems:
        return words
    more = f" ({len(problems) - 1} more)" if len(problems) > 1 else ""
    return f"{words}; {problems[0].text}{more}"
