"""What a miner adds to what its backends tell of themselves."""

from dataclasses import dataclass

from stratum_miner.backends.statistics import BackendStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendSnapshot(BackendStatistics):
    """A backend at work for a miner."""

    label: str
    """What the user calls it, which is no other backend's name."""
    bound_to: str = ""
    """The pool that it mines on alone; empty when it mines wherever the strategy says."""
