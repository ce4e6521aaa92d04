"""A tap between miner and pool, and recordings of conversations, which can be played back to either side.

It knows the protocol and nothing of mining.
"""
