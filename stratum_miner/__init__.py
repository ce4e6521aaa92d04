"""stratum_miner: a Stratum V1 client, miner and pool for Bitcoin in one typed package."""


def __getattr__(name: str) -> str:
    """Look up ``__version__`` only when it is used, because reading it from the installation is slow."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  slow to load, and seldom asked

    try:
        return version("stratum-miner")
    except PackageNotFoundError:  # the source tree is on sys.path, but the package is not installed
        return "0+unknown"
