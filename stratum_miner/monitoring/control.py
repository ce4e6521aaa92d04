"""Defines the changes that people and programs may make while mining: one interface for the keys of the screen, the web
page and all APIs.

Each method of ``Control`` makes one change. If the change cannot be made, the method raises ``ControlRefused`` with a
message of one line. If it is made, an event is logged.
"""

from dataclasses import dataclass
from typing import Protocol

BY_HAND = "by hand"
OVER_HTTP = "over HTTP"
OVER_CGMINER = "over cgminer's API"
OVER_AXEOS = "over AxeOS's API"
PERSONS = (BY_HAND, OVER_HTTP, OVER_CGMINER, OVER_AXEOS)
"""The ways in which a person can pause the miner. Each is worded so that it can follow the word "paused", as in "paused
by hand"."""


class ControlRefused(Exception):  # noqa: N818  not an error of the program: the answer to a request
    """A change cannot be made now. The message names the refused value or part, and says what was expected and
    what was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPool:
    """A pool to add. The fields have the meaning of the options of ``mine``."""

    url: str
    user: str
    password: str = "x"
    name: str = ""
    priority: int | None = None
    """Position among all pools, 0 for the best; None for the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolChange:
    """Changes of one pool. A field that is None stays as it is."""

    enabled: bool | None = None
    quota: int | None = None
    """Weight of the pool. With the strategy "quota", each pool gets mining time in proportion to its weight."""
    priority: int | None = None
    """New position among all pools, 0 for the best."""


class Control(Protocol):
    """Changes a running miner. A pool or device is given by its id in the view. An id never changes (see ``numbers``).

    Each method raises ControlRefused if the change cannot be made now.
    """

    def pause(self, by: str, reason: str = "") -> None:
        """Stop searching; connections to pools stay open.

        ``by`` says who or what paused the miner: one of PERSONS, or a part of the program that pauses by itself, such
        as "by the schedule". Displays show ``by`` after the word "paused".
        """
        ...

    def resume(self, by: str) -> None:
        """End the pause that was begun with the same value of ``by``. If ``by`` is one of PERSONS, end all pauses
        instead. The search continues when no pause is left.
        """
        ...

    def quit(self) -> None:
        """Stop the miner gracefully."""
        ...

    def switch_pool(self, pool_id: int) -> None:
        """Enable this pool and move it to the first position, so that the miner mines on it."""
        ...

    def add_pool(self, pool: NewPool) -> int:
        """Add a pool and return its id."""
        ...

    def remove_pool(self, pool_id: int) -> None:
        """Remove a pool. The last pool cannot be removed."""
        ...

    def change_pool(self, pool_id: int, change: PoolChange) -> None:
        """Change a pool. All changes are checked before the first is made."""
        ...

    def add_device(self, spec: str) -> None:
        """Mine with one more device. ``spec`` has the form of a value of the option ``--device``."""
        ...

    def restart_device(self, device_id: int) -> None:
        """Power a device down and up again, even if the user or a limit switched it off."""
        ...

    def remove_device(self, device_id: int) -> None:
        """Power a device down and stop using it. Its totals are kept."""
        ...

    def reload(self) -> tuple[str, ...]:
        """Read the configuration again. Return a line for each setting that changed or that needs a restart."""
        ...
