"""Several miners as one list, those in trouble first, each with what is wrong with it; pure, like the screen of one."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from rich.text import Text

from stratum_miner.monitoring.screen import layout
from stratum_miner.monitoring.screen.layout import LEAST_WIDTH, ScreenState, framed
from stratum_miner.monitoring.screen.lines import field, packed
from stratum_miner.monitoring.screen.states import NO_ANSWER, detail_is_news, severity_style, state_text
from stratum_miner.monitoring.screen.tables import Column, Table, table
from stratum_miner.monitoring.view import Summary, View
from stratum_miner.quantities import count_text, duration_text, hash_rate_text

_WORST = (NO_ANSWER, "no_device", "no_pool", "stopping", "paused", "degraded")
"""States from the worst; a miner in another one mines."""


@dataclass(frozen=True, slots=True)
class WatchedMiner:
    """One miner as it was last seen."""

    number: int
    """The key that shows it alone."""
    url: str
    view: View | None
    """The newest view of the miner; None before its first answer."""
    error: str
    """Why there is no newer view; empty while there is one."""
    age_s: float

    @property
    def summary(self) -> Summary | None:
        """None while it does not answer: what it said before is old, and counts for nothing."""
        return None if self.view is None or self.error else self.view.summary

    @property
    def state(self) -> str:
        """The state that the miner gives, or that it does not answer."""
        return NO_ANSWER if self.summary is None else self.summary.state

    @property
    def trouble(self) -> str:
        """Why it does not answer, and since when."""
        return self.error if self.view is None else f"{self.error} (its figures are {duration_text(self.age_s)} old)"


def draw_one(seen: WatchedMiner, screen: ScreenState) -> list[Text]:
    """The screen of one miner, or why there is none."""
    if seen.view is None:
        told = Text(f"{seen.url}: {seen.trouble}", "yellow")
        return framed(field(NO_ANSWER, told, max(screen.width, LEAST_WIDTH), style="red"), screen)
    return layout.draw(seen.view, replace(screen, old=f"{seen.url}: {seen.trouble}" if seen.error else ""))


def draw(miners: Sequence[WatchedMiner], screen: ScreenState) -> list[Text]:
    """Exactly as many lines as the screen has: the sums of those that answer, and each of all."""
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
    def sickness(miner: WatchedMiner) -> tuple[int, bool, int]:
        fine = miner.summary is not None and not miner.summary.problems
        return _rank(miner.state), fine, miner.number

    ordered = sorted(miners, key=sickness)
    places = Counter(urlsplit(miner.url).netloc for miner in miners)

    def name(miner: WatchedMiner) -> str:
        place = urlsplit(miner.url).netloc
        return f"{miner.number} {place if places[place] == 1 else miner.url}"

    def rest(shown: int) -> str:
        hidden = ordered[shown:]
        ill = sum(miner.state != "mining" for miner in hidden)
        return f"{len(hidden)} more, {'all mining' if not ill else f'{ill} not mining well'}"

    columns = [
        Column("state", 11, lambda miner: state_text(miner.state), is_word=True),
        Column("1 m", 11, _of(lambda summary: hash_rate_text(summary.hash_rate_1m))),
        Column("devices", 9, _of(lambda summary: f"{summary.devices_mining}/{summary.devices_total}")),
        Column("power", 9, _of(_power)),
        Column("accepted", 10, _of(lambda summary: count_text(summary.shares.accepted))),
        Column("refused", 9, _of(lambda summary: count_text(summary.shares.rejected + summary.shares.stale))),
        Column("lost", 7, _of(lambda summary: count_text(summary.shares.lost))),
    ]
    needed = sum(miner.state != "mining" or bool(_notes(miner)) for miner in ordered)
    return table("miner", ordered, columns, name=name, notes=_notes, rest=rest, width=width, needed=needed)


def _of(cell: Callable[[Summary], str]) -> Callable[[WatchedMiner], str]:
    """A figure of a miner that answers; a dash for one that does not."""
    return lambda miner: "-" if miner.summary is None else cell(miner.summary)


def _power(summary: Summary) -> str:
    return "-" if summary.power_w is None else f"{'>' if summary.power_is_partial else ''}{summary.power_w:,.0f} W"


def _notes(miner: WatchedMiner) -> list[Text]:
    """What is wrong with it, whole."""
    summary = miner.summary
    if summary is None:
        return [Text(miner.trouble, "yellow")]
    told = [Text(summary.detail, "yellow")] if detail_is_news(summary) else []
    return told + [Text(problem.text, severity_style(problem.severity)) for problem in summary.problems]
