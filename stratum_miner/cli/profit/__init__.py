"""``stratum-miner profit``: what mining earns and costs, in words, tables, plots, a page, JSON or CSV."""
