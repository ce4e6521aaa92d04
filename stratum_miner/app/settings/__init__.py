"""Combines the settings of the command line, the environment and the configuration file, checks them, and returns
them."""
