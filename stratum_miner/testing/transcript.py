"""What is said on a test's connections, kept in memory, and waiting for something to be said."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import trio

from stratum_miner.capture.lines import LineSplitter
from stratum_miner.capture.methods import Methods
from stratum_miner.capture.record import Side

SHOWN = 12
"""Lines at the end of the message of a wait that failed."""
MAX_MESSAGES = 100_000
"""Kept; a test that says more has another aim than to read them."""
MAX_BYTES = 64 << 20
"""Most bytes of the lines that are kept."""


class LabTimeout(AssertionError):  # noqa: N818  a test fails with it
    """Something did not happen in time; the text says what did."""


@dataclass(frozen=True, slots=True)
class LabMessage:
    """One line. ``method`` of a reply is that of its request; ``value`` is None for what is no JSON object."""

    connection: int
    sender: Side
    line: bytes
    method: str | None
    value: dict[str, Any] | None

    def __str__(self) -> str:
        arrow = "->" if self.sender is Side.MINER else "<-"
        return f"{self.connection} {arrow} {self.line.decode('utf-8', 'backslashreplace').rstrip()}"


class Transcript:
    """All connections of one participant. Waiting for a method gives each message once, the oldest first."""

    def __init__(self) -> None:
        self.messages: list[LabMessage] = []
        self._bytes = 0
        self._connections = 0
        self._given: dict[tuple[str, Side | None], int] = {}
        self._changed = trio.Event()

    def open(self, peer: str = "") -> "TranscribedConnection":
        """A connection more."""
        del peer
        self._connections += 1
        return TranscribedConnection(self, self._connections)

    def add(self, message: LabMessage) -> None:
        """One line was said."""
        if len(self.messages) < MAX_MESSAGES and self._bytes + len(message.line) <= MAX_BYTES:
            self.messages.append(message)
            self._bytes += len(message.line)
        self.wake()

    def wake(self) -> None:
        """Have who waits look again."""
        self._changed.set()
        self._changed = trio.Event()

    async def wait_for(self, method: str, sender: Side | None, within: float) -> dict[str, Any]:
        """The next message of this method from this side, also one said before. LabTimeout when none comes."""
        key = (method, sender)

        def found() -> LabMessage | None:
            for index in range(self._given.get(key, 0), len(self.messages)):
                message = self.messages[index]
                if message.method == method and sender in (None, message.sender) and message.value is not None:
                    self._given[key] = index + 1
                    return message
            return None

        who = "anybody" if sender is None else f"the {sender.value}"
        message = await self.until(found, f"{method} from {who}", within)
        assert message.value is not None
        return message.value

    async def until(self, condition: Callable[[], "LabMessage | None"], what: str, within: float) -> LabMessage:
        """Wait until the condition over what was said gives a message. LabTimeout when it does not."""
        with trio.move_on_after(within):
            while (message := condition()) is None:
                await self._changed.wait()
            return message
        raise LabTimeout(self.complaint(what, within))

    def complaint(self, what: str, within: float) -> str:
        """A message that something did not happen, with what did."""
        said = "\n".join(f"  {message}" for message in self.messages[-SHOWN:]) or "  nothing"
        return f"expected {what} within {within:g} s; the last that was said:\n{said}"


class TranscribedConnection:
    """A sink for what is said on one connection."""

    def __init__(self, transcript: Transcript, number: int) -> None:
        self._transcript = transcript
        self._number = number
        self._splitters = {side: LineSplitter() for side in Side}
        self._methods = Methods()

    def data(self, sender: Side, data: bytes) -> None:
        """One side said something."""
        for line in self._splitters[sender].feed(data):
            method = self._methods.of(sender, line)
            self._transcript.add(LabMessage(self._number, sender, line, method, _value(line)))

    def note(self, text: str, line: bytes = b"") -> None:
        """What was done to the conversation is seen in what was said."""

    def close(self, by: Side | None, reason: str = "") -> None:
        """Whoever waits looks again."""
        del by, reason
        self._transcript.wake()

    @property
    def held(self) -> int:
        """Bytes of lines that are not complete."""
        return sum(splitter.held for splitter in self._splitters.values())


def _value(line: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
