"""stratum_miner: a Stratum V1 client, miner and pool for Bitcoin in one typed package."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("stratum-miner")
except PackageNotFoundError:  # a source tree on sys.path without an installation
    __version__ = "0+unknown"
