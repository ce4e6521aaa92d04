"""Dividers against the tables of docs/reference/asic.md#clock-of-a-chip, and ramps between frequencies."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.bringup import ramp
from stratum_miner.backends.asic.chain import ChainSettings
from stratum_miner.backends.asic.chips import CHAINS, pll
from tests.backends.asic.memory_port import MemoryPort
from tests.backends.asic.vectors import VECTORS


@pytest.mark.parametrize(
    ("chip", "frequency", "word"),
    [(chip, float(f), word) for chip in ("bm1366", "bm1370") for f, word in VECTORS["pll"][chip].items()],
)
def test_the_firmwares_choice(chip: str, frequency: float, word: str) -> None:
    bounds = {"bm1366": (144, 235), "bm1370": (160, 239)}[chip]
    assert f"{pll.nearest(frequency, *bounds).word():08x}" == word


@given(st.floats(50, 700))
def test_any_frequency_is_met_within_a_percent(frequency: float) -> None:
    chosen = pll.nearest(frequency, 160, 239)
    assert chosen.frequency == pytest.approx(frequency, rel=0.01)
    assert chosen.post1 > chosen.post2 >= 1
    assert 160 <= chosen.feedback <= 239


def test_a_clock_may_be_five_percent_off_and_no_more() -> None:
    """With a feedback divider of 4, the possible clocks around 48 MHz are 33.3 and 50 MHz."""
    assert pll.nearest(47.7, 4, 4).frequency == 50
    with pytest.raises(ValueError, match=r"got 47\.5 MHz"):
        pll.nearest(47.5, 4, 4)


def test_what_no_divider_reaches() -> None:
    with pytest.raises(ValueError, match="got 5000 MHz"):
        pll.nearest(5000, 160, 239)


@pytest.mark.parametrize(
    ("frequency", "word"),
    [
        (100, 0x0783), (125, 0x0983), (150, 0x0B83), (200, 0x0782), (225, 0x0882),
        (250, 0x0982), (300, 0x0B82), (425, 0x0801), (500, 0x0981),
    ],
)  # fmt: skip
def test_bm1384_words(frequency: float, word: int) -> None:
    assert pll.bm1384_word(frequency) == word


@given(st.integers(4, 80))
def test_every_step_of_a_bm1384_is_exact(steps: int) -> None:
    word = pll.bm1384_word(6.25 * steps)
    assert 50 * ((word >> 7) + 1) / (((word >> 2 & 0x1F) + 1) << (word & 3)) == pytest.approx(6.25 * steps)


@pytest.mark.parametrize(("frequency", "word"), [(200, 0x0781), (250, 0x0480)])
def test_bm1380_words(frequency: float, word: int) -> None:
    assert pll.bm1380_word(frequency) == word


@given(st.integers(4, 48))
def test_bm1380_comes_close(steps: int) -> None:
    word = pll.bm1380_word(6.25 * steps)
    told = 25 * ((word >> 7 & 0x3F) + 1) / (((word >> 2 & 0x1F) + 1) << (word & 3))
    assert told == pytest.approx(6.25 * steps, rel=0.02)


@pytest.mark.parametrize(("frequency", "word"), [(250, 0x00500241), (100, 0x00200241), (550, 0x00580221)])
def test_bm1387_words(frequency: float, word: int) -> None:
    assert pll.bm1387_word(frequency) == word
    fb, posts = word >> 16, word & 0xFF
    assert 25 * fb / (2 * (posts >> 4) * (posts & 15)) == frequency


def test_gekko_clocks() -> None:
    assert pll.gekko_bm1397(200).word_bm1397() == 0x40A00225
    for frequency in (100, 150, 200, 250, 300, 450, 600):
        assert pll.gekko_bm1397(frequency).frequency == pytest.approx(frequency, rel=0.02)
        assert pll.gekko_bm1362(frequency).frequency == pytest.approx(frequency, rel=0.02)


@pytest.mark.parametrize("kind", [kind for kind, board in BOARDS.items() if board.frequency is not None])
async def test_every_clock_that_a_user_may_set_has_dividers(kind: str, autojump_clock: object) -> None:
    board = BOARDS[kind]
    assert board.frequency is not None
    port = MemoryPort()
    chain = CHAINS[board.chip](port, board, ChainSettings(chips=board.chips, frequency=board.frequency.default))
    frequency = board.frequency.low
    while frequency <= 1.5 * board.frequency.high:
        await chain.set_frequency(frequency)
        assert clock_of(board.chip, port.sent[-1]) == pytest.approx(frequency, rel=0.02), frequency
        frequency += 6.25


def clock_of(chip: str, frame: bytes) -> float:
    """Return the clock in MHz that a command sets, by the formulas of docs/reference/asic.md#clock-of-a-chip."""
    if chip in ("bm1380", "bm1384"):
        assert frame[0] == 0x82
        word = int.from_bytes(frame[1:3], "big")
        feedback, divider = (word >> 7 & 0x7F) + 1, ((word >> 2 & 0x1F) + 1) << (word & 3)
        return (25 * (word >> 7 & 0x3F) + 25 if chip == "bm1380" else 50 * feedback) / divider
    if chip == "bm1387":
        assert frame[:4] == bytes.fromhex("5809000C")
        _, feedback, reference, posts = frame[4:8]
        return 25 * feedback / (reference * (posts >> 4) * (posts & 15))
    assert frame[:6] == bytes.fromhex("55AA51090008")
    _, feedback, reference, posts = frame[6:10]
    plus = 0 if chip == "bm1397" else 1
    return 25 * feedback / (reference * ((posts >> 4) + plus) * ((posts & 15) + plus))


def test_ramps() -> None:
    assert ramp(50, 6.25, 70) == [56.25, 62.5, 68.75, 70]
    assert ramp(50, 6.25, 56.25) == [56.25]
    assert ramp(100, 25, 80) == [80]
    assert ramp(50, 25, 425, start=500) == [475, 450, 425]


@given(st.floats(50, 700), st.floats(50, 700))
def test_a_ramp_goes_in_small_steps_and_ends_on_its_target(start: float, target: float) -> None:
    values = ramp(50, 6.25, target, start=start)
    assert values[-1] == target
    for before, after in zip([start, *values], values, strict=False):
        assert abs(after - before) <= 6.25 + 1e-9
        assert (after - before) * (target - start) >= 0
