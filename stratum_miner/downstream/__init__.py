"""The code that serves connected miners. The pool and the proxy both use it.

``connections`` and ``send_queue`` move bytes on trio. The other modules are sans-IO, with time as an argument:
``miner_session`` is the Stratum session of one miner. Through ``session_policy`` it asks the pool or the proxy for
jobs, difficulties and verdicts on shares.
"""
