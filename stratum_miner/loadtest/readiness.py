"""Waits until one of many sockets is ready: with epoll on Linux, and with poll on systems without epoll, such as macOS.

The numbers of the events, such as select.POLLIN, are the same for both.
"""

import select
import socket
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

RDHUP: int = getattr(select, "POLLRDHUP", 0)
"""Number of the event by which the system reports that the peer has closed the connection. Bytes that the peer sent
before it closed the connection can still be read. The number is 0 on a system without this event. There, the end of a
connection is noticed only when the program reads from the connection."""
SELECT_LIMIT = 1024
"""select() can use only file descriptors below this number."""


class Readiness(ABC):
    """The sockets to watch, each with the events that are wanted."""

    @abstractmethod
    def register(self, sock: socket.socket, events: int) -> None:
        """Watch a socket for events."""

    @abstractmethod
    def modify(self, sock: socket.socket, events: int) -> None:
        """Replace the events for which a socket is watched."""

    @abstractmethod
    def unregister(self, sock: socket.socket) -> None:
        """Stop watching a socket. Call this before the socket is closed."""

    @abstractmethod
    def poll(self, most: int) -> Sequence[tuple[int, int]]:
        """Return the descriptors of at most ``most`` sockets that are ready now, each with its events."""

    @abstractmethod
    def sleep(self, seconds: float) -> None:
        """Wait until a socket is ready, but not longer than ``seconds``. The method may return early."""

    @abstractmethod
    def close(self) -> None:
        """Release the resources of this object. The sockets stay open."""


def open_readiness() -> Readiness:
    """Return a new ``Readiness`` object of the fastest kind that the system supports."""
    return EpollReadiness() if hasattr(select, "epoll") else PollReadiness()


class EpollReadiness(Readiness):
    """Readiness with epoll. The time of a call does not depend on the number of sockets."""

    def __init__(self) -> None:
        self._epoll: Any = vars(select)["epoll"]()

    def register(self, sock: socket.socket, events: int) -> None:
        """Watch a socket for events."""
        self._epoll.register(sock, events)

    def modify(self, sock: socket.socket, events: int) -> None:
        """Replace the events for which a socket is watched."""
        self._epoll.modify(sock, events)

    def unregister(self, sock: socket.socket) -> None:
        """Do nothing, because closing a socket also removes it from the epoll object."""

    def poll(self, most: int) -> Sequence[tuple[int, int]]:
        """Return the descriptors of at most ``most`` sockets that are ready now, each with its events."""
        ready: Sequence[tuple[int, int]] = self._epoll.poll(0, most)
        return ready

    def sleep(self, seconds: float) -> None:
        """Wait until a socket is ready, but not longer than ``seconds``.

        This method waits by calling select() on the file descriptor of the epoll object, because epoll itself rounds
        the time up to a millisecond. If the file descriptor is too high for select(), this method waits with epoll,
        which is less precise.
        """
        if self._epoll.fileno() < SELECT_LIMIT:
            select.select([self._epoll], [], [], seconds)
        else:
            self._epoll.poll(seconds, 1)

    def close(self) -> None:
        """Close the epoll object."""
        self._epoll.close()


class PollReadiness(Readiness):
    """Readiness with poll. Each call takes a time that grows with the number of sockets."""

    def __init__(self) -> None:
        self._poll = select.poll()

    def register(self, sock: socket.socket, events: int) -> None:
        """Watch a socket for events."""
        self._poll.register(sock, events)

    def modify(self, sock: socket.socket, events: int) -> None:
        """Replace the events for which a socket is watched."""
        self._poll.modify(sock, events)

    def unregister(self, sock: socket.socket) -> None:
        """Stop watching a socket."""
        self._poll.unregister(sock)

    def poll(self, most: int) -> Sequence[tuple[int, int]]:
        """Return the descriptors of at most ``most`` sockets that are ready now, each with its events."""
        return self._poll.poll(0)[:most]

    def sleep(self, seconds: float) -> None:
        """Wait until a socket is ready, but not longer than ``seconds``, rounded down to whole milliseconds. During the
        remaining part of a millisecond, the caller calls ``poll`` and ``sleep`` repeatedly."""
        self._poll.poll(int(seconds * 1000))

    def close(self) -> None:
        """Do nothing, because a poll object has no resources."""
