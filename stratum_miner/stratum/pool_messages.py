"""What a pool says to a client: one frozen class per method, with its parameters in both directions.

``from_params`` is lenient where pools differ (docs/reference/stratum.md#messages-of-a-pool) and strict where a mistake
would cost work.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from stratum_miner.bitcoin.header import swap_words
from stratum_miner.bitcoin.target import target_from_bits
from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError

MAX_RECONNECT_WAIT = 300
"""Seconds; a longer wait is cut to this (docs/reference/stratum.md#reconnecting-on-request)."""


@dataclass(frozen=True, slots=True)
class Notify:
    """mining.notify; ``previous_hash`` and the branch in internal order, integers plain."""

    method: ClassVar[str] = "mining.notify"
    job_id: str
    previous_hash: bytes
    coinbase_prefix: bytes
    coinbase_suffix: bytes
    merkle_branch: tuple[bytes, ...]
    version: int
    nbits: int
    ntime: int
    clean_jobs: bool

    def to_params(self) -> list[Any]:
        """Nine parameters."""
        return [
            self.job_id,
            swap_words(self.previous_hash).hex(),
            self.coinbase_prefix.hex(),
            self.coinbase_suffix.hex(),
            [item.hex() for item in self.merkle_branch],
            fields.number_hex(self.version),
            fields.number_hex(self.nbits),
            fields.number_hex(self.ntime),
            self.clean_jobs,
        ]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Notify":
        """Parse eight or more parameters; a missing clean_jobs is false."""
        fields.items(params, cls.method, 8)
        branch = fields.items(params[4], "mining.notify merkle branch", 0, fields.MAX_MERKLE_BRANCH)
        prefix = fields.raw(params[2], "mining.notify coinb1")
        suffix = fields.raw(params[3], "mining.notify coinb2")
        if len(prefix) + len(suffix) > fields.MAX_COINBASE:
            raise FieldError(
                f"mining.notify coinbase: expected at most {fields.MAX_COINBASE} bytes, got {len(prefix) + len(suffix)}"
            )
        if prefix[4:6] == b"\x00\x01":
            raise FieldError(
                "mining.notify coinb1: expected the serialization without witness, got marker 00 01: "
                "no share of this job can be valid"
            )
        nbits = fields.number(params[6], "mining.notify nbits")
        try:
            target_from_bits(nbits)
        except ValueError as error:
            raise FieldError(f"mining.notify nbits: {error}") from None
        return cls(
            job_id=_job_id(params[0]),
            previous_hash=swap_words(fields.raw(params[1], "mining.notify prevhash", 32)),
            coinbase_prefix=prefix,
            coinbase_suffix=suffix,
            merkle_branch=tuple(fields.raw(item, "mining.notify merkle branch", 32) for item in branch),
            version=fields.number(params[5], "mining.notify version"),
            nbits=nbits,
            ntime=fields.number(params[7], "mining.notify ntime"),
            clean_jobs=_clean_jobs(params[8]) if len(params) > 8 else False,
        )


@dataclass(frozen=True, slots=True)
class SetDifficulty:
    """mining.set_difficulty; governs the next job."""

    method: ClassVar[str] = "mining.set_difficulty"
    difficulty: float

    def to_params(self) -> list[Any]:
        """An integer where it is one."""
        return [fields.plain(self.difficulty)]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetDifficulty":
        """Parse; zero, negative and non-finite values are malformed
        (docs/reference/stratum.md#setting-the-difficulty)."""
        fields.items(params, cls.method, 1)
        return cls(fields.difficulty(params[0], cls.method))


@dataclass(frozen=True, slots=True)
class SetExtranonce:
    """mining.set_extranonce; governs the next job. None keeps what was."""

    method: ClassVar[str] = "mining.set_extranonce"
    extranonce1: bytes | None
    extranonce2_size: int | None = None

    def to_params(self) -> list[Any]:
        """Two parameters."""
        return [None if self.extranonce1 is None else self.extranonce1.hex(), self.extranonce2_size]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetExtranonce":
        """Parse none, one or two parameters, each possibly null."""
        first = params[0] if params else None
        second = params[1] if len(params) > 1 else None
        return cls(
            None if first is None else extranonce1(first, "mining.set_extranonce extranonce1"),
            None if second is None else extranonce2_size(second, "mining.set_extranonce extranonce2 size"),
        )


@dataclass(frozen=True, slots=True)
class SetVersionMask:
    """mining.set_version_mask; in force at once, also for the current job."""

    method: ClassVar[str] = "mining.set_version_mask"
    mask: int

    def to_params(self) -> list[Any]:
        """The mask."""
        return [fields.number_hex(self.mask)]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetVersionMask":
        """Parse."""
        fields.items(params, cls.method, 1)
        return cls(fields.number(params[0], cls.method))


@dataclass(frozen=True, slots=True)
class SetTarget:
    """mining.set_target: not sent by Bitcoin pools, harmless to understand; governs the next job."""

    method: ClassVar[str] = "mining.set_target"
    target: int

    def to_params(self) -> list[Any]:
        """64 hex digits, display order."""
        return [f"{self.target:064x}"]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetTarget":
        """Parse; zero is no target."""
        fields.items(params, cls.method, 1)
        target = int.from_bytes(fields.raw(params[0], cls.method, 32), "big")
        if target == 0:
            raise FieldError("mining.set_target: expected a target above zero, got zero")
        return cls(target)


@dataclass(frozen=True, slots=True)
class Reconnect:
    """client.reconnect; no host means the same host, no port the same port.

    ``bad_wait`` says why the wait that came could not be read; the order itself is good without it.
    """

    method: ClassVar[str] = "client.reconnect"
    host: str | None = None
    port: int | None = None
    wait: float = 0.0
    bad_wait: str = ""

    def to_params(self) -> list[Any]:
        """None, or host, port and seconds."""
        return [] if self == Reconnect() else [self.host or "", self.port or 0, self.wait]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Reconnect":
        """Parse ``[]``, ``[host]``, ``[host, port]`` or ``[host, port, wait]``; the port may be text."""
        host, port, wait = (*params[:3], None, None, None)[:3]
        waited, bad_wait = 0.0, ""
        try:
            waited = fields.seconds(wait, "client.reconnect wait", MAX_RECONNECT_WAIT)
        except FieldError as error:
            bad_wait = str(error)
        return cls(
            None if host in (None, "") else fields.text(host, "client.reconnect host", 255),
            None if port in (None, "", 0, "0") else fields.integer(port, "client.reconnect port", 1, 65535),
            waited,
            bad_wait,
        )


@dataclass(frozen=True, slots=True)
class ShowMessage:
    """client.show_message; ``text`` is printable and bounded."""

    method: ClassVar[str] = "client.show_message"
    text: str

    def to_params(self) -> list[Any]:
        """The text."""
        return [self.text]

    @classmethod
    def from_params(cls, params: list[Any]) -> "ShowMessage":
        """Parse; control characters are replaced."""
        fields.items(params, cls.method, 1)
        return cls(sanitize(fields.text(params[0], cls.method, 65536)))


@dataclass(frozen=True, slots=True)
class GetVersion:
    """client.get_version; wants the user agent."""

    method: ClassVar[str] = "client.get_version"

    def to_params(self) -> list[Any]:
        """None."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "GetVersion":
        """Parse; parameters are ignored."""
        del params
        return cls()


@dataclass(frozen=True, slots=True)
class PoolPing:
    """mining.ping from the pool; wants "pong"."""

    method: ClassVar[str] = "mining.ping"

    def to_params(self) -> list[Any]:
        """None."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "PoolPing":
        """Parse; parameters are ignored."""
        del params
        return cls()


AnyPoolMessage: TypeAlias = (
    Notify
    | SetDifficulty
    | SetExtranonce
    | SetVersionMask
    | SetTarget
    | Reconnect
    | ShowMessage
    | GetVersion
    | PoolPing
)

POOL_MESSAGES: dict[str, type[AnyPoolMessage]] = {
    message.method: message
    for message in (
        Notify,
        SetDifficulty,
        SetExtranonce,
        SetVersionMask,
        SetTarget,
        Reconnect,
        ShowMessage,
        GetVersion,
        PoolPing,
    )
} | {"mining.set_version": SetVersionMask}  # SRI's name: docs/reference/stratum.md#changing-the-version-mask


def parse(method: str, params: Any) -> AnyPoolMessage | None:
    """A typed message, or None for an unknown method. FieldError when the parameters are malformed."""
    known = POOL_MESSAGES.get(method)
    if known is None:
        return None
    return known.from_params(fields.items([] if params is None else params, method, 0))


def extranonce1(value: Any, field: str) -> bytes:
    """An extranonce1 of 0 to 32 bytes."""
    result = fields.raw(value, field)
    if len(result) > fields.MAX_EXTRANONCE_SIZE:
        raise FieldError(f"{field}: expected at most {fields.MAX_EXTRANONCE_SIZE} bytes, got {len(result)}")
    return result


def extranonce2_size(value: Any, field: str) -> int:
    """An extranonce2 size from 0 to 32 bytes."""
    return fields.integer(value, field, 0, fields.MAX_EXTRANONCE_SIZE)


def _job_id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return fields.text(value, "mining.notify job id", fields.MAX_JOB_ID_LENGTH)


def _clean_jobs(value: Any) -> bool:
    if value in (True, False, None):  # 0 and 1 compare equal to the booleans
        return bool(value)
    raise FieldError(f"mining.notify clean_jobs: expected true or false, got {fields.shown(value)}")
