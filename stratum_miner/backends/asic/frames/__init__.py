"""Encodes commands and jobs for chips, and decodes their replies (docs/reference/asic.md). These modules use
no port and no clock."""
