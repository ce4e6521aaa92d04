"""From a pool's URL to an open stream: TCP, perhaps through a proxy, perhaps with TLS inside."""
