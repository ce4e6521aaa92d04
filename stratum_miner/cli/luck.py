"""``stratum-miner luck``: calculates how likely it was to find so many shares or blocks, or to have such good or bad
luck."""

from decimal import Decimal
from typing import Annotated, Any

from cyclopts import Parameter

from stratum_miner.app.options import common
from stratum_miner.app.process import printing
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.economics import mainnet, odds
from stratum_miner.economics.chain import hashes_per_block
from stratum_miner.economics.income import DAY_SECONDS
from stratum_miner.economics.profit import terms
from stratum_miner.quantities import cases_text, hash_rate_text, parse_duration, rounded, span_text

MAX_FOUND = 1_000_000
MAX_SECONDS = 1000 * 365.25 * DAY_SECONDS
_DIFFICULTY_HELP = (
    "Used with --hash-rate: print how likely it is that the best share reaches this difficulty in --time. Used "
    "with --found: difficulty of the shares that were found. [default: that of a block of mainnet, "
    f"{float(mainnet.DIFFICULTY.value) / 1e12:.4g}T on {mainnet.DIFFICULTY.date}]"
)


def _text(name: str | tuple[str, ...], help_text: str, group: str) -> Any:
    # With allow_leading_hyphen, the option parser accepts a value such as -1. The code that uses the value then reports
    # what is wrong with it.
    return Parameter(name=name, help=help_text, group=group, negative=(), allow_leading_hyphen=True)


def luck(
    *,
    found: Annotated[
        str | None, _text("--found", "Number of shares or blocks that were found.", "Shares or blocks found")
    ] = None,
    expected: Annotated[
        str | None,
        _text(
            "--expected",
            "Used with --found: number of shares or blocks that were expected for the same work.",
            "Shares or blocks found",
        ),
    ] = None,
    confidence: Annotated[
        str,
        _text("--confidence", "Used with --found: confidence level of the printed interval.", "Shares or blocks found"),
    ] = "95%",
    blocks: Annotated[str | None, _text("--blocks", "Number of blocks that a pool finds.", "Luck of a pool")] = None,
    times: Annotated[
        str | None,
        _text(
            "--times",
            "Used with --blocks: print how likely it is that these blocks take more than this many times the "
            "expected work.",
            "Luck of a pool",
        ),
    ] = None,
    hash_rate: Annotated[
        str | None, _text("--hash-rate", "Hash rate of your devices, such as 1.2TH.", "Best share")
    ] = None,
    time: Annotated[
        str | None,
        _text(
            ("--time", "--seconds"),
            "Used with --hash-rate: time of mining, such as 7d, 1h30m, or a number of seconds. [default: 1d]",
            "Best share",
        ),
    ] = None,
    days: Annotated[
        str | None, _text("--days", "Number of days of mining, to use instead of --time.", "Best share")
    ] = None,
    difficulty: Annotated[str | None, _text("--difficulty", _DIFFICULTY_HELP, "Best share")] = None,
    json: common.Json = False,
) -> int:
    """Calculate how likely good or bad luck is.

    There are three questions. With --found, how likely are so many shares or blocks? With --blocks and --times, how
    likely is so long a wait of a pool? With --hash-rate, which best share may you expect?
    """
    answer: dict[str, Any] = {}
    lines: list[str] = []
    number = None if found is None else terms.whole("--found", found, 0, MAX_FOUND)
    if number is not None:
        _count(number, expected, float(terms.share("--confidence", confidence)), answer, lines)
    elif expected is not None:
        raise UsageError("--expected needs --found, as in --found 10 --expected 5")
    if (blocks is None) != (times is None):
        raise UsageError("--blocks, --times: expected both, as in --blocks 10 --times 1.5, got one")
    if blocks is not None and times is not None:
        _rounds(blocks, times, answer, lines)
    if hash_rate is not None:
        _work(hash_rate, _seconds(time, days), difficulty, number, answer=answer, lines=lines)
    elif time is not None or days is not None or difficulty is not None:
        raise UsageError("--time, --days and --difficulty need --hash-rate, as in --hash-rate 1.2TH --days 30")
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


