"""What lets a miner be left alone: log files, a schedule, pauses for the machine, hooks, a service manager."""
