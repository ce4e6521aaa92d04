"""The parts of a stratum-miner process that do not belong to a single command.

These parts are the command-line options, the settings that result from the options, the log, the handling of signals,
and the services that run beside a miner, a pool or a proxy. The commands themselves are in ``cli``.
"""
