"""The parts of a stratum-miner process that do not depend on one command.

These are the options and their settings, the log and the signals of the process, and the services that run beside a
miner, a pool or a proxy. The commands themselves are in ``cli``.
"""
