"""What may be changed from outside while mining: one typed interface for keys, pages and APIs alike.

Each call says in one line why it refuses, as ``ControlRefused``; what it did is told as an event.
"""

from dataclasses import dataclass
from typing import Protocol

BY_HAND = "by hand"
OVER_HTTP = "over HTTP"
OVER_CGMINER = "over cgminer's API"
OVER_AXEOS = "over AxeOS's API"
PERSONS = (BY_HAND, OVER_HTTP, OVER_CGMINER, OVER_AXEOS)
"""Who may pause a miner on behalf of a person, in words that follow "paused"."""


class ControlRefused(Exception):  # noqa: N818  not a fault: the answer to a request that makes no sense now
    """The request makes no sense now; the message says what was expected, what came and where."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPool:
    """A pool to add, in the words of the options of ``mine``."""

    url: str
    user: str
    password: str = "x"
    name: str = ""
    priority: int | None = None
    """Its place, 0 the best; None the worst."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolChange:
    """What to change of a pool; what is None stays."""

    enabled: bool | None = None
    quota: int | None = None
    """Its part of the time, where pools are mined on in turns."""
    priority: int | None = None
    """Its new place, 0 the best."""


class Control(Protocol):
    """Pools and devices are addressed by their id in the view, a number that never moves; see ``numbers``."""

    def pause(self, by: str, reason: str = "") -> None:
        """Stop searching; connections stay. ``by`` says who wants it, in words that follow "paused": one of PERSONS,
        or the words of something that pauses by itself, such as "by the schedule".
        """
        ...

    def resume(self, by: str) -> None:
        """Search again once nobody wants the pause any more; one of PERSONS ends it whoever wanted it."""
        ...

    def quit(self) -> None:
        """End gracefully."""
        ...

    def switch_pool(self, pool_id: int) -> None:
        """Mine on this pool: it becomes the first, and is switched on."""
        ...

    def add_pool(self, pool: NewPool) -> int:
        """A pool more; its id."""
        ...

    def remove_pool(self, pool_id: int) -> None:
        """A pool less; never the last."""
        ...

    def change_pool(self, pool_id: int, change: PoolChange) -> None:
        """Change a pool; all of it is checked before any of it is done."""
        ...

    def add_device(self, spec: str) -> None:
        """Mine with another machine, named as for ``--device``."""
        ...

    def restart_device(self, device_id: int) -> None:
        """Power a machine down and up again, whatever it was switched off for."""
        ...

    def remove_device(self, device_id: int) -> None:
        """Power a machine down and leave it alone; its totals stay."""
        ...

    def reload(self) -> tuple[str, ...]:
        """Read the configuration again; a line for each thing that changed, or needs a restart."""
        ...
