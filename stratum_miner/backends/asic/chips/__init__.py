"""Chip families: one file each, data first, then the little code that no table can say."""
