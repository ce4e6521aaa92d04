"""One frozen view of a running miner, every display that is made of it, and one interface to steer the miner.

``monitor`` makes the ``view`` of snapshots and events. The ``screen``, the API with its page and metrics (``http``,
``web``), ``cgminer`` and ``axeos`` show it. What any of them may change goes through ``control``.
"""
