"""Computes what mining earns, costs and risks. The functions use no clock and no network.

Hash rates are in H/s and powers in watts at the wall. Money is a Decimal in any currency, coins are a Decimal in
bitcoin. Difficulties are in the unit of pools and nodes; probabilities and waiting times are floats. No result is a
forecast.
"""
