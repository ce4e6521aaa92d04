"""Converts single values of foreign files. Each function raises InvalidValue for a value that it cannot convert."""

import re
from collections.abc import Iterator
from typing import Any

from stratum_miner.app.config.problems import InvalidValue, shown
from stratum_miner.client.dialing.tunnel import TunnelUrl, TunnelUrlError
from stratum_miner.client.dialing.url import SCHEMES, TLS_SCHEMES, PoolUrl, PoolUrlError
from stratum_miner.foreign_text import is_plain, sanitize

MAX_BITS = 64
"""Largest number of bits of an integer in a converted file. The longest useful integer is a bit mask of processors."""
_NODE_PORTS = (8332, 18332, 18443, 38332, 48332)
"""The ports at which Bitcoin Core answers RPC on its networks."""
_SHA256D = frozenset({"sha256d", "sha256", "sha2", "bitcoin", "btc"})


class Unsafe(InvalidValue):
    """A protection of a connection cannot be carried over. The pool must not be used without it."""


def is_sha256d(name: str) -> bool:
    """Return whether a name of an algorithm or a coin stands for SHA-256d."""
    return re.sub(r"[-_ ]", "", name).lower() in _SHA256D


def text(value: Any) -> str:
    """Return a value that must be a printable string. JSON strings can also contain control characters and
    surrogates."""
    if not isinstance(value, str):
        raise InvalidValue("expected a string, got another value")
    if not is_plain(value):
        raise InvalidValue("expected only printable characters, got unprintable characters, too")
    return value


def secret(value: Any) -> str:
    """Return a value that can be a password: a string of valid Unicode, which may contain unprintable characters."""
    if not isinstance(value, str):
        raise InvalidValue("expected a string, got another value")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidValue("expected valid Unicode, got a surrogate") from None
    return value


def integer(value: Any) -> int:
    """Return an integer, which may be written as a string or as a number such as 4.0."""
    number = None
    if isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d{1,30}(\.0*)?\s*", value, re.ASCII):
        number = int(value.strip().partition(".")[0])
    elif isinstance(value, float) and value.is_integer():
        number = int(value)
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or number.bit_length() > MAX_BITS:
        raise InvalidValue(f"expected an integer, got {shown(value)}")
    return number


def number(value: Any) -> float:
    """Return a finite number, which may be written as a string."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30
    if is_number or (isinstance(value, str) and re.fullmatch(r"\s*[-+]?\d{1,30}(\.\d{0,30})?\s*", value, re.ASCII)):
        return float(value)
    raise InvalidValue(f"expected a number, got {shown(value)}")


def flag(value: Any) -> bool:
    """Return true or false. Some programs write these as strings or numbers."""
    if isinstance(value, bool):
        return value
    known = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
    spelled = str(value).strip().lower() if isinstance(value, str | int) else ""
    if spelled in known:
        return known[spelled]
    raise InvalidValue(f"expected true or false, got {shown(value)}")


def positive(value: Any) -> int | None:
    """Return an integer above zero. Return None, for the default, if the value is 0 or negative."""
    return found if (found := integer(value)) > 0 else None


def seconds(value: Any, longest: int) -> int | None:
    """Return a time in seconds. Return None, for the default, if the value is 0 or negative. Raises InvalidValue if the
    value is no integer, or is more than ``longest``."""
    found = positive(value)
    if found is not None and found > longest:
        raise InvalidValue(f"expected at most {longest} seconds, got {found}")
    return found


def _of_protection(value: Any) -> str:
    try:
        return text(value)
    except InvalidValue as error:
        raise Unsafe(str(error)) from None


def proxy(value: Any, *, plain: str, socks5: str) -> str:
    """Return the URL of a proxy.

    ``plain`` is the scheme to use if ``value`` has none. ``socks5`` is the scheme that replaces the scheme socks5
    of the other program: ``socks5h`` if that program lets the proxy look up the host name of the pool, otherwise
    ``socks5``. Raises Unsafe if the proxy cannot be used.
    """
    spelled = _of_protection(value)
    match = re.match(r"(?i)(https?|http0|socks[45][ah]?)(?:://|:(?!\d{1,5}$))", spelled)
    rest = spelled[match.end() :] if match else spelled
    scheme = match[1].lower() if match else plain
    scheme = {"http0": "http", "socks5": socks5}.get(scheme, scheme)
    if "://" in rest or scheme not in ("http", "socks5", "socks5h"):
        kind = sanitize(spelled.partition(":")[0] if "://" in rest else scheme, 20)
        raise Unsafe(f"expected a proxy of the kinds http, socks5 and socks5h, got {kind!r}")
    url = f"{scheme}://{rest}"
    try:
        TunnelUrl.parse(url)
    except TunnelUrlError as error:
        raise Unsafe(str(error)) from None
    return url.rstrip("/")


def pool_url(spelled: str, *, http_is_stratum: bool, tls: bool = False) -> Iterator[tuple[str, Any]]:
    """Yield the settings that the URL of a pool stands for: url, and user and pass if the URL contains these.

    With ``http_is_stratum``, the program mines with Stratum on a pool whose URL begins with http://. With ``tls``, the
    connection is encrypted, whatever the scheme is. Raises InvalidValue if the URL is no Stratum address.
    """
    scheme, mark, rest = spelled.strip().rpartition("://")
    scheme = scheme.lower()
    if not rest:
        raise InvalidValue("the pool has no address")
    user, at, address = rest.rpartition("@")
    address = address.rstrip("/")
    if scheme in ("http", "https", "daemon+http", "daemon+https"):
        port = re.search(r":(\d{1,5})(?:/|$)", address)
        if port and int(port[1]) in _NODE_PORTS:
            raise InvalidValue(
                "the address is that of a node, not of a pool; stratum-miner solo --node mines on a node"
            )
        if not http_is_stratum or not scheme.startswith("http"):
            raise InvalidValue(
                "expected a Stratum pool, stratum+tcp://HOST:PORT. Pools with getwork or getblocktemplate are not "
                "supported. To mine on a node, use the command stratum-miner solo"
            )
        scheme = (TLS_SCHEMES if scheme == "https" else SCHEMES)[0]
    if scheme.startswith("stratum2") or "sv2" in scheme:
        raise InvalidValue("expected a pool with Stratum version 1, got version 2")
    encrypted = tls or scheme in TLS_SCHEMES
    if mark and scheme not in (*SCHEMES, *TLS_SCHEMES):
        raise InvalidValue(f"expected stratum+tcp or stratum+ssl, got {sanitize(scheme, 40)!r}")
    url = f"{(TLS_SCHEMES if encrypted else SCHEMES)[0]}://{text(address)}"
    try:
        PoolUrl.parse(url)
    except PoolUrlError as error:
        raise InvalidValue(str(error)) from None
    yield "url", url
    if at:
        name, colon, password = user.partition(":")
        yield "user", text(name)
        if colon:
            yield "pass", secret(password)


def fingerprint(value: Any) -> str:
    """Return the SHA-256 fingerprint of a certificate as 64 hex digits. Raises Unsafe if the value is no such
    fingerprint."""
    spelled = re.sub(r"(?i)^sha-?256(?: fingerprint)?[=:]|[:\s]", "", _of_protection(value)).lower()
    if not re.fullmatch(r"[0-9a-f]{64}", spelled):
        raise Unsafe("expected the SHA-256 fingerprint of a certificate, 64 hex digits")
    return spelled
