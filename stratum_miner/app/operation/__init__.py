"""What lets a miner be left alone: hooks, pauses and their causes, and a service manager."""
