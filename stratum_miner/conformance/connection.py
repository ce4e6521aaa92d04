"""One connection to the pool under test: bytes out exactly as a check wants them, everything that comes in kept.

It judges nothing. A reader task takes lines as they come, remembers what the session consists of (extranonce,
difficulty, mask, jobs) and wakes whoever waits; settings govern jobs as in
docs/reference/stratum.md#when-a-setting-takes-effect.
"""

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import trio

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.conformance.messages import Answer, Notified, PoolLine, is_positive, notify_id, parse_line
from stratum_miner.conformance.outcome import Silent, UnexpectedDisconnect
from stratum_miner.conformance.transcript import CheckTranscript
from stratum_miner.stratum import fields, pool_messages
from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum_job import job_of
from stratum_miner.work.job import Job, Origin, PoolKey

PATIENCE = 10.0
"""Seconds for a reply: some twenty times what a slow pool takes (public-pool waits for a database)."""
SILENCE = 5.0
"""Seconds after which no reply counts as none, where none is lawful."""
MAX_LINES = 50_000
"""Lines kept of one connection."""
MAX_BUFFER = 4 << 20
"""Bytes kept of a line that does not end."""
MAX_RECEIVED = 32 << 20
"""Bytes taken from the pool on one connection: the lines are kept until the check is over. The checks themselves cause
a hundredth of it."""


