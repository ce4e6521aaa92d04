"""Runs a miner without supervision. This package has hooks for events, automatic pauses with their sensors, and
messages to the service manager."""
