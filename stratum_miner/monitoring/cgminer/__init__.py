"""An optional API that is compatible with cgminer's API 3.7. Most mining tools support that API.

``listener`` serves the API on a socket. ``dialect`` reads requests and writes replies, as JSON or plain text.
``access`` decides which client may send which command. ``commands`` carries out the commands, and ``fields`` builds
their answers from views. ``zero`` resets the counters of this API. The package follows API-README and api.c of cgminer
4.13.6, and recorded answers of cgminer.
"""

from stratum_miner.monitoring.cgminer.access import AccessError, AccessList
from stratum_miner.monitoring.cgminer.commands import COMMANDS, READING
from stratum_miner.monitoring.cgminer.listener import serve
from stratum_miner.monitoring.cgminer.zero import Zero

__all__ = ["COMMANDS", "READING", "AccessError", "AccessList", "Zero", "serve"]
