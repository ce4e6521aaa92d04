"""BIP 310 extensions."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.stratum.errors import FieldError
from stratum_miner.stratum.extensions import (
    EXTENSIONS,
    Extension,
    Info,
    MinimumDifficulty,
    SubscribeExtranonce,
    VersionRolling,
    VersionRollingGrant,
    parse_requested,
)

TEXT = st.text(max_size=256)
REQUESTS: st.SearchStrategy[Extension] = st.one_of(
    st.builds(VersionRolling, st.integers(0, 2**32 - 1), st.integers(0, 32)),
    st.builds(MinimumDifficulty, st.just(0.0) | st.floats(min_value=1e-12, max_value=1e15)),
    st.just(SubscribeExtranonce()),
    st.builds(Info, TEXT, TEXT, TEXT, TEXT),
)


@given(REQUESTS)
def test_requests_round_trip(request: Extension) -> None:
    assert parse_requested(request.name, request.to_params()) == request
    assert all(key.startswith(request.name + ".") for key in request.to_params())


def test_the_table_lists_each_under_its_own_name() -> None:
    assert set(EXTENSIONS) >= {"version-rolling", "minimum-difficulty", "subscribe-extranonce", "info"}
    assert all(kind.name == name for name, kind in EXTENSIONS.items())
    assert parse_requested("x-unknown", {}) is None


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({}, VersionRolling(0xFFFFFFFF, 0)),
        ({"version-rolling.mask": "1fffe000"}, VersionRolling(0x1FFFE000, 0)),
        ({"version-rolling.mask": "0x1fffe000", "version-rolling.min-bit-count": 2}, VersionRolling(0x1FFFE000, 2)),
        ({"version-rolling.min-bit-count": "10"}, VersionRolling(0xFFFFFFFF, 16)),
        ({"version-rolling.min-bit-count": "1fffe000"}, VersionRolling(0xFFFFFFFF, 16)),
        ({"version-rolling.min-bit-count": "20"}, VersionRolling(0xFFFFFFFF, 32)),
        ({"version-rolling.min-bit-count": "21"}, VersionRolling(0xFFFFFFFF, 2)),
        ({"version-rolling.min-bit-count": 32}, VersionRolling(0xFFFFFFFF, 32)),
        ({"version-rolling.min-bit-count": 2.0}, VersionRolling(0xFFFFFFFF, 2)),
    ],
)
def test_version_rolling_as_clients_ask_for_it(params: dict[str, Any], expected: VersionRolling) -> None:
    assert VersionRolling.from_params(params) == expected


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("version-rolling", {"version-rolling.mask": 0x1FFFE000}),
        ("version-rolling", {"version-rolling.mask": None}),
        ("version-rolling", {"version-rolling.mask": "1fffe0000"}),
        ("version-rolling", {"version-rolling.min-bit-count": "two"}),
        ("version-rolling", {"version-rolling.min-bit-count": 33}),
        ("version-rolling", {"version-rolling.min-bit-count": -1}),
        ("version-rolling", {"version-rolling.min-bit-count": None}),
        ("minimum-difficulty", {}),
        ("minimum-difficulty", {"minimum-difficulty.value": -1}),
        ("minimum-difficulty", {"minimum-difficulty.value": False}),
        ("minimum-difficulty", {"minimum-difficulty.value": "much"}),
        ("info", {"info.hw-id": 7}),
        ("info", {"info.sw-version": "x" * 257}),
    ],
)
def test_unusable_parameters_are_named(name: str, params: dict[str, Any]) -> None:
    with pytest.raises(FieldError, match=rf"{name}\.[a-z-]+: expected"):
        parse_requested(name, params)


def test_a_minimum_of_zero_takes_an_earlier_one_back() -> None:
    for zero in (0, 0.0):
        assert MinimumDifficulty.from_params({"minimum-difficulty.value": zero}) == MinimumDifficulty(0.0)


def test_info_has_texts_of_256_characters_at_most() -> None:
    assert Info.from_params({"info.hw-id": "x" * 256}) == Info(hw_id="x" * 256)


def test_info_sends_no_empty_text() -> None:
    assert Info(hw_id="x").to_params() == {"info.hw-id": "x"}


def test_a_client_asks_for_the_bits_of_bip_320_and_at_least_two() -> None:
    asked = {"version-rolling.mask": "1fffe000", "version-rolling.min-bit-count": 2}
    assert VersionRolling().to_params() == asked


@given(st.integers(0, 2**32 - 1))
def test_grants_round_trip(mask: int) -> None:
    grant = VersionRollingGrant(mask)
    assert VersionRollingGrant.from_result(grant.to_result()) == grant


def test_an_unpadded_mask_is_understood() -> None:
    """p2poolv2 prints the mask with {:x}."""
    result = {"version-rolling": True, "version-rolling.mask": "e000"}
    assert VersionRollingGrant.from_result(result) == VersionRollingGrant(0xE000)
