"""Opens a stream to a pool: over TCP, if configured through a SOCKS or HTTP proxy and with TLS."""
