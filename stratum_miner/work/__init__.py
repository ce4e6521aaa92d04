"""Jobs, work units, shares: what a miner searches and what it finds (sans-IO; time is an argument; no protocol)."""
