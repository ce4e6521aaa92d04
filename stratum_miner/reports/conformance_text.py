"""Results of the conformance checks for a terminal: first the failed checks with all details, then one line for each
other check, and last a summary."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from stratum_miner.conformance import Level, PoolDeath, Result, Tally, Verdict
from stratum_miner.conformance.report import by_reason, failures, skip_notes
from stratum_miner.conformance.reproduction import commands

_STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.SKIPPED: "dim",
    Verdict.OBSERVED: "blue",
}
_INDENT = 2
"""Number of spaces before the details of a check."""
_HANGING = 11
"""Number of spaces before the second line of a detail, in addition to ``_INDENT``."""


def show(
    pool: str,
    results: Sequence[Result],
    seconds: float,
    console: Console,
    *,
    death: PoolDeath | None = None,
    gone: Sequence[str] = (),
) -> None:
    """Print the whole result of a run that took ``seconds`` seconds.

    ``death`` says how the pool died, if it did. ``gone`` are the ids of the known deviations that are gone.
    """
    failed = failures(results)
    for result in failed:
        _show_failure(console, pool, result)
    known = [result for result in results if result.known_deviation]
    if known:
        _heading(console, "known deviations")
        for result in known:
            _show_line(console, result)
            _detail(console, "reason", result.known_deviation)
            _detail(console, "seen", result.outcome.actual)
    if death is not None:
        _show_suspects(console, pool, death, results)
    _show_others(console, [result for result in results if result.verdict in (Verdict.PASSED, Verdict.OBSERVED)])
    _show_skipped(console, results)
    console.print()
    for text in _summary(Tally.of(results), failed, seconds):
        _print(console, 0, Text(f"{pool}: {text}"))
    for text in skip_notes(results):
        _print(console, 0, Text(text))
    for each in gone:
        _print(console, 0, Text(f"{each} no longer deviates: delete it from the file of known deviations.", "bold"))
    if death is not None:
        _print(console, 0, Text(f"{pool}: {death}. {death.consequence}", "bold red"))


def _summary(tally: Tally, failed: Sequence[Result], seconds: float) -> Iterable[str]:
    known = f"{tally.known} known deviation{'s' * (tally.known != 1)}, " if tally.known else ""
    yield (
        f"{tally.passed} passed, {tally.failed_must} MUST and {tally.failed_should} SHOULD failed, {known}"
        f"{tally.skipped} skipped, {tally.observed} observed in {seconds:.0f} s"
    )
    for level in (Level.MUST, Level.SHOULD):
        names = ", ".join(result.case.id for result in failed if result.case.level is level)
        if names:
            yield f"failed {level.value}: {names}"


def _show_failure(console: Console, pool: str, result: Result) -> None:
    case = result.case
    console.print()
    line = Text().append(f"{case.level.value} failed  ", _STYLES[Verdict.FAILED]).append(f"{case.id}  ", "bold")
    _print(console, 0, line.append(case.requirement), hanging=_INDENT)
    if case.hurts:
        _detail(console, "hurts", case.hurts)
    _detail(console, "expected", case.expected)
    _detail(console, "seen", result.outcome.actual)
    _show_evidence(console, pool, result)


def _show_evidence(console: Console, pool: str, result: Result) -> None:
    """Print the transcript of a check, and the commands that send its requests again. A line of them is never divided,
    so that it can be copied from a terminal."""
    if result.transcript:
        _print(console, _INDENT, Text("transcript:"))
    for text in result.transcript:
        console.print(Text(text, "dim"), soft_wrap=True)
    again = commands(pool, result)
    if again:
        bound = "; the ids in it are those of this run" if result.session_bound else ""
        _print(console, _INDENT, Text(f"to send this again, paste into a terminal (Ctrl-C ends it{bound}):"))
    for command in again:
        console.print(Text(command), soft_wrap=True)


def _show_suspects(console: Console, pool: str, death: PoolDeath, results: Sequence[Result]) -> None:
    """Print the evidence of the check that probably ended the pool."""
    suspects = {result.case.id: result for result in results if result.case.id in death.after}
    for identifier in death.after[:1]:
        result = suspects[identifier]
        _heading(console, f"the pool died after a request of {identifier}")
        _print(console, _INDENT, Text(result.case.requirement), hanging=0)
        _show_evidence(console, pool, result)


def _show_others(console: Console, results: Sequence[Result]) -> None:
    topic = ""
    for result in results:
        if result.case.topic != topic:
            topic = result.case.topic
            _heading(console, topic)
        _show_line(console, result)
        if result.verdict is Verdict.OBSERVED:
            _print(console, _INDENT + 9, Text(result.outcome.actual, "dim"))


def _show_skipped(console: Console, results: Sequence[Result]) -> None:
    reasons = by_reason(results)
    if reasons:
        _heading(console, "skipped")
    for reason, skipped in reasons.items():
        _print(console, _INDENT, Text(f"{reason}:"))
        _print(console, _INDENT + 2, Text(", ".join(result.case.id for result in skipped), "dim"))


def _show_line(console: Console, result: Result) -> None:
    case = result.case
    line = Text().append(f"{result.verdict.value:<9}", _STYLES[result.verdict])
    _print(console, _INDENT, line.append(f"{case.id:<7}{case.level.value:<7}{case.requirement}"), hanging=23)


def _heading(console: Console, text: str) -> None:
    console.print(Text(f"\n{text}", "bold"))


def _detail(console: Console, name: str, text: str) -> None:
    _print(console, _INDENT, Text(f"{name + ':':<{_HANGING}}{text}"), hanging=_HANGING)


def _print(console: Console, indent: int, text: Text, hanging: int = 0) -> None:
    """Print a text, indented by ``indent`` spaces. On a terminal, long text is wrapped, and its second and later lines
    are indented by ``hanging`` more spaces. Elsewhere, such as in a file, the text is one line."""
    if not console.is_terminal:
        console.print(Text(" " * indent) + text, soft_wrap=True)
        return
    first, *rest = (
        text.wrap(console, console.width - indent - hanging)
        if hanging == 0
        else _hung(text, hanging, console.width - indent - hanging, console)
    )
    console.print(Text(" " * indent) + first)
    for line in rest:
        console.print(Text(" " * (indent + hanging)) + line)


def _hung(text: Text, hanging: int, width: int, console: Console) -> list[Text]:
    head, tail = text[:hanging], text[hanging:]
    first, *rest = tail.wrap(console, width) or [Text()]
    return [head + first, *rest]
