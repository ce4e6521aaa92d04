"""Converts the configuration files of other miners to a configuration of ``mine``.

``programs.convert`` recognises the program that a file belongs to, and converts the file. These modules read and write
no files. They account for every key of a file: it was carried over, nothing is to be done for it, or it is lost, with
the reason. A conversion never weakens a connection silently: a pool whose protection is lost is switched off.
"""
