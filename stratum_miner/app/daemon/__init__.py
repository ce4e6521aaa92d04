"""Runs a mining, pool or proxy process. This includes its services, its status lines, reloading its settings, and
controlling it from outside."""
