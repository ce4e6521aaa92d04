"""``stratum-miner doctor``: what stands between this machine and mining, and what exactly would help."""
