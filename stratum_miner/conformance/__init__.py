"""Tests any Stratum V1 pool by connecting to it as a client, and reports what the pool did.

The package shares no code with ``stratum_miner.pool`` and ``stratum_miner.client`` except the message formats.

To run checks from Python, describe the pool, select checks and await ``verify`` in trio:

    import trio

    from stratum_miner.conformance import ALL, Hasher, PoolUnderTest, Verdict, select, tcp_dialer, verify

    pool = PoolUnderTest(name="my pool", dial=tcp_dialer("127.0.0.1", 3333), worker="alice.rig", owned=True)
    results = trio.run(verify, pool, select(ALL, ["framing", "SH-0*"]), Hasher.fastest())
    failed = [result for result in results if result.verdict is Verdict.FAILED]
    for result in failed:
        print(result.case.id, result.case.requirement, result.outcome.actual)

``as_object`` and ``junit`` convert the results to JSON and JUnit XML. The module ``cases`` contains the checks. The
module ``probe`` opens the connections and finds the shares that the checks use. The module ``verify`` runs the checks
and decides on their verdicts.
"""

from stratum_miner.conformance.case import Case, Kind, Level
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import CheckOutcome, Verdict
from stratum_miner.conformance.pool_death import PoolDeath
from stratum_miner.conformance.pool_under_test import (
    Chain,
    ChainError,
    ChainTip,
    OpenPoolStream,
    PoolUnderTest,
    Unreachable,
    tcp_dialer,
)
from stratum_miner.conformance.report import as_object, junit
from stratum_miner.conformance.selection import SelectionError, select
from stratum_miner.conformance.share_search import Hasher
from stratum_miner.conformance.verify import Result, Tally, verify

__all__ = [
    "ALL",
    "Case",
    "Chain",
    "ChainError",
    "ChainTip",
    "CheckOutcome",
    "Hasher",
    "Kind",
    "Level",
    "OpenPoolStream",
    "PoolDeath",
    "PoolUnderTest",
    "Result",
    "SelectionError",
    "Tally",
    "Unreachable",
    "Verdict",
    "as_object",
    "junit",
    "select",
    "tcp_dialer",
    "verify",
]
