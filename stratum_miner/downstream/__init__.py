"""What a pool that judges shares and a proxy that passes them on have in common: they serve miners.

``connections`` and ``send_queue`` move the bytes on trio; all else is sans-IO, with time as an argument.
``miner_session`` is one miner's conversation, ``session_policy`` what it asks the pool or the proxy behind it.
"""
