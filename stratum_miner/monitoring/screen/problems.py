"""Draws the problems, the worst first, each with advice."""

from collections.abc import Sequence

from rich.text import Text

from stratum_miner.monitoring.screen.lines import field
from stratum_miner.monitoring.screen.states import severity_style
from stratum_miner.monitoring.view import ProblemView
from stratum_miner.quantities import duration_text


def problem_lines(problems: Sequence[ProblemView], width: int, room: int) -> list[Text]:
    """Return lines for as many whole problems as fit into ``room`` lines, and a line with the number of the other
    problems.

    The worst problem is always shown, even if it does not fit.
    """
    lines: list[Text] = []
    advice = ""
    for index, problem in enumerate(problems):
        # the same advice is not shown twice in a row
        block = _whole(problem, width, "" if problem.advice == advice else problem.advice)
        is_last = index == len(problems) - 1
        if lines and len(lines) + len(block) + (not is_last) > room:
            return [*lines, _rest(problems[index:])]
        lines += block
        advice = problem.advice
    return lines


def _whole(problem: ProblemView, width: int, advice: str) -> list[Text]:
    style = severity_style(problem.severity)
    text = Text.assemble((problem.text, style), f" {advice}" if advice else "")
    text.append(f" (for {duration_text(problem.since_s)})", "dim")
    return field(problem.severity, text, width, style=style)


def _rest(problems: Sequence[ProblemView]) -> Text:
    critical = sum(problem.severity == "critical" for problem in problems)
    how = (
        "none of them critical"
        if not critical
        else "all critical"
        if critical == len(problems)
        else f"{critical} critical"
    )
    return Text(f"  {len(problems)} more problem{'s' if len(problems) != 1 else ''}, {how}", "red")
