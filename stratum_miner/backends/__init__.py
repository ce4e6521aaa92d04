"""Hashing backends: the interface that every backend implements, the registry, and the backends of this package."""
