"""A tap (a proxy between miner and pool that records or changes protocol messages), recordings, and their replay to a
miner or a pool.

This package may import the modules of the Stratum protocol, but none of the modules that mine.
"""
