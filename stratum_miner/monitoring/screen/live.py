"""Runs the status screen on a terminal: draws it every second and after each key, on the alternate screen buffer."""

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
from stratum_miner.monitoring.screen.keys import in_foreground, reading
from stratum_miner.monitoring.screen.layout import ScreenState, draw
from stratum_miner.monitoring.view import View

REFRESH_S = 1.0
WHOLE_EVERY = 10
"""Number of drawings after which all lines are written again, also those that did not change."""
ERASE_LINE = (ControlType.ERASE_IN_LINE, 2)
NOTICE_S = 4.0
"""Seconds for which the response to a key is shown."""
FOOT = ("p pause", "n next pool", "q quit", "? help")
HELP = (
    "p pauses mining, or continues it",
    "n mines on the next pool",
    "0-9 mines on the pool with that number",
    "q or Ctrl-C stops gracefully",
    "Ctrl-C twice stops at once",
    "? closes this help",
)


def usable(console: Console) -> bool:
    """Return whether there is a terminal to draw on and to read keys from. If not, the program prints lines instead of
    drawing the screen. A program in the background of a shell cannot use the terminal, because the shell reads the keys
    and prints its own text there."""
    if not console.is_terminal or console.is_dumb_terminal or not sys.stdin.isatty():
        return False
    return in_foreground(sys.stdin.fileno())


def is_ascii(console: Console) -> bool:
    """Return whether the console can show only ASCII characters."""
    return not console.encoding.lower().startswith("utf")


@dataclass(slots=True)
class Screen:
    """The status screen of the miner in this process. It shows the view that ``look`` returns. When a key is pressed,
    the screen calls methods of ``control``, for example to pause mining."""

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
        """Carry out the action of a key and show what was done.

        Returns False, because no key closes this screen: it closes with the miner.
        """
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
            return "stopping: waiting briefly for the answers to submitted shares"
        if key == "p":
            paused = view.summary.state == "paused"
            control.resume(BY_HAND) if paused else control.pause(BY_HAND)
            return "mining continues" if paused else "mining is paused: press p again to continue"
        if key == "n" or key.isdecimal():
            return self._switch(control, view, key)
        return f"{key!r} does nothing: press ? to see the keys" if is_plain(key) and key not in "?h" else ""

    def _switch(self, control: Control, view: View, key: str) -> str:
        if len(view.pools) < 2:
            return "there is only one pool"
        mined_on = view.mined_on
        others = sorted(pool.id for pool in view.pools if pool.enabled and not pool.active)
        later = [pool_id for pool_id in others if mined_on is not None and pool_id > mined_on.id]
        following = next(iter(later or others), None)
        pool_id = int(key) if key.isdecimal() else following
        if pool_id is None:
            return "no other pool is enabled"
        name = next((pool.name for pool in view.pools if pool.id == pool_id), "")
        control.switch_pool(pool_id)
        return f"mining switches to {name} as soon as it is up"

    def drawn(self, screen: ScreenState) -> list[Text]:
        """Return the lines that the screen shows now."""
        notice = self._notice if trio.current_time() < self._notice_until else ""
        return draw(self.look(), replace(screen, foot=HELP if self._helps else FOOT, notice=notice))


async def show(console: Console, drawn: Callable[[ScreenState], list[Text]], press: Callable[[str], bool]) -> None:
    """Draw every second and after each key, until cancelled or until ``press`` returns True for a key."""
    painter = Painter(console)
    ascii_only = is_ascii(console)
    with console.screen():
        async with reading(sys.stdin.fileno()) as keys:
            while True:
                width, height = console.size
                painter.paint(drawn(ScreenState(width, height, ascii_only)))
                with trio.move_on_after(REFRESH_S):
                    key = await keys.receive()
                    painter.forget()
                    if press(key):
                        return


class Painter:
    """Writes lines to a terminal, but only those that changed since the last drawing. Writing all lines would take 3 ms
    of processor time, which is better used for mining.

    Every ``WHOLE_EVERY`` drawings, all lines are written, because other programs, such as the shell after Ctrl-Z, may
    have written to the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = console.size
        self._shown: list[tuple[object, ...]] = []
        self._drawings = 0

    def forget(self) -> None:
        """Make the next ``paint`` write all lines."""
        self._shown = []

    def paint(self, lines: list[Text]) -> None:
        """Fill the terminal with ``lines``, beginning at the top. There must be as many lines as the terminal has
        rows."""
        size = self._console.size
        if size != self._size or self._drawings % WHOLE_EVERY == 0:
            self.forget()
        self._size = size
        self._drawings += 1
        keys = [(line.plain, line.style, tuple(line.spans)) for line in lines]
        parts: list[TerminalControl | Text] = []
        for row, (line, key) in enumerate(zip(lines, keys, strict=True)):
            if row >= len(self._shown) or self._shown[row] != key:
                parts += (TerminalControl((ControlType.CURSOR_MOVE_TO, 0, row), ERASE_LINE), line)
        if parts:
            self._console.print(*parts, sep="", end="", soft_wrap=True)
        self._shown = list(keys)
