"""What others know: the chain from a node, hash rate and power from a running miner, the price from the user's source.

Each answer is checked, limited as a whole in bytes and in seconds, and dated. A number is checked for its size before
anything is computed with it or printed. No answer and no address's credentials get into a message whole.
"""

import json
import math
import shlex
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stratum_miner.app.options import node_access
from stratum_miner.app.process import secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.cli.profit import terms
from stratum_miner.economics.chain import SATOSHIS
from stratum_miner.foreign_text import sanitize
from stratum_miner.network import child
from stratum_miner.network.child import ChildError, Ended
from stratum_miner.network.fetch import Answer, Fetcher, FetchError, Target
from stratum_miner.pool.nodes.base import ChainState
from stratum_miner.quantities import MAX_HASH_RATE, MIN_HASH_RATE

SECONDS = 15.0
"""For a whole answer, from looking up the name to the last byte, and for a command from its start to its end."""
MAX_ANSWER = 1 << 20
"""Bytes of an answer, with its head, and of each of the two outputs of a command."""
SHOWN = 40
"""Characters of an answer that a message repeats."""
SUMMARY_PATH = "/api/v1/summary"


def chain_terms(spec: str, cookie: Path | None, password_file: Path | None) -> Mapping[str, str]:
    """Difficulty, height, subsidy and fees as a node has them now. UsageError; CommandFailed without an answer."""
    if spec == "kernel":
        raise UsageError("--node: expected the URL of a node's JSON-RPC: the embedded chain has nothing to earn")

    async def ask() -> ChainState:
        async with node_access.opened(spec, cookie=cookie, password_file=password_file) as node:
            return await node.chain_state()

    state = signals.wait_for(ask)
    return {
        "difficulty": repr(state.difficulty),
        "height": str(state.height),
        "subsidy": f"{Decimal(state.subsidy) / SATOSHIS:f}",
        "fees": f"{Decimal(state.average_fees) / SATOSHIS:f}",
        "chain_date": _today(),
    }


def miner_terms(url: str) -> Mapping[str, str]:
    """Measured hash rate of a running miner, and its power when it knows it."""
    answer = _object(_get(url.rstrip("/") + SUMMARY_PATH, "--api"), "--api")
    told = answer.get("hash_rate_15m") or answer.get("hash_rate")
    rate = _number(told)
    if rate is None or not MIN_HASH_RATE <= rate < MAX_HASH_RATE:
        raise CommandFailed(
            f"--api: expected a hash rate from {MIN_HASH_RATE:g} to {MAX_HASH_RATE:g} H/s from {_shown(url)}, "
            f"got {sanitize(str(told), SHOWN)}"
        )
    found = {"hash_rate": f"{rate:.6e}H"}
    power = answer.get("power_w")
    if power is None:
        return found
    watts = _number(power)
    if watts is None or not 0 <= watts <= terms.MAX_POWER:
        raise CommandFailed(
            f"--api: expected a power from 0 to {terms.MAX_POWER:,} W from {_shown(url)}, "
            f"got {sanitize(str(power), SHOWN)}"
        )
    return found | {"power": f"{watts:f}W"}


def _number(value: Any) -> float | None:
    """A number; None for what is none, what is too large for one, and for the NaN that Python reads in JSON."""
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def price_from_url(url: str, field: str | None) -> Mapping[str, str]:
    """A number alone, or the one under ``field`` (names and indexes joined by dots) of a JSON answer."""
    return _price(_get(url, "--price-url"), field, "--price-url", _shown(url))


def price_from_command(command: str, field: str | None) -> Mapping[str, str]:
    """The same from what a command prints; it is started without a shell."""
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise UsageError(f"--price-command: expected a command line: {error}") from None
    if not words:
        raise UsageError("--price-command: expected a command, got none")

    async def call() -> Ended:
        return await child.run(words, seconds=SECONDS, max_bytes=MAX_ANSWER)

    try:
        result = signals.wait_for(call)
    except ChildError as error:
        kind = CommandFailed if error.started else UsageError
        raise kind(f"--price-command: {words[0]!r}: {error}") from None
    if result.exit_code:
        raise CommandFailed(f"--price-command: {words[0]!r} ended with {result.exit_code}")
    return _price(result.output, field, "--price-command", repr(words[0]))


def _price(answer: bytes, field: str | None, option: str, source: str) -> Mapping[str, str]:
    text = answer.decode("utf-8", "replace").strip()
    value: Any = text
    if field is not None or text[:1] in ("{", "["):
        try:
            value = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError, ArithmeticError):  # the last: Decimal, of an exponent of twenty digits
            raise CommandFailed(f"{option}: expected JSON from {source}, got {sanitize(text, SHOWN)!r}") from None
        value = _walk(value, field, source)
    found = "" if isinstance(value, bool) else str(value)
    if not found.isascii() or "_" in found:  # Python takes 1_000, and the digits of every script
        found = ""
    try:
        terms.price(option, found)
    except UsageError:
        hint = "" if field else "; --price-field names the place of a number in JSON"
        raise CommandFailed(
            f"{option}: expected a price above 0 and up to {terms.MAX_MONEY:,} from {source}, "
            f"got {sanitize(str(value), SHOWN)!r}{hint}"
        ) from None
    return {"price": found, "price_date": _today()}


def _walk(value: Any, field: str | None, source: str) -> Any:
    for name in field.split(".") if field else ():
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise CommandFailed(f"--price-field: found no {name!r} in the answer of {source}")
    return value


def _get(url: str, option: str) -> bytes:
    """The body, whole. Nobody follows a redirection, and no proxy of the environment is asked."""
    try:
        target = Target.parse(url)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
    parts = urlsplit(url)
    for secret in (parts.password, parts.query):
        secrets.register(secret or "")

    async def ask() -> Answer:
        async with Fetcher() as fetcher:
            return await fetcher.fetch(target, seconds=SECONDS, max_bytes=MAX_ANSWER)

    try:
        answer = signals.wait_for(ask)
    except FetchError as error:
        raise CommandFailed(f"{option}: {error}") from None
    if answer.status != 200:
        raise CommandFailed(f"{option}: expected status 200 from {target.where}, got {answer.status}")
    return answer.body


def _object(body: bytes, option: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CommandFailed(f"{option}: expected a JSON object, got {sanitize(body, SHOWN)!r}")
    return value


def _shown(url: str) -> str:
    """Scheme, host and port: the rest may hold a key."""
    return Target.parse(url).where


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
