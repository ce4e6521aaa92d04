"""Options of our own pool: how difficult its shares are."""

from typing import Annotated

from cyclopts import Parameter

REGTEST_DIFFICULTY = 0.001
"""4.3 million hashes a share: right for a CPU, the default because CPUs are who mines test pools."""
Difficulty = Annotated[float, Parameter(name="--difficulty", help="Share difficulty of a new session.")]
VardiffOption = Annotated[
    float | None,
    Parameter(
        name="--vardiff", help="Adjust the difficulty so that a share comes every S seconds; 0 or absent: do not."
    ),
]
MinimumDifficultyOption = Annotated[
    float | None,
    Parameter(
        name="--min-difficulty",
        help="Never set a lower one. Miners may ask for as little; without this option they may ask for no less than "
        "--difficulty, or 1e-6 with --vardiff.",
        negative=(),
    ),
]
MaximumDifficulty = Annotated[
    float | None, Parameter(name="--max-difficulty", help="Never set a higher one.", negative=())
]
