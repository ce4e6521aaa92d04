"""The pool client: it keeps pools connected, receives jobs and submits shares. Each share gets exactly one result.

``PoolClient`` is the client of one pool. ``PoolGroup`` uses several pools as one, with failover or quotas.
``PoolClient`` and ``PoolGroup`` call a ``ClientListener`` with each event.
"""

from stratum_miner.client.dialing.dialer import Connector, Dialer
from stratum_miner.client.dialing.tls import SYSTEM_TRUST, TlsSettings, TlsSettingsError
from stratum_miner.client.dialing.tunnel import TunnelUnreachable, TunnelUrl, TunnelUrlError
from stratum_miner.client.dialing.url import PoolUnreachable, PoolUrl, PoolUrlError
from stratum_miner.client.endings import ConnectionEnded, WorkerRefused
from stratum_miner.client.events import (
    ClientEvent,
    ClientListener,
    ConnectionState,
    JobArrived,
    MessageShown,
    ShareAnswered,
    StateChanged,
    WorkLost,
)
from stratum_miner.client.group.control import PoolControl
from stratum_miner.client.group.failover import Condition, FailoverPolicy
from stratum_miner.client.group.group import PoolGroup
from stratum_miner.client.group.identities import PoolIdentities
from stratum_miner.client.group.status import PoolStatus
from stratum_miner.client.options import ClientOptions
from stratum_miner.client.pool_memory import Handshake, PoolMemory
from stratum_miner.client.pool_tally import PoolTally
from stratum_miner.client.reconnecting import Destination, PoolClient
from stratum_miner.client.resume import Resumable
from stratum_miner.client.settings import PoolSettings, Strategy, Timeouts
from stratum_miner.client.snapshot import ClientSnapshot, WorkerSnapshot
from stratum_miner.client.traffic import Traffic

__all__ = [
    "SYSTEM_TRUST",
    "ClientEvent",
    "ClientListener",
    "ClientOptions",
    "ClientSnapshot",
    "Condition",
    "ConnectionEnded",
    "ConnectionState",
    "Connector",
    "Destination",
    "Dialer",
    "FailoverPolicy",
    "Handshake",
    "JobArrived",
    "MessageShown",
    "PoolClient",
    "PoolControl",
    "PoolGroup",
    "PoolIdentities",
    "PoolMemory",
    "PoolSettings",
    "PoolStatus",
    "PoolTally",
    "PoolUnreachable",
    "PoolUrl",
    "PoolUrlError",
    "Resumable",
    "ShareAnswered",
    "StateChanged",
    "Strategy",
    "Timeouts",
    "TlsSettings",
    "TlsSettingsError",
    "Traffic",
    "TunnelUnreachable",
    "TunnelUrl",
    "TunnelUrlError",
    "WorkLost",
    "WorkerRefused",
    "WorkerSnapshot",
]
