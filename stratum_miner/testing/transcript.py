"""Keeps the protocol lines of the connections of a test in memory, and waits for messages."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.methods import Methods
from stratum_miner.capture.record import Side

SHOWN = 12
"""Maximum number of protocol lines in the text of a LabTimeout. The text contains the last lines before the time
limit."""
MAX_MESSAGES = 100_000
"""Maximum number of messages that are kept, which is more than any test reads. Later messages are dropped."""
MAX_BYTES = 64 << 20
"""Maximum total number of bytes of the lines that are kept. Later messages are dropped."""


class LabError(AssertionError):
    """A part of the laboratory has failed, or cannot do what the test asks for. The text says which part and why."""


class LabTimeout(AssertionError):  # noqa: N818  a test fails with it
    """The event that a test waits for did not happen in time. The text contains the last protocol lines."""


@dataclass(frozen=True, slots=True)
class LabMessage:
    """One protocol line of a connection in a test. ``str()`` shows it on one line, with an arrow for the direction."""

    connection: int
    """Number of the connection, counted from 1."""
    sender: Side
    """The side that sent the line: ``Side.MINER`` or ``Side.POOL``."""
    line: bytes
    """The line, with the LF at its end. A line of more than 1 MiB is kept in pieces, of which only the last has the
    LF."""
    method: str | None
    """The method of a call; for a reply, the method of its request."""
    value: dict[str, Any] | None
    """The JSON object in the line; None if the line contains none."""

    def __str__(self) -> str:
        arrow = "->" if self.sender is Side.MINER else "<-"
        return f"{self.connection} {arrow} {self.line.decode('utf-8', 'backslashreplace').rstrip()}"


class Transcript:
    """The messages of all connections of one pool, miner or tap.

    ``wait_for`` returns each message once, the oldest first. A transcript is a ``capture.recorder.RecordingSink``.
    """

    def __init__(self) -> None:
        self.messages: list[LabMessage] = []
        self.trouble = ""
        """Why there is no connection to the pool, for the text of LabTimeout; empty if there is one."""
        self.failure: LabError | None = None
        """Why nothing more will come, so that a wait fails at once; None while something may come."""
        self._bytes = 0
        self._connections = 0
        self._given: dict[tuple[str, Side | None], int] = {}
        self._changed = trio.Event()

    def open(self, peer: str = "") -> "TranscribedConnection":
        """Begin a connection, and return the object that receives the data of this connection."""
        del peer
        self._connections += 1
        return TranscribedConnection(self, self._connections)

    def add(self, message: LabMessage) -> None:
        """Add a message, unless MAX_MESSAGES or MAX_BYTES is reached."""
        if len(self.messages) < MAX_MESSAGES and self._bytes + len(message.line) <= MAX_BYTES:
            self.messages.append(message)
            self._bytes += len(message.line)
        self.wake()

    def wake(self) -> None:
        """Let all waiting tasks check their conditions again."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_for(self, method: str, sender: Side | None, within: float) -> dict[str, Any]:
        """Wait for the next message of this method from ``sender`` (None: from either side), and return its JSON
        object.

        Calls with the same method and the same sender return the messages in their order, each message once. A message
        that came before the call counts as well. Raises LabTimeout if no such message comes within ``within`` seconds.
        """
        key = (method, sender)

        def found() -> LabMessage | None:
            for index in range(self._given.get(key, 0), len(self.messages)):
                message = self.messages[index]
                if message.method == method and sender in (None, message.sender) and message.value is not None:
                    self._given[key] = index + 1
                    return message
            return None

        who = "either side" if sender is None else f"the {sender.value}"
        message = await self.until(found, f"{method} from {who}", within)
        assert message.value is not None
        return message.value

    async def until(self, condition: Callable[[], "LabMessage | None"], what: str, within: float) -> LabMessage:
        """Wait until ``condition`` returns a message, and return that message.

        ``what`` describes the expected event in the text of the error. Raises LabTimeout if ``condition`` returns no
        message within ``within`` seconds, and ``failure`` as soon as there is one.
        """
        with trio.move_on_after(within):
            while (message := condition()) is None:
                if self.failure is not None:
                    raise self.failure
                await self._changed.wait()
            return message
        last = "\n".join(f"  {message}" for message in self.messages[-SHOWN:]) or "  none"
        why = f" ({self.trouble})" if self.trouble else ""
        raise LabTimeout(f"expected {what} within {within:g} s, but it did not come{why}. Last messages:\n{last}")


class TranscribedConnection:
    """Splits the data of one connection into messages, and adds them to the transcript."""

    def __init__(self, transcript: Transcript, number: int) -> None:
        self._transcript = transcript
        self._number = number
        self._splitters = {side: LineSplitter() for side in Side}
        self._methods = Methods()

    def data(self, sender: Side, data: bytes) -> None:
        """Take data that ``sender`` sent; it may end within a line."""
        for line in self._splitters[sender].feed(data):
            method = self._methods.of(sender, line)
            self._transcript.add(LabMessage(self._number, sender, line, method, _value(line)))

    def note(self, text: str, line: bytes = b"") -> None:
        """Do nothing. Notes say what a rule or a fault did; a transcript needs none, because its messages show this."""

    def close(self, by: Side | None, reason: str = "") -> None:
        """Add nothing to the transcript, but let all waiting tasks check their conditions again."""
        del by, reason
        self._transcript.wake()

    @property
    def held(self) -> int:
        """Return the number of bytes that are kept because their lines are incomplete."""
        return sum(splitter.held for splitter in self._splitters.values())


def _value(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
