"""Templates from captured nodes, from a hostile one, and the coinbases and blocks made from them."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.coinbase import height_from_coinbase_prefix, witness_commitment_script
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.template import (
    BlockTemplate,
    TemplateError,
    TemplateTransaction,
    UnsuitableTemplateError,
    assemble_block,
    coinbase_parts,
    template_from_rpc,
    with_tip_time,
)
from stratum_miner.testing.scripted_node import make_template

VECTORS: list[dict[str, Any]] = [
    vector
    for vector in json.loads((Path(__file__).parents[1] / "vectors" / "stratum.json").read_text())
    if "template" in vector
]
WITH_TRANSACTIONS = next(vector for vector in VECTORS if vector["template"]["transactions"])
EMPTY = next(vector for vector in VECTORS if not vector["template"]["transactions"])
DATA = WITH_TRANSACTIONS["template"]["transactions"][0]["data"]
PLAIN = "01000000" + "00" * 10


def reply(**changes: Any) -> dict[str, Any]:
    """The template of V10 with some fields replaced; None removes one."""
    changed = WITH_TRANSACTIONS["template"] | changes
    return {key: value for key, value in changed.items() if value is not None}


def transaction(**changes: Any) -> list[dict[str, Any]]:
    changed = WITH_TRANSACTIONS["template"]["transactions"][0] | changes
    return [{key: value for key, value in changed.items() if value is not None}]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_captured_templates(vector: dict[str, Any]) -> None:
    source, notify = vector["template"], vector["notify_params"]
    template = template_from_rpc(source)
    assert template.height == source["height"]
    assert template.previous_hash[::-1].hex() == source["previousblockhash"]
    assert (template.curtime, template.mintime) == (source["curtime"], source["mintime"])
    assert template.coinbase_value == source["coinbasevalue"]
    assert template.longpoll_id == source["longpollid"]
    assert template.witness_commitment is not None
    assert template.witness_commitment.hex() == source["default_witness_commitment"]
    assert [branch.hex() for branch in template.merkle_branch] == notify[4]
    assert f"{template.nbits:08x}" == notify[6]


def test_a_block_that_a_node_accepted() -> None:
    template = template_from_rpc(WITH_TRANSACTIONS["template"])
    notify = WITH_TRANSACTIONS["notify_params"]
    coinbase = notify[2] + WITH_TRANSACTIONS["extranonce1"] + WITH_TRANSACTIONS["extranonce2"] + notify[3]
    block = assemble_block(template, bytes.fromhex(coinbase), bytes.fromhex(WITH_TRANSACTIONS["block_hex"][:160]))
    assert len(block) == 1038
    assert block.hex() == WITH_TRANSACTIONS["block_hex"]


def test_the_commitment_is_computed_when_a_node_leaves_it_out() -> None:
    assert template_from_rpc(reply(default_witness_commitment=None)) == template_from_rpc(reply())
    bare = EMPTY["template"] | {"default_witness_commitment": None}
    assert template_from_rpc(bare).witness_commitment == witness_commitment_script([])


def test_no_witness_before_segwit_is_active() -> None:
    """bcoin gives a commitment also then; sending the witness that belongs to it would make the block invalid."""
    template = template_from_rpc(EMPTY["template"] | {"rules": ["csv"]})
    assert template.witness_commitment is None
    prefix, suffix = coinbase_parts(template, payout_script=b"\x51", extranonce_size=12)
    coinbase = prefix + bytes(12) + suffix
    assert assemble_block(template, coinbase, bytes(80)) == bytes(80) + b"\x01" + coinbase


def test_a_minimal_template_of_another_node() -> None:
    needed = ("height", "version", "previousblockhash", "bits", "curtime", "coinbasevalue", "transactions")
    template = template_from_rpc({key: EMPTY["template"][key] for key in needed})
    assert (template.mintime, template.longpoll_id, template.coinbase_flags) == (0, None, b"")
    assert template.witness_commitment is None


def test_the_range_of_times_is_read() -> None:
    template = template_from_rpc(reply(curtime=1_000_000, mintime=999_000, maxtime=1_000_030))
    assert (template.mintime, template.maxtime) == (999_000, 1_000_030)
    assert [template.time_at(age) for age in (0.9, 1.0, 30.0, 31.0, 1e9)] == [
        1_000_000,
        1_000_001,
        1_000_030,
        1_000_030,
        1_000_030,
    ]
    assert template.seconds_left() == 31


@pytest.mark.parametrize(
    ("curtime", "mintime", "maxtime", "time"),
    [
        (1_000_000, 1_000_000, None, 1_000_000),  # Core's way to say that the chain is ahead of its clock
        (1_000_000, 1_000_500, None, 1_000_500),
        (1_000_000, 999_000, 999_500, 999_500),  # a node that limits the time, but not what it calls its clock
    ],
)
def test_a_time_that_is_no_clock_does_not_advance(curtime: int, mintime: int, maxtime: int | None, time: int) -> None:
    template = replace(make_template(curtime=curtime), mintime=mintime, maxtime=maxtime)
    assert template.time_at(0) == template.time_at(5000) == time
    assert template.seconds_left() is None


TIP_TIME = 1_000_000


@pytest.mark.parametrize(
    ("curtime", "mintime", "tip_time", "maxtime"),
    [
        (TIP_TIME + 100, 0, TIP_TIME, TIP_TIME + 1200),
        (TIP_TIME + 1200, 0, TIP_TIME, TIP_TIME + 1200),
        (TIP_TIME + 1201, 0, TIP_TIME, None),  # the easy bits hold for all later times
        (TIP_TIME - 500, TIP_TIME - 600, TIP_TIME, TIP_TIME + 1200),  # the block before may be ahead of the clock
        (TIP_TIME + 100, TIP_TIME - 99, None, TIP_TIME + 1100),  # never after 1200 s behind the block before
        (TIP_TIME + 9000, TIP_TIME - 99, None, TIP_TIME + 9000),
        (TIP_TIME + 9000, 0, None, TIP_TIME + 9000),
    ],
)
def test_bits_that_depend_on_the_time(curtime: int, mintime: int, tip_time: int | None, maxtime: int | None) -> None:
    template = replace(make_template(curtime=curtime), mintime=mintime)
    assert with_tip_time(template, tip_time) == replace(template, maxtime=maxtime)


def test_the_nodes_own_limit_is_not_widened() -> None:
    template = replace(make_template(curtime=TIP_TIME), maxtime=TIP_TIME + 5)
    assert with_tip_time(template, TIP_TIME).maxtime == TIP_TIME + 5


@pytest.mark.parametrize(
    ("changed", "text"),
    [
        (None, "expected an object, got nothing"),
        ([], "expected an object, got \\[\\]"),
        (reply(height=None), "height: expected an integer from 1 to .*, got nothing"),
        (reply(height="141"), "height: .*, got '141'"),
        (reply(height=True), "height: .*, got True"),
        (reply(height=1.0), "height: .*, got 1.0"),
        (reply(height=0), "height: .*, got 0"),
        (reply(height=1 << 40), "height: .*, got 1099511627776"),
        (reply(version=1 << 32), "version: expected an integer"),
        (reply(previousblockhash="00" * 31), "previousblockhash: expected 64 hex digits"),
        (reply(previousblockhash=" " + "00" * 31 + "0"), "previousblockhash: expected hex digits"),
        (reply(previousblockhash=7), "previousblockhash: expected hex digits, got 7"),
        (reply(bits="207fff"), "bits: expected 8 hex digits"),
        (reply(bits="00000000"), "bits: nbits: expected a target"),
        (reply(bits="ff7fffff"), "bits: nbits: expected a target"),
        (reply(bits=545259519), "bits: expected hex digits, got 545259519"),
        (reply(curtime=-1), "curtime: expected an integer from 1"),
        (reply(mintime=1 << 31), "mintime: expected an integer from 0 to 1795440892"),
        (reply(maxtime=1), "maxtime: expected an integer from 1795433"),
        (reply(coinbasevalue=21_000_000 * 10**8 + 1), "coinbasevalue: expected an integer"),
        (reply(coinbasevalue=None, coinbasetxn={}), "expected coinbasevalue, got a finished coinbasetxn"),
        (reply(rules="segwit"), "rules: expected a list of strings"),
        (reply(rules=["!segwit", "!newfork"]), "rules: the node requires \\['newfork'\\]"),
        (reply(vbrequired=4), "vbrequired: expected 0, got 4"),
        (reply(signet_challenge="5121"), "must be signed"),
        (reply(longpollid=5), "longpollid: expected up to 1000 characters, got 5"),
        (reply(coinbaseaux=[]), "coinbaseaux: expected an object"),
        (reply(coinbaseaux={"flags": "0"}), "coinbaseaux.'flags': expected hex digits"),
        (reply(coinbaseaux={"flags": "00" * 17}), "coinbaseaux: expected at most 16 bytes, got 17"),
        (reply(transactions=None), "transactions: expected a list, got nothing"),
        (reply(transactions={}), "transactions: expected a list"),
        (reply(transactions=[1]), "transactions\\[0\\]: expected an object, got 1"),
        (reply(transactions=transaction(data=None)), "transactions\\[0\\].data: expected hex digits, got nothing"),
        (reply(transactions=transaction(data="zz")), "transactions\\[0\\].data: expected hex digits, got 'zz'"),
        (reply(transactions=transaction(data="00", hash=None)), "data: expected a transaction, got 1 bytes"),
        (reply(transactions=transaction(txid=None)), "transactions\\[0\\]: txid: expected hex digits, got nothing"),
        (reply(transactions=transaction(hash="00" * 32)), "hash: expected e44b.*, the hash of its data"),
        (reply(transactions=transaction(data=PLAIN, hash=None)), "txid: expected .*, the hash of its data"),
        (reply(transactions=transaction(fee=-1)), "transactions\\[0\\]: fee: expected an integer"),
        (reply(transactions=transaction() * 2), "expected each transaction once, got one twice"),
        (reply(transactions=[]), None),
        (reply(default_witness_commitment="6a24aa21a9ed" + "00" * 32), "default_witness_commitment: expected 6a24"),
    ],
)
def test_what_is_wrong_is_named(changed: object, text: str | None) -> None:
    if text is None:  # without the transactions, and no longer the commitment to them
        text = "default_witness_commitment: expected 6a24aa21a9ede2f61c3f71d1"
    with pytest.raises(TemplateError, match=text) as caught:
        template_from_rpc(changed)
    assert len(str(caught.value)) < 500
    assert "\n" not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=70),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=10,
)


@given(st.sampled_from([*sorted(WITH_TRANSACTIONS["template"]), "maxtime", "vbrequired"]), JSON)
def test_any_field_may_be_anything(field: str, value: object) -> None:
    try:
        template = template_from_rpc(WITH_TRANSACTIONS["template"] | {field: value})
    except TemplateError:
        return
    prefix, suffix = coinbase_parts(template, payout_script=b"\x51", extranonce_size=12, tag=bytes(40))
    assert assemble_block(template, prefix + bytes(12) + suffix, bytes(80))[:80] == bytes(80)


@given(
    height=st.integers(1, 1 << 30),
    size=st.integers(1, 20),
    tag=st.binary(max_size=50),
    flags=st.binary(max_size=8),
    value=st.integers(0, 50 * 10**8),
)
def test_coinbases(height: int, size: int, tag: bytes, flags: bytes, value: int) -> None:
    template = BlockTemplate(
        height=height,
        previous_hash=bytes(32),
        version=0x20000000,
        nbits=0x207FFFFF,
        curtime=1,
        coinbase_value=value,
        coinbase_flags=flags,
    )
    prefix, suffix = coinbase_parts(template, payout_script=b"\x51", extranonce_size=size, tag=tag)
    assert height_from_coinbase_prefix(prefix) == height
    assert prefix.endswith(flags + bytes([size]))
    assert suffix.startswith(
        (bytes([len(tag)]) + tag if tag else b"") + b"\xfe\xff\xff\xff\x01" + value.to_bytes(8, "little")
    )


def test_transactions_know_whether_they_have_a_witness() -> None:
    for data, expected in ((bytes.fromhex(DATA), True), (bytes.fromhex(PLAIN), False)):
        assert TemplateTransaction(data, sha256d(data), sha256d(data)).has_witness is expected


def test_a_coinbase_script_over_its_limit_is_refused() -> None:
    template = template_from_rpc(reply(coinbaseaux={"flags": "00" * 16}))
    with pytest.raises(ValueError, match="coinbase script: expected at most 100 bytes"):
        coinbase_parts(template, payout_script=b"\x51", extranonce_size=20, tag=bytes(64))


@pytest.mark.parametrize(
    ("field", "low", "high"),
    [
        ("height", 1, 1 << 31),
        ("version", -(1 << 31), (1 << 32) - 1),
        ("coinbasevalue", 0, 21_000_000 * 100_000_000),
        ("maxtime", EMPTY["template"]["mintime"], (1 << 32) - 1),
        ("mintime", 0, EMPTY["template"]["curtime"] + 7200),
        ("vbrequired", 0, 0),
    ],
)
def test_numbers_may_be_as_small_and_as_large_as_is_said(field: str, low: int, high: int) -> None:
    """As the header, the supply of coins and the clocks of nodes allow."""
    for value in (low, high):
        template_from_rpc(EMPTY["template"] | {field: value, "rules": ["csv"]})
    for value in (low - 1, high + 1):
        with pytest.raises(TemplateError, match=f"{field}: expected "):
            template_from_rpc(EMPTY["template"] | {field: value, "rules": ["csv"]})


@pytest.mark.parametrize(("curtime", "good"), [(0, False), (1, True), ((1 << 32) - 1, True), (1 << 32, False)])
def test_the_time_fits_a_header(curtime: int, good: bool) -> None:
    source = EMPTY["template"] | {"curtime": curtime, "mintime": 0}
    if good:
        assert template_from_rpc(source).curtime == curtime
        if curtime > 1:
            template_from_rpc(source | {"mintime": curtime})
            with pytest.raises(TemplateError, match="mintime: expected an integer from 0 to 4294967295"):
                template_from_rpc(source | {"mintime": curtime + 1})
    else:
        with pytest.raises(TemplateError, match="curtime: expected an integer from 1 to 4294967295"):
            template_from_rpc(source)


def test_a_time_never_exceeds_what_a_header_holds() -> None:
    template = make_template(curtime=(1 << 32) - 2)
    assert [template.time_at(age) for age in (0.0, 1.0, 5.0)] == [(1 << 32) - 2, (1 << 32) - 1, (1 << 32) - 1]


def test_a_version_below_zero_is_the_same_32_bits() -> None:
    assert template_from_rpc(EMPTY["template"] | {"version": -1}).version == 0xFFFFFFFF


@pytest.mark.parametrize(("length", "good"), [(1000, True), (1001, False)])
def test_a_longpollid_has_up_to_1000_characters(length: int, good: bool) -> None:
    if good:
        assert template_from_rpc(EMPTY["template"] | {"longpollid": "x" * length}).longpoll_id == "x" * length
    else:
        with pytest.raises(TemplateError) as caught:
            template_from_rpc(EMPTY["template"] | {"longpollid": "x" * length})
        assert str(caught.value).endswith("got '" + "x" * 99 + "…"), "a hundred characters of it"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 98, repr("x" * 98)),
        ([0] * 8, str([0] * 8)),
        ([0] * 9, "a list of 9"),
        ({str(key): 0 for key in range(9)}, "a dict of 9"),
    ],
)
def test_long_values_are_shown_by_their_size(value: object, shown: str) -> None:
    with pytest.raises(TemplateError) as caught:
        template_from_rpc(EMPTY["template"] | {"height": value})
    assert str(caught.value).endswith(f"got {shown}")


def test_the_largest_flags_and_the_smallest_transaction() -> None:
    assert template_from_rpc(EMPTY["template"] | {"coinbaseaux": {"flags": "07" * 16}}).coinbase_flags == b"\x07" * 16
    for size, good in ((10, True), (9, False)):
        data = bytes([1]) + bytes(size - 1)
        txid = sha256d(data)[::-1].hex()
        source = EMPTY["template"] | {
            "transactions": [{"data": data.hex(), "txid": txid}],
            "default_witness_commitment": None,
        }
        if good:
            (read,) = template_from_rpc(source).transactions
            assert (read.fee, read.txid, read.wtxid, read.data) == (0, sha256d(data), sha256d(data), data)
        else:
            with pytest.raises(TemplateError, match=f"data: expected a transaction, got {size} bytes"):
                template_from_rpc(source)


@pytest.mark.parametrize(("fee", "good"), [(0, True), (21_000_000 * 10**8, True), (21_000_000 * 10**8 + 1, False)])
def test_a_fee_is_at_most_all_coins(fee: int, good: bool) -> None:
    source = reply(transactions=transaction(fee=fee), default_witness_commitment=None)
    if good:
        assert template_from_rpc(source).transactions[0].fee == fee
    else:
        with pytest.raises(TemplateError, match="fee: expected an integer from 0 to 2100000000000000"):
            template_from_rpc(source)


def test_a_transaction_is_taken_from_the_template_before_only_if_it_is_the_same() -> None:
    source = reply(transactions=transaction(), default_witness_commitment=None)
    before = template_from_rpc(source)
    assert template_from_rpc(source, before).transactions[0] is before.transactions[0]
    dearer = template_from_rpc(source | {"transactions": transaction(fee=12345)}, before).transactions[0]
    assert dearer.fee == 12345
    for changes in ({"data": PLAIN}, {"txid": "00" * 32}):
        source = reply(transactions=transaction(**changes), default_witness_commitment=None)
        try:
            other = template_from_rpc(source, before).transactions[0]
        except TemplateError:
            continue
        assert other is not before.transactions[0]
        assert other.txid == bytes(32)


def test_without_more_said_a_template_pays_nothing_and_has_no_limits() -> None:
    template = BlockTemplate(height=1, previous_hash=bytes(32), version=1, nbits=0x207FFFFF, curtime=5)
    assert (template.coinbase_value, template.mintime, template.maxtime) == (0, 0, None)
    assert TemplateTransaction(b"", b"", b"").fee == 0
    assert template.seconds_left() is None


@pytest.mark.parametrize(("maxtime", "left"), [(999, None), (1000, 1), (1001, 2)])
def test_how_long_a_template_holds(maxtime: int, left: int | None) -> None:
    template = replace(make_template(curtime=1000), maxtime=maxtime, mintime=999)
    assert template.seconds_left() == left
    assert replace(template, mintime=1000).seconds_left() is None, "the node's clock is not known"


@pytest.mark.parametrize(("maxtime", "invalid"), [(1999, False), (2000, True), (None, True)])
def test_bits_of_two_times_stand_beside_each_other_if_the_times_do(maxtime: int | None, invalid: bool) -> None:
    early = replace(make_template(curtime=1000), maxtime=maxtime)
    late = replace(make_template(curtime=2000, nbits=0x207FFFFF))
    assert late.invalidates(early) == invalid
    assert early.invalidates(late) == invalid


def test_an_unsuitable_template_is_named_so() -> None:
    unsuitable: list[dict[str, Any]] = [
        {"rules": ["!other"]},
        {"vbrequired": 1},
        {"coinbasevalue": None, "coinbasetxn": {}},
        {"signet_challenge": "00"},
    ]
    for changes in unsuitable:
        source = {key: value for key, value in (EMPTY["template"] | changes).items() if value is not None}
        with pytest.raises(UnsuitableTemplateError):
            template_from_rpc(source)
    template_from_rpc(EMPTY["template"] | {"signet_challenge": "51"})
    assert template_from_rpc(reply(rules=["csv", "!segwit", "taproot"])).rules == {"csv", "segwit", "taproot"}
