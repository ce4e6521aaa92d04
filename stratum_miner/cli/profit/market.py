"""What others know: the chain from a node, hash rate and power from a running miner, the price from the user's source.

Each answer is checked, limited in size and time, and dated; no answer and no address's credentials get into a message
whole.
"""

import json
import shlex
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import trio

from stratum_miner.cli import node_options, secrets
from stratum_miner.cli.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.economics.chain import SATOSHIS
from stratum_miner.pool.nodes.base import ChainState

SECONDS = 15.0
MAX_ANSWER = 1 << 20
SUMMARY_PATH = "/api/v1/summary"


def chain_terms(spec: str, cookie: Path | None, password_file: Path | None) -> Mapping[str, str]:
    """Difficulty, height, subsidy and fees as a node has them now. UsageError; CommandFailed without an answer."""
    if spec == "kernel":
        raise UsageError("--node: expected the URL of a node's JSON-RPC: the embedded chain has nothing to earn")

    async def ask() -> ChainState:
        async with node_options.opened(spec, cookie=cookie, password_file=password_file) as node:
            return await node.chain_state()

    state = trio.run(ask)
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
    rate = answer.get("hash_rate_15m") or answer.get("hash_rate")
    if not isinstance(rate, int | float) or isinstance(rate, bool) or not rate > 0:
        raise CommandFailed(
            f"--api: expected a hash rate above 0 from {_shown(url)}, got {rate!r}", ExitCode.GOAL_MISSED
        )
    power = answer.get("power_w")
    found = {"hash_rate": f"{rate:.6e}H"}
    known = isinstance(power, int | float) and not isinstance(power, bool)
    return found | {"power": f"{Decimal(str(power)):f}W"} if known else found


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
    try:
        result = subprocess.run(words, capture_output=True, timeout=SECONDS, check=False, stdin=subprocess.DEVNULL)
    except OSError as error:
        raise UsageError(f"--price-command: cannot run {words[0]!r}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise CommandFailed(f"--price-command: expected an answer within {SECONDS:g} s", ExitCode.GOAL_MISSED) from None
    if result.returncode:
        raise CommandFailed(f"--price-command: {words[0]!r} ended with {result.returncode}", ExitCode.GOAL_MISSED)
    return _price(result.stdout[:MAX_ANSWER], field, "--price-command", repr(words[0]))


def _price(answer: bytes, field: str | None, option: str, source: str) -> Mapping[str, str]:
    text = answer.decode("utf-8", "replace").strip()
    value: Any = text
    if field is not None or text[:1] in ("{", "["):
        try:
            value = json.loads(text, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise CommandFailed(
                f"{option}: expected JSON from {source}, got {text[:40]!r}", ExitCode.GOAL_MISSED
            ) from None
        value = _walk(value, field, source)
    try:
        price = Decimal(str(value)) if not isinstance(value, bool) else Decimal("NaN")
    except InvalidOperation:
        price = Decimal("NaN")
    if not price.is_finite() or price <= 0:
        hint = "" if field else "; --price-field names the place of a number in JSON"
        raise CommandFailed(
            f"{option}: expected a price above 0 from {source}, got {str(value)[:40]!r}{hint}", ExitCode.GOAL_MISSED
        )
    return {"price": f"{price:f}", "price_date": _today()}


def _walk(value: Any, field: str | None, source: str) -> Any:
    for name in field.split(".") if field else ():
        if isinstance(value, dict) and name in value:
            value = value[name]
        elif isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        else:
            raise CommandFailed(f"--price-field: found no {name!r} in the answer of {source}", ExitCode.GOAL_MISSED)
    return value


def _get(url: str, option: str) -> bytes:
    """The body, whole; CommandFailed names the host alone."""
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise UsageError(f"{option}: expected a URL as in http://host:port/path")
    for secret in (parts.password, parts.query):
        secrets.register(secret or "")
    try:
        with (
            httpx.Client(timeout=SECONDS, follow_redirects=False) as client,
            client.stream("GET", url) as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise CommandFailed(
                    f"{option}: expected status 200 from {_shown(url)}, got {response.status_code}",
                    ExitCode.GOAL_MISSED,
                )
            body = b""
            for part in response.iter_bytes():
                body += part
                if len(body) > MAX_ANSWER:
                    raise CommandFailed(
                        f"{option}: expected at most {MAX_ANSWER} bytes from {_shown(url)}", ExitCode.GOAL_MISSED
                    )
            return body
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = type(error).__name__
        raise CommandFailed(f"{option}: no answer from {_shown(url)}: {reason}", ExitCode.GOAL_MISSED) from None


def _object(body: bytes, option: str) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise CommandFailed(f"{option}: expected a JSON object, got {body[:40]!r}", ExitCode.GOAL_MISSED)
    return value


def _shown(url: str) -> str:
    """Scheme, host and port: the rest may hold a key."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def _today() -> str:
    return datetime.now(UTC).date().isoformat()
