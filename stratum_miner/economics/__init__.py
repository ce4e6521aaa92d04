"""Computes what mining earns, costs and risks. The functions use no clock and no network.

Hash rates are in H/s and powers in watts at the wall. Money is a Decimal in the user's currency, coins are a Decimal in
bitcoin. Difficulties are numbers as pools and nodes use them: at difficulty 1, about 2^32 hashes are expected.
Probabilities and waiting times are floats. No result is a forecast.
"""
