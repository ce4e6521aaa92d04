"""Results of the conformance checks for a terminal: one line per check, details of failed checks, and a summary."""

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from stratum_miner.conformance import PoolDeath, Result, Tally, Verdict

_STYLES = {
    Verdict.PASSED: "green",
    Verdict.FAILED: "bold red",
    Verdict.SKIPPED: "dim",
    Verdict.OBSERVED: "blue",
}
_INDENT = 11
"""Number of spaces before the details of a check."""


def show(
    pool: str, results: Sequence[Result], seconds: float, console: Console, *, death: PoolDeath | None = None
) -> None:
    """Print the whole result of a run that took ``seconds`` seconds. ``death`` says how the pool died, if it did."""
    topic = ""
    for result in results:
        case = result.case
        if case.topic != topic:
            topic = case.topic
            console.print(Text(f"\n{topic}", "bold"))
        line = Text().append(f"{result.verdict.value:<9}", _STYLES[result.verdict])
        _print(console, 2, line.append(f"{case.id:<7}{case.level.value:<7}{case.requirement}"), hanging=23)
        if result.verdict is Verdict.FAILED:
            _show_failure(console, result)
        elif result.verdict is not Verdict.PASSED:
            _print(console, _INDENT, Text(result.outcome.actual, "dim"))
    tally = Tally.of(results)
    summary = (
        f"{tally.passed} passed, {tally.failed_must} MUST and {tally.failed_should} SHOULD failed, "
        f"{tally.skipped} skipped, {tally.observed} observed in {seconds:.0f} s"
    )
    console.print()
    _print(console, 0, Text(f"{pool}: {summary}"))
    if death is not None:
        _print(console, 0, Text(f"{pool}: {death}. The checks after that were skipped.", "bold red"))


def _show_failure(console: Console, result: Result) -> None:
    if result.case.hurts:
        _print(console, _INDENT, Text(f"hurts:    {result.case.hurts}"), hanging=10)
    _print(console, _INDENT, Text(f"expected: {result.case.expected}"), hanging=10)
    _print(console, _INDENT, Text(f"actual:   {result.outcome.actual}"), hanging=10)
    shown = 2 * (console.width - _INDENT) if console.is_terminal else None
    for text in result.transcript:
        _print(console, _INDENT, Text(text if shown is None or len(text) <= shown else f"{text[: shown - 1]}…", "dim"))


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
