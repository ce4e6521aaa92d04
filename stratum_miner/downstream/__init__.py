"""The code that serves connected miners. The pool and the proxy both use it.

The modules ``connections`` and ``send_queue`` receive and send bytes with trio. The other modules are sans-IO and get
the time as an argument. Among these, ``miner_session`` is the Stratum session of one miner. The session asks the pool
or the proxy for jobs, difficulties and verdicts on shares, through the interface in ``session_policy``.
"""
