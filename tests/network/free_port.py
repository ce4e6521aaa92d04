"""A port that nobody listens on."""

import socket


def free_port() -> int:
    """On loopback; free when it was looked for."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])
