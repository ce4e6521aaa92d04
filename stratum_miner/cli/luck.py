"""``stratum-miner luck``: calculates how likely it was to find so many shares or blocks, or to have such good or bad
luck."""

from typing import Annotated, Any

from cyclopts import Parameter

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import common
from stratum_miner.app.process import printing
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.economics import odds
from stratum_miner.economics.profit import terms
from stratum_miner.quantities import duration_spelling, hash_rate_text, rounded, span_text

MAX_FOUND = 1_000_000
MAX_SECONDS = 1000 * 365.25 * 86400
DEFAULT_SECONDS = 86_400.0
"""Seconds of mining that are assumed without --seconds: a day."""


def luck(
    *,
    found: Annotated[
        int | None,
        Parameter(name="--found", help="Number of shares or blocks that were found.", group="Shares or blocks found"),
    ] = None,
    expected: Annotated[
        float | None,
        Parameter(
            name="--expected",
            help="Used with --found: number of shares or blocks that were expected for the same work.",
            group="Shares or blocks found",
        ),
    ] = None,
    blocks: Annotated[
        int | None, Parameter(name="--blocks", help="Number of blocks that a pool finds.", group="Luck of a pool")
    ] = None,
    times: Annotated[
        float | None,
        Parameter(
            name="--times",
            help="Used with --blocks: print how likely these blocks take more than this many times the expected work.",
            group="Luck of a pool",
        ),
    ] = None,
    hash_rate: Annotated[
        str | None, Parameter(name="--hash-rate", help="Hash rate of your devices, such as 1.2TH.", group="Best share")
    ] = None,
    seconds: Annotated[
        float | None,
        duration_option(
            "--seconds",
            "Used with --hash-rate: time of mining, such as 30d, or a number of seconds. [default: "
            f"{duration_spelling(DEFAULT_SECONDS)}]",
            "Best share",
        ),
    ] = None,
    difficulty: Annotated[
        str | None,
        Parameter(
            name="--difficulty",
            help="Used with --hash-rate: print how likely the best share reaches this difficulty in --seconds. Used "
            "with --found: difficulty of the shares that were found.",
            group="Best share",
        ),
    ] = None,
    confidence: Annotated[
        str,
        Parameter(
            name="--confidence",
            help="Used with --found: confidence level of the printed interval.",
            group="Shares or blocks found",
        ),
    ] = "95%",
    json: common.Json = False,
) -> int:
    """Calculate how likely good or bad luck is.

    Give --found for a number of shares or blocks that you found, --blocks and --times for the luck of a pool, and
    --hash-rate for your best share.
    """
    answer: dict[str, Any] = {}
    lines: list[str] = []
    if found is not None:
        _count(found, expected, float(terms.share("--confidence", confidence)), answer, lines)
    elif expected is not None:
        raise UsageError("--expected needs --found, as in --found 10 --expected 5")
    if (blocks is None) != (times is None):
        raise UsageError("--blocks, --times: expected both, as in --blocks 10 --times 1.5, got one")
    if blocks is not None and times is not None:
        _rounds(blocks, times, answer, lines)
    if hash_rate is not None:
        _work(hash_rate, seconds, difficulty, found, answer=answer, lines=lines)
    elif seconds is not None or difficulty is not None:
        raise UsageError("--seconds and --difficulty need --hash-rate, as in --hash-rate 1.2TH --seconds 3600")
    if not answer:
        raise UsageError(
            "expected --found N, --blocks N --times X, or --hash-rate H, got none of them: see stratum-miner luck "
            "--help"
        )
    if json:
        printing.print_json(answer)
    else:
        output = printing.console(highlight=False)
        for line in lines:
            output.print(line, markup=False)
    return ExitCode.OK


def _count(found: int, expected: float | None, confidence: float, answer: dict[str, Any], lines: list[str]) -> None:
    if not 0 <= found <= MAX_FOUND:
        raise UsageError(f"--found: expected a count from 0 to {MAX_FOUND}, got {found}")
    if not 0 < confidence < 1:
        raise UsageError(f"--confidence: expected more than 0% and less than 100%, got {confidence:%}")
    interval = odds.count_interval(found, confidence)
    answer["count"] = {"found": found, "low": interval.low, "high": interval.high, "confidence": confidence}
    lines.append(
        f"{found} found: the expected number lies between {interval.low:.4g} and {interval.high:.4g} "
        f"({100 * confidence:g} % confidence)."
    )
    if expected is None:
        return
    if not terms.LEAST <= expected <= MAX_FOUND:
        raise UsageError(f"--expected: expected a number from {terms.LEAST:g} to {MAX_FOUND}, got {expected:g}")
    it = odds.Luck(found, expected)
    chance = odds.probability_of_luck(it)
    low, high = interval.low / expected, interval.high / expected
    answer["luck"] = {"ratio": it.ratio, "low": low, "high": high, "chance": chance}
    side = "or fewer" if found <= expected else "or more"
    lines.append(
        f"Luck {found / expected:.3f} ({low:.3f} to {high:.3f}). The probability of {found} {side} is {chance:.3g}."
    )


def _rounds(blocks: int, times: float, answer: dict[str, Any], lines: list[str]) -> None:
    if not 1 <= blocks <= MAX_FOUND:
        raise UsageError(f"--blocks: expected a count from 1 to {MAX_FOUND}, got {blocks}")
    if not terms.LEAST <= times <= MAX_FOUND:
        raise UsageError(f"--times: expected a number from {terms.LEAST:g} to {MAX_FOUND}, got {times:g}")
    chance = odds.probability_of_pool_luck(blocks, times)
    answer["pool"] = {"blocks": blocks, "times": times, "chance": chance}
    lines.append(
        f"{blocks} {'block takes' if blocks == 1 else 'blocks take'} more than {times:g} times the expected work with "
        f"a probability of {chance:.4g}."
    )


def _work(
    hash_rate: str,
    seconds: float | None,
    difficulty: str | None,
    found: int | None,
    *,
    answer: dict[str, Any],
    lines: list[str],
) -> None:
    rate = terms.hash_rate("--hash-rate", hash_rate)
    span = DEFAULT_SECONDS if seconds is None else seconds
    common.check_time("--seconds", span, terms.LEAST, MAX_SECONDS)
    median = odds.median_best_share(rate * span)
    best: dict[str, Any] = {"hash_rate": rate, "seconds": span, "median": median}
    lines.append(
        f"{hash_rate_text(rate)} for {span_text(span)}: with a probability of 50 %, the best share exceeds "
        f"difficulty {rounded(median)}."
    )
    if difficulty is not None:
        wanted = terms.difficulty("--difficulty", difficulty)
        best["chance"] = odds.probability_of_best_share(rate * span, wanted)
        best["seconds_per_share"] = odds.seconds_per_share(wanted, rate)
        lines.append(
            f"A share of difficulty {rounded(wanted)} is found every {span_text(best['seconds_per_share'])} on "
            f"average. The probability of one within that time is {best['chance']:.4g}. Time without a share does not "
            "increase it."
        )
        if found is not None:
            best["hash_rate_from_shares"] = odds.hash_rate_from_shares(wanted * found, span)
            lines.append(
                f"{found} such shares in that time correspond to {hash_rate_text(best['hash_rate_from_shares'])}."
            )
    answer["best_share"] = best
