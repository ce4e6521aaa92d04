"""Parses the command line. Contains the table of commands, the names that other programs use for commands and options,
the errors about mistakes, and the help."""
