"""Options of the command line, each declared once, with the checks that go with them."""
