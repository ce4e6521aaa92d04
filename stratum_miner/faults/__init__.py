"""Faults by name, of miners and of pools: what each does wrong, and who does it.

``misbehaving_miner`` commits what a miner can do wrong: ``share_faults``, ``wire_faults`` and ``conduct``. What a pool
can do wrong is in ``pool_faults``: ``fault_filter`` makes filters of the names that a user wrote, and ``faulty_server``
puts them before whatever serves. To add a fault, add a function and its row in the table below it.
"""
