"""Profit on the user's terms: mining machines, scenarios and their results, and the earnings of a running miner."""
