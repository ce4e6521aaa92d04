"""Faults that are injected on purpose, by name: what a misbehaving miner or pool does wrong.

Faults of miners are in ``share_faults``, ``wire_faults`` and ``conduct``; ``misbehaving_miner`` commits them. Faults of
pools are in ``pool_faults``; ``fault_filter`` turns the names that a user wrote into filters, and ``faulty_server``
puts these filters in front of a server. To add a fault, add a function to one of the four modules with faults, and a
row to the table at the end of that module.
"""
