"""Results of mining.subscribe and mining.configure."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.extensions import VersionRollingGrant
from stratum_miner.stratum.results import ConfigureResult, SubscribeResult


# docs/reference/stratum.md#subscribing
@pytest.mark.parametrize(
    ("subscriptions", "session_id"),
    [
        ([["mining.set_difficulty", "b4b6"], ["mining.notify", "ae68"]], "ae68"),
        ([["mining.notify", "ae68"], ["mining.set_difficulty", "b4b6"]], "ae68"),
        ([["mining.notify", "6b0421d8"]], "6b0421d8"),
        (["mining.notify", "ae68"], "ae68"),
        ([["mining.notify", "x1"], ["mining.set_difficulty", "x2"]], "x1"),
        ([["mining.set_difficulty", "b4b6"]], None),
        ([["mining.notify"]], None),
        ([["mining.notify", 7]], None),
        ([["mining.notify", ""]], None),
        ([["mining.notify", "x" * 256]], "x" * 256),
        ([["mining.notify", "x" * 257]], None),
        (["mining.notify"], None),
        ([], None),
        (None, None),
        ("mining.notify", None),
        ({}, None),
        (7, None),
    ],
)
def test_every_shape_of_subscriptions(subscriptions: Any, session_id: str | None) -> None:
    assert SubscribeResult.from_result([subscriptions, "f1ad9a67", 8]) == SubscribeResult(
        bytes.fromhex("f1ad9a67"), 8, session_id
    )


@pytest.mark.parametrize(("size", "expected"), [(0, 0), (1, 1), (3, 3), ("4", 4), (8.0, 8), (32, 32)])
def test_extranonce2_sizes(size: Any, expected: int) -> None:
    assert SubscribeResult.from_result([None, "", size]).extranonce2_size == expected


@pytest.mark.parametrize("digits", ["", "00", "ff00", "A1B2C3D4", "aa" * 9, "aa" * 32])
def test_extranonce1_of_any_width(digits: str) -> None:
    assert SubscribeResult.from_result([[], digits, 4]).extranonce1 == bytes.fromhex(digits)


def test_more_elements_are_ignored() -> None:
    assert SubscribeResult.from_result([[], "aa", 4, "more"]) == SubscribeResult(b"\xaa", 4)


@pytest.mark.parametrize(
    "result",
    [
        None, True, "params not an array", {}, [], [[], "aa"], [[], "a", 4], [[], "zz", 4], [[], None, 4],
        [[], "aa", -1], [[], "aa", 33], [[], "aa", 4.5], [[], "aa", None], [[], "aa", True], [[], "aa", "four"],
        [[], "aa" * 33, 4], [[], 1234, 4],
    ],
)  # fmt: skip
def test_unusable_subscribe_results(result: Any) -> None:
    with pytest.raises(FieldError, match=r"mining\.subscribe .*expected"):
        SubscribeResult.from_result(result)


@given(
    st.builds(
        SubscribeResult,
        st.binary(min_size=1, max_size=32),
        st.integers(0, 32),
        st.text(min_size=1, max_size=256),
    )
)
def test_subscribe_round_trip(result: SubscribeResult) -> None:
    assert SubscribeResult.from_result(result.to_result()) == result


def test_a_session_without_an_id_is_named_by_its_extranonce1() -> None:
    result = SubscribeResult(bytes.fromhex("a1b2"), 8)
    assert SubscribeResult.from_result(result.to_result()).session_id == "a1b2"


def test_configure_verdicts_and_grant() -> None:
    result = ConfigureResult.from_result(
        {
            "version-rolling": True,
            "version-rolling.mask": "18000000",
            "version-rolling.min-bit-count": "00000002",  # SRI
            "minimum-difficulty": False,
            "subscribe-extranonce": "not today",
            "info": 1,
        }
    )
    assert result.version_rolling == VersionRollingGrant(0x18000000)
    assert result.verdicts == {
        "version-rolling": True,
        "minimum-difficulty": False,
        "subscribe-extranonce": "not today",
        "info": "1",
    }


@pytest.mark.parametrize("verdict", [False, None, "no", 1, "true", [], {}])
def test_version_rolling_is_granted_by_true_alone(verdict: Any) -> None:
    result = ConfigureResult.from_result({"version-rolling": verdict, "version-rolling.mask": "1fffe000"})
    assert result.version_rolling is None


@pytest.mark.parametrize(
    "result",
    [
        None, True, [], "no", {"version-rolling": True}, {"version-rolling": True, "version-rolling.mask": None},
        {"version-rolling": True, "version-rolling.mask": "zz"},
    ],
)  # fmt: skip
def test_unusable_configure_results(result: Any) -> None:
    with pytest.raises(FieldError, match="expected"):
        ConfigureResult.from_result(result)


def test_verdicts_are_bounded_and_printable() -> None:
    result = ConfigureResult.from_result({f"\x1b{n}": "\n" * 1000 + "x" * 1000 for n in range(1000)})
    assert len(result.verdicts) == 64
    assert list(ConfigureResult.from_result({"x" * 64: True, "y" * 65: True}).verdicts) == ["x" * 64, "y" * 64 + "…"]
    assert all(
        key.isprintable() and isinstance(text, str) and len(text) <= 201 for key, text in result.verdicts.items()
    )
