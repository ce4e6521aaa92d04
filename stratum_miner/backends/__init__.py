"""Hashing backends: the contract, the registry and the implementations we ship."""
