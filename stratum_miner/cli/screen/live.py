"""The screen while it lives: drawn each second and after each key, on the terminal's other screen, steered by keys."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import trio
from rich.console import Console, Group
from rich.live import Live

from stratum_miner.cli.screen.keys import reading
from stratum_miner.cli.screen.layout import Face, draw
from stratum_miner.monitoring.control import BY_HAND, Control, ControlRefused
from stratum_miner.monitoring.model import View

REFRESH_S = 1.0
NOTICE_S = 4.0
"""For the answer to a key."""
FOOT = "p pause   n next pool   q quit   ? help"
HELP = "p pauses and resumes, n mines on the next pool, 0-9 on that one, q ends gracefully, Ctrl-C too"


def usable(console: Console) -> bool:
    """Whether there is a terminal to draw on and keys to read: else lines do."""
    return console.is_terminal and not console.is_dumb_terminal and sys.stdin.isatty()


@dataclass(slots=True)
class Screen:
    """Shows what ``look`` gives; ``control`` is what keys do, where they may do anything."""

    console: Console
    look: Callable[[], View]
    control: Control | None = None
    foot: str = FOOT
    _notice: str = ""
    _notice_until: float = 0.0

    async def run(self) -> None:
        """Until cancelled, or until a key ends it."""
        with Live(
            console=self.console, screen=True, auto_refresh=False, redirect_stdout=False, redirect_stderr=False,
            vertical_overflow="crop",
        ) as live:  # fmt: skip
            async with reading(sys.stdin.fileno()) as keys:
                due = trio.current_time()
                while True:
                    live.update(self._drawn(), refresh=True)
                    due = max(due + REFRESH_S, trio.current_time())
                    with trio.move_on_at(due):
                        self.press(await keys.receive())

    def press(self, key: str) -> None:
        """Do what a key says, and tell what was done."""
        try:
            told = self._do(key.lower())
        except ControlRefused as error:
            told = str(error)
        if told:
            self._notice, self._notice_until = told, trio.current_time() + NOTICE_S

    def _do(self, key: str) -> str:
        control, view = self.control, self.look()
        if key in "?h":
            return HELP
        if control is None:
            return ""
        if key == "q":
            control.quit()
            return "stopping; Ctrl-C ends at once"
        if key == "p":
            paused = view.summary.state == "paused"
            control.resume(BY_HAND) if paused else control.pause(BY_HAND, "by a key")
            return "mining again" if paused else "paused: p again to go on"
        if key == "n" or key.isdecimal():
            return self._switch(control, view, key)
        return f"{key!r}: {HELP}" if key.isprintable() else ""

    def _switch(self, control: Control, view: View, key: str) -> str:
        if len(view.pools) < 2:
            return "there is one pool only"
        usable_ = [pool.index for pool in view.pools if pool.enabled and not pool.active]
        index = int(key) if key.isdecimal() else next(iter(usable_), None)
        if index is None:
            return "no other pool is switched on"
        name = view.pools[index].name if index < len(view.pools) else ""
        control.switch_pool(index)
        return f"mining on {name} as soon as it is up"

    def _drawn(self) -> Group:
        width, height = self.console.size
        notice = self._notice if trio.current_time() < self._notice_until else ""
        ascii_only = not self.console.encoding.lower().startswith("utf")
        return Group(*draw(self.look(), Face(width, height, ascii_only, self.foot, notice)))
