"""The API that mining tools have spoken for a decade: cgminer's, version 3.7, on request.

``dialect`` is its two forms, JSON and plain; ``commands`` its vocabulary over our views; ``access`` who may say what;
``listener`` the socket. Facts from cgminer 4.11's API-README and api.c.
"""

from stratum_miner.monitoring.cgminer.access import AccessError, AccessList
from stratum_miner.monitoring.cgminer.commands import COMMANDS, READING
from stratum_miner.monitoring.cgminer.listener import serve

__all__ = ["COMMANDS", "READING", "AccessError", "AccessList", "serve"]
