"""Profit with the prices and machines that the user gave: scenarios and their results, and the earnings of a running
miner."""
