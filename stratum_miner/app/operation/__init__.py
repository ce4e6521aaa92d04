"""Runs a miner without supervision: hooks, automatic pauses with their sensors, and messages to the service manager."""
