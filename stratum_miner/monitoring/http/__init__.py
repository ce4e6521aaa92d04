"""A running miner over HTTP: a JSON API with its OpenAPI document, a stream of what happens, metrics, and a page.

``endpoints`` says what there is, as a table; ``application`` answers it; ``guard`` decides who may ask; ``listener``
brings it to a socket.
"""

from stratum_miner.monitoring.http.endpoints import Source
from stratum_miner.monitoring.http.guard import Access, Guard, refusal
from stratum_miner.monitoring.http.listener import (
    ListenError,
    is_loopback,
    listening_socket,
    serve,
    serve_application,
    serve_stats,
)

__all__ = [
    "Access",
    "Guard",
    "ListenError",
    "Source",
    "is_loopback",
    "listening_socket",
    "refusal",
    "serve",
    "serve_application",
    "serve_stats",
]
