"""The notifications and requests that a pool sends to a client: one frozen class for each method.

``to_params`` returns the parameters that the pool of stratum-miner sends. ``from_params`` parses those of any pool:
leniently where pools differ (docs/reference/stratum.md#messages-of-a-pool), strictly where a wrong value would make the
miner's work worthless.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

from stratum_miner.bitcoin.header import swap_words
from stratum_miner.bitcoin.target import target_from_bits
from stratum_miner.foreign_text import sanitize
from stratum_miner.stratum import fields
from stratum_miner.stratum.errors import FieldError

MAX_RECONNECT_WAIT = 300
"""Longest wait of client.reconnect, in seconds. A longer wait is shortened to this value
(docs/reference/stratum.md#reconnecting-on-request)."""


@dataclass(frozen=True, slots=True)
class Notify:
    """mining.notify: a job (docs/reference/stratum.md#messages-of-a-pool)."""

    method: ClassVar[str] = "mining.notify"
    job_id: str
    """Identifies the job: at most 128 characters, which the client sends back with each share."""
    previous_hash: bytes
    """Hash of the previous block, 32 bytes in internal order, as in the header."""
    coinbase_prefix: bytes
    """The coinbase transaction without witness, up to the extranonce1."""
    coinbase_suffix: bytes
    """The coinbase transaction without witness, after the extranonce2."""
    merkle_branch: tuple[bytes, ...]
    """Hashes of 32 bytes in internal order, the lowest level first."""
    version: int
    nbits: int
    """The network target in compact form, a 32-bit number."""
    ntime: int
    """The header's time, Unix time in seconds."""
    clean_jobs: bool
    """Whether the miner must drop its work on earlier jobs."""

    def to_params(self) -> list[Any]:
        """Return the nine parameters. Numbers are 8 hex digits, the most significant first."""
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
        """Parse eight or more parameters. A missing clean_jobs means false.

        Raises FieldError if a parameter is missing, malformed or too long, nbits is not a valid target, or the coinbase
        is serialized with witness.
        """
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
    """mining.set_difficulty: the share difficulty from the next job on."""

    method: ClassVar[str] = "mining.set_difficulty"
    difficulty: float

    def to_params(self) -> list[Any]:
        """Return the difficulty, if possible as an integer."""
        return [fields.plain(self.difficulty)]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetDifficulty":
        """Parse parameters. Raises FieldError unless the difficulty is finite and above zero
        (docs/reference/stratum.md#setting-the-difficulty)."""
        fields.items(params, cls.method, 1)
        return cls(fields.difficulty(params[0], cls.method))


@dataclass(frozen=True, slots=True)
class SetExtranonce:
    """mining.set_extranonce: the extranonce1 and the extranonce2 size of all jobs from the next one on. If one of the
    two is None, the pool does not change it."""

    method: ClassVar[str] = "mining.set_extranonce"
    extranonce1: bytes | None
    extranonce2_size: int | None = None

    def to_params(self) -> list[Any]:
        """Return the extranonce1 in hex and the size of the extranonce2 in bytes."""
        return [None if self.extranonce1 is None else self.extranonce1.hex(), self.extranonce2_size]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetExtranonce":
        """Parse up to two parameters; each may be null. Raises FieldError if one of them is malformed."""
        first = params[0] if params else None
        second = params[1] if len(params) > 1 else None
        return cls(
            None if first is None else extranonce1(first, "mining.set_extranonce extranonce1"),
            None if second is None else extranonce2_size(second, "mining.set_extranonce extranonce2 size"),
        )


@dataclass(frozen=True, slots=True)
class SetVersionMask:
    """mining.set_version_mask: the version bits that a miner may roll from now on, also for the current job."""

    method: ClassVar[str] = "mining.set_version_mask"
    mask: int

    def to_params(self) -> list[Any]:
        """Return the mask as 8 hex digits."""
        return [fields.number_hex(self.mask)]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetVersionMask":
        """Parse parameters. Raises FieldError if there is no number of up to 8 hex digits."""
        fields.items(params, cls.method, 1)
        return cls(fields.number(params[0], cls.method))


@dataclass(frozen=True, slots=True)
class SetTarget:
    """mining.set_target: the share target from the next job on, 1 to 2^256-1. No known Bitcoin pool sends it."""

    method: ClassVar[str] = "mining.set_target"
    target: int

    def to_params(self) -> list[Any]:
        """Return 64 hex digits, the most significant first."""
        return [f"{self.target:064x}"]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SetTarget":
        """Parse parameters. Raises FieldError unless there are 64 hex digits of a number above zero."""
        fields.items(params, cls.method, 1)
        target = int.from_bytes(fields.raw(params[0], cls.method, 32), "big")
        if target == 0:
            raise FieldError("mining.set_target: expected a target above zero, got zero")
        return cls(target)


@dataclass(frozen=True, slots=True)
class Reconnect:
    """client.reconnect: the pool asks the client to connect again. ``host`` and ``port``: None if the pool named
    none."""

    method: ClassVar[str] = "client.reconnect"
    host: str | None = None
    port: int | None = None
    wait: float = 0.0
    """Seconds to wait before reconnecting, 0 to ``MAX_RECONNECT_WAIT``."""
    bad_wait: str = ""
    """Why the wait in the message was malformed; empty if it was not. A malformed wait counts as 0, and does not make
    the whole message malformed."""

    def to_params(self) -> list[Any]:
        """Return no parameters, or host, port and seconds."""
        return [] if self == Reconnect() else [self.host or "", self.port or 0, self.wait]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Reconnect":
        """Parse ``[]``, ``[host]``, ``[host, port]`` or ``[host, port, wait]``. The port may be a string.

        Raises FieldError if the host or the port is malformed.
        """
        host, port, wait = (*params, None, None, None)[:3]
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
    """client.show_message: a text for the user. A text that was parsed is printable and has at most 200 characters."""

    method: ClassVar[str] = "client.show_message"
    text: str

    def to_params(self) -> list[Any]:
        """Return the text."""
        return [self.text]

    @classmethod
    def from_params(cls, params: list[Any]) -> "ShowMessage":
        """Parse parameters and replace control characters. Raises FieldError if there is no string."""
        fields.items(params, cls.method, 1)
        return cls(sanitize(fields.text(params[0], cls.method, 65536)))


@dataclass(frozen=True, slots=True)
class GetVersion:
    """client.get_version: a request that the client answers with its user agent."""

    method: ClassVar[str] = "client.get_version"

    def to_params(self) -> list[Any]:
        """Return no parameters."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "GetVersion":
        """Ignore all parameters."""
        del params
        return cls()


@dataclass(frozen=True, slots=True)
class PoolPing:
    """mining.ping, sent by a pool: a request that the client answers with "pong"."""

    method: ClassVar[str] = "mining.ping"

    def to_params(self) -> list[Any]:
        """Return no parameters."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "PoolPing":
        """Ignore all parameters."""
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
"""Any notification or request that a pool sends to a client."""

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
} | {"mining.set_version": SetVersionMask}  # the name in SRI (docs/reference/stratum.md#changing-the-version-mask)


