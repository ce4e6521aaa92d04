"""Network connections, HTTP requests and child processes, each with limits on size and time.

This package does not depend on Stratum, on mining or on any command.
"""
