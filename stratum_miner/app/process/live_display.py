"""What a command shows on a terminal while it runs: drawn over itself, made safe, and gone in the end."""

from collections.abc import Callable

import trio
from rich.console import Console, RenderableType
from rich.live import Live

from stratum_miner.app.process import printing


def can_redraw(output: Console) -> bool:
    """Whether it is a terminal that lets us draw over what is there."""
    return output.is_terminal and not output.is_dumb_terminal


async def redraw(output: Console, drawn: Callable[[], RenderableType], every: float) -> None:
    """Draw each ``every`` seconds until cancelled."""
    live = Live(console=output, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
    with live:
        while True:
            live.update(printing.safe(drawn()), refresh=True)
            await trio.sleep(every)
