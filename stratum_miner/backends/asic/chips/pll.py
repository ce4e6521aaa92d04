"""Clocks: converts a frequency in MHz to the dividers of each chip family, and back. All families use a reference clock
of 25 MHz."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

REFERENCE = 25.0
_HIGH_VCO = 2400.0
"""Threshold in MHz for the frequency of the VCO, which is the oscillator before the post dividers. If the VCO runs at
this frequency or a higher one, the first byte of the value of register 0x08 is 0x50 instead of 0x40
(docs/reference/asic.md#clock-of-a-chip)."""


@dataclass(frozen=True, slots=True)
class Pll:
    """Dividers of a PLL: f = 25 MHz · feedback / (reference · post1 · post2)."""

    feedback: int
    reference: int
    post1: int
    post2: int

    @property
    def vco(self) -> float:
        """Frequency in MHz of the VCO, the oscillator before the post dividers."""
        return REFERENCE * self.feedback / self.reference

    @property
    def frequency(self) -> float:
        """Frequency of the clock in MHz."""
        return self.vco / (self.post1 * self.post2)

    def word(self) -> int:
        """Return the value of register 0x08 of BM1362, BM1366, BM1368 and BM1370, which contains each post divider
        minus one."""
        first = 0x50 if self.vco >= _HIGH_VCO else 0x40
        last = (self.post1 - 1) << 4 | (self.post2 - 1)
        return first << 24 | self.feedback << 16 | self.reference << 8 | last

    def word_bm1397(self) -> int:
        """Return the value of register 0x08 of BM1397, which contains the post dividers unchanged."""
        return 0x40 << 24 | self.feedback << 16 | self.reference << 8 | self.post1 << 4 | self.post2


@lru_cache(maxsize=4096)
def nearest(frequency: float, lowest: int, highest: int) -> Pll:
    """Return the dividers whose frequency is nearest to ``frequency`` (MHz), as ESP-Miner chooses them.

    If several sets of dividers are equally near, the set with the lowest VCO frequency is chosen; if that is equal,
    too, the set with the smallest post1·post2. ``post1`` is always greater than ``post2``, and the feedback divider is
    from ``lowest`` to ``highest``. Raises ValueError if the nearest frequency is more than 5 % off.
    """
    best = min(
        _candidates(frequency, lowest, highest),
        key=lambda pll: (round(abs(pll.frequency - frequency), 6), pll.vco, pll.post1 * pll.post2),
        default=None,
    )
    if best is None or abs(best.frequency - frequency) > 0.05 * frequency:
        raise ValueError(f"clock: expected a frequency that the dividers reach, got {frequency:g} MHz")
    return best


def _candidates(frequency: float, lowest: int, highest: int) -> Iterator[Pll]:
    for reference in (2, 1):
        for post1 in range(7, 0, -1):
            for post2 in range(post1 - 1, 0, -1):
                feedback = round(frequency / REFERENCE * reference * post1 * post2)
                if lowest <= feedback <= highest:
                    yield Pll(feedback, reference, post1, post2)


def bm1380_word(frequency: float) -> int:
    """Return the PLL word of a BM1380 for the possible frequency that is nearest to ``frequency`` (MHz). The word
    contains the dividers m, n and od: f = 25 (m+1) / ((n+1) 2^od) MHz (docs/reference/asic.md#antminer-u1-and-u2)."""
    if frequency == 200:
        # for 200 MHz, the maker's driver sends this word; the search below would find another one
        return 0x0781
    choices = [(od, n, m) for od in range(4) for n in range(16) for m in range(64)]
    od, n, m = min(choices, key=lambda c: (abs(25 * (c[2] + 1) / ((c[1] + 1) << c[0]) - frequency), c))
    boost = 1 if 500 <= frequency * (1 << od) <= 1000 else 0
    return boost << 14 | m << 7 | n << 2 | od


def bm1384_word(frequency: float) -> int:
    """Return the PLL word of a BM1384 for the multiple of 6.25 MHz that is nearest to ``frequency`` (MHz). The word
    contains the dividers m, n and od: f = 50 (m+1) / ((n+1) 2^od) MHz (docs/reference/asic.md#compac-and-2pac)."""
    sixteenths = max(1, round(frequency / 6.25))
    od = 3
    while od > 1 and sixteenths >= 32 << (3 - od):
        od -= 1
    n = 0
    while sixteenths * (n + 1) % (1 << (3 - od)):
        n += 1
    m = sixteenths * (n + 1) // (1 << (3 - od)) - 1
    return m << 7 | n << 2 | od


def bm1387_word(frequency: float) -> int:
    """Return the value of PLL register 0x0C of a BM1387: f = 25 MHz · feedback / (2 · post1 · post2), in steps of at
    most 6.25 MHz (docs/reference/asic.md#newpac-and-r606)."""
    if frequency < 400:
        return round(8 * frequency / 25) << 16 | 2 << 8 | 0x41
    return round(4 * frequency / 25) << 16 | 2 << 8 | 0x21


def gekko_bm1397(frequency: float) -> Pll:
    """Return the dividers for ``frequency`` (MHz) that GekkoScience's driver of the Compac F chooses
    (docs/reference/asic.md#compac-f)."""
    reference = 1 if frequency >= 500 else 2
    post1 = 3 if frequency <= 150 else 2 if frequency <= 250 else 1
    post2 = 5
    return Pll(_ceil(frequency * reference * post1 * post2 / REFERENCE), reference, post1, post2)


def gekko_bm1362(frequency: float) -> Pll:
    """Return the dividers for ``frequency`` (MHz) that GekkoScience's driver of the Compac A1 chooses
    (docs/reference/asic.md#compac-a1)."""
    reference = 1 if frequency >= 500 else 2
    post1, post2 = 5, 3 if frequency <= 150 else 2 if frequency <= 250 else 1
    return Pll(_ceil(frequency * reference * post1 * post2 / REFERENCE), reference, post1, post2)


def gekko_word_bm1362(frequency: float) -> int:
    """Return the value of register 0x08 for a Compac A1 at ``frequency`` (MHz). The first byte is always 0x40."""
    pll = gekko_bm1362(frequency)
    return 0x40 << 24 | pll.word() & 0x00FFFFFF


def _ceil(value: float) -> int:
    return -int(-round(value, 6) // 1)
