"""Which backend mines where."""

from dataclasses import dataclass

from stratum_miner.backends.base import Backend
from stratum_miner.client.settings import PoolSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A backend and where it mines."""

    backend: Backend
    name: str = ""
    """What the user calls it; shares carry it to the pool's settings, which may have a worker for it."""
    pool: PoolSettings | None = None
    """The pool that it mines on alone; None: wherever the miner's strategy says."""

    @property
    def label(self) -> str:
        """Its name, or its kind."""
        return self.name or self.backend.name
