"""Reads settings from a TOML file, the environment and the command line, and combines them.

The modules of this package must not import commands or miners, and must not read a clock. ``keys`` describes tables of
settings as annotated dataclasses, ``document`` reads a file with the line of each key, and ``layers`` combines the
sources. Every error is a ``Problem``, which says where the error is, what was expected and what was found.
"""
