"""Options of the command line with their checks. Each option is declared once."""
