"""A miner of few lines, for tests of pools: JSON lines and hashlib, sans-IO, sharing no code with the program.

It is a second witness: what it finds was computed from the wire alone, so a pool that accepts it has understood the
protocol as docs/reference/stratum.md#work writes it down. It searches in Python; give it difficulties of 1e-6 and
below.
"""

import json
from dataclasses import dataclass, field
from fractions import Fraction
from hashlib import sha256
from typing import Any


@dataclass(frozen=True, slots=True)
class WireJob:
    """A mining.notify as it came, with the settings in force."""

    params: list[Any]
    extranonce1: str
    difficulty: float

    @property
    def job_id(self) -> str:
        """The id on the wire."""
        return str(self.params[0])

    @property
    def ntime(self) -> int:
        """The job's own time."""
        return int(self.params[7], 16)

    @property
    def clean(self) -> bool:
        """The clean_jobs flag."""
        return bool(self.params[8])

    @property
    def target(self) -> int:
        """The share target."""
        return min(int(Fraction(0xFFFF << 208) / Fraction(self.difficulty)), 2**256 - 1)

    @property
    def network_target(self) -> int:
        """The target that nbits stands for."""
        nbits = int(self.params[6], 16)
        return (nbits & 0x7FFFFF) << 8 * ((nbits >> 24) - 3)

    def header(self, extranonce2: str, ntime: int, nonce: int, version_bits: int = 0) -> bytes:
        """The 80 header bytes."""
        _, previous, coinb1, coinb2, branch, version, nbits, *_ = self.params
        root = _sha256d(bytes.fromhex(coinb1 + self.extranonce1 + extranonce2 + coinb2))
        for item in branch:
            root = _sha256d(root + bytes.fromhex(item))
        words = bytes.fromhex(previous)
        return b"".join(
            (
                (int(version, 16) | version_bits).to_bytes(4, "little"),
                *(words[i : i + 4][::-1] for i in range(0, 32, 4)),
                root,
                ntime.to_bytes(4, "little"),
                int(nbits, 16).to_bytes(4, "little"),
                nonce.to_bytes(4, "little"),
            )
        )


@dataclass(slots=True)
class WireMiner:
    """Everything a pool said, in order, and shares on demand."""

    worker_name: str = "alice.rig"
    extranonce1: str = ""
    extranonce2_size: int = 0
    session_id: str = ""
    difficulty: float = 0.0
    jobs: list[WireJob] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)
    """Every line of the pool, decoded."""
    _buffer: bytes = b""
    _next_id: int = 0
    _nonce: int = 0
    _subscribe_ids: list[int] = field(default_factory=list)

    def request(self, method: str, *params: Any) -> bytes:
        """One request line with the next id."""
        self._next_id += 1
        if method == "mining.subscribe":
            self._subscribe_ids.append(self._next_id)
        return json.dumps({"id": self._next_id, "method": method, "params": list(params)}).encode() + b"\n"

    def login(self, *subscribe: Any, password: str = "x") -> bytes:
        """Subscribe and authorize, pipelined."""
        return self.request("mining.subscribe", *(subscribe or ("wire_miner/1",))) + self.request(
            "mining.authorize", self.worker_name, password
        )

    def configure(self, mask: str = "1fffe000") -> bytes:
        """Ask for version rolling."""
        parameters = {"version-rolling.mask": mask, "version-rolling.min-bit-count": 2}
        return self.request("mining.configure", ["version-rolling"], parameters)

    def submit(self, share: list[str]) -> bytes:
        """Submit what ``solve`` found."""
        return self.request("mining.submit", *share)

    def receive(self, data: bytes) -> list[dict[str, Any]]:
        """Take bytes from the pool; returns the lines they completed. ValueError on a line that is no JSON object."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            self._take(message)
        self.messages += messages
        return messages

    def replies(self, request_id: int | None = None) -> list[dict[str, Any]]:
        """All replies to one request, by default the latest."""
        wanted = self._next_id if request_id is None else request_id
        return [message for message in self.messages if "method" not in message and message["id"] == wanted]

    def reply(self, request_id: int | None = None) -> dict[str, Any]:
        """The one reply to a request, by default the latest. AssertionError unless there is exactly one."""
        found = self.replies(request_id)
        assert len(found) == 1, f"expected one reply, got {found}"
        return found[0]

    def verdict(self, request_id: int | None = None) -> int:
        """0 when the latest share was accepted, else the error code."""
        reply = self.reply(request_id)
        if reply["result"] is True and reply["error"] is None:
            return 0
        code, message, _ = reply["error"]
        assert isinstance(code, int)
        assert isinstance(message, str)
        assert message
        return code

    def notifications(self, method: str) -> list[list[Any]]:
        """Parameters of all notifications of one kind."""
        return [message["params"] for message in self.messages if message.get("method") == method]

    @property
    def last_id(self) -> int:
        """The id of the latest request."""
        return self._next_id

    def solve(
        self,
        job: WireJob | None = None,
        *,
        at_most: int | None = None,
        above: int = -1,
        extranonce2: str | None = None,
        ntime: int | None = None,
        version_bits: int | None = None,
    ) -> list[str]:
        """Parameters of a mining.submit never returned before.

        Its hash lies in (above, at_most]; by default it meets the share target.
        """
        job = job or self.jobs[-1]
        limit = job.target if at_most is None else at_most
        extranonce2 = "00" * self.extranonce2_size if extranonce2 is None else extranonce2
        ntime = job.ntime if ntime is None else ntime
        header = job.header(extranonce2, ntime, 0, version_bits or 0)[:76]
        while True:
            nonce, self._nonce = self._nonce, self._nonce + 1
            digest = _sha256d(header + nonce.to_bytes(4, "little"))
            if above < int.from_bytes(digest, "little") <= limit:
                share = [self.worker_name, job.job_id, extranonce2, f"{ntime:08x}", f"{nonce:08x}"]
                return share if version_bits is None else [*share, f"{version_bits:08x}"]

    def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"method": "mining.set_difficulty", "params": [difficulty]}:
                self.difficulty = difficulty
            case {"method": "mining.set_extranonce", "params": [str(extranonce1), int(size)]}:
                self.extranonce1, self.extranonce2_size = extranonce1, size
            case {"method": "mining.notify", "params": params}:
                self.jobs.append(WireJob(params, self.extranonce1, self.difficulty))
            case {"id": request_id, "result": [subscriptions, str(extranonce1), int(size)]} if (
                request_id in self._subscribe_ids
            ):
                self.extranonce1, self.extranonce2_size = extranonce1, size
                self.session_id = dict(subscriptions)["mining.notify"]


def _sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()