def _seconds(time: str | None, days: str | None) -> float:
    if time is not None and days is not None:
        raise UsageError("--time, --days: expected one of the two, got both")
    if days is not None:
        return float(terms.number("--days", days, terms.LEAST, Decimal(int(MAX_SECONDS / DAY_SECONDS)))) * DAY_SECONDS
    try:
        return DAY_SECONDS if time is None else parse_duration(time, 0.0, MAX_SECONDS, above=True)
    except ValueError as error:
        raise UsageError(f"--time: {error}") from None


def _count(found: int, expected: str | None, confidence: float, answer: dict[str, Any], lines: list[str]) -> None:
    if not 0 < confidence < 1:
        raise UsageError(f"--confidence: expected more than 0% and less than 100%, got {confidence:%}")
    interval = odds.count_interval(found, confidence)
    answer["count"] = {"found": found, "low": interval.low, "high": interval.high, "confidence": confidence}
    fitting = (
        f"With {100 * confidence:g} % confidence, from {rounded(interval.low)} to {rounded(interval.high)} were to be "
        "expected"
    )
    if expected is None:
        lines.append(f"{found:,} found. {fitting}.")
        return
    wanted = float(terms.number("--expected", expected, terms.LEAST, Decimal(MAX_FOUND)))
    it = odds.Luck(found, wanted)
    chance = odds.probability_of_luck(it)
    low, high = interval.low / wanted, interval.high / wanted
    answer["luck"] = {"ratio": it.ratio, "low": low, "high": high, "chance": chance}
    were = f"{found:,} where {wanted:,.12g} {'was' if wanted == 1 else 'were'} expected"
    if found == wanted:
        lines.append(f"{were}: neither good nor bad luck.")
        return
    lines.append(f"{were}: as {'bad or worse' if found < wanted else 'good or better'} in {cases_text(chance)}.")
    within = "Chance alone explains this" if low <= 1 <= high else "Chance alone hardly explains this"
    lines.append(f"{within}. {fitting}. The luck is {found / wanted:.3f} ({low:.3f} to {high:.3f}).")


def _rounds(blocks: str, times: str, answer: dict[str, Any], lines: list[str]) -> None:
    number = terms.whole("--blocks", blocks, 1, MAX_FOUND)
    factor = float(terms.number("--times", times, terms.LEAST, Decimal(MAX_FOUND)))
    chance = odds.probability_of_pool_luck(number, factor)
    answer["pool"] = {"blocks": number, "times": factor, "chance": chance}
    lines.append(
        f"{number:,} {'block needs' if number == 1 else 'blocks need'} more than {factor:g} times the expected work "
        f"in {cases_text(chance)}."
    )


def _work(
    hash_rate: str,
    seconds: float,
    difficulty: str | None,
    found: int | None,
    *,
    answer: dict[str, Any],
    lines: list[str],
) -> None:
    rate, span = terms.hash_rate("--hash-rate", hash_rate), span_text(seconds)
    hashes = rate * seconds
    median = odds.median_best_share(hashes)
    best: dict[str, Any] = {"hash_rate": rate, "seconds": seconds, "median": median}
    answer["best_share"] = best
    lines.append(
        f"{hash_rate_text(rate)} for {span}: in half of all cases, the best share is above difficulty "
        f"{rounded(median)}."
    )
    if difficulty is None:
        block = float(mainnet.DIFFICULTY.value)
        lines.append(
            f"A block of mainnet (difficulty {block / 1e12:.4g} T on {mainnet.DIFFICULTY.date}) is found in "
            f"{cases_text(odds.probability_of_best_share(hashes, block))}, and every "
            f"{span_text(hashes_per_block(block) / rate)} on average."
        )
        return
    wanted = terms.difficulty("--difficulty", difficulty)
    best["chance"] = odds.probability_of_best_share(hashes, wanted)
    best["seconds_per_share"] = odds.seconds_per_share(wanted, rate)
    lines.append(
        f"A share of difficulty {rounded(wanted)} is found every {span_text(best['seconds_per_share'])} on average. "
        f"In {span}, at least one is found in {cases_text(best['chance'])}. A long wait brings the next share no "
        "closer."
    )
    if found is not None:
        best["hash_rate_from_shares"] = odds.hash_rate_from_shares(wanted * found, seconds)
        lines.append(
            f"{found:,} such shares in {span} are the work of {hash_rate_text(best['hash_rate_from_shares'])}."
        )
