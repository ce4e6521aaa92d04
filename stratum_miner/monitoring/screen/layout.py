"""Draws a view as lines of text that fit a screen of any size. This module uses no terminal, so that every size can be
tested.

From top to bottom, the screen shows:

* the state, the hash rate, the power and how many devices mine;
* the problems, the worst first, each with advice;
* the pool and its job, hash rates, and shares;
* the devices, those that do not mine first, and the pools if there are several;
* events, and the keys.

If the screen is too small, lines are left out; the problems and the devices that do not mine are left out last. A line
then shows how many problems, devices or pools are left out. Colours only repeat what the words say. All totals come
from the summary of the view.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from stratum_miner.monitoring.screen.devices import device_table
from stratum_miner.monitoring.screen.events import event_lines
from stratum_miner.monitoring.screen.lines import field, fitted, packed
from stratum_miner.monitoring.screen.pools import pool_table
from stratum_miner.monitoring.screen.problems import problem_lines
from stratum_miner.monitoring.screen.totals import head, more_totals, totals
from stratum_miner.monitoring.view import EventView, View

LEAST_WIDTH = 40
LEAST_EVENTS = 3
SMALL_HEIGHT = 14
"""Height of the screen, in lines, below which no lines are reserved for events."""


@dataclass(frozen=True, slots=True)
class ScreenState:
    """The size of the terminal, whether it shows only ASCII characters, and texts that are no part of the view."""

    width: int
    height: int
    ascii_only: bool = False
    foot: tuple[str, ...] = ()
    """The texts at the bottom of the screen: each names a key and says what it does."""
    notice: str = ""
    """Response to the key that was pressed last. It is shown instead of ``foot``; empty if there is none."""
    old: str = ""
    """Why the view is out of date; empty if it is current."""


def draw(view: View, screen: ScreenState) -> list[Text]:
    """Return exactly as many lines as the screen has. No line is wider than the screen."""
    width = max(screen.width, LEAST_WIDTH)
    top = head(view.summary, width, is_old=bool(screen.old))
    if screen.old:
        top += field("old figures", Text(screen.old, "red"), width, style="red")
    return framed([*top, *_body(view, screen, width, screen.height - len(top) - foot_height(screen))], screen)


def framed(lines: Sequence[Text], screen: ScreenState) -> list[Text]:
    """Return the lines of the whole screen: ``lines`` at the top, the keys at the bottom, and empty lines between
    them."""
    foot = _foot(screen)[: screen.height]
    room = screen.height - len(foot)
    empty = [Text("")] * (room - len(lines))
    return [fitted(line, screen.width, ascii_only=screen.ascii_only) for line in (*lines[:room], *empty, *foot)]


def foot_height(screen: ScreenState) -> int:
    """Return the number of lines at the bottom of the screen. They show ``screen.notice`` or, if it is empty,
    ``screen.foot``."""
    return len(_foot(screen))


def _foot(screen: ScreenState) -> list[Text]:
    width = max(screen.width, LEAST_WIDTH)
    if screen.notice:
        return packed([Text(screen.notice, "reverse")], width)
    return packed([Text(key, "dim") for key in screen.foot], width, between="   ")


def _body(view: View, screen: ScreenState, width: int, room: int) -> list[Text]:
    """Return at most ``room`` lines, which are shown between the top line and the keys.

    If there is not room for everything, the parts get lines in this order: problems; devices with problems; up to
    ``LEAST_EVENTS`` events; the pool, hash rates and shares; other devices and pools; further figures. Lines that are
    still free after that show more events.
    """
    devices, pools = device_table(view, width), pool_table(view, width)
    problems = problem_lines(view.summary.problems, width, max(room - devices.least, room // 3))[:room]
    room -= len(problems)
    events = min(LEAST_EVENTS, len(view.events)) if screen.height >= SMALL_HEIGHT else 0
    events = max(0, min(events, (room - devices.least) // 2))
    room -= events
    figures = totals(view, width)[: max(0, room - devices.least)]
    room -= len(figures)
    kept = max(0, min(pools.height, (room - devices.least) // 2))
    listed = devices.lines(room - kept)
    room -= len(listed)
    listed_pools = pools.lines(room)
    room -= len(listed_pools)
    more = more_totals(view, width, screen.ascii_only)[:room]
    room -= len(more)
    return _spaced([problems, [*figures, *more], listed, listed_pools], view.events, events, room, width)


def _spaced(
    blocks: Sequence[list[Text]], events: Sequence[EventView], least: int, spare: int, width: int
) -> list[Text]:
    """Return the groups of lines in ``blocks`` and then the events, with empty lines between the groups.

    ``least`` is the number of lines that are reserved for events. ``spare`` is the number of further free lines. Some
    of these free lines become the empty lines between the groups; the others are used for events, too.
    """
    lines: list[Text] = []
    for block in blocks:
        if lines and block and spare:
            lines.append(Text(""))
            spare -= 1
        lines += block
    gap = [Text("")] if lines and events and spare else []
    return [*lines, *gap, *event_lines(events, least + spare - len(gap), width)]
