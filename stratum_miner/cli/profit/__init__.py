"""``stratum-miner profit``: what mining earns and costs, in words, tables, plots, a page, JSON or CSV."""

from stratum_miner.cli.profit.command import profit

__all__ = ["profit"]
