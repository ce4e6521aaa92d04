"""The checks, one module per topic (shares have two: taken and refused); importing this package registers them all."""

from typing import Final

from stratum_miner.conformance.case import CASES, TOPICS, Case
from stratum_miner.conformance.cases import (
    difficulty,
    extensions,
    framing,
    handshake,
    jobs,
    load,
    refusals,
    shares,
)

__all__ = ["ALL", "difficulty", "extensions", "framing", "handshake", "jobs", "load", "refusals", "shares"]


def _place(case: Case) -> tuple[int, int]:
    prefix, _, number = case.id.partition("-")
    return list(TOPICS).index(prefix), int(number)


ALL: Final = tuple(sorted(CASES.values(), key=_place))
"""Every check, in the order of the list."""
