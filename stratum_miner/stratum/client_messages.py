"""The requests that a client sends to a pool: one frozen class for each method.

``to_params`` returns the parameters that the client of stratum-miner sends. ``from_params`` parses those of any client:
strictly for mining.submit, leniently elsewhere, because miners differ (docs/reference/stratum.md#requests-of-a-miner).
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeAlias

from stratum_miner.stratum import extensions, fields
from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.extensions import Extension

MAX_USER_AGENT = 512
MAX_SESSION_ID = 256
MAX_WORKER_NAME = 512
MAX_PASSWORD = 1024
MAX_EXTENSIONS = 32


class ClientMessage(Protocol):
    """The common interface of all requests of a client: a method and its parameters."""

    method: ClassVar[str]

    def to_params(self) -> list[Any]:
        """Return the positional parameters as JSON values."""
        ...


@dataclass(frozen=True, slots=True)
class Configure:
    """mining.configure: the client asks for extensions (BIP 310)."""

    method: ClassVar[str] = "mining.configure"
    extensions: tuple[Extension, ...]
    unknown: tuple[str, ...] = ()
    """Names of requested extensions that this package does not know."""
    refused: tuple[tuple[str, str], ...] = ()
    """Names of extensions that were requested with unusable parameters, each with the reason."""

    def to_params(self) -> list[Any]:
        """Return the names of the extensions, then one object with the parameters of all of them."""
        params: dict[str, Any] = {}
        for extension in self.extensions:
            params |= extension.to_params()
        return [[extension.name for extension in self.extensions], params]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Configure":
        """Parse parameters. The second one may be missing or null if no extension needs parameters.

        Raises FieldError if the list of names or the object is malformed. An extension whose own parameters are
        malformed is listed in ``refused`` instead.
        """
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
    """mining.subscribe: the client opens a session.

    ``session_id``: the session id of an earlier connection, which the pool should resume; None for a new session
    (docs/reference/stratum.md#resuming-a-session).
    """

    method: ClassVar[str] = "mining.subscribe"
    user_agent: str = ""
    session_id: str | None = None

    def to_params(self) -> list[Any]:
        """Return the user agent, followed by the session id if there is one."""
        return [self.user_agent] if self.session_id is None else [self.user_agent, self.session_id]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Subscribe":
        """Parse the parameters: the user agent and the session id. Each of these two may be missing or null, and
        further parameters are ignored (docs/reference/stratum.md#subscribing).

        Raises FieldError if the user agent or the session id is not a string, or is too long.
        """
        user_agent = params[0] if params else None
        session_id = params[1] if len(params) > 1 else None
        return cls(
            "" if user_agent is None else fields.text(user_agent, "mining.subscribe user agent", MAX_USER_AGENT),
            None if session_id in (None, "") else fields.text(session_id, "mining.subscribe session", MAX_SESSION_ID),
        )


@dataclass(frozen=True, slots=True, repr=False)
class Authorize:
    """mining.authorize: the worker name and its password. The repr does not show the password."""

    method: ClassVar[str] = "mining.authorize"
    worker_name: str
    password: str = ""

    def __repr__(self) -> str:
        return f"Authorize(worker_name={self.worker_name!r}, password=***)"

    def to_params(self) -> list[Any]:
        """Return the worker name and the password. An empty password is included, because public-pool requires both
        (docs/reference/stratum.md#authorizing)."""
        return [self.worker_name, self.password]

    @classmethod
    def from_params(cls, params: list[Any]) -> "Authorize":
        """Parse parameters. The password is optional; a null or unusable one becomes the empty string.

        Raises FieldError if there is no worker name, or it is not a string of at most 512 characters.
        """
        fields.items(params, "mining.authorize", 1)
        password = params[1] if len(params) > 1 and params[1] is not None else ""
        return cls(
            fields.text(params[0], "mining.authorize user name", MAX_WORKER_NAME),
            password if isinstance(password, str) and len(password) <= MAX_PASSWORD else "",
        )


@dataclass(frozen=True, slots=True)
class ExtranonceSubscribe:
    """mining.extranonce.subscribe: the client tells the pool that it accepts mining.set_extranonce."""

    method: ClassVar[str] = "mining.extranonce.subscribe"

    def to_params(self) -> list[Any]:
        """Return no parameters."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "ExtranonceSubscribe":
        """Ignore all parameters."""
        del params
        return cls()


@dataclass(frozen=True, slots=True)
class SuggestDifficulty:
    """mining.suggest_difficulty: the share difficulty that the client would like. stratum-miner sends a number;
    cpuminer-opt sends a string (docs/reference/stratum.md#suggesting-a-difficulty)."""

    method: ClassVar[str] = "mining.suggest_difficulty"
    difficulty: float

    def to_params(self) -> list[Any]:
        """Return the difficulty, if possible as an integer, because unmodified ckpool parses only integers."""
        return [fields.plain(self.difficulty)]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SuggestDifficulty":
        """Parse parameters. Raises FieldError if there is no positive finite number."""
        fields.items(params, cls.method, 1)
        return cls(fields.difficulty(params[0], cls.method))


@dataclass(frozen=True, slots=True)
class SuggestTarget:
    """mining.suggest_target: the largest hash that the client wants to submit, 1 to 2^256-1."""

    method: ClassVar[str] = "mining.suggest_target"
    target: int

    def to_params(self) -> list[Any]:
        """Return 64 hex digits, the most significant first."""
        return [f"{self.target:064x}"]

    @classmethod
    def from_params(cls, params: list[Any]) -> "SuggestTarget":
        """Parse parameters. Raises FieldError unless there are 64 hex digits of a number above zero."""
        fields.items(params, cls.method, 1)
        target = int.from_bytes(fields.raw(params[0], cls.method, 32), "big")
        if target == 0:
            raise FieldError(f"{cls.method}: expected a target above zero, got zero")
        return cls(target)


@dataclass(frozen=True, slots=True)
class Submit:
    """mining.submit: one share (docs/reference/stratum.md#requests-of-a-miner)."""

    method: ClassVar[str] = "mining.submit"
    worker_name: str
    """An authorized worker name."""
    job_id: str
    extranonce2: bytes
    """The extranonce2 in the order in which its bytes stand in the coinbase. The pool sets its size."""
    ntime: int
    """The header's time, Unix time in seconds; a 32-bit number."""
    nonce: int
    """The header's nonce, a 32-bit number."""
    version_bits: int | None = None
    """The rolled bits of the header's version, a 32-bit number. Sent if and only if version rolling was granted."""

    def to_params(self) -> list[Any]:
        """Return five or six strings. Numbers are 8 hex digits, the most significant first."""
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
        """Parse parameters strictly: numbers must have 8 hex digits, without prefix or spaces. So there is only one way
        to write a share, except that hex digits may be in upper or lower case. A miner cannot submit the same share
        again in another form.

        Raises FieldError if a parameter is missing or malformed.
        """
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
    """mining.get_transactions: the client asks for the raw transactions of a job."""

    method: ClassVar[str] = "mining.get_transactions"
    job_id: str

    def to_params(self) -> list[Any]:
        """Return the job id."""
        return [self.job_id]

    @classmethod
    def from_params(cls, params: list[Any]) -> "GetTransactions":
        """Parse parameters. Raises FieldError if there is no job id of at most 128 characters."""
        fields.items(params, cls.method, 1)
        return cls(fields.text(params[0], "mining.get_transactions job id", fields.MAX_JOB_ID_LENGTH))


@dataclass(frozen=True, slots=True)
class ClientPing:
    """mining.ping, sent by a client."""

    method: ClassVar[str] = "mining.ping"

    def to_params(self) -> list[Any]:
        """Return no parameters."""
        return []

    @classmethod
    def from_params(cls, params: list[Any]) -> "ClientPing":
        """Ignore all parameters."""
        del params
        return cls()


@dataclass(frozen=True, slots=True)
class MultiVersion:
    """mining.multi_version: a request that the firmware of the Antminer S9 sent before BIP 310. Its parameter is the
    number of versions (docs/reference/stratum.md#old-and-private-methods)."""

    method: ClassVar[str] = "mining.multi_version"

    def to_params(self) -> list[Any]:
        """Return the number of versions, which is 1."""
        return [1]

    @classmethod
    def from_params(cls, params: list[Any]) -> "MultiVersion":
        """Ignore all parameters."""
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
"""Any request that a client sends to a pool."""

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
    """Parse a request of a client. Return None if the method is unknown.

    Raises FieldError if the parameters are malformed.
    """
    known = CLIENT_MESSAGES.get(method)
    if known is None:
        return None
    if params is None:
        params = []
    if known is Authorize and not isinstance(params, list):
        # show only the type of the value, because the value may contain a password
        raise FieldError(f"{method}: expected an array, got {type(params).__name__}")
    return known.from_params(fields.items(params, method, 0))
