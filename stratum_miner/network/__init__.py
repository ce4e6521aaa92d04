"""Network connections, HTTP requests and child processes, each with limits on size and time.

Nothing here knows Stratum, mining or a command.
"""
