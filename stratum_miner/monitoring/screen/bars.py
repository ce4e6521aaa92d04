"""Draws the hash rate of the last ten minutes as a row of bars, with gaps where the process did not run."""

from collections.abc import Sequence
from itertools import pairwise

from rich.text import Text

from stratum_miner.monitoring.history import FINE_KEPT, FINE_S
from stratum_miner.monitoring.screen.lines import LABEL
from stratum_miner.monitoring.view import Point

FEWEST_MISSING = 3
"""The bars show a gap only where at least this many consecutive points of the history are missing. One or two points
can be missing because the computer was busy."""
MOST_RATE = 1e30
"""Highest hash rate that a bar can show, in H/s. A higher hash rate is drawn like this one. No real miner is that fast,
but a miner on another computer may send any number."""
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"


def history_line(points: Sequence[Point], width: int, ascii_only: bool) -> list[Text]:
    """Return a list with one line of bars, or an empty list if there are fewer than two points or fewer than eight
    columns."""
    bars = _bars(_with_gaps(points), width - LABEL, ascii_only)
    return [Text.assemble(f"{'10 minutes':<{LABEL}}", (bars, "cyan"))] if bars else []


def _with_gaps(points: Sequence[Point]) -> list[float | None]:
    """Return the hash rates of the newest points, with None for each point that is missing because the process did not
    run."""
    newest = points[-FINE_KEPT:]
    rates: list[float | None] = [point.hash_rate for point in newest[:1]]
    for before, point in pairwise(newest):
        missing = (point.at - before.at) / FINE_S - 1
        if missing >= FEWEST_MISSING:
            rates += [None] * int(min(missing, FINE_KEPT))
        rates.append(point.hash_rate)
    return rates[-FINE_KEPT:]


def _bars(values: Sequence[float | None], width: int, ascii_only: bool) -> str:
    """Return one bar, which is one character, for each hash rate in ``values``. None, which means that the process did
    not run, becomes a space.

    If there are more values than columns, each bar shows the mean of a few values. The height of a bar is relative to
    the highest bar.
    """
    if len(values) < 2 or width < 8:
        return ""
    step = -(-len(values) // width)
    tail = values[len(values) % step :]
    means = [_mean(tail[index : index + step]) for index in range(0, len(tail), step)]
    top = max((mean for mean in means if mean), default=MOST_RATE)
    bars = _ASCII_BARS if ascii_only else _BARS
    return "".join(" " if mean is None else bars[min(len(bars) - 1, int(mean / top * len(bars)))] for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [min(max(0.0, value), MOST_RATE) for value in values if value is not None]
    return sum(known) / len(known) if known else None
