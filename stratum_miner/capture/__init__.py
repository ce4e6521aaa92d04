"""A man in the middle, and conversations on record: recorded, and played back to either side.

It knows the protocol and nothing of mining.
"""
