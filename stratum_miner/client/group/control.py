"""The one interface for whoever may change pools while they are mined on."""

from collections.abc import Sequence
from typing import Protocol

from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.settings import PoolSettings, Strategy
from stratum_miner.work.job import PoolKey


class PoolControl(Protocol):
    """How pools are changed while mining, by whoever may: configuration, APIs, a terminal. Places count from 0, the
    best first; ValueError for a place that is none, with the reason in one line.
    """

    def pools(self) -> tuple[PoolStatus, ...]:
        """All pools, the best first."""
        ...

    def add(self, settings: PoolSettings, index: int | None = None) -> PoolKey:
        """A pool more, the worst unless a place is given; its key."""
        ...

    def remove(self, index: int) -> None:
        """A pool less; never the last."""
        ...

    def move(self, index: int, to: int) -> None:
        """Give a pool another priority."""
        ...

    def enable(self, index: int, enabled: bool) -> None:
        """Use or leave a pool."""
        ...

    def switch(self, index: int) -> None:
        """Make a pool the best and mine on it as soon as it is up. ValueError where pools are mined on in turns."""
        ...

    def set_quota(self, index: int, quota: int) -> None:
        """Give a pool another part of the time; its connection stays."""
        ...

    def settings(self) -> tuple[PoolSettings, ...]:
        """Of all pools, the best first."""
        ...

    def change(self, index: int, settings: PoolSettings) -> None:
        """Give a pool other settings, in its place; it is connected to anew if they make a difference there."""
        ...

    def arrange(self, settings: Sequence[PoolSettings]) -> None:
        """Make these the pools, in this order; those that stay as they are keep their connections."""
        ...

    def use(self, strategy: Strategy) -> None:
        """Use the pools in another way from now on."""
        ...
