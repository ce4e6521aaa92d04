"""Replies find the method of their request, and what is kept for that is little."""

import json
import sys
from typing import Any

import pytest

from stratum_miner.capture.methods import LONGEST_NAME, MAX_REQUESTS, REQUEST_BYTES, Methods, nearest_method
from stratum_miner.capture.record import Side


def ask(identifier: Any, method: str = "mining.submit") -> bytes:
    return json.dumps({"id": identifier, "method": method, "params": []}).encode() + b"\n"


def answer(identifier: Any) -> bytes:
    return json.dumps({"id": identifier, "result": True}).encode() + b"\n"


@pytest.mark.parametrize("identifier", [1, 1.5, "1", True, [1], "x" * 100, {"a": "b" * 100}])
def test_a_reply_has_the_method_of_its_request(identifier: Any) -> None:
    methods = Methods()
    assert methods.of(Side.MINER, ask(identifier)) == "mining.submit"
    assert methods.of(Side.MINER, answer(identifier)) is None  # its own request is not what it answers
    assert methods.of(Side.POOL, answer(2)) is None
    assert methods.of(Side.POOL, answer(identifier)) == "mining.submit"
    assert methods.of(Side.POOL, answer(identifier)) is None
    assert methods.held == 0


def test_an_id_that_is_used_twice_is_answered_twice() -> None:
    methods = Methods()
    for _ in range(2):
        methods.of(Side.MINER, ask(5))
    assert [methods.of(Side.POOL, answer(5)) for _ in range(3)] == ["mining.submit", "mining.submit", None]


def test_only_what_is_wanted_is_remembered() -> None:
    methods = Methods({"mining.submit"})
    assert methods.of(Side.MINER, ask(1, "mining.authorize")) == "mining.authorize"
    assert methods.of(Side.POOL, answer(1)) is None
    assert methods.held == 0
    nothing = Methods(set())
    assert nothing.of(Side.MINER, ask(1)) is None


def test_names_that_nobody_has_are_not_remembered() -> None:
    methods = Methods()
    name = "x" * (LONGEST_NAME + 1)
    assert methods.of(Side.MINER, ask(1, name)) == name
    assert methods.held == 0


def test_of_many_requests_the_newest_are_remembered_in_the_bytes_that_are_counted() -> None:
    methods = Methods()
    for number in range(MAX_REQUESTS + 10):
        methods.of(Side.MINER, ask(f"{number}{'x' * 2000}", f"{number:064}"))
    assert methods.held == MAX_REQUESTS * REQUEST_BYTES
    asked = methods._asked
    kept = sum(sys.getsizeof(item) for key, value in asked.items() for item in (key, key[1], value, value[0], value[1]))
    assert kept + sys.getsizeof(asked) <= methods.held
    assert methods.of(Side.POOL, answer("9" + "x" * 2000)) is None
    assert methods.of(Side.POOL, answer("10" + "x" * 2000)) == f"{10:064}"


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("submit", "mining.submit"),
        ("Reconnect", "client.reconnect"),
        ("mining.notfy", "mining.notify"),
        ("Mining.Submit", "mining.submit"),
        ("client.reconect", "client.reconnect"),
        ("mining.notify", None),
        ("pool.own_method", None),
        (None, None),
    ],
)
def test_a_method_that_is_all_but_right_is_known(name: str | None, nearest: str | None) -> None:
    assert nearest_method(name) == nearest
