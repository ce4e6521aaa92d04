"""What every command needs as a process: signals, standard streams, log, output, exit codes, and hiding secrets."""
