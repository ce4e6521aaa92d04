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
