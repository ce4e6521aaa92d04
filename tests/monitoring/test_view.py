"""Tests the JSON form of a view, which is the same for all displays."""

import json
from dataclasses import replace

import msgspec

from stratum_miner.monitoring.view import View, as_json, as_report

from .served import full_view


def test_what_programs_get_is_one_schema() -> None:
    view = full_view()
    told = json.loads(json.dumps(as_json(view)))
    assert told == json.loads(msgspec.json.encode(view)), "what the API answers"
    assert msgspec.convert(told, View) == view, "what top makes of it"
    report = json.loads(json.dumps(as_report(view)))
    assert report == told["summary"] | {name: told[name] for name in ("pools", "devices", "blocks")}


def test_the_pool_mined_on_says_what_a_share_needs() -> None:
    view = full_view()
    first, second, third = view.pools
    assert (view.mined_on, view.share_difficulty) == (first, 0.25)
    pools = (replace(first, active=False), replace(second, active=True, difficulty=8.0), third)
    assert replace(view, pools=pools).share_difficulty == 8.0
    idle = tuple(replace(pool, active=False, difficulty=float(pool.id)) for pool in view.pools)
    assert (replace(view, pools=idle).mined_on, replace(view, pools=idle).share_difficulty) == (None, 0.0)
    assert replace(view, pools=()).share_difficulty is None
