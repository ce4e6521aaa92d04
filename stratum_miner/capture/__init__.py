"""A tap between miner and pool, and recordings of protocol messages, which can be replayed to a miner or to a pool.

The package may import the modules of the Stratum protocol, but none of the modules that mine.
"""
