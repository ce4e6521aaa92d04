"""Options of the built-in pool that decide how difficult its shares are."""

from typing import Annotated

from cyclopts import Parameter

from stratum_miner.app.config.durations import duration_option
from stratum_miner.pool.config import USUAL_MINIMUM, PoolConfig

REGTEST_DIFFICULTY = 0.001
"""Default share difficulty, meant for a test network. A share then takes about 4.3 million hashes. This suits CPUs,
with which people usually mine on a test network."""
_HIGHEST = PoolConfig(payout_script=b"-").maximum_difficulty
Difficulty = Annotated[
    float,
    Parameter(
        name="--difficulty",
        help="Share difficulty that the pool sets for a new connection.",
    ),
]
VardiffOption = Annotated[
    float | None,
    duration_option(
        "--vardiff",
        "Adjust the share difficulty of each miner so that it finds one share in this time, such as 10s, or a number "
        "of seconds. 0 keeps the difficulty of --difficulty. [default: 0]",
    ),
]
MinimumDifficultyOption = Annotated[
    float | None,
    Parameter(
        name="--min-difficulty",
        help="Lowest share difficulty that the pool sets, or that a miner may suggest. [default: the value of "
        f"--difficulty; if --vardiff is given, {USUAL_MINIMUM:g} or the value of --difficulty, whichever is lower]",
        negative=(),
    ),
]
MaximumDifficulty = Annotated[
    float | None,
    Parameter(
        name="--max-difficulty",
        help="Highest share difficulty that the pool sets. The network difficulty limits it, too. [default: "
        f"{_HIGHEST:g}]",
        negative=(),
    ),
]
