"""What a client says to a pool: one frozen class per method, with its parameters in both directions.

``to_params`` prints what our client sends; ``from_params`` parses what any client sends, as strictly as a share
has to be judged and as leniently as the field demands elsewhere (docs/reference/stratum.md#requests-of-a-miner).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

from stratum_miner.bitcoin.target import MAX_TARGET
from stratum_miner.stratum import extensions, fields
from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.extensions import Extension

MAX_USER_AGENT = 512
MAX_SESSION_ID = 256
MAX_WORKER_NAME = 512
MAX_PASSWORD = 1024
MAX_EXTENSIONS = 32


class ClientMessage(Protocol):
    """The shape all of them share."""

    method: ClassVar[str]

    def to_params(self) -> list[Any]:
        """Positional parameters."""
        ...


@dataclass(frozen=True, slots=True)
class Configure:
    """mining.configure (BIP 310). ``unknown`` names requested extensions that we do not speak."""

    method: ClassVar[str] = "mining.configure"
    extensions: tuple[Extension, ...]
    unknown: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    """Extensions requested with unusable parameters, each with the reason."""

    def to_params(self) -> list[Any]:
        """Names, then one object with the parameters of all."""
        params: dict[str, Any] = {}
        for extension in self.extensions:
            params |= extension.to_params()
        return [[extension.name for extension in self.extensions], params]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Configure":
        """Parse; the second parameter may be missing when no extension needs one."""
        fields.items(params, cls.method, 1)
        names = fields.items(params[0], "mining.configure extensions", 0, MAX_EXTENSIONS)
        values = params[1] if len(params) > 1 and params[1] is not None else {}
        if not isinstance(values, dict):
            raise FieldError(f"mining.configure: expected an object of parameters, got {fields.shown(values)}")
        known: list[Extension] = []
        unknown: list[str] = []
        refused: list[tuple[str, str]] = []
        for item in dict.fromkeys(fields.text(name, "mining.configure extension", 64) for name in names):
            try:
                extension = extensions.parse_requested(item, values)
            except FieldError as error:
                refused.append((item, str(error)))
                continue
            if extension is None:
                unknown.append(item)
            else:
                known.append(extension)
        return cls(tuple(known), tuple(unknown), tuple(refused))


@dataclass(frozen=True, slots=True)
class Subscribe:
    """mining.subscribe. ``session_id`` asks to resume: the mining.notify id of the earlier session
    (docs/reference/stratum.md#resuming-a-session)."""

    method: ClassVar[str] = "mining.subscribe"
    user_agent: str = ""
    session_id: str | None = None

    def to_params(self) -> list[Any]:
        """The user agent, and the session when there is one."""
        return [self.user_agent] if self.session_id is None else [self.user_agent, self.session_id]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Subscribe":
        """Parse; nulls and further parameters occur (docs/reference/stratum.md#subscribing)."""
        values = list(params[:2])
        user_agent = values[0] if values else None
        session_id = values[1] if len(values) > 1 else None
        return cls(
            "" if user_agent is None else fields.text(user_agent, "mining.subscribe user agent", MAX_USER_AGENT),
            None if session_id in (None, "") else fields.text(session_id, "mining.subscribe session", MAX_SESSION_ID),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Authorize:
    """mining.authorize; the password stays out of the repr."""

    method: ClassVar[str] = "mining.authorize"
    worker_name: str
    password: str = ""

    def __repr__(self) -> str:
        return f"Authorize(worker_name={self.worker_name!r}, password=***)"

    def to_params(self) -> list[Any]:
        """Always two: public-pool demands them (docs/reference/stratum.md#authorizing)."""
        return [self.worker_name, self.password]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Authorize":
        """Parse; the password is optional and may be null."""
        fields.items(params, "mining.authorize", 1)
        password = params[1] if len(params) > 1 and params[1] is not None else ""
        return cls(
            fields.text(params[0], "mining.authorize user name", MAX_WORKER_NAME),
            password if isinstance(password, str) and len(password) <= MAX_PASSWORD else "",
        )


@dataclass(frozen=True, slots=True)
class ExtranonceSubscribe:
    """mining.extranonce.subscribe."""

    method: ClassVar[str] = "mining.extranonce.subscribe"

    def to_params(self) -> list[Any]:
        """None."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "ExtranonceSubscribe":
        """Parse; parameters are ignored."""
        del params
        return cls()


@dataclass(frozen=True, slots=True)
class SuggestDifficulty:
    """mining.suggest_difficulty; a number, though cpuminer-opt sends it as text
    (docs/reference/stratum.md#suggesting-a-difficulty)."""

    method: ClassVar[str] = "mining.suggest_difficulty"
    difficulty: float

    def to_params(self) -> list[Any]:
        """An integer where it is one: vanilla ckpool parses nothing else."""
        return [fields.plain(self.difficulty)]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SuggestDifficulty":
        """Parse."""
        fields.items(params, cls.method, 1)
        return cls(fields.difficulty(params[0], cls.method))


@dataclass(frozen=True, slots=True)
class SuggestTarget:
    """mining.suggest_target: a 256-bit target in display order."""

    method: ClassVar[str] = "mining.suggest_target"
    target: int

    def to_params(self) -> list[Any]:
        """64 hex digits."""
        return [f"{self.target:064x}"]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SuggestTarget":
        """Parse; zero is no target."""
        fields.items(params, cls.method, 1)
        target = int.from_bytes(fields.raw(params[0], cls.method, 32), "big")
        if not 0 < target <= MAX_TARGET:
            raise FieldError(f"{cls.method}: expected a target above zero, got zero")
        return cls(target)


@dataclass(frozen=True, slots=True)
class Submit:
    """mining.submit. ``version_bits`` is the sixth parameter, sent exactly when version rolling was granted."""

    method: ClassVar[str] = "mining.submit"
    worker_name: str
    job_id: str
    extranonce2: bytes
    ntime: int
    nonce: int
    version_bits: int | None = None

    def to_params(self) -> list[Any]:
        """Five or six strings."""
        params = [
            self.worker_name,
            self.job_id,
            self.extranonce2.hex(),
            fields.number_hex(self.ntime),
            fields.number_hex(self.nonce),
        ]
        return params if self.version_bits is None else [*params, fields.number_hex(self.version_bits)]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Submit":
        """Parse strictly: fixed widths, no prefix, no blanks, so that one share has one spelling but for case."""
        fields.items(params, cls.method, 5, 6)
        return cls(
            fields.text(params[0], "mining.submit worker name", MAX_WORKER_NAME),
            fields.text(params[1], "mining.submit job id", fields.MAX_JOB_ID_LENGTH),
            fields.raw(params[2], "mining.submit extranonce2"),
            fields.strict_number(params[3], "mining.submit ntime"),
            fields.strict_number(params[4], "mining.submit nonce"),
            fields.strict_number(params[5], "mining.submit version bits") if len(params) == 6 else None,
        )


@dataclass(frozen=True, slots=True)
class GetTransactions:
    """mining.get_transactions: the raw transactions behind a job's merkle branch."""

    method: ClassVar[str] = "mining.get_transactions"
    job_id: str

    def to_params(self) -> list[Any]:
        """The job id."""
        return [self.job_id]

    @classmethod
    def from_params(cls, params: list[Any]) -> "GetTransactions":
        """Parse."""
        fields.items(params, cls.method, 1)
        return cls(fields.text(params[0], "mining.get_transactions job id", fields.MAX_JOB_ID_LENGTH))


@dataclass(frozen=True, slots=True)
class ClientPing:
    """mining.ping from the client."""

    method: ClassVar[str] = "mining.ping"

    def to_params(self) -> list[Any]:
        """None."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "ClientPing":
        """Parse; parameters are ignored."""
        del params
        return cls()


@dataclass(frozen=True, slots=True)
class MultiVersion:
    """mining.multi_version [n], what Antminer S9 firmware sent before BIP 310
    (docs/reference/stratum.md#old-and-private-methods)."""

    method: ClassVar[str] = "mining.multi_version"

    def to_params(self) -> list[Any]:
        """One version."""
        return [1]

    @classmethod
    def from_params(cls, params: list[Any]) -> "MultiVersion":
        """Parse; parameters are ignored."""
        del params
        return cls()


AnyClientMessage: TypeAlias = (
    Configure
    | Subscribe
    | Authorize
    | ExtranonceSubscribe
    | SuggestDifficulty
    | SuggestTarget
    | Submit
    | GetTransactions
    | ClientPing
    | MultiVersion
)

CLIENT_MESSAGES: dict[str, type[AnyClientMessage]] = {
    message.method: message
    for message in (
        Configure,
        Subscribe,
        Authorize,
        ExtranonceSubscribe,
        SuggestDifficulty,
        SuggestTarget,
        Submit,
        GetTransactions,
        ClientPing,
        MultiVersion,
    )
}


def parse(method: str, params: Any) -> AnyClientMessage | None:
    """A typed message, or None for an unknown method. FieldError when the parameters are malformed."""
    known = CLIENT_MESSAGES.get(method)
    if known is None:
        return None
    if params is None:
        params = []
    if known is Authorize and not isinstance(params, list):
        raise FieldError(f"{method}: expected an array, got {type(params).__name__}")  # its text may hold a password
    return known.from_params(fields.items(params, method, 0))
