"""The command-line options, and the checks of their values. Each option is declared once."""
