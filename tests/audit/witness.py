"""What happened, computed from the lines on a wire alone: sessions, jobs, shares with their hashes, answers, blocks.

A ``Story`` tells one wire, which is one pool or one proxy as its miners see it. Two views differ where a line was kept
from arriving: what the pool *said*, and what the miner *heard*.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any

from tests.audit import bitcoin
from tests.audit.relay import Connection, Line, Wire

WORDS = {
    20: "other",
    21: "job not found",
    22: "duplicate share",
    23: "low difficulty share",
    24: "unauthorized worker",
    25: "not subscribed",
}
"""The classic codes of refusals in the words that the program uses for them."""
SHARE_LOST = "share lost: the upstream pool's answer did not arrive"
"""What a proxy of ours says, with code 20, of a share that its pool did not answer."""
SEEN_BEFORE = "the pool had seen it; its answer was lost"
NOT_RESUMED = "the pool did not resume the session"


@dataclass(slots=True)
class Job:
    """One job as the miner got it, with the settings that were in force for it."""

    identifier: str
    previous: bytes
    prefix: bytes
    suffix: bytes
    branch: list[bytes]
    version: int
    bits: int
    clean: bool
    extranonce1: bytes
    extranonce2_size: int
    difficulty: Fraction
    at: float
    at_unix: float

    @property
    def height(self) -> int:
        """From the coinbase script."""
        return bitcoin.height_of_coinbase(self.prefix)

    @property
    def network_difficulty(self) -> float:
        """That of the block."""
        return float(bitcoin.difficulty_of(bitcoin.target_of_bits(self.bits)))


@dataclass(slots=True)
class Answer:
    """A reply to a submit. ``heard`` is false where it was kept from the miner."""

    accepted: bool
    code: int | None
    text: str
    came: float
    passed: float
    passed_unix: float
    heard: bool


@dataclass(slots=True)
class Submit:
    """One mining.submit on one connection. ``digest`` is None where the job or the parameters make no header."""

    connection: int
    at: float
    at_unix: float
    arrived: bool
    """Whether the relay passed it on. The other side has read it, unless it ended before it answered."""
    worker: str
    job: Job | None
    header: bytes | None
    extranonce2: bytes
    nonce: int
    answer: Answer | None = None

    @property
    def digest(self) -> bytes | None:
        """The hash of its header."""
        return None if self.header is None else bitcoin.sha256d(self.header)

    @property
    def value(self) -> Fraction:
        """What its hash is worth."""
        return bitcoin.difficulty_of(bitcoin.hash_number(self.digest)) if self.digest is not None else Fraction(0)

    @property
    def meets_share(self) -> bool:
        """Whether the hash is good enough for the share difficulty of its job."""
        return (
            self.digest is not None
            and self.job is not None
            and bitcoin.hash_number(self.digest) <= bitcoin.target_of_difficulty(self.job.difficulty)
        )

    @property
    def is_block(self) -> bool:
        """Whether the hash is good enough for the network."""
        return (
            self.digest is not None
            and self.job is not None
            and bitcoin.hash_number(self.digest) <= bitcoin.target_of_bits(self.job.bits)
        )

    @property
    def heard(self) -> Answer | None:
        """The answer, if it reached the miner."""
        return self.answer if self.answer is not None and self.answer.heard else None


@dataclass(slots=True)
class Share:
    """One solution with all its submits, the oldest first: after a resume it may have been sent again."""

    submits: list[Submit]
    fate: str = "open"
    reason: str = ""
    """Why it was not accepted, in the program's words."""
    settled: float | None = None
    settled_unix: float | None = None
    latency: float | None = None
    """From the last submit to its answer, as the relay saw it: what the miner measures is not less."""

    @property
    def first(self) -> Submit:
        """The first time."""
        return self.submits[0]

    @property
    def worth(self) -> float:
        """What it counts: the difficulty that was asked for, or its own where it is a block below that."""
        assert self.first.job is not None
        return float(min(self.first.value, self.first.job.difficulty))


@dataclass(slots=True)
class Conversation:
    """What was said on one connection."""

    connection: Connection
    extranonce1: bytes = b""
    extranonce2_size: int = 0
    session_id: str | None = None
    subscribed_at: float | None = None
    subscribed_unix: float | None = None
    difficulty: Fraction = Fraction(1)
    mask: int = 0
    asked_mask: int = 0
    user_agent: str = ""
    jobs: list[Job] = field(default_factory=list)
    submits: list[Submit] = field(default_factory=list)
    workers: dict[str, bool] = field(default_factory=dict)
    """By name, whether the pool took the worker."""
    next_extranonce: tuple[bytes, int] | None = None


