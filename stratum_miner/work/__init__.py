"""Jobs, work units and shares: what a miner searches and what it finds.

This package does no input or output, and does not depend on the protocol of the pool. It reads no clock: times are
arguments.
"""

from stratum_miner.work.durations import DurationCounts
from stratum_miner.work.hash_rate import HashRateMeter
from stratum_miner.work.job import CoinbaseBody, HeaderBody, Job, Origin, PoolKey
from stratum_miner.work.share import BelowTarget, InvalidNonce, Share, VerifyResult, verify
from stratum_miner.work.share_result import RejectReason, ShareOutcome, ShareResult
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound, WorkUnit
from stratum_miner.work.versions import Versions
from stratum_miner.work.visited import Visited

__all__ = [
    "BelowTarget",
    "CoinbaseBody",
    "DurationCounts",
    "HashRateMeter",
    "HeaderBody",
    "InvalidNonce",
    "Job",
    "NonceFound",
    "Origin",
    "PoolKey",
    "RejectReason",
    "SearchSpace",
    "Share",
    "ShareOutcome",
    "ShareResult",
    "VerifyResult",
    "Versions",
    "Visited",
    "WorkUnit",
    "verify",
]
