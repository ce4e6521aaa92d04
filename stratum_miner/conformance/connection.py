"""One connection to the pool under test. It sends exactly the bytes that a check gives it and keeps everything it
receives.

This module does not decide whether the pool meets a requirement. A reader task receives the pool's lines, keeps the
state of the session (extranonce, difficulty, version mask, jobs) and wakes the tasks that wait for a change.
docs/reference/stratum.md#when-a-setting-takes-effect says which job is the first one that a new setting applies to.
"""

import json
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, replace
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
"""Seconds to wait for a reply. Even a slow pool needs only about a twentieth of this time; public-pool, for example,
waits for its database before it replies."""
SILENCE = 5.0
"""Seconds to wait for a reply that the pool need not send."""
TURN = 0.2
"""Seconds to wait, after an intrusive check has sent something, until another one may send. A process that crashes ends
its connections within this time."""
MAX_KEPT = 16 << 10
"""Maximum number of sent bytes that are kept for each connection."""
MAX_LINES = 50_000
"""Maximum number of received lines that are kept for each connection."""
MAX_BUFFER = 4 << 20
"""Maximum number of bytes that the pool may send without a line end. Beyond it, the check closes the connection."""
MAX_RECEIVED = 32 << 20
"""Maximum number of bytes received on one connection. It limits the memory for the received lines, which are kept until
the check ends. Pools send at most a hundredth of this number during a check."""
_NO_EXTRANONCE1 = "the job came before any extranonce1"


@dataclass(frozen=True, slots=True)
class _SentRequest:
    method: str
    sent_at: float
    what: str


