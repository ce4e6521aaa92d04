"""Serves a running miner over HTTP: a JSON API with its OpenAPI document, a stream of changes, metrics, and a web page.

``endpoints`` is the table of all requests. ``application`` answers them. ``guard`` decides which requests are allowed.
``listener`` and ``server`` connect the application to a socket.
"""

from stratum_miner.monitoring.http.endpoints import Source
from stratum_miner.monitoring.http.guard import Access, Guard, refusal
from stratum_miner.monitoring.http.listener import serve, serve_application, serve_stats

__all__ = [
    "Access",
    "Guard",
    "Source",
    "refusal",
    "serve",
    "serve_application",
    "serve_stats",
]
