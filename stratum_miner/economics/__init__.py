"""What mining earns, costs and risks: pure functions of numbers, with no clock, no network and no opinion.

Hash rates are H/s, powers watts at the wall, money any currency as Decimal, coins Decimal bitcoin, difficulties as
pools and nodes state them, probabilities and waiting times floats. Nothing here is a forecast.
"""
