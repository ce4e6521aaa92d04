"""A command, as it would stand in stratum_miner/cli."""
