"""What other people's tests import: contract checks, played peers, scripted sources and nodes."""

from stratum_miner.testing.check_backend import check_backend
from stratum_miner.testing.played_pool import PlayedPool
from stratum_miner.testing.work_source import ScriptedWorkSource

__all__ = ["PlayedPool", "ScriptedWorkSource", "check_backend"]
