"""Values of Stratum's messages, one at a time: ``stratum.fields``, the typed messages, results and error replies.

An input is one JSON value. It stands for every field, and as the parameters of every method.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec

from stratum_miner.downstream.miner_session import password_difficulty
from stratum_miner.stratum import client_messages, envelope, fields, pool_messages
from stratum_miner.stratum.errors import FieldError, RemoteProtocolError, error_reply_from
from stratum_miner.stratum.results import ConfigureResult, SubscribeResult
from tests.fuzz.judge import check_shown


def run(data: bytes) -> None:
    try:
        value = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    _check_fields(value)
    for method in client_messages.CLIENT_MESSAGES:
        _round_trip(partial(client_messages.parse, method), value)
    for method in pool_messages.POOL_MESSAGES:
        _round_trip(partial(pool_messages.parse, method), value)
    reply = error_reply_from(value, value)
    check_shown(reply.message, 250)
    check_shown(str(reply), 300)
    for result in (SubscribeResult.from_result, ConfigureResult.from_result):
        _told(result, value)
    if isinstance(value, str):
        wanted = password_difficulty(value)
        assert wanted is None or 0 < wanted < math.inf


def _check_fields(value: Any) -> None:
    raw = _told(fields.raw, value, "f")
    assert raw is None or raw.hex() == value.lower()
    number = _told(fields.number, value, "f")
    assert number is None or 0 <= number < 1 << 32
    strict = _told(fields.strict_number, value, "f")
    assert strict is None or fields.number_hex(strict) == value.lower()
    integer = _told(fields.integer, value, "f", 1, 65535)
    assert integer is None or 1 <= integer <= 65535
    difficulty = _told(fields.difficulty, value, "f")
    assert difficulty is None or 0 < float(fields.plain(difficulty)) < math.inf
    seconds = _told(fields.seconds, value, "f", 300.0)
    assert seconds is None or 0 <= seconds <= 300
    check_shown(fields.shown(value), 61)


def _round_trip(parse: Callable[[Any], Any], value: Any) -> None:
    parsed = _told(parse, value)
    if parsed is None:
        return
    try:
        line = envelope.encode_request(1, parsed.method, parsed.to_params())
    except (msgspec.MsgspecError, RemoteProtocolError):
        return
    again = envelope.decode(line.rstrip(b"\n"))
    assert isinstance(again, envelope.Call)
    repeated = parse(again.params)
    if not isinstance(parsed, client_messages.Configure):  # says of unknown extensions their names alone
        assert repeated == parsed or "bad_wait" in dir(parsed), (repeated, parsed)


def _told(parse: Callable[..., Any], *arguments: Any) -> Any:
    """What is parsed; None where it is refused in one line."""
    try:
        return parse(*arguments)
    except FieldError as error:
        check_shown(str(error))
        return None
