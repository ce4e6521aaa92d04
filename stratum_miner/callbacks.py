"""Checks callback functions that receive events."""

from collections.abc import Callable
from inspect import iscoroutinefunction


def check_on_event(on_event: Callable[..., object] | None) -> None:
    """Raise TypeError if ``on_event`` is a coroutine function. Events are passed to it in a plain call, so its
    coroutine would never be awaited."""
    if iscoroutinefunction(on_event):
        raise TypeError(
            "on_event: expected a function, got a coroutine function; use send_channel.send_nowait of a trio channel"
        )
