"""Tools for tests of pools, miners and backends.

A laboratory makes pools, miners, taps and emulated devices. ``check_backend`` checks a backend. ``ManualPool`` and
``ScriptedNode`` are a pool and a node that do only what a test tells them to do.

``pytest_plugin`` offers the laboratory as pytest fixtures. Every run of pytest in an environment that contains this
package imports the plugin, and with it this module. To keep this import fast, each public name of this module is
imported from the module that defines it only when the name is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stratum_miner.capture.record import Side
    from stratum_miner.testing.backend_checks import check_backend, hits_of
    from stratum_miner.testing.lab import (
        DifficultyGoal,
        Lab,
        LabMiner,
        LabPool,
        LabTap,
        open_lab,
    )
    from stratum_miner.testing.lab_tls import LabTls
    from stratum_miner.testing.manual_pool import REGTEST_JOB, ManualPool
    from stratum_miner.testing.on_demand_backend import OnDemandBackend, ShareKind
    from stratum_miner.testing.portal_lab import (
        AsyncLab,
        AsyncMiner,
        AsyncPool,
        AsyncTap,
        SyncLab,
        SyncMiner,
        SyncPool,
        SyncTap,
        sync_lab,
    )
    from stratum_miner.testing.scripted_node import EASY_BITS, HARD_BITS, ScriptedNode, make_template
    from stratum_miner.testing.transcript import LabError, LabMessage, LabTimeout, TranscribedConnection, Transcript
    from stratum_miner.testing.work_source import ScriptedWorkSource

_MODULES = {
    "AsyncLab": "testing.portal_lab",
    "AsyncMiner": "testing.portal_lab",
    "AsyncPool": "testing.portal_lab",
    "AsyncTap": "testing.portal_lab",
    "DifficultyGoal": "testing.lab",
    "EASY_BITS": "testing.scripted_node",
    "HARD_BITS": "testing.scripted_node",
    "Lab": "testing.lab",
    "LabError": "testing.transcript",
    "LabMessage": "testing.transcript",
    "LabMiner": "testing.lab",
    "LabPool": "testing.lab",
    "LabTap": "testing.lab",
    "LabTimeout": "testing.transcript",
    "LabTls": "testing.lab_tls",
    "ManualPool": "testing.manual_pool",
    "OnDemandBackend": "testing.on_demand_backend",
    "REGTEST_JOB": "testing.manual_pool",
    "ScriptedNode": "testing.scripted_node",
    "ScriptedWorkSource": "testing.work_source",
    "ShareKind": "testing.on_demand_backend",
    "Side": "capture.record",
    "SyncLab": "testing.portal_lab",
    "SyncMiner": "testing.portal_lab",
    "SyncPool": "testing.portal_lab",
    "SyncTap": "testing.portal_lab",
    "TranscribedConnection": "testing.transcript",
    "Transcript": "testing.transcript",
    "check_backend": "testing.backend_checks",
    "hits_of": "testing.backend_checks",
    "make_template": "testing.scripted_node",
    "open_lab": "testing.lab",
    "sync_lab": "testing.portal_lab",
}
"""For each public name, the module below ``stratum_miner`` that defines it."""

__all__ = [
    "EASY_BITS",
    "HARD_BITS",
    "REGTEST_JOB",
    "AsyncLab",
    "AsyncMiner",
    "AsyncPool",
    "AsyncTap",
    "DifficultyGoal",
    "Lab",
    "LabError",
    "LabMessage",
    "LabMiner",
    "LabPool",
    "LabTap",
    "LabTimeout",
    "LabTls",
    "ManualPool",
    "OnDemandBackend",
    "ScriptedNode",
    "ScriptedWorkSource",
    "ShareKind",
    "Side",
    "SyncLab",
    "SyncMiner",
    "SyncPool",
    "SyncTap",
    "TranscribedConnection",
    "Transcript",
    "check_backend",
    "hits_of",
    "make_template",
    "open_lab",
    "sync_lab",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"stratum_miner.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
