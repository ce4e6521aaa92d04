"""Runs what a mining, pool or proxy process needs: services, status, reload, control."""