class ProbeConnection:
    """One connection of a check to the pool. A ``Probe`` opens it and runs its reader task.

    ``started`` is the time on trio's clock at which the check began. The times of all lines are seconds since then.
    """

    def __init__(self, stream: trio.abc.Stream, number: int, transcript: CheckTranscript, started: float) -> None:
        self.stream = stream
        self.number = number
        self.lines: list[PoolLine] = []
        """All received lines, up to ``MAX_LINES``."""
        self.notifies: list[Notified] = []
        """Every received mining.notify, even if it is malformed and makes no job."""
        self.jobs: list[Job] = []
        self.difficulties: list[tuple[PoolLine, Any]] = []
        """Every received mining.set_difficulty, with its unchecked first parameter."""
        self.closed = False
        self.ending = ""
        """How the connection ended, as a clause such as "the pool closed the connection"; empty while it is open."""
        self.ended_by_pool = False
        """Whether the pool closed or reset the connection."""
        self.sent_at = self.received_at = float("-inf")
        """The times on trio's clock when the check last sent bytes, and when it last received bytes."""
        self.unanswered = False
        """Whether nothing has been received since the check last sent bytes."""
        self.bytes_received = 0
        self.dial_seconds = 0.0
        """Seconds that connecting took: about one network round trip, and one or two more with TLS."""
        self.worker = ""
        self.difficulty: float | None = None
        self.extranonce1: bytes | None = None
        self.extranonce2_size = 0
        self.session_id: str | None = None
        self.mask = 0
        self.rolling = False
        self.answers: dict[int | str, list[Answer]] = {}
        self.stray_reply: PoolLine | None = None
        """The first reply whose id is not null and not the id of a request."""
        self.turn: trio.Lock | None = None
        """If it is not None, ``send`` takes this lock, and keeps it until the pool sends something, at most ``TURN``
        seconds."""
        self.aside = False
        """Whether the connection only shows that the pool is alive."""
        self.sent = bytearray()
        """What the check sent, up to ``MAX_KEPT`` bytes."""
        self.kept_all = True
        """Whether ``sent`` contains everything that the check sent."""
        self._transcript = transcript
        self._started = started
        self._requests: dict[int | str, _SentRequest] = {}
        self._next_id = 1
        self._buffer = bytearray()
        self._changed = trio.Event()

    # ---- sending ----------------------------------------------------------------------------------------------------

    async def send(self, data: bytes, *, quiet: bool = False) -> None:
        """Send bytes unchanged. If ``quiet``, the transcript does not contain them.

        Raises UnexpectedDisconnect if the connection has ended.
        """
        if self.turn is None:
            await self._send(data, quiet)
            return
        async with self.turn:
            await self._send(data, quiet)
            await self.wait_until(lambda: not self.unanswered, TURN)
            if self.closed:  # if the pool has died, the other checks shall notice before they send
                await trio.sleep(TURN)

    async def _send(self, data: bytes, quiet: bool) -> None:
        self.kept_all &= not quiet and len(self.sent) + len(data) <= MAX_KEPT
        if self.kept_all:
            self.sent += data
        if not quiet:
            for piece in data.split(b"\n") if data.count(b"\n") > 1 else [data]:
                if piece.strip():
                    self.note(">", piece)
        if not self.closed:
            self.sent_at, self.unanswered = trio.current_time(), True
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.mark_ended("the pool closed the connection")
            raise UnexpectedDisconnect(f"{self.ending} while the check was sending") from None

    def compose(self, method: str, *params: Any, what: str = "") -> tuple[int | str, bytes]:
        """Return the id and the line of a new request, without sending it. Replies with this id will be recorded in
        ``answers``.

        ``what`` names the request in the message of an exception. [default: the method]
        """
        identifier, self._next_id = self._next_id, self._next_id + 1
        message = {"id": identifier, "method": method, "params": list(params)}
        return identifier, self.compose_object(method, message, what)

    def compose_object(self, method: str, message: dict[str, Any], what: str = "") -> bytes:
        """Return the JSON object ``message`` as a line, without sending it. If ``message`` has an id, replies with this
        id will count as replies to ``method``.

        ``what`` names the message in the text of an exception. [default: the method]
        """
        identifier = message.get("id")
        if isinstance(identifier, int | str):
            self._requests[identifier] = _SentRequest(method, trio.current_time(), what or method)
            self._next_id = max(self._next_id, identifier + 1) if isinstance(identifier, int) else self._next_id
        return json.dumps(message).encode() + b"\n"

    async def send_request(self, method: str, *params: Any, what: str = "") -> int | str:
        """Send a request and return its id. Raises UnexpectedDisconnect if the connection has ended."""
        request_id, line = self.compose(method, *params, what=what)
        await self.send(line)
        return request_id

    async def call(self, method: str, *params: Any, within: float = PATIENCE, what: str = "") -> Answer:
        """Send a request and return its reply.

        Raises Silent if the pool does not reply within ``within`` seconds, UnexpectedDisconnect if the connection ends.
        """
        return await self.wait_for_reply(await self.send_request(method, *params, what=what), within)

    async def reset(self) -> None:
        """End the connection with a TCP RST instead of a FIN. A connection that does not use TCP is closed without
        RST."""
        stream = self.stream.transport_stream if isinstance(self.stream, trio.SSLStream) else self.stream
        if isinstance(stream, trio.SocketStream):
            stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.note("-", "the check reset the connection")
        await trio.aclose_forcefully(stream)

    async def aclose(self) -> None:
        """Close the connection without waiting for the pool."""
        self.mark_ended("the check closed the connection")
        await trio.aclose_forcefully(self.stream)

    # ---- receiving --------------------------------------------------------------------------------------------------

    async def wait_until(self, condition: Callable[[], Any], within: float) -> bool:
        """Wait until the condition is true or the connection ends, at most ``within`` seconds. Return whether the
        condition is true."""
        with trio.move_on_after(within):
            while not condition() and not self.closed:
                await self._changed.wait()
        return bool(condition())

    async def listen(self, seconds: float) -> None:
        """Keep receiving for ``seconds``, or until the connection ends."""
        await self.wait_until(lambda: False, seconds)

    async def wait_for_reply(self, request_id: int | str, within: float = PATIENCE) -> Answer:
        """Wait for the first reply to a request and return it.

        Raises Silent if there is no reply within ``within`` seconds, UnexpectedDisconnect if the connection ends first.
        """
        if await self.wait_until(lambda: self.answers.get(request_id), within):
            return self.answers[request_id][0]
        what = f"{self._requests[request_id].what} (id {json.dumps(request_id)} on connection #{self.number})"
        if self.closed:
            raise UnexpectedDisconnect(f"no reply to {what}: {self.ending}")
        raise Silent(f"the pool did not reply to {what} within {within:g} s")

    async def reply_or_none(self, request_id: int | str, within: float) -> Answer | None:
        """Return the first reply to a request. Return None if there is none within ``within`` seconds or the connection
        ends first."""
        await self.wait_until(lambda: self.answers.get(request_id), within)
        return self.answers[request_id][0] if self.answers.get(request_id) else None

    async def wait_closed(self, within: float) -> bool:
        """Wait at most ``within`` seconds for the end of the connection, and return whether it has ended."""
        return await self.wait_until(lambda: self.closed, within)

    def reaction(self, answer: Answer | None, seconds: float) -> str:
        """Return what the pool did after a request, as a clause.

        The clause contains the reply ``answer``. Without a reply, it says how the connection ended, or that the pool
        sent no reply within ``seconds``.
        """
        if answer is not None:
            return f"the pool answered {answer}"
        return self.ending or f"the pool sent no reply within {seconds:g} s"

    @property
    def job(self) -> Job:
        """The newest job. Raises IndexError if the pool has sent no job yet."""
        return self.jobs[-1]

    def is_stale(self, job: Job) -> bool:
        """Return whether the job has become stale: after it, the pool sent a job on another block, or a job whose
        clean_jobs is true."""
        later = [each for each in self.notifies if each.job is not None]
        at = next(
            (index for index, each in enumerate(later) if each.job is not None and _same(each.job, job)), len(later)
        )
        return any(
            each.job is not None and (each.clean or each.job.previous_hash != job.previous_hash)
            for each in later[at + 1 :]
        )

    # ---- the reader task --------------------------------------------------------------------------------------------

    async def read(self) -> None:
        """Receive lines until the connection ends. The probe runs this method as a task."""
        try:
            while data := await self.stream.receive_some(65536):
                self.receive(bytes(data))
                if len(self._buffer) > MAX_BUFFER:
                    self.mark_ended(
                        f"the check closed the connection, because a line of the pool exceeds {MAX_BUFFER:,} bytes"
                    )
                elif self.bytes_received > MAX_RECEIVED:
                    self.mark_ended(
                        f"the check closed the connection, because the pool sent more than {MAX_RECEIVED:,} bytes"
                    )
                if self.closed:
                    await self.aclose()
                    return
        except trio.BrokenResourceError:
            self.mark_ended("the pool reset the connection")
        except trio.ClosedResourceError:
            self.mark_ended("the check closed the connection")
        else:
            if self._buffer:
                self.note("<", bytes(self._buffer))
                self.lines.append(
                    PoolLine(
                        self._now(), bytes(self._buffer), None, "the connection ended inside this line", is_cut=True
                    )
                )
            self.mark_ended("the pool closed the connection")

    def receive(self, data: bytes) -> None:
        """Process received bytes, including bytes that are not Stratum messages."""
        self.bytes_received += len(data)
        self.received_at, self.unanswered = trio.current_time(), False
        self._buffer += data
        self._parse_lines()
        self._wake_waiters()

    def mark_ended(self, how: str) -> None:
        """Mark the connection as ended; ``how`` is a clause such as "the pool closed the connection"."""
        if not self.closed:
            self.closed, self.ending = True, how
            self.ended_by_pool = how.startswith("the pool")
            self.note("-", how)
        self._wake_waiters()

    def note(self, direction: str, data: bytes | str) -> None:
        """Add an entry to the transcript. ``direction`` is ``>`` for a line to the pool, ``<`` for a line from the pool
        and ``-`` for an event."""
        self._transcript.note(self._now(), self.number, direction, data)

    def _now(self) -> float:
        return trio.current_time() - self._started

    def _wake_waiters(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    def _parse_lines(self) -> None:
        *whole, rest = bytes(self._buffer).split(b"\n")
        self._buffer = bytearray(rest)
        for data in whole:
            self.note("<", data)
            line = parse_line(self._now(), data)
            if len(self.lines) < MAX_LINES:
                self.lines.append(line)
            if line.value is not None:
                self._process(line, line.value)

    def _process(self, line: PoolLine, value: dict[str, Any]) -> None:
        if line.method is None:
            identifier = value.get("id")
            if isinstance(identifier, int | str) and not isinstance(identifier, bool) and identifier in self._requests:
                request = self._requests[identifier]
                self.answers.setdefault(identifier, []).append(Answer(line, trio.current_time() - request.sent_at))
                self._apply_result(request.method, value.get("result"))
            elif identifier is not None and self.stray_reply is None:
                self.stray_reply = line
            return
        params = value.get("params")
        if isinstance(params, list):
            self._apply_call(line, line.method, params)

    def _apply_result(self, method: str, result: Any) -> None:
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

    def _apply_call(self, line: PoolLine, method: str, params: list[Any]) -> None:
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
        for index, job in enumerate(self.jobs):  # a new version mask also applies to jobs that were received before it
            self._replace(index, replace(job, version_mask=self.mask, version_rolling=self.rolling))

    def _notify(self, line: PoolLine, params: list[Any]) -> None:
        job, problem = None, ""
        if self.extranonce1 is None:
            problem = _NO_EXTRANONCE1
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
            # ``_same`` compares jobs by their ids and by this time. Jobs with equal ids must therefore have different
            # times.
            received_at=max(self._now(), self.jobs[-1].received_at + 1e-9 if self.jobs else 0.0),
        )

    def _complete_jobs(self) -> None:
        """Make the jobs for each mining.notify that came before the reply to mining.subscribe. A job needs the
        extranonce1, which was unknown until this reply."""
        for index, each in enumerate(self.notifies):
            if each.job is None and each.problem == _NO_EXTRANONCE1:
                try:
                    job = self._job(pool_messages.Notify.from_params(each.params))
                except (FieldError, ValueError) as error:
                    self.notifies[index] = replace(each, problem=str(error))
                    continue
                self.notifies[index] = replace(each, job=job, problem="")
                self.jobs.append(job)

    def _replace(self, index: int, job: Job) -> None:
        old, self.jobs[index] = self.jobs[index], job
        for position, each in enumerate(self.notifies):
            if each.job is old:
                self.notifies[position] = replace(each, job=job)


def _same(first: Job, second: Job) -> bool:
    """Return whether both jobs come from the same mining.notify. Their version masks may differ."""
    return (first.job_id, first.received_at) == (second.job_id, second.received_at)
