"""The checks of ``stratum-miner doctor``: whether this computer is ready to mine, and how to solve each problem."""
