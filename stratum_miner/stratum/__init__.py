"""Stratum V1, sans-IO, both roles: bytes in, typed events out. No socket, no clock, no logging, no randomness."""
