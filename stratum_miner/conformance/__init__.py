"""Checks any Stratum V1 pool, from the outside, and says what it saw. It shares nothing with our pool or client.

``cases`` holds the checks, ``probe`` what they work with, ``verify`` how verdicts are reached, ``report`` how they are
told.
"""

from stratum_miner.conformance.case import Case, Level
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.pool_under_test import (
    Chain,
    ChainError,
    ChainTip,
    PoolUnderTest,
    Unreachable,
    tcp_dialer,
)
from stratum_miner.conformance.selection import SelectionError, select
from stratum_miner.conformance.share_search import Hasher
from stratum_miner.conformance.verify import Result, Tally, unreachable_reason, verify

__all__ = [
    "ALL",
    "Case",
    "Chain",
    "ChainError",
    "ChainTip",
    "Hasher",
    "Level",
    "PoolUnderTest",
    "Result",
    "SelectionError",
    "Tally",
    "Unreachable",
    "Verdict",
    "select",
    "tcp_dialer",
    "unreachable_reason",
    "verify",
]
