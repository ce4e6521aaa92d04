"""The API that mining tools have spoken for a decade: cgminer's, version 3.7, on request.

``dialect`` is its two forms, JSON and plain; ``commands`` its vocabulary over our views; ``fields`` what it tells;
``zero`` counts from another moment on; ``access`` who may say what; ``listener`` the socket. Facts from cgminer
4.13.6's API-README and api.c, and from its recorded answers.
"""

from stratum_miner.monitoring.cgminer.access import AccessError, AccessList
from stratum_miner.monitoring.cgminer.commands import COMMANDS, READING
from stratum_miner.monitoring.cgminer.listener import serve
from stratum_miner.monitoring.cgminer.zero import Zero

__all__ = ["COMMANDS", "READING", "AccessError", "AccessList", "Zero", "serve"]
