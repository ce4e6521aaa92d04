"""Encodes commands and jobs for chips, and decodes their replies (docs/reference/asic.md). Uses no port and no
clock."""
