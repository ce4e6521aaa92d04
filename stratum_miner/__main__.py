"""``python -m stratum_miner``: the same as the ``stratum-miner`` command."""

from stratum_miner.cli.entry import entry_point

if __name__ == "__main__":
    entry_point()
