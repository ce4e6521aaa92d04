"""The pools of a command. They come from the tables ``[pools.NAME]`` of the file, or their URLs are on the command line
or in the environment.

Each setting of a pool comes from the first of these sources that has it: the command line, the environment, the table
of the pool, the top-level key of the same name in the file, the default.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeVar

from stratum_miner import user_folders
from stratum_miner.app.config.document import Document
from stratum_miner.app.config.keys import ConfigKey, keys_of
from stratum_miner.app.config.layers import NOT_GIVEN, Layer, Resolved, SettingSource
from stratum_miner.app.config.problems import ConfigError, Problem
from stratum_miner.app.config.profiles import POOLS, Named, PoolProfile, pool_profiles
from stratum_miner.app.options import common, pool_access
from stratum_miner.app.options.pool_access import NO_PIN
from stratum_miner.app.options.pools import MAX_QUOTA, MAX_USER_AGENT, PoolOptions
from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.client.dialing.tls import SYSTEM_TRUST, TlsSettings, fingerprint_digits
from stratum_miner.client.dialing.url import PoolLogin
from stratum_miner.client.settings import USER_AGENT, Strategy
from stratum_miner.foreign_text import is_plain
from stratum_miner.written_numbers import AmbiguousNumberError, to_float

ValueT = TypeVar("ValueT")
Made = TypeVar("Made")

DIRECT = "direct"
"""The value of ``proxy`` for a pool that uses no proxy even if other pools use one."""


def plan_pools(
    resolved: Resolved[PoolOptions], document: Document | None, problems: list[Problem]
) -> tuple[list[PoolSettings], Strategy]:
    """Return the pools, the preferred one first, and the strategy that chooses between them. Errors are added to
    ``problems``."""
    options = resolved.values
    profiles = _in_force(resolved, document, problems)
    if profiles and options.url:
        problems.append(Problem(resolved.origins["url"].where, f"expected this key or tables [{POOLS}.NAME], got both"))
        profiles = []
    sources: list[Named[PoolProfile] | None] = list(profiles) or [None] * len(options.url or ())
    if not sources:
        file = user_folders.configuration() / "config.toml" if document is None else document.path
        problems.append(
            Problem(
                "--url",
                f"expected a pool, as in -o HOST:PORT -u WORKER, or url or [{POOLS}.NAME] in {file}, got none; "
                "'stratum-miner demo' tries everything without a pool",
            )
        )
    found = []
    for index, profile in enumerate(sources):
        with _collecting(problems, "pools" if profile is None else profile.where):
            found.append(_Reader(resolved, profile, index, len(sources)).settings())
    for index, pool in enumerate(found):
        if any((pool.url, pool.worker_name) == (other.url, other.worker_name) for other in found[:index]):
            profile = sources[index] if len(found) == len(sources) else None
            where = resolved.origins["url"].where if profile is None else profile.where
            problems.append(Problem(where, f"expected each pool once for each worker name, got {pool.url} twice"))
    if not problems:
        problems += _tls_for_nothing(resolved, sources, found)
    if found and not problems and not any(pool.enabled for pool in found):
        problems.append(
            Problem(profiles[0].where, "expected at least one enabled pool, got none; set enabled = true for one")
        )
    return found, _strategy(options, profiles, found, problems)


def check_waits(options: PoolOptions) -> None:
    """Raise UsageError if --fallback-time or --retry-pause is outside its range."""
    common.check_time("--fallback-time", options.fallback_time, 0, 86400)
    common.check_time("--retry-pause", options.retry_pause, 1, 3600)


def http_urls(resolved: Resolved[PoolOptions], document: Document | None) -> list[PoolUrl]:
    """Return the pools of a checked configuration whose URL the user wrote with http://. ``PoolUrl`` takes such a URL
    for one of plain Stratum."""
    texts = [text for profile in _in_force(resolved, document, []) for text in profile.values.url or ()]
    logins = [PoolLogin.parse(text) for text in texts or resolved.values.url or ()]
    return [login.url for login in logins if login.is_http]


@dataclass(frozen=True, slots=True)
class DescribedPool:
    """The settings of a pool, each with its key and its source."""

    name: str
    values: tuple[tuple[ConfigKey, Any, SettingSource], ...]


def described(resolved: Resolved[PoolOptions], document: Document | None) -> list[DescribedPool]:
    """Return the pools of a checked configuration for display. The caller must hide the secrets."""
    found = []
    for profile in _in_force(resolved, document, []):
        values = []
        for key in keys_of(PoolProfile).values():
            value, origin = _stronger(resolved, profile, key.field)
            if value is not None:
                values.append((key, value, origin))
        found.append(DescribedPool(profile.name, tuple(values)))
    return found


def listed_workers(document: Document | None) -> dict[str, tuple[list[str], str]]:
    """Return the worker names that the tables of pools list under the key ``workers``.

    The keys of the result are names of pools. Each value has the worker names of the pool, and the text with which
    errors about them begin.
    """
    return {
        profile.name: (profile.values.workers, profile.origins["workers"].where)
        for profile in pool_profiles(document, [])
        if profile.values.workers
    }


def named_pool(
    resolved: Resolved[PoolOptions], document: Document | None, name: str, problems: list[Problem]
) -> PoolSettings | None:
    """Return the pool of the table ``[pools.NAME]`` with this name, or None if there is no such table.

    The pool is found even if pools from the command line or the environment replace those of the file. If the table has
    an error, it is added to ``problems``, and the result is None.
    """
    for profile in pool_profiles(document, []):
        if profile.name == name:
            with _collecting(problems, profile.where):
                return _Reader(resolved, profile, 0, 1).settings()
    return None


def _in_force(
    resolved: Resolved[PoolOptions], document: Document | None, problems: list[Problem]
) -> list[Named[PoolProfile]]:
    """Return the pools in the tables of the file. The list is empty if the command line or the environment names pools,
    because these replace the pools of the file."""
    profiles = pool_profiles(document, problems)
    return [] if resolved.layer("url") >= Layer.ENVIRONMENT else profiles


def _stronger(
    resolved: Resolved[PoolOptions], profile: Named[PoolProfile] | None, field: str
) -> tuple[Any, SettingSource]:
    """Return the value of one setting of a pool, and the source of the value. The docstring of this module has the
    order of the sources."""
    option = resolved.origins.get(field)
    if profile is not None and field in profile.origins and (option is None or option.layer < Layer.ENVIRONMENT):
        return getattr(profile.values, field), profile.origins[field]
    if option is None:
        assert profile is not None
        return getattr(profile.values, field), NOT_GIVEN
    return getattr(resolved.values, field), option


def _tls_for_nothing(
    resolved: Resolved[PoolOptions], sources: Sequence[Named[PoolProfile] | None], pools: Sequence[PoolSettings]
) -> list[Problem]:
    """Return an error for each TLS option that would have no effect because its pool does not use TLS. Users would
    think that the connection is protected."""
    plain = [not any(url.tls for url in (pool.url, *pool.addresses)) for pool in pools]
    wheres: dict[str, None] = {}
    for index, (profile, is_unencrypted) in enumerate(zip(sources, plain, strict=True)):
        for field in ("tls_ca", "tls_fingerprint", "tls_cert", "tls_key"):
            value, origin = _stronger(resolved, profile, field)
            own = profile is not None and profile.origins.get(field) == origin
            if isinstance(value, list) and len(value) == len(plain):  # one value for each pool
                own, value = True, None if value[index] == NO_PIN else value[index]
            if value is not None and (is_unencrypted if own else all(plain)):
                wheres[origin.where] = None
    return [Problem(where, "expected a pool with TLS, stratum+ssl://HOST:PORT, got stratum+tcp") for where in wheres]


def _strategy(
    options: PoolOptions, profiles: list[Named[PoolProfile]], pools: list[PoolSettings], problems: list[Problem]
) -> Strategy:
    by_quota = options.quota is not None or any(profile.values.quota is not None for profile in profiles)
    if options.strategy is not None:
        by_quota = options.strategy == "quota"
    if by_quota and not problems and not any(pool.quota for pool in pools):
        where = next((item.origins["quota"].where for item in profiles if "quota" in item.origins), "--quota")
        problems.append(Problem(where, "expected a quota above 0 for at least one pool, got none"))
    return Strategy.QUOTA if by_quota else Strategy.FAILOVER


@contextmanager
def _collecting(problems: list[Problem], where: str) -> Iterator[None]:
    """Add an error that is raised in the ``with`` block to ``problems``, and raise nothing.

    ``where`` is the location of an error that does not name a location itself.
    """
    try:
        yield
    except ConfigError as error:
        problems.extend(error.problems)
    except UsageError as error:
        problems.append(Problem(where, str(error)))


class _Reader:
    """Reads the settings of one pool from its table and the options. ``index`` is the position of the pool among all
    ``count`` pools, counted from 0."""

    def __init__(
        self, resolved: Resolved[PoolOptions], profile: Named[PoolProfile] | None, index: int, count: int
    ) -> None:
        self._resolved = resolved
        self._profile = profile
        self._index = index
        self._count = count

    def settings(self) -> PoolSettings:
        """Return the settings of the pool. Raises ConfigError or UsageError for the first invalid setting."""
        profile = self._profile
        logins = self._logins()
        worker_name, password = self._credentials(logins)
        url, *others = [login.url for login in logins]
        secrets.given_openly(worker_name, *(item.host for item in (url, *others)))
        return PoolSettings(
            url=url,
            addresses=tuple(dict.fromkeys(item for item in others if item != url)),
            worker_name=worker_name,
            name="" if profile is None else profile.name,
            enabled=True if profile is None else profile.values.enabled,
            password=password,
            user_agent=self._user_agent(),
            version_mask=self._version_mask(),
            extranonce_subscribe=bool(self._pick("extranonce_subscribe")[0]),
            follow_redirects=self._resolved.values.pool_redirect,
            suggest_difficulty=self._checked("suggest_difficulty", _suggestion),
            quota=self._quota(),
            tls=self._tls(),
            proxy=self._checked("proxy", _proxy),
            trace=self._resolved.values.protocol_dump,
        )

    def _pick(self, field: str) -> tuple[Any, str]:
        """Return the value of a setting, and the text with which errors about this value begin."""
        value, origin = _stronger(self._resolved, self._profile, field)
        return value, origin.where

    def _checked(self, field: str, check: Callable[[Any], Any]) -> Any:
        value, where = self._pick(field)
        return None if value is None else _fit(where, check, value)

    def _logins(self) -> list[PoolLogin]:
        """Return the URLs of the pool, with the worker name and password that they contain."""
        if self._profile is None:
            texts = [(self._resolved.values.url or [])[self._index]]
        elif self._profile.values.url:
            texts = self._profile.values.url
        else:
            raise ConfigError(Problem(self._profile.where, 'expected url = "stratum+tcp://HOST:PORT", got no url'))
        for text in texts:
            secrets.register_credentials(text)
        return [_fit(self._url_origin.where, PoolLogin.parse, text) for text in texts]

    @property
    def _url_origin(self) -> SettingSource:
        """The source of the URLs of the pool. If the pool was read from a table of the file, this is the table;
        otherwise, it is the source of the setting ``url``."""
        return (self._resolved if self._profile is None else self._profile).origins["url"]

    # ---- worker name and password
    # ----------------------------------------------------------------------------------------------

    def _credentials(self, logins: Sequence[PoolLogin]) -> tuple[str, str]:
        """Return worker name and password, which the user may give in the URL, together (``--userpass``) or
        separately. Raises ConfigError if the same source gives one of them twice."""
        worker_name = self._in_url("worker name", [login.worker_name for login in logins], "user", "userpass")
        password = self._in_url("password", [login.password for login in logins], "password", "pass_file", "userpass")
        if worker_name is None and password is None:
            return self._separate_credentials()
        worker_name = self._user() if worker_name is None else _plain_name(worker_name, self._url_origin.where)
        return worker_name, self._password() if password is None else password

    def _in_url(self, what: str, found: Sequence[str | None], *fields: str) -> str | None:
        """Return the worker name or password from the URLs of the pool.

        ``what`` says which of the two: "worker name" or "password". ``found`` has its value in each URL, or None for a
        URL without it. ``fields`` are the other settings that can give it. Return None if no URL contains it, or if one
        of ``fields`` takes precedence over the URLs. Raises ConfigError if the URLs contradict each other, or if one of
        ``fields`` gives it, too, with the same precedence as the URLs.
        """
        given = {text for text in found if text is not None}
        if not given:
            return None
        url_rank = (self._url_origin.layer, self._profile is not None)
        if len(given) > 1:
            raise ConfigError(
                Problem(self._url_origin.where, f"expected the same {what} in all addresses of a pool, got several")
            )
        ranks = {field: self._rank(field) for field in fields if self._pick(field)[0] is not None}
        for field, rank in ranks.items():
            if rank == url_rank:
                raise ConfigError(
                    Problem(self._pick(field)[1], f"expected the {what} here or in the URL of the pool, got both")
                )
        return None if any(rank > url_rank for rank in ranks.values()) else given.pop()

    def _separate_credentials(self) -> tuple[str, str]:
        """Return worker name and password from the settings other than the URL."""
        layer, options = self._resolved.layer, self._resolved.values
        apart = max(layer("user"), layer("password"), layer("pass_file"))
        together = layer("userpass")
        own = self._profile is not None and {"user", "password", "pass_file"} & set(self._profile.origins)
        if options.userpass is not None and together >= apart and not (own and together <= Layer.FILE):
            where = self._resolved.origins["userpass"].where
            if together == apart:
                raise ConfigError(Problem(where, "expected this or --user and --pass, got both"))
            return self._split(self._one_of(options.userpass, "userpass"), where)
        return self._user(), self._password()

    def _user(self) -> str:
        value, where = self._pick("user")
        name = self._one_of(value, "user") if isinstance(value, list) else value
        if not name:
            where = where if value else self._missing("user")
            raise ConfigError(
                Problem(
                    where, "expected a worker name, as in -u bcrt1q..., got none; some pools expect a payout address"
                )
            )
        return _plain_name(str(name), where)

    def _password(self) -> str:
        (value, _), (file, file_where) = self._pick("password"), self._pick("pass_file")
        if value is not None and file is not None:
            ranks = self._rank("password"), self._rank("pass_file")
            if ranks[0] == ranks[1]:
                raise ConfigError(Problem(file_where, "expected a password or a password file, got both"))
            value, file = (value, None) if ranks[0] > ranks[1] else (None, file)
        if file is not None:
            return _fit(file_where, secrets.first_line, file)
        if value is None:
            return pool_access.DEFAULT_PASSWORD
        return secrets.register(str(self._one_of(value, "password") if isinstance(value, list) else value))

    def _rank(self, field: str) -> tuple[int, bool]:
        """Return the precedence of the source of a setting. Of two settings that exclude each other, the one with the
        larger result is used.

        The result is a pair: the kind of source, and whether the setting comes from the table of the pool.
        """
        layer = self._resolved.layer(field)
        own = self._profile is not None and field in self._profile.origins and layer < Layer.ENVIRONMENT
        return (Layer.FILE if own else layer, own)

    def _one_of(self, values: list[Any], field: str) -> Any:
        """Return the value for this pool. ``values`` has either one value for all pools, or one value for each pool."""
        if len(values) not in (1, self._count):
            text = f"expected one value for all pools, or one for each of the {self._count} pools, got {len(values)}"
            raise ConfigError(Problem(self._resolved.origins[field].where, text))
        return values[0 if len(values) == 1 else self._index]

    def _split(self, text: str, where: str) -> tuple[str, str]:
        name, colon, secret = text.partition(":")
        if not colon or not name:
            missing = "a worker name before the colon" if colon else "a colon"
            raise ConfigError(Problem(where, f"expected USER:PASS, got a value without {missing}"))
        return name, secrets.register(secret)

    def _missing(self, field: str) -> str:
        return f"--{field}" if self._profile is None else f"{self._profile.where}.{field}"

    # ---- other settings ---------------------------------------------------------------------------------------------

    def _quota(self) -> int:
        value, where = self._pick("quota")
        if isinstance(value, list):
            if self._count < 2 or len(value) != self._count:
                raise ConfigError(
                    Problem(where, f"expected several pools and one quota for each, got {len(value)} for {self._count}")
                )
            if not any(value):
                raise ConfigError(
                    Problem(where, f"expected integers from 0 to {MAX_QUOTA}, at least one above 0, got {value}")
                )
            value = value[self._index]
        if value is None:
            return 1
        if not 0 <= value <= MAX_QUOTA:
            raise ConfigError(Problem(where, f"expected integers from 0 to {MAX_QUOTA}, got {value}"))
        return int(value)

    def _version_mask(self) -> int:
        mask = self._checked("version_mask", _mask)
        own = self._profile is not None and "version_mask" in self._profile.origins
        if not self._resolved.values.version_rolling:
            asked = own and self._resolved.layer("version_rolling") < Layer.ENVIRONMENT
            return int(mask) if asked else 0
        return GENERAL_PURPOSE_MASK if mask is None else int(mask)

    def _user_agent(self) -> str:
        value = self._checked("user_agent", _user_agent)
        return USER_AGENT if value is None else str(value)

    def _fingerprint(self) -> str | None:
        value, where = self._pick("tls_fingerprint")
        text = self._one_of(value, "tls_fingerprint") if isinstance(value, list) else value
        return None if text in (None, NO_PIN) else _fit(where, fingerprint_digits, text)

    def _tls(self) -> TlsSettings:
        files: list[Path | None] = [self._pick(name)[0] for name in ("tls_ca", "tls_cert", "tls_key")]
        fingerprint = self._fingerprint()
        if fingerprint is None and not any(files):
            return SYSTEM_TRUST  # shared, because loading the system's certificates takes a while
        return pool_access.tls_settings(files[0], fingerprint, files[1], files[2])


def _plain_name(name: str, where: str) -> str:
    if not is_plain(name):
        raise ConfigError(Problem(where, "expected a worker name of printable characters in UTF-8, got others"))
    return name


def _fit(where: str, make: Callable[[ValueT], Made], value: ValueT) -> Made:
    """Return ``make(value)``. If ``make`` raises a ValueError, raise a ConfigError with the same text and with
    ``where`` as its location."""
    try:
        return make(value)
    except ValueError as error:
        raise ConfigError(Problem(where, str(error))) from None


def _suggestion(text: str) -> float | Literal["auto"] | None:
    if text == "off":
        return None
    if text == "auto":
        return "auto"
    try:
        value = to_float(text)
    except AmbiguousNumberError:
        raise
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise ValueError(f"expected a number above zero, auto or off, got {text!r}")
    return value


def _mask(text: str) -> int:
    if text == "off":
        return 0
    try:
        mask = int(text, 16)
    except ValueError:
        mask = 0
    if not 0 < mask < 1 << 32:
        raise ValueError(f"expected version bits in hex, as in {GENERAL_PURPOSE_MASK:08x}, or off, got {text!r}")
    return mask


def _user_agent(text: str) -> str:
    if not is_plain(text) or not text.isascii() or not 0 < len(text) <= MAX_USER_AGENT:
        raise ValueError(f"expected 1 to {MAX_USER_AGENT} printable ASCII characters, got {text!r}")
    return text


def _proxy(text: str) -> Any:
    return None if text == DIRECT else pool_access.tunnel(text)
