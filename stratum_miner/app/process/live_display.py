"""A display that a command shows on a terminal while it runs. It is redrawn in place, and removed at the end."""

from collections.abc import Callable

import trio
from rich.console import Console, RenderableType
from rich.live import Live

from stratum_miner.app.process import printing


def can_redraw(output: Console) -> bool:
    """Return whether the output is a terminal that can redraw a display in place."""
    return output.is_terminal and not output.is_dumb_terminal


async def redraw(output: Console, drawn: Callable[[], RenderableType], every: float) -> None:
    """Show the result of ``drawn`` until cancelled, and call ``drawn`` again every ``every`` seconds."""
    live = Live(console=output, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
    with live:
        while True:
            live.update(printing.safe(drawn()), refresh=True)
            await trio.sleep(every)
