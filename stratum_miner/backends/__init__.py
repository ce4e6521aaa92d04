"""Hashing backends: the interface of every backend, the registry of backends by name, and the backends of this
package."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from stratum_miner.backends.base import (
    ASK_AGAIN_SECONDS,
    Backend,
    BackendError,
    BackendOptionError,
    ChangeCallback,
    SelfTestError,
    WorkSource,
)
from stratum_miner.backends.registry import available, create, load
from stratum_miner.backends.statistics import BackendStatistics, DeviceKey, DeviceStatistics, Hardware, device_key

if TYPE_CHECKING:
    from stratum_miner.backends.cpu.backend import CpuBackend

__all__ = [
    "ASK_AGAIN_SECONDS",
    "Backend",
    "BackendError",
    "BackendOptionError",
    "BackendStatistics",
    "ChangeCallback",
    "CpuBackend",
    "DeviceKey",
    "DeviceStatistics",
    "Hardware",
    "SelfTestError",
    "WorkSource",
    "available",
    "create",
    "device_key",
    "load",
]


def __getattr__(name: str) -> Any:
    """Import ``CpuBackend`` only when it is used, because its module loads the C kernels."""
    if name != "CpuBackend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("stratum_miner.backends.cpu.backend").CpuBackend