class ProbeConnection:
    """A connection; made and read by a ``Probe``."""

    def __init__(self, stream: trio.abc.Stream, number: int, transcript: CheckTranscript, started: float) -> None:
        self.stream = stream
        self.number = number
        self.lines: list[PoolLine] = []
        self.notifies: list[Notified] = []
        self.jobs: list[Job] = []
        self.difficulties: list[tuple[PoolLine, Any]] = []
        self.closed = False
        self.ending = ""
        """How the connection ended, in words."""
        self.bytes_received = 0
        self.dial_seconds = 0.0
        """How long connecting took: a round trip, with TLS three."""
        self.worker = ""
        self.difficulty: float | None = None
        self.extranonce1: bytes | None = None
        self.extranonce2_size = 0
        self.session_id: str | None = None
        self.mask = 0
        self.rolling = False
        self.answers: dict[int | str, list[Answer]] = {}
        self._transcript = transcript
        self._started = started
        self._requests: dict[int | str, tuple[str, float]] = {}
        self._next_id = 1
        self._buffer = bytearray()
        self._searched = 0
        self._changed = trio.Event()

    # ---- out ------------------------------------------------------------------------------------------------------

    async def send(self, data: bytes, *, quiet: bool = False) -> None:
        """Send bytes as they are. HungUp when the pool has closed."""
        if not quiet:
            for piece in data.split(b"\n") if data.count(b"\n") > 1 else [data]:
                if piece.strip():
                    self.note(">", piece)
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.end("reset while we were sending")
            raise UnexpectedDisconnect("it closed the connection while we were sending") from None

    def compose(self, method: str, *params: Any, identifier: int | str | None = None) -> tuple[int | str, bytes]:
        """A request line and its id, registered so that its reply is recognised."""
        if identifier is None:
            identifier, self._next_id = self._next_id, self._next_id + 1
        return identifier, self.compose_object(method, {"id": identifier, "method": method, "params": list(params)})

    def compose_object(self, method: str, message: dict[str, Any]) -> bytes:
        """A line of any object; when it has an id, replies to that count as answers to ``method``."""
        identifier = message.get("id")
        if isinstance(identifier, int | str):
            self._requests[identifier] = (method, trio.current_time())
            self._next_id = max(self._next_id, identifier + 1) if isinstance(identifier, int) else self._next_id
        return json.dumps(message).encode() + b"\n"

    async def send_request(self, method: str, *params: Any, identifier: int | str | None = None) -> int | str:
        """Send a request; returns its id."""
        request_id, line = self.compose(method, *params, identifier=identifier)
        await self.send(line)
        return request_id

    async def call(self, method: str, *params: Any, within: float = PATIENCE) -> Answer:
        """Send a request and wait for its reply. Silent or HungUp when there is none."""
        return await self.wait_for_reply(await self.send_request(method, *params), within)

    async def reset(self) -> None:
        """End with a RST instead of a FIN, where the transport has such a thing."""
        stream = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        if isinstance(stream, trio.SocketStream):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.note("-", "we reset the connection")
        await trio.aclose_forcefully(stream)

    async def aclose(self) -> None:
        """Close our end, without waiting for theirs."""
        await trio.aclose_forcefully(self.stream)

    # ---- in -------------------------------------------------------------------------------------------------------

    async def wait_until(self, condition: Callable[[], Any], within: float) -> bool:
        """Wait until the condition holds, the pool closes or the time is over; returns whether it holds."""
        with trio.move_on_after(within):
            while not condition() and not self.closed:
                await self._changed.wait()
        return bool(condition())

    async def wait_for_reply(self, request_id: int | str, within: float = PATIENCE) -> Answer:
        """The first reply to a request. Silent or HungUp when there is none."""
        if await self.wait_until(lambda: self.answers.get(request_id), within):
            return self.answers[request_id][0]
        method = self._requests[request_id][0]
        if self.closed:
            raise UnexpectedDisconnect(f"it closed the connection instead of answering {method} ({self.ending})")
        raise Silent(f"no reply to {method} in {within:g} s")

    async def reply_or_none(self, request_id: int | str | None, within: float) -> Answer | None:
        """The reply to a request, or None when there is none in time or the pool closes."""
        if request_id is None:
            await self.wait_until(lambda: False, within)
            return None
        await self.wait_until(lambda: self.answers.get(request_id), within)
        return self.answers[request_id][0] if self.answers.get(request_id) else None

    async def wait_closed(self, within: float) -> bool:
        """Whether the pool closes within so many seconds."""
        return await self.wait_until(lambda: self.closed, within)

    @property
    def job(self) -> Job:
        """The newest job. IndexError before there is one."""
        return self.jobs[-1]

    def is_stale(self, job: Job) -> bool:
        """Whether the pool has since announced another block, or declared older jobs void."""
        later = [each for each in self.notifies if each.job is not None]
        at = next(
            (index for index, each in enumerate(later) if each.job is not None and _same(each.job, job)), len(later)
        )
        return any(
            each.job is not None and (each.clean or each.job.previous_hash != job.previous_hash)
            for each in later[at + 1 :]
        )

    # ---- the reader -----------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Take everything the pool sends until it closes. Run by the probe."""
        try:
            while data := await self.stream.receive_some(65536):
                self.take(bytes(data))
                if len(self._buffer) > MAX_BUFFER:
                    self.end(f"we left: a line of the pool exceeds {MAX_BUFFER} bytes")
                elif self.bytes_received > MAX_RECEIVED:
                    self.end(f"we left: the pool sent more than {MAX_RECEIVED} bytes")
                if self.closed:
                    await self.aclose()
                    return
        except trio.BrokenResourceError:
            self.end("reset by the pool")
        except trio.ClosedResourceError:
            self.end("closed by us")
        else:
            if self._buffer:
                self.note("<", bytes(self._buffer))
                self.lines.append(PoolLine(self._now(), bytes(self._buffer), None, "a line without its end"))
            self.end("closed by the pool")

    def take(self, data: bytes) -> None:
        """Take bytes of the pool, whatever they are."""
        self.bytes_received += len(data)
        self._buffer += data
        self._take_lines()
        self._tell()

    def end(self, how: str) -> None:
        """Note that the connection is over."""
        if not self.closed:
            self.closed, self.ending = True, how
            self.note("-", how)
        self._tell()

    def note(self, direction: str, data: bytes | str) -> None:
        """Write to the transcript."""
        self._transcript.note(self._now(), self.number, direction, data)

    def _now(self) -> float:
        return trio.current_time() - self._started

    def _tell(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _take_lines(self) -> None:
        *whole, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for data in whole:
            self.note("<", data)
            line = parse_line(self._now(), data)
            if len(self.lines) < MAX_LINES:
                self.lines.append(line)
            if line.value is not None:
                self._take(line, line.value)

    def _take(self, line: PoolLine, value: dict[str, Any]) -> None:
        if line.method is None:
            identifier = value.get("id")
            if isinstance(identifier, int | str) and not isinstance(identifier, bool) and identifier in self._requests:
                method, at = self._requests[identifier]
                self.answers.setdefault(identifier, []).append(Answer(line, trio.current_time() - at))
                self._take_result(method, value.get("result"))
            return
        params = value.get("params")
        if isinstance(params, list):
            self._take_call(line, line.method, params)

    def _take_result(self, method: str, result: Any) -> None:
        match method, result:
            case "mining.subscribe", [subscriptions, str(extranonce1), int(size), *_] if 0 <= size <= 32:
                try:
                    self.extranonce1 = bytes.fromhex(extranonce1)
                except ValueError:
                    return
                self.extranonce2_size = size
                self.session_id = notify_id(subscriptions)
                self._complete_jobs()
            case "mining.configure", dict() if result.get("version-rolling") is True:
                self.rolling = True
                self._set_mask(result.get("version-rolling.mask"))
            case _:
                pass

    def _take_call(self, line: PoolLine, method: str, params: list[Any]) -> None:
        match method, params:
            case "mining.notify", _:
                self._notify(line, params)
            case "mining.set_difficulty", [value, *_]:
                self.difficulties.append((line, value))
                if is_positive(value):
                    self.difficulty = float(value)
            case "mining.set_extranonce", [str(extranonce1), *rest]:
                try:
                    self.extranonce1 = bytes.fromhex(extranonce1)
                except ValueError:
                    return
                if rest and isinstance(rest[0], int):
                    self.extranonce2_size = rest[0]
            case "mining.set_version_mask", [mask, *_]:
                self._set_mask(mask)
            case _:
                pass

    def _set_mask(self, mask: Any) -> None:
        try:
            self.mask = fields.number(mask, "mask") if self.rolling else 0
        except FieldError:
            return
        for index, job in enumerate(self.jobs):  # a mask counts at once, also for jobs that are out
            self._replace(index, replace(job, version_mask=self.mask, version_rolling=self.rolling))

    def _notify(self, line: PoolLine, params: list[Any]) -> None:
        job, problem = None, ""
        if self.extranonce1 is None:
            problem = "no extranonce1 yet"
        else:
            try:
                job = self._job(pool_messages.Notify.from_params(params))
            except (FieldError, ValueError) as error:
                problem = str(error)
        self.notifies.append(Notified(line, params, job, problem))
        if job is not None:
            self.jobs.append(job)

    def _job(self, notify: pool_messages.Notify) -> Job:
        assert self.extranonce1 is not None
        return job_of(
            notify,
            Origin(PoolKey("the pool under test"), self.worker, self.number, self.session_id),
            extranonce1=self.extranonce1,
            extranonce2_size=self.extranonce2_size,
            share_target=target_from_difficulty(self.difficulty or 1.0),
            version_mask=self.mask if self.rolling else 0,
            version_rolling=self.rolling,
            received_at=max(self._now(), self.jobs[-1].received_at + 1e-9 if self.jobs else 0.0),  # tells jobs apart
        )

    def _complete_jobs(self) -> None:
        """Jobs that came before the reply to subscribe become usable with it."""
        for index, each in enumerate(self.notifies):
            if each.job is None and each.problem == "no extranonce1 yet":
                try:
                    job = self._job(pool_messages.Notify.from_params(each.params))
                except (FieldError, ValueError) as error:
                    self.notifies[index] = replace(each, problem=str(error))
                    continue
                self.notifies[index] = replace(each, job=job, problem="")
                self.jobs.append(job)

    def _replace(self, index: int, job: Job) -> None:
        old, self.jobs[index] = self.jobs[index], job
        for place, each in enumerate(self.notifies):
            if each.job is old:
                self.notifies[place] = replace(each, job=job)


def _same(first: Job, second: Job) -> bool:
    """Whether both are one notify, perhaps under another mask."""
    return (first.job_id, first.received_at) == (second.job_id, second.received_at)
