"""Targets and difficulties as exact integers, whatever number they come from."""

import math
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.bitcoin.target import (
    DIFFICULTY_1_TARGET,
    HASHES_PER_DIFFICULTY,
    MAX_TARGET,
    TRIVIAL_TARGET,
    bits_from_target,
    difficulty_from_digest,
    difficulty_from_target,
    difficulty_to_announce,
    expected_hashes,
    hash_value,
    target_from_bits,
    target_from_difficulty,
)

# docs/reference/stratum.md#difficulty-and-target
TARGETS = {
    1: "00000000ffff0000000000000000000000000000000000000000000000000000",
    2: "000000007fff8000000000000000000000000000000000000000000000000000",
    0.5: "00000001fffe0000000000000000000000000000000000000000000000000000",
    0.1: "00000009fff5ffffffffd80028000000009fff5ffffffffd80028000000009ff",
    0.001: "000003e7fc17fffffffa2405dc00000008c9f735fffffff2d10d2f00000013c6",
    1e-05: "0001869e795ffffff7017bde8d2000350440d92a225ec77dedbfeaa3675216b5",
    42: "0000000006185b6db6db6db6db6db6db6db6db6db6db6db6db6db6db6db6db6d",
    16384: "000000000003fffc000000000000000000000000000000000000000000000000",
    1000000: "00000000000010c6e6d9be4cd74927913e81450efdc9c4da9003eea209aaa3ad",
    1000000000000: "00000000000000000119787e99468e32f6e0e71cef78ee034b5f8a0944d68076",
    4.6565423739069247e-10: "7ffffefffffffffe03fe07f607f607fde825b88d48f4d93d27e77376b9eafbc0",
}


@pytest.mark.parametrize(("difficulty", "target"), TARGETS.items())
def test_targets_are_exact(difficulty: float, target: str) -> None:
    assert f"{target_from_difficulty(difficulty):064x}" == target


def test_targets_are_clamped_to_256_bits() -> None:
    assert target_from_difficulty(2.3282709094e-10) == MAX_TARGET
    assert target_from_difficulty(1e-300) == MAX_TARGET
    assert target_from_difficulty(1e300) == 1


@given(st.integers(1, MAX_TARGET))
def test_the_difficulty_to_announce_never_lets_a_hash_pass_that_misses_the_target(target: int) -> None:
    difficulty = difficulty_to_announce(target)
    assert target_from_difficulty(difficulty) <= target
    assert difficulty == pytest.approx(difficulty_from_target(target), rel=1e-15)


@given(st.floats(2.4e-10, 1e40))
def test_a_difficulty_survives_its_target(difficulty: float) -> None:
    target = target_from_difficulty(difficulty)
    assert difficulty_from_target(target) == difficulty
    assert difficulty_to_announce(target) == difficulty


def test_every_numeric_type_means_the_same() -> None:
    values = {target_from_difficulty(value) for value in (0.5, Fraction(1, 2), Decimal("0.5"))}
    assert values == {target_from_difficulty(1) * 2}


@pytest.mark.parametrize("difficulty", [0, -1, -0.5, math.inf, -math.inf, math.nan, Decimal("NaN"), Decimal("inf")])
def test_difficulties_that_are_none(difficulty: float) -> None:
    with pytest.raises(ValueError, match="above zero"):
        target_from_difficulty(difficulty)


@pytest.mark.parametrize(
    ("nbits", "difficulty"),
    [
        (0x1D00FFFF, 1),
        (0x1B0404CB, 16307.420938523983),
        (0x1E0377AE, 0.001126515290698186),
        (0x207FFFFF, 4.6565423739069247e-10),
        (0x17029A8A, 108105433845147.16),
    ],
)
def test_network_difficulty(nbits: int, difficulty: float) -> None:
    target = target_from_bits(nbits)
    assert difficulty_from_target(target) == difficulty
    assert bits_from_target(target) == nbits


def test_double_of_regtest_difficulty_is_stricter_than_its_network_target() -> None:
    assert target_from_difficulty(4.6565423739069247e-10) < target_from_bits(0x207FFFFF)


@pytest.mark.parametrize(
    "nbits", [0, 0x1D800001, 0x01000000, 0x1D000000, 0xFF123456, 0x24000001, 0x22010000, 0x21010000]
)
def test_bits_that_are_no_target(nbits: int) -> None:
    with pytest.raises(ValueError, match="nbits"):
        target_from_bits(nbits)


@pytest.mark.parametrize(
    ("nbits", "target"),
    [(0x01010000, 1), (0x01120000, 0x12), (0x02123400, 0x1234), (0x03123456, 0x123456), (0x04123456, 0x12345600),
     (0x02008000, 0x80), (0x04008000, 0x800000), (0x2100FFFF, 0xFFFF << 240), (0x207FFFFF, 0x7FFFFF << 232)],
)  # fmt: skip
def test_compact_bits_of_small_and_large_targets(nbits: int, target: int) -> None:
    assert target_from_bits(nbits) == target
    assert bits_from_target(target) == nbits


@pytest.mark.parametrize("target", [0, -1, MAX_TARGET + 1])
def test_targets_that_no_hash_can_have(target: int) -> None:
    with pytest.raises(ValueError, match=r"expected 1 to 2\^256-1, got"):
        bits_from_target(target)


def test_the_largest_target_has_compact_bits() -> None:
    assert bits_from_target(MAX_TARGET) == 0x2100FFFF


@given(st.integers(1, MAX_TARGET))
def test_compact_bits_round_down_by_less_than_their_last_place(target: int) -> None:
    expanded = target_from_bits(bits_from_target(target))
    assert expanded <= target
    assert bits_from_target(expanded) == bits_from_target(target)
    assert target - expanded < max(1, target >> 15)


@given(st.integers(1, DIFFICULTY_1_TARGET))
def test_difficulty_of_a_target_leads_back_near_it(target: int) -> None:
    again = target_from_difficulty(Fraction(DIFFICULTY_1_TARGET, target))
    assert again == target
    assert math.isclose(target_from_difficulty(difficulty_from_target(target)), target, rel_tol=1e-15, abs_tol=1)


def test_hashes_are_little_endian_numbers() -> None:
    assert hash_value(b"\x01" + bytes(31)) == 1
    assert hash_value(bytes(31) + b"\x01") == 1 << 248
    assert difficulty_from_digest(bytes(32)) == math.inf


def test_expected_hashes_per_share() -> None:
    assert float(expected_hashes(target_from_difficulty(1))) == pytest.approx(4295032833.0)
    assert expected_hashes(MAX_TARGET) == 1
    assert expected_hashes((1 << 255) - 1) == 2
    assert pytest.approx(2**32 * 65536 / 65535, rel=1e-15) == HASHES_PER_DIFFICULTY
    assert expected_hashes(TRIVIAL_TARGET - 1) == 65536
