"""Computes the profit of mining from the user's prices: of the machines in a scenario, and of a running miner."""
