"""Bytes to and from chips, without a port or a clock: commands, jobs, replies (docs/reference/asic.md)."""
