"""Reads settings from a TOML file, the environment and the command line, and combines them.

``keys`` turns an annotated dataclass into a list of configuration keys. ``document`` reads a TOML file and the line
number of each key in it. ``layers`` combines the sources. A ``Problem`` is one error in a configuration: where it is,
what was expected, and what was found.

The modules of this package import no commands and no miners, and do not read the clock.
"""
