"""The jobs that the factory makes of templates."""

import json
from dataclasses import replace
from typing import Any

import pytest

from stratum_miner.pool.config import MAX_TAG
from stratum_miner.pool.job_factory import JobFactory
from stratum_miner.pool.template import MAX_FLAGS, TemplateTransaction
from stratum_miner.stratum.errors import LocalProtocolError
from stratum_miner.testing.scripted_node import EASY_BITS, HARD_BITS, make_template

START = 1_700_000_000


def _factory() -> JobFactory:
    return JobFactory(payout_script=b"\x51", version_mask=0x1FFFE000, extranonce_size=12, coinbase_tag=b"/t/")


def test_clean_exactly_when_the_block_changes() -> None:
    factory = _factory()
    flags = [
        factory.publish(template, 0.0).content.clean
        for template in (make_template(1), make_template(1), make_template(2), make_template(2, fork=1))
    ]
    assert flags == [True, False, True, True]


OTHER = TemplateTransaction(data=bytes(10), txid=bytes(32), wtxid=bytes(32))
EASIER = {"nbits": EASY_BITS, "curtime": START + 1201}


@pytest.mark.parametrize(
    ("before", "after", "clean"),
    [
        ({}, {"curtime": START + 9}, None),
        ({}, {"longpoll_id": "another"}, None),
        ({}, {"mintime": START}, None),
        ({}, {"maxtime": START + 9000}, True),  # what was allowed beyond it is allowed no longer
        ({"maxtime": START + 9}, {"maxtime": START + 10}, None),  # the next renewal makes use of it
        ({"maxtime": START + 9}, {"maxtime": None}, None),
        ({"maxtime": START + 9}, {"maxtime": START + 8}, True),
        ({"maxtime": START + 9}, {"version": 0x20000001}, False),
        ({}, {"mintime": START + 1}, True),
        ({}, {"previous_hash": bytes(32)}, True),
        ({}, {"height": 7}, True),
        ({}, {"rules": frozenset(["taproot"])}, True),
        ({}, {"version": 0x20000001}, False),
        ({}, {"transactions": (OTHER,)}, False),
        ({}, {"transactions": (OTHER,), "coinbase_value": 1}, False),
        ({}, {"coinbase_value": 3}, False),
        ({}, {"coinbase_value": 1}, True),  # the jobs before pay more than the node allows now
        ({}, {"coinbase_flags": b"x"}, False),
        ({}, EASIER, True),
        ({"maxtime": START + 1200}, EASIER | {"maxtime": None}, False),  # the harder bits still hold until then
        (EASIER, {"nbits": HARD_BITS, "curtime": START, "maxtime": START + 1200}, False),
    ],
)
def test_whatever_changes_the_block_makes_a_job(
    before: dict[str, Any], after: dict[str, Any], clean: bool | None
) -> None:
    factory = _factory()
    template = replace(make_template(curtime=START), coinbase_value=2, **before)
    factory.publish(template, 0.0)
    job = factory.update(replace(template, **after), 1.0)
    assert (None if job is None else job.content.clean) == clean
    assert job is None or job is factory.current


def test_a_renewed_job_takes_the_newest_template() -> None:
    factory = _factory()
    factory.publish(make_template(curtime=START), 0.0)
    assert factory.update(make_template(curtime=START + 1), 10.0) is None
    assert factory.renew(15.5).content.ntime == START + 6, "the node's clock, not ours"


def test_no_job_is_beyond_the_latest_time() -> None:
    factory = _factory()
    jobs = [factory.publish(replace(make_template(curtime=START), maxtime=START + 40), 0.0)]
    jobs += [factory.renew(now) for now in (30.0, 60.0, 1e6)]
    assert [job.content.ntime for job in jobs] == [START, START + 30, START + 40, START + 40]
    assert all(job.maxtime == START + 40 for job in jobs)


def test_both_encodings_differ_in_the_flag_only() -> None:
    factory = _factory()
    factory.publish(make_template(), 0.0)
    job = factory.renew(1.0)
    plain, clean = json.loads(job.line)["params"], json.loads(job.clean_line)["params"]
    assert plain[:8] == clean[:8]
    assert (plain[8], clean[8]) == (False, True)


def test_every_job_has_its_own_id_and_coinbase_and_time_goes_on() -> None:
    factory = _factory()
    jobs = [factory.publish(make_template(curtime=1000), 50.0), factory.renew(80.9), factory.renew(80.9)]
    assert [job.content.ntime for job in jobs] == [1000, 1030, 1030]
    assert len({job.content.job_id for job in jobs}) == 3
    assert len({job.content.coinbase_prefix + job.content.coinbase_suffix for job in jobs}) == 3
    assert factory.current is jobs[-1]


def test_job_ids_wrap_at_32_bits() -> None:
    factory = JobFactory(payout_script=b"\x51", version_mask=0, extranonce_size=12, first_id=0xFFFFFFFF)
    assert [factory.publish(make_template(), 0.0).content.job_id, factory.renew(0.0).content.job_id] == [
        "ffffffff",
        "00000000",
    ]


def test_renew_needs_a_template() -> None:
    with pytest.raises(LocalProtocolError, match="expected a template"):
        _factory().renew(0.0)


def test_the_largest_coinbase_script_fits() -> None:
    template = replace(make_template(height=2**31 - 1), coinbase_flags=bytes(MAX_FLAGS))
    factory = JobFactory(payout_script=b"\x51", version_mask=0, extranonce_size=4 + 16, coinbase_tag=bytes(MAX_TAG))
    assert factory.publish(template, 0.0).content.coinbase_prefix
