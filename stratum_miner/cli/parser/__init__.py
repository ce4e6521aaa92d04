"""Understands the command line: the table of commands, what other miners call things, mistakes, and the help."""