def parse(method: str, params: Any) -> AnyPoolMessage | None:
    """Parse a message of a pool. Return None if the method is unknown.

    Raises FieldError if the parameters are malformed.
    """
    known = POOL_MESSAGES.get(method)
    if known is None:
        return None
    return known.from_params(fields.items([] if params is None else params, method, 0))


def extranonce1(value: Any, field: str) -> bytes:
    """Parse an extranonce1 of 0 to 32 bytes in hex. Raises FieldError if it is malformed or longer."""
    result = fields.raw(value, field)
    if len(result) > fields.MAX_EXTRANONCE_SIZE:
        raise FieldError(f"{field}: expected at most {fields.MAX_EXTRANONCE_SIZE} bytes, got {len(result)}")
    return result


def extranonce2_size(value: Any, field: str) -> int:
    """Parse an extranonce2 size of 0 to 32 bytes. Raises FieldError for any other value."""
    return fields.integer(value, field, 0, fields.MAX_EXTRANONCE_SIZE)


def _job_id(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return fields.text(value, "mining.notify job id", fields.MAX_JOB_ID_LENGTH)


def _clean_jobs(value: Any) -> bool:
    if value in (True, False, None):  # also accepts 0 and 1, because they equal False and True
        return bool(value)
    raise FieldError(f"mining.notify clean_jobs: expected true or false, got {fields.shown(value)}")
