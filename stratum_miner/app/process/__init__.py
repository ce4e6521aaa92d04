"""Functions that every command uses: signals, standard streams, log, output, exit codes, and hiding of secrets."""
