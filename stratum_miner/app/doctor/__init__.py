"""The checks of ``stratum-miner doctor``: whether this computer is ready to mine, with a fix for each problem."""
