"""Serving miners, for whoever does: a pool that judges their shares, a proxy that passes them on.

``connections`` and ``send_queue`` move the bytes on trio; ``extranonces``, ``jobs``, ``validator``, ``share_memory``
and ``vardiff`` are sans-IO, with time as an argument.
"""
