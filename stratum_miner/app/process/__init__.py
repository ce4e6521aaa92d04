"""What every command does as a process: its signals, streams, log, output, exit code, and how it keeps secrets."""
