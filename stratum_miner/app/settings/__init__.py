"""Combines and checks the command line, the environment and the configuration file, and returns checked settings."""
