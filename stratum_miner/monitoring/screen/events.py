"""Draws the newest events, as many as fit."""

import re
import time
from collections.abc import Sequence

from rich.text import Text

from stratum_miner.monitoring.screen.lines import hanging
from stratum_miner.monitoring.view import EventView

_LEVEL_STYLES = {"warning": "yellow", "error": "red", "critical": "red"}
_HASH = re.compile(r"[:;,]? *\b[0-9a-f]{64}\b")


def event_lines(events: Sequence[EventView], room: int, width: int) -> list[Text]:
    """Return at most ``room`` lines for the newest events. Block hashes in the texts of events are left out.

    Warnings and errors may take several lines. Each other event takes one line and is cut if it is too long.
    """
    lines: list[Text] = []
    for event in reversed(events):
        if room - len(lines) < 1:
            break
        style = "bold green" if "BLOCK" in event.text else _LEVEL_STYLES.get(event.level, "")
        clock, text = Text(f"{_clock(event.at)}  ", "dim"), Text(_HASH.sub("", event.text), style)
        block = hanging(clock, text, width) if event.level in _LEVEL_STYLES else [clock + text]
        lines = [*(block if len(block) <= room - len(lines) else [clock + text]), *lines]
    return lines


def _clock(at: float) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):  # no valid time: a miner on another computer may send any number
        return "--:--:--"
