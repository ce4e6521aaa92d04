"""Functions that every command uses: for signals, standard streams, logs, output, exit codes, and for hiding
secrets."""
