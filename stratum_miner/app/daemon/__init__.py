"""Runs a mining, pool or proxy process: its services, its status lines, the reload of its settings, and its control."""
