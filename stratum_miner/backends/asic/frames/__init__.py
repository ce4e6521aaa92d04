"""Bytes to and from chips, without a port or a clock: commands, jobs, replies (asic.md 1 to 4)."""
