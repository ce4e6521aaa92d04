"""Opens a TCP stream to a pool. If the settings say so, the stream goes through a SOCKS or HTTP proxy and uses TLS."""