@dataclass(slots=True)
class Story:
    """One wire, told."""

    name: str
    port: int
    connections: list[Connection]
    """Also those behind which there was nobody: a miner counts them."""
    conversations: list[Conversation]
    shares: list[Share]

    def fates(self, worker: str | None = None) -> Counter[str]:
        """How many shares ended in which way."""
        return Counter(share.fate for share in self.shares if worker in (None, share.first.worker))

    def said(self) -> Counter[str]:
        """What the pool said of shares, whoever heard it: accepted, or the refusal in the program's words."""
        answers = [submit.answer for talk in self.conversations for submit in talk.submits]
        return Counter("accepted" if item.accepted else word(item) for item in answers if item is not None)

    @property
    def jobs(self) -> list[Job]:
        """All jobs that the miner got, the oldest first."""
        return sorted((job for talk in self.conversations for job in talk.jobs), key=lambda job: job.at)

    @property
    def submits(self) -> list[Submit]:
        """All submits, the oldest first."""
        return sorted((item for talk in self.conversations for item in talk.submits), key=lambda item: item.at)

    @property
    def settled(self) -> list[Share]:
        """Shares with an end, in the order of their ends."""
        return sorted((item for item in self.shares if item.settled is not None), key=lambda item: item.settled or 0.0)

    @property
    def open(self) -> int:
        """Shares without an end."""
        return self.fates()["open"]

    @property
    def bytes_down(self) -> int:
        """That the miner got."""
        return sum(item.bytes_down for item in self.connections)

    @property
    def bytes_up(self) -> int:
        """That the miner sent."""
        return sum(item.bytes_up for item in self.connections)


def word(answer: Answer) -> str:
    """A refusal in the program's words."""
    if answer.code is None and not answer.text:
        return "refused without a reason"
    return WORDS.get(answer.code or 20, "other")


def answers_on(stories: list[Story]) -> Counter[str]:
    """What was answered to shares on these wires, in words, whoever heard it."""
    found: Counter[str] = Counter()
    for story in stories:
        for item in story.submits:
            if item.arrived and item.answer is not None:
                found[_said(item.answer)] += 1
    return found


def _said(answer: Answer) -> str:
    if answer.accepted:
        return "accepted"
    if says_lost(answer):
        return SHARE_LOST
    return "stale" if answer.code == 21 else word(answer)


def says_lost(answer: Answer | None) -> bool:
    """Whether a proxy told its miner that the share is lost."""
    return answer is not None and answer.code == 20 and answer.text == SHARE_LOST


def tell(wire: Wire, since: float = -math.inf, until: float = math.inf) -> Story:
    """Everything that the lines so far say, on connections that were opened in this time."""
    lines = list(wire.lines)
    connections = [replace(connection) for connection in wire.connections if since <= connection.opened <= until]
    talks: list[Conversation] = []
    for connection in connections:
        mine = [line for line in lines if line.connection == connection.number]
        talks.append(_Reader(connection, talks).read(mine))
    return Story(wire.name, wire.port, connections, talks, list(_shares(talks)))


# ---- one connection ------------------------------------------------------------------------------------------------


