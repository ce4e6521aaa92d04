"""``stratum-miner luck``: what a count of shares or blocks says, and how likely good and bad luck are."""

from typing import Annotated, Any

from cyclopts import Parameter

from stratum_miner.app.options import common
from stratum_miner.app.process import printing
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.economics import odds
from stratum_miner.economics.profit import terms
from stratum_miner.quantities import hash_rate_text, rounded, span_text

MAX_FOUND = 1_000_000
MAX_SECONDS = 1e10


def luck(
    *,
    found: Annotated[int | None, Parameter(name="--found", help="Shares, or blocks, found.", group="A count")] = None,
    expected: Annotated[
        float | None, Parameter(name="--expected", help="How many the work should bring.", group="A count")
    ] = None,
    blocks: Annotated[
        int | None, Parameter(name="--blocks", help="Blocks of a pool ...", group="A pool's round")
    ] = None,
    times: Annotated[
        float | None,
        Parameter(name="--times", help="... that took more than so many times the work.", group="A pool's round"),
    ] = None,
    hash_rate: Annotated[str | None, Parameter(name="--hash-rate", help="Such as 1.2TH.", group="Time")] = None,
    seconds: Annotated[
        float | None, Parameter(name="--seconds", help="How long; a day unless said.", group="Time")
    ] = None,
    difficulty: Annotated[
        str | None, Parameter(name="--difficulty", help="Of the shares, or to be reached by the best.", group="Time")
    ] = None,
    confidence: Annotated[str, Parameter(name="--confidence", help="Of intervals.", group="A count")] = "95%",
    json: common.Json = False,
) -> int:
    """Say what luck is likely: of a count (--found), of a pool's rounds (--blocks), of a best share (--hash-rate)."""
    answer: dict[str, Any] = {}
    lines: list[str] = []
    if found is not None:
        _count(found, expected, float(terms.share("--confidence", confidence)), answer, lines)
    elif expected is not None:
        raise UsageError("--expected: expected it together with --found")
    if (blocks is None) != (times is None):
        raise UsageError("--blocks, --times: expected both or neither, as in --blocks 10 --times 1.5")
    if blocks is not None and times is not None:
        _rounds(blocks, times, answer, lines)
    if hash_rate is not None:
        _work(hash_rate, seconds, difficulty, found, answer=answer, lines=lines)
    elif seconds is not None or difficulty is not None:
        raise UsageError("--seconds, --difficulty: expected them together with --hash-rate")
    if not answer:
        raise UsageError("expected --found N, --blocks N --times X, or --hash-rate H: see luck --help")
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
        f"{found} found: chance makes that of {interval.low:.4g} to {interval.high:.4g} expected ({confidence:.4g})."
    )
    if expected is None:
        return
    if not terms.LEAST <= expected <= MAX_FOUND:
        raise UsageError(f"--expected: expected a number from {terms.LEAST:g} to {MAX_FOUND}, got {expected:g}")
    it = odds.Luck(found, expected)
    chance = odds.chance_of_luck(it)
    low, high = interval.low / expected, interval.high / expected
    answer["luck"] = {"ratio": it.ratio, "low": low, "high": high, "chance": chance}
    side = "so few" if found <= expected else "so many"
    lines.append(
        f"Luck {found / expected:.3f} ({low:.3f} to {high:.3f}); {side} or more extreme has a chance of {chance:.3g}."
    )


def _rounds(blocks: int, times: float, answer: dict[str, Any], lines: list[str]) -> None:
    if not 1 <= blocks <= MAX_FOUND:
        raise UsageError(f"--blocks: expected a count from 1 to {MAX_FOUND}, got {blocks}")
    if not terms.LEAST <= times <= MAX_FOUND:
        raise UsageError(f"--times: expected a number from {terms.LEAST:g} to {MAX_FOUND}, got {times:g}")
    chance = odds.chance_of_pool_luck(blocks, times)
    answer["pool"] = {"blocks": blocks, "times": times, "chance": chance}
    lines.append(f"{blocks} blocks take more than {times:g} times the expected work with a chance of {chance:.4g}.")


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
    span = 86400.0 if seconds is None else seconds
    if not terms.LEAST <= span <= MAX_SECONDS:
        raise UsageError(f"--seconds: expected a number from {terms.LEAST:g} to {MAX_SECONDS:g}, got {span:g}")
    median = odds.median_best_share(rate * span)
    best: dict[str, Any] = {"hash_rate": rate, "seconds": span, "median": median}
    lines.append(
        f"{hash_rate_text(rate)} for {span_text(span)}: the best share exceeds {rounded(median)} half the time."
    )
    if difficulty is not None:
        wanted = terms.difficulty("--difficulty", difficulty)
        best["chance"] = odds.chance_of_best_share(rate * span, wanted)
        best["seconds_per_share"] = odds.seconds_per_share(wanted, rate)
        lines.append(
            f"One of difficulty {rounded(wanted)} comes every {span_text(best['seconds_per_share'])} on average, "
            f"within that time with a chance of {best['chance']:.4g}. Nobody is ever due."
        )
        if found is not None:
            best["hash_rate_from_shares"] = odds.hash_rate_from_shares(wanted * found, span)
            lines.append(f"{found} of them mean {hash_rate_text(best['hash_rate_from_shares'])}.")
    answer["best_share"] = best
