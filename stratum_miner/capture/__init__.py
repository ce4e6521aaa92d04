"""A tap between miner and pool, and recordings of protocol messages, which can be replayed to a miner or to a pool.

The package knows the Stratum protocol. It must not know how to mine.
"""
