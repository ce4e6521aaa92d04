"""Checks the functions that a caller passes to be called with events."""

from collections.abc import Callable
from inspect import iscoroutinefunction


def check_on_event(on_event: Callable[..., object] | None) -> None:
    """Raise TypeError if ``on_event`` is a coroutine function, because a call would only make a coroutine that nothing
    awaits, and each event would be lost."""
    if iscoroutinefunction(on_event):
        raise TypeError(
            "on_event: expected a function, got a coroutine function; use send_channel.send_nowait of a trio channel"
        )