class _Reader:
    def __init__(self, connection: Connection, before: list[Conversation]) -> None:
        self.talk = Conversation(connection)
        self._before = before
        self._requests: dict[Any, tuple[str, Any]] = {}
        self._jobs: dict[str, Job] = {}

    def read(self, lines: list[Line]) -> Conversation:
        # a reply cannot be recorded before its request came, but the two directions are two threads
        for line in sorted(lines, key=lambda item: (item.came, not item.up)):
            try:
                message = json.loads(line.data)
            except ValueError:
                continue
            if not isinstance(message, dict):
                continue
            if line.up and "method" in message:
                self._request(line, message)
            elif not line.up and message.get("method"):
                if line.passed:
                    self._notification(line, message["method"], message.get("params") or [])
            elif not line.up:
                self._reply(line, message)
        return self.talk

    def _request(self, line: Line, message: dict[str, Any]) -> None:
        method, params = message["method"], message.get("params") or []
        subject: Any = params
        if method == "mining.submit":
            subject = self._submit(line, params)
            self.talk.submits.append(subject)
        elif method == "mining.subscribe" and params:
            self.talk.user_agent = params[0]
        elif method == "mining.configure":
            self.talk.asked_mask = int(params[1].get("version-rolling.mask", "0"), 16)
        self._requests[message.get("id")] = (method, subject)

    def _submit(self, line: Line, params: list[Any]) -> Submit:
        talk = self.talk
        job, header, extranonce2, nonce = None, None, b"", 0
        worker = params[0] if params and isinstance(params[0], str) else ""
        try:
            job = self._jobs.get(params[1])
            extranonce2, nonce = bytes.fromhex(params[2]), int(params[4], 16)
            bits = int(params[5], 16) if len(params) > 5 else 0
            if job is not None:
                coinbase = job.prefix + job.extranonce1 + extranonce2 + job.suffix
                header = bitcoin.header(
                    job.version & ~talk.mask | bits & talk.mask,
                    job.previous,
                    bitcoin.merkle_root(coinbase, job.branch),
                    int(params[3], 16),
                    job.bits,
                    nonce,
                )
        except (IndexError, ValueError, TypeError, OverflowError):
            header = None
        return Submit(
            line.connection, line.came, line.came_unix, bool(line.passed), worker, job, header, extranonce2, nonce
        )

    def _reply(self, line: Line, message: dict[str, Any]) -> None:
        method, subject = self._requests.pop(message.get("id"), ("", None))
        result, error, talk = message.get("result"), message.get("error"), self.talk
        heard = bool(line.passed)
        if method == "mining.submit":
            code, text = _error(error)
            subject.answer = Answer(result is True, code, text, line.came, line.passed, line.passed_unix, heard)
        elif not heard:
            return
        elif method == "mining.subscribe" and isinstance(result, list):
            talk.extranonce1, talk.extranonce2_size = bytes.fromhex(result[1]), result[2]
            for earlier in self._before:  # a session that goes on knows its jobs
                if _continues(talk, earlier):
                    self._jobs |= {job.identifier: job for job in earlier.jobs}
            talk.subscribed_at, talk.subscribed_unix = line.passed, line.passed_unix
            talk.session_id = next((pair[1] for pair in result[0] if pair[0] == "mining.notify"), None)
        elif method == "mining.configure" and isinstance(result, dict):
            if result.get("version-rolling") is True:
                talk.mask = int(result["version-rolling.mask"], 16)
        elif method == "mining.authorize":
            talk.workers[subject[0]] = result is True

    def _notification(self, line: Line, method: str, params: list[Any]) -> None:
        talk = self.talk
        match method:
            case "mining.set_difficulty":
                talk.difficulty = Fraction(params[0])
            case "mining.set_version_mask":
                talk.mask = int(params[0], 16)
            case "mining.set_extranonce":
                talk.next_extranonce = (bytes.fromhex(params[0]), params[1])
            case "mining.notify":
                if talk.next_extranonce is not None:
                    talk.extranonce1, talk.extranonce2_size = talk.next_extranonce
                    talk.next_extranonce = None
                job = Job(
                    identifier=params[0],
                    previous=bitcoin.swap_words(bytes.fromhex(params[1])),
                    prefix=bytes.fromhex(params[2]),
                    suffix=bytes.fromhex(params[3]),
                    branch=[bytes.fromhex(item) for item in params[4]],
                    version=int(params[5], 16),
                    bits=int(params[6], 16),
                    clean=params[8],
                    extranonce1=talk.extranonce1,
                    extranonce2_size=talk.extranonce2_size,
                    difficulty=talk.difficulty,
                    at=line.passed,
                    at_unix=line.passed_unix,
                )
                talk.jobs.append(job)
                self._jobs[job.identifier] = job


def _error(error: Any) -> tuple[int | None, str]:
    if isinstance(error, list) and error:
        return error[0] if isinstance(error[0], int) else None, str(error[1]) if len(error) > 1 else ""
    if isinstance(error, dict):
        return error.get("code"), str(error.get("message", ""))
    return None, str(error or "")


# ---- shares --------------------------------------------------------------------------------------------------------


def _shares(talks: list[Conversation]) -> Iterator[Share]:
    groups: dict[object, list[Submit]] = {}
    for talk in talks:
        for number, submit in enumerate(talk.submits):
            # what makes no header can be told from others by its place alone
            groups.setdefault(submit.header or (talk.connection.number, number), []).append(submit)
    for submits in groups.values():
        yield _judged(Share(sorted(submits, key=lambda item: item.at)), talks)


def _judged(share: Share, talks: list[Conversation]) -> Share:
    heard = [submit for submit in share.submits if submit.heard is not None]
    if not heard:
        talk = next(item for item in talks if item.connection.number == share.submits[-1].connection)
        later = [item for item in talks if item.subscribed_at and item.connection.number > talk.connection.number]
        other = next((item for item in later if not _continues(item, talk)), None)
        if other is not None and talk.connection.closed is not None:
            share.fate, share.reason = "lost", NOT_RESUMED
            share.settled, share.settled_unix = other.subscribed_at, other.subscribed_unix
        return share
    last = heard[-1]
    answer = last.heard
    assert answer is not None
    share.settled, share.settled_unix, share.latency = answer.passed, answer.passed_unix, answer.passed - last.at
    asked_before = share.submits.index(last) > 0
    if answer.accepted:
        share.fate = "accepted"
    elif answer.code == 22 and asked_before:
        share.fate, share.reason = "lost", SEEN_BEFORE
    elif says_lost(answer):
        share.fate, share.reason = "lost", SHARE_LOST.removeprefix("share lost: ")
    elif answer.code == 21:
        share.fate, share.reason = "stale", word(answer)
    else:
        share.fate, share.reason = "rejected", word(answer)
    return share


def _continues(later: Conversation, talk: Conversation) -> bool:
    return (later.extranonce1, later.extranonce2_size) == (talk.extranonce1, talk.extranonce2_size)
