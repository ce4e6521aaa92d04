"""Coinbase."""


def height_from_coinbase_prefix(prefix: bytes) -> int | None:
    """Height."""
    return None
