"""The screen while it lives: drawn each second and after each key, on the terminal's other screen, steered by keys."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, replace

import trio
from rich.console import Console
from rich.control import Control as TerminalControl
from rich.segment import ControlType
from rich.text import Text

from stratum_miner.foreign_text import is_plain
from stratum_miner.monitoring.control import BY_HAND, Control, ControlRefused
from stratum_miner.monitoring.screen.keys import reading
from stratum_miner.monitoring.screen.layout import ScreenState, draw
from stratum_miner.monitoring.view import View

REFRESH_S = 1.0
WHOLE_EVERY = 10
"""Times that something is drawn."""
ERASE_LINE = (ControlType.ERASE_IN_LINE, 2)
NOTICE_S = 4.0
"""Seconds for which the answer to a key is shown."""
FOOT = ("p pause", "n next pool", "q quit", "? help")
HELP = (
    "p pauses, and mines again",
    "n mines on the next pool",
    "0-9 mines on the pool with that number",
    "q or Ctrl-C ends gracefully",
    "Ctrl-C twice ends at once",
    "? closes this help",
)


def usable(console: Console) -> bool:
    """Whether there is a terminal to draw on and keys to read: else lines do."""
    return console.is_terminal and not console.is_dumb_terminal and sys.stdin.isatty()


def is_ascii(console: Console) -> bool:
    """Whether its encoding has no other letters."""
    return not console.encoding.lower().startswith("utf")


@dataclass(slots=True)
class Screen:
    """Shows what ``look`` gives; keys steer ``control``."""

    console: Console
    look: Callable[[], View]
    control: Control
    _helps: bool = False
    _notice: str = ""
    _notice_until: float = 0.0

    async def run(self) -> None:
        """Show the screen until cancelled."""
        await show(self.console, self.drawn, self.press)

    def press(self, key: str) -> bool:
        """Do what a key says, and tell what was done. No key ends the screen: it ends with the miner."""
        try:
            self._notice = self._do(key.lower())
        except ControlRefused as error:
            self._notice = str(error)
        self._notice_until = trio.current_time() + NOTICE_S
        return False

    def _do(self, key: str) -> str:
        control, view = self.control, self.look()
        self._helps = key in ("?", "h") and not self._helps
        if key == "q":
            control.quit()
            return "stopping: shares that are on their way are waited for briefly"
        if key == "p":
            paused = view.summary.state == "paused"
            control.resume(BY_HAND) if paused else control.pause(BY_HAND)
            return "resumed" if paused else "paused: p again to go on"
        if key == "n" or key.isdecimal():
            return self._switch(control, view, key)
        return f"{key!r} does nothing: ? shows the keys" if is_plain(key) and key not in "?h" else ""

    def _switch(self, control: Control, view: View, key: str) -> str:
        if len(view.pools) < 2:
            return "there is one pool only"
        mined_on = -1 if view.mined_on is None else view.mined_on.id
        others = sorted(pool.id for pool in view.pools if pool.enabled and not pool.active)
        following = next((pool_id for pool_id in others if pool_id > mined_on), others[0] if others else None)
        pool_id = int(key) if key.isdecimal() else following
        if pool_id is None:
            return "no other pool is switched on"
        name = next((pool.name for pool in view.pools if pool.id == pool_id), "")
        control.switch_pool(pool_id)
        return f"mining on {name} as soon as it is up"

    def drawn(self, screen: ScreenState) -> list[Text]:
        """What the screen shows now."""
        notice = self._notice if trio.current_time() < self._notice_until else ""
        return draw(self.look(), replace(screen, foot=HELP if self._helps else FOOT, notice=notice))


async def show(console: Console, drawn: Callable[[ScreenState], list[Text]], press: Callable[[str], bool]) -> None:
    """Draw each second and after each key, until cancelled or until a key ends it."""
    painter = Painter(console)
    ascii_only = is_ascii(console)
    with console.screen():
        async with reading(sys.stdin.fileno()) as keys:
            due = trio.current_time()
            while True:
                width, height = console.size
                painter.paint(drawn(ScreenState(width, height, ascii_only)))
                due = max(due + REFRESH_S, trio.current_time())
                with trio.move_on_at(due):
                    key = await keys.receive()
                    painter.forget()
                    if press(key):
                        return


class Painter:
    """Writes lines onto a terminal, but only those that are other than before: all of them cost three milliseconds,
    which a miner has better use for. Now and then all the same: others may write there, too, as a shell after Ctrl-Z.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = (0, 0)
        self._shown: list[tuple[object, ...]] = []
        self._whole_at = 0

    def forget(self) -> None:
        """Write everything next time."""
        self._shown = []

    def paint(self, lines: list[Text]) -> None:
        """Draw as many lines as the terminal has, from its top."""
        size = self._console.size
        self._whole_at -= 1
        if size != self._size or self._whole_at <= 0:
            self._size, self._whole_at = size, WHOLE_EVERY
            self.forget()
        keys = [(line.plain, line.style, tuple(line.spans)) for line in lines]
        parts: list[TerminalControl | Text] = []
        for row, (line, key) in enumerate(zip(lines, keys, strict=True)):
            if row >= len(self._shown) or self._shown[row] != key:
                parts += (TerminalControl((ControlType.CURSOR_MOVE_TO, 0, row), ERASE_LINE), line)
        if parts:
            self._console.print(*parts, sep="", end="", soft_wrap=True)
        self._shown = list(keys)
