"""An optional API that is compatible with cgminer's API 3.7, which most mining tools support.

``dialect`` reads and writes its two forms, JSON and plain text. ``commands`` carries out the commands. ``fields``
builds the answers from views. ``zero`` resets its counters. ``access`` decides which client may send which command.
``listener`` serves it on a socket. The package follows API-README and api.c of cgminer 4.13.6, and recorded
answers of cgminer.
"""

from stratum_miner.monitoring.cgminer.access import AccessError, AccessList
from stratum_miner.monitoring.cgminer.commands import COMMANDS, READING
from stratum_miner.monitoring.cgminer.listener import serve
from stratum_miner.monitoring.cgminer.zero import Zero

__all__ = ["COMMANDS", "READING", "AccessError", "AccessList", "Zero", "serve"]
