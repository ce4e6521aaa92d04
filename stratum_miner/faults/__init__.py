"""Faults by name, of miners and of pools: what each does wrong, and who does it.

``share_faults`` and ``wire_faults`` are what a miner can do wrong, ``misbehaving_miner`` does it. ``pool_faults`` are
what a pool can do wrong, ``faulty_server`` does it with whatever serves. To add one, add a function and its row.
"""
