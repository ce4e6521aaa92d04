"""Reads options, environment and file, combines and checks them, and returns settings."""
