"""All forms of an error reply, parsed into one kind of value that keeps the original."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.stratum.errors import CODE_OF_REASON, ErrorReason, ErrorReply, error_reply_from

DUPLICATE = ErrorReason.DUPLICATE
LOW = ErrorReason.LOW_DIFFICULTY
NO_JOB = ErrorReason.JOB_NOT_FOUND
OTHER = ErrorReason.OTHER
NO_REASON = ErrorReason.NO_REASON
UNKNOWN = ErrorReason.UNKNOWN_METHOD

# docs/reference/stratum.md#forms-of-an-error: each form, and who sends it
WIRE_FORMS: list[tuple[str, ErrorReason, int | None, str]] = [
    ('[22,"duplicate share",null]', DUPLICATE, 22, "duplicate share"),  # classic
    ('[22,"duplicate share"]', DUPLICATE, 22, "duplicate share"),  # NOMP
    ('[22,"Duplicate",null]', DUPLICATE, 22, "Duplicate"),  # ckpool-lhr
    ('"Stale"', NO_JOB, None, "Stale"),  # ckpool
    ('{"code":23,"message":"low difficulty","data":1}', LOW, 23, "low difficulty"),  # JSON-RPC 2.0
    ('{"code":-32601,"message":"Method not found"}', UNKNOWN, -32601, "Method not found"),
    ('{"code":21}', NO_JOB, 21, ""),
    ('{"message":"Stale"}', NO_JOB, None, "Stale"),
    ('[20,"Mining Submit validation error","third is text"]', OTHER, 20, "Mining Submit validation error"),  # PP
    ("true", NO_REASON, None, ""),  # NOMP get_transactions
    ('"-3:method not found"', UNKNOWN, -3, "method not found"),  # ckpool
    ('"-1:params not found"', OTHER, -1, "params not found"),
    ('"Invalid job_id"', NO_JOB, None, "Invalid job_id"),
    ("[22]", DUPLICATE, 22, ""),
    ("[]", NO_REASON, None, ""),
    ("{}", NO_REASON, None, ""),
    ("null", NO_REASON, None, ""),
    ("23", LOW, 23, ""),
    ("23.0", LOW, 23, ""),
    ("[23.0]", LOW, 23, ""),
    ("[true,null]", NO_REASON, None, ""),
    ('[null,"duplicate"]', DUPLICATE, None, "duplicate"),
    ('["22","x"]', OTHER, None, "x"),
    ("[[[22]]]", NO_REASON, None, ""),
    ('{"code":{},"message":[]}', NO_REASON, None, ""),
    ('""', NO_REASON, None, ""),
]


@pytest.mark.parametrize(("wire", "reason", "code", "message"), WIRE_FORMS)
def test_wire_forms(wire: str, reason: ErrorReason, code: int | None, message: str) -> None:
    error = json.loads(wire)
    assert error_reply_from(error) == ErrorReply(reason, code, message, error)


# docs/reference/stratum.md#error-codes-and-texts: code and text as the pools send them
TEXTS: list[tuple[int | None, str, ErrorReason]] = [
    (20, "incorrect size of extranonce2", OTHER),
    (20, "incorrect size of ntime", OTHER),
    (20, "incorrect size of nonce", OTHER),
    (20, "ntime out of range", OTHER),
    (20, "Ntime out of range", OTHER),
    (20, "invalid version bit", OTHER),
    (20, "Invalid version mask", OTHER),
    (20, "Invalid array size", OTHER),
    (20, "Params not array", OTHER),
    (20, "No username", OTHER),
    (20, "No jobid", OTHER),
    (20, "No nonce2", OTHER),
    (20, "No ntime", OTHER),
    (20, "No nonce", OTHER),
    (20, "Worker mismatch", OTHER),
    (20, "Not supported.", OTHER),
    (20, "Authorization validation error", OTHER),
    (20, "Subscription validation error", OTHER),
    (20, "unknown-work", NO_JOB),
    (21, "job not found", NO_JOB),
    (21, "Job not found", NO_JOB),
    (21, "Invalid JobID", NO_JOB),
    (21, "Stale", NO_JOB),
    (21, "stale", NO_JOB),
    (21, "stale-work", NO_JOB),
    (21, "stale-prevblk", NO_JOB),
    (21, "time-too-old", NO_JOB),
    (21, "time-too-new", NO_JOB),
    (22, "duplicate share", DUPLICATE),
    (22, "Duplicate share", DUPLICATE),
    (22, "Duplicate", DUPLICATE),
    (22, "duplicate", DUPLICATE),
    (23, "low difficulty share of 2.55e-10", LOW),
    (23, "Above target", LOW),
    (23, "Difficulty too low", LOW),
    (23, "high-hash", LOW),
    (23, "H-not-zero", LOW),
    (23, "bad-version", OTHER),
    (23, "Invalid time rolling", OTHER),
    (24, "unauthorized worker", ErrorReason.UNAUTHORIZED),
    (24, "Unauthorised", ErrorReason.UNAUTHORIZED),
    (24, "Duplicate share", DUPLICATE),
    (25, "not subscribed", ErrorReason.NOT_SUBSCRIBED),
    (38, "unknown method", UNKNOWN),
    (-3, "Method not found", UNKNOWN),
    (-32601, "Method not found", UNKNOWN),
    (-32700, "Parse error", OTHER),
    (-2, "Job 'xxxx' not found", NO_JOB),
    (-1, "method is not string", OTHER),
    (None, "Failed subscription", OTHER),
    (None, "params missing array entries", OTHER),
    (None, "Invalid job_id", NO_JOB),
]


@pytest.mark.parametrize(("code", "text", "reason"), TEXTS)
def test_texts_of_real_pools(code: int | None, text: str, reason: ErrorReason) -> None:
    forms: list[Any] = [[code, text], [code, text, None], [code, text, ""], {"code": code, "message": text}]
    for form in forms:
        reply = error_reply_from(form)
        assert (reply.reason, reply.code, reply.message, reply.raw) == (reason, code, text, form)
    if code is None:
        assert error_reply_from(text).reason is reason


def test_reject_reason_speaks_where_the_error_is_silent() -> None:
    assert error_reply_from(None, "Stale") == ErrorReply(NO_JOB, None, "Stale", None)
    assert error_reply_from([21], "Duplicate").reason is DUPLICATE
    assert error_reply_from([22, "duplicate"], "Stale").message == "duplicate"
    assert error_reply_from(None, 17).reason is NO_REASON


CODES = {20: OTHER, 21: NO_JOB, 22: DUPLICATE, 23: LOW, 24: ErrorReason.UNAUTHORIZED, 25: ErrorReason.NOT_SUBSCRIBED,
         -3: UNKNOWN}  # fmt: skip
"""The classic codes (docs/reference/stratum.md#error-codes-and-texts), which the pool of stratum-miner sends."""


@pytest.mark.parametrize(("code", "reason"), {**CODES, -32601: UNKNOWN, 38: UNKNOWN, 26: OTHER}.items())
def test_a_code_without_a_text_has_its_meaning(code: int, reason: ErrorReason) -> None:
    assert error_reply_from([code]).reason is reason
    if code in CODES:
        assert CODE_OF_REASON[reason] == code


def test_every_reason_but_the_silent_one_has_a_code_that_means_it() -> None:
    assert set(CODE_OF_REASON) == set(ErrorReason) - {NO_REASON}
    for reason, code in CODE_OF_REASON.items():
        assert error_reply_from([code, reason.value, None]).reason is reason
        assert error_reply_from([code]).reason is reason


def test_the_proxys_report_of_a_lost_share_is_known_by_code_and_text() -> None:
    text = "share lost: the upstream pool's answer did not arrive"
    assert error_reply_from([20, text, None]).reports_lost_share
    assert not error_reply_from([21, text, None]).reports_lost_share
    assert not error_reply_from([20, text + ".", None]).reports_lost_share


@pytest.mark.parametrize(("code", "expected"), [(2**53, 2**53), (-(2**53), -(2**53)), (2**53 + 1, None), (20.0, 20)])
def test_codes_are_integers_that_every_reader_knows(code: Any, expected: int | None) -> None:
    assert error_reply_from([code, "text"]).code == expected


def test_the_code_before_a_text_has_at_most_six_digits() -> None:
    assert (error_reply_from("-123456: text").code, error_reply_from("-123456: text").message) == (-123456, "text")
    assert (error_reply_from("1234567: text").code, error_reply_from("1234567: text").message) == (
        None,
        "1234567: text",
    )


def test_400_characters_of_a_text_are_judged() -> None:
    assert error_reply_from("x" * 391 + "duplicate").reason is DUPLICATE
    assert error_reply_from("x" * 392 + "duplicate").reason is OTHER


def test_str_says_what_is_known() -> None:
    assert str(error_reply_from([22, "duplicate share", None])) == "22: duplicate share"
    assert str(error_reply_from("Stale")) == "Stale"
    assert str(error_reply_from(None)) == "refused without a reason"


@pytest.mark.parametrize("text", ["job" * 350_000, "low" * 350_000, " " * 1_000_000, "stale-" * 170_000])
def test_a_megabyte_of_hostile_text_is_judged_by_its_start(text: str) -> None:
    """If the patterns looked at the whole text, this test would take hours and exceed its time limit."""
    for error in ([20, text], text, {"message": text}):
        assert len(error_reply_from(error).message) <= 201


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["code", "message", "x"]), inner),
        max_leaves=6,
    )
)
def test_any_json_becomes_a_printable_reply(error: Any) -> None:
    reply = error_reply_from(error)
    assert reply.raw is error
    assert reply.message.isprintable()
    assert str(reply)
