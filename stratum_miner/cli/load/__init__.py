"""``stratum-miner load``: many simulated miners against one pool, and what became of them."""
