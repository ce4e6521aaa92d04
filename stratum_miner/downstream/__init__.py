"""Serving miners, for whoever does: a pool that judges their shares, a proxy that passes them on.

``connections`` and ``send_queue`` move the bytes on trio; all else is sans-IO, with time as an argument.
``miner_session`` is one miner's conversation, ``session_policy`` what it asks the pool or the proxy behind it.
"""
