"""Computes, at the user's prices, the profit of a running miner and the profit of the machines in a scenario."""
