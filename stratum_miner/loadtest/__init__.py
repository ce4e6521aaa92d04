"""Load-tests a pool with many simulated miners that use real connections and submit valid shares.

``plan`` has the settings of a run, and ``pacer`` computes when connections and shares are due. ``miner`` implements the
protocol for one simulated miner. ``generator`` runs the loop that sends and receives the bytes of all miners.
``metrics`` keeps the counters and latencies. ``report`` and ``thresholds`` evaluate a run, and ``cluster`` spreads it
over several computers. The package shares no code with ``client`` and ``pool``.
"""
