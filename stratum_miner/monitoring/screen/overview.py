"""Draws several miners as one list, those with problems first. The problems of each miner are listed below it.

Like ``layout``, this module only turns values into lines of text, so that every case can be tested.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from rich.text import Text

from stratum_miner.monitoring.screen import layout
from stratum_miner.monitoring.screen.layout import LEAST_WIDTH, ScreenState, framed
from stratum_miner.monitoring.screen.lines import field, packed
from stratum_miner.monitoring.screen.states import NO_ANSWER, detail_is_news, severity_style, state_text
from stratum_miner.monitoring.screen.tables import NOT_ACCEPTED, Column, Table, table
from stratum_miner.monitoring.view import Summary, View
from stratum_miner.quantities import count_text, duration_text, hash_rate_text

_WORST = (NO_ANSWER, "no_device", "no_pool", "stopping", "paused", "degraded")
"""The states in which a miner does not mine or has a problem, the worst first."""


@dataclass(frozen=True, slots=True)
class WatchedMiner:
    """One miner as it was last seen."""

    number: int
    """Number of the miner, counted from 0. If it has one digit, the key with this digit shows this miner alone."""
    url: str
    view: View | None
    """The newest view of the miner; None before its first answer."""
    error: str
    """Why the last request for a view failed; empty if it succeeded."""
    age_s: float
    """Age of the view in seconds."""

    @property
    def summary(self) -> Summary | None:
        """Summary of the miner; None while it does not answer, because its last figures are out of date."""
        return None if self.view is None or self.error else self.view.summary

    @property
    def state(self) -> str:
        """State that the miner reports, or NO_ANSWER."""
        return NO_ANSWER if self.summary is None else self.summary.state

    @property
    def failure(self) -> str:
        """Why the miner does not answer, and how old its figures are."""
        return self.error if self.view is None else f"{self.error} (its figures are {duration_text(self.age_s)} old)"


def draw_one(miner: WatchedMiner, screen: ScreenState) -> list[Text]:
    """Return the lines of the screen for one miner, or lines that say why no view of the miner has been received."""
    if miner.view is None:
        text = Text(f"{miner.url}: {miner.failure}", "yellow")
        return framed(field(NO_ANSWER, text, max(screen.width, LEAST_WIDTH), style="red"), screen)
    return layout.draw(miner.view, replace(screen, old=f"{miner.url}: {miner.failure}" if miner.error else ""))


def draw(miners: Sequence[WatchedMiner], screen: ScreenState) -> list[Text]:
    """Return exactly as many lines as the screen has: the totals of all miners that answer, then a list of all
    miners."""
    width = max(screen.width, LEAST_WIDTH)
    head = [*_sums(miners, width), Text("")]
    return framed([*head, *_list(miners, width).lines(screen.height - len(head) - layout.foot_height(screen))], screen)


def _sums(miners: Sequence[WatchedMiner], width: int) -> list[Text]:
    states = Counter(miner.state for miner in miners)
    known = [miner.summary for miner in miners if miner.summary is not None]
    powers = [summary for summary in known if summary.power_w is not None]
    partial = len(powers) < len(known) or any(summary.power_is_partial for summary in powers)
    watts = sum(summary.power_w or 0.0 for summary in powers)
    mining, total = (sum(getattr(summary, name) for summary in known) for name in ("devices_mining", "devices_total"))
    items = [
        Text(hash_rate_text(sum(summary.hash_rate_1m for summary in known)), "bold"),
        Text(f"{'at least ' if partial else ''}{watts:,.0f} W" if powers else ""),
        Text(f"{mining} of {total} devices mine"),
        Text(f"{len(miners)} miners:"),
    ]
    counts = [Text.assemble(f"{states[state]} ", state_text(state)) for state in sorted(states, key=_rank)]
    items[-1].append(" ").append_text(Text(", ").join(counts))
    return packed([item for item in items if item], width)


def _rank(state: str) -> int:
    return _WORST.index(state) if state in _WORST else len(_WORST)


def _list(miners: Sequence[WatchedMiner], width: int) -> Table:
    def worst_first(miner: WatchedMiner) -> tuple[int, bool, int]:
        has_no_problem = miner.summary is not None and not miner.summary.problems
        return _rank(miner.state), has_no_problem, miner.number

    ordered = sorted(miners, key=worst_first)
    hosts = Counter(urlsplit(miner.url).netloc for miner in miners)

    def name(miner: WatchedMiner) -> str:
        host = urlsplit(miner.url).netloc
        return f"{miner.number} {host if hosts[host] == 1 else miner.url}"

    def rest(shown: int) -> str:
        hidden = ordered[shown:]
        others = sum(miner.state != "mining" for miner in hidden)
        return f"{len(hidden)} more, {'all mining' if not others else f'{others} of them not mining well'}"

    columns = [
        Column("state", 11, lambda miner: state_text(miner.state), is_word=True),
        Column("1 m", 11, _of(lambda summary: hash_rate_text(summary.hash_rate_1m))),
        Column("devices", 9, _of(lambda summary: f"{summary.devices_mining}/{summary.devices_total}")),
        Column("power", 9, _of(_power)),
        Column("accepted", 10, _of(lambda summary: count_text(summary.shares.accepted))),
        Column(NOT_ACCEPTED, 11, _of(lambda summary: count_text(summary.shares.rejected + summary.shares.stale))),
        Column("lost", 7, _of(lambda summary: count_text(summary.shares.lost))),
    ]
    needed = sum(miner.state != "mining" or bool(_notes(miner)) for miner in ordered)
    return table("miner", ordered, columns, name=name, notes=_notes, rest=rest, width=width, needed=needed)


def _of(cell: Callable[[Summary], str]) -> Callable[[WatchedMiner], str]:
    """Turn ``cell``, which returns the text for a summary, into a function that returns the text for a miner, as
    ``Column`` needs it. The text is a dash if the miner does not answer."""
    return lambda miner: "-" if miner.summary is None else cell(miner.summary)


def _power(summary: Summary) -> str:
    return "-" if summary.power_w is None else f"{'>' if summary.power_is_partial else ''}{summary.power_w:,.0f} W"


def _notes(miner: WatchedMiner) -> list[Text]:
    """Return the full text of everything that is wrong with a miner."""
    summary = miner.summary
    if summary is None:
        return [Text(miner.failure, "yellow")]
    detail = [Text(summary.detail, "yellow")] if detail_is_news(summary) else []
    return detail + [Text(problem.text, severity_style(problem.severity)) for problem in summary.problems]
