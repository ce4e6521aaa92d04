"""Hashing backends: the interface that every backend implements, the registry, and the backends of this package."""

from stratum_miner.backends.base import (
    ASK_AGAIN_SECONDS,
    Backend,
    BackendError,
    BackendOptionError,
    ChangeCallback,
    SelfTestError,
    WorkSource,
)
from stratum_miner.backends.statistics import BackendStatistics, DeviceKey, DeviceStatistics

__all__ = [
    "ASK_AGAIN_SECONDS",
    "Backend",
    "BackendError",
    "BackendOptionError",
    "BackendStatistics",
    "ChangeCallback",
    "DeviceKey",
    "DeviceStatistics",
    "SelfTestError",
    "WorkSource",
]
