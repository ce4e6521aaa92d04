"""Computes what mining earns, costs and risks. The functions use no clock and no network.

Hash rates are in H/s and powers in watts at the wall. Money is a Decimal in the user's currency; an amount of coins is
a Decimal in bitcoin. Difficulties are numbers as pools and nodes use them: a share or block of difficulty 1 takes about
2^32 hashes on average. Probabilities and waiting times are floats. The results follow from assumptions; they are not
forecasts.
"""
