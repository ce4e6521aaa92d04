"""Opens a TCP stream to a pool. The stream goes through a SOCKS or HTTP proxy if the settings name one. It uses TLS if
the URL of the pool asks for TLS."""
