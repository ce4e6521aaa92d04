"""A view as lines of text that fit a screen of any size: pure, so that every size can be tested.

From top to bottom: the rate, the power and how many devices mine; what is wrong, the worst first, with what to do; the
pool and its job, hash rates, shares; devices, those that do not mine first; pools where there are several; events; and
keys. When room is short, problems and devices that do not mine are left out last, and what is left out is counted.
Colour repeats what words say. Totals are those of the view's summary.
"""

import re
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from stratum_miner.monitoring.history import FINE_KEPT, FINE_S
from stratum_miner.monitoring.screen.lines import LABEL, field, fitted, hanging, packed, shortened, sides
from stratum_miner.monitoring.screen.tables import Column, Table, table
from stratum_miner.monitoring.view import DeviceView, EventView, Point, PoolView, ProblemView, Summary, View
from stratum_miner.quantities import (
    count_text,
    duration_text,
    efficiency_text,
    hash_rate_text,
    latency_text,
    scaled_difficulty_text,
    span_text,
)

NO_ANSWER = "no answer"
"""In place of the state of a miner that does not answer."""
LEAST_WIDTH = 40
LEAST_EVENTS = 3
LEAST_WORKER = 16
"""Letters of a worker name, which is often an address and is cut in its middle."""
SMALL_HEIGHT = 14
"""Below it, events give way to figures."""
OLD_S = 5.0
"""Rates that were measured longer ago are said to be old."""
FEWEST_MISSING = 3
"""Points that must be missing for a hole: a busy machine leaves out one or two."""
MOST_RATE = 1e30
"""H/s that a bar can stand for. No miner is so fast, but what a foreign one says may be any number."""
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"
_STATE_STYLES = {
    "mining": "green", "up": "green",
    "degraded": "yellow", "paused": "yellow", "stopping": "yellow", "throttled": "yellow", "sick": "yellow",
    "starting": "yellow", "trying": "yellow", "silent": "yellow",
    "no device": "red", "no pool": "red", NO_ANSWER: "red", "dead": "red", "off": "red", "absent": "red",
    "down": "red", "penalized": "red",
}  # fmt: skip
_LEVEL_STYLES = {"warning": "yellow", "error": "red", "critical": "red"}
_HASH = re.compile(r"[:;,]? *\b[0-9a-f]{64}\b")


@dataclass(frozen=True, slots=True)
class Face:
    """The screen that there is, and what stands at its foot."""

    width: int
    height: int
    ascii_only: bool = False
    foot: tuple[str, ...] = ()
    """Keys, and what each does."""
    notice: str = ""
    """The answer to the last key, in place of the keys."""
    old: str = ""
    """Why the view is not of this moment, if it is not."""


def draw(view: View, face: Face) -> list[Text]:
    """Exactly as many lines as the screen has, none wider than it."""
    width = max(face.width, LEAST_WIDTH)
    head = _head(view.summary, width, is_old=bool(face.old))
    if face.old:
        head += field("old figures", Text(face.old, "red"), width, style="red")
    return framed([*head, *_body(view, face, width, face.height - len(head) - foot_height(face))], face)


def framed(lines: Sequence[Text], face: Face) -> list[Text]:
    """The lines from the top, the keys at the foot, and as many lines in all as the screen has."""
    foot = _foot(face)[: face.height]
    room = face.height - len(foot)
    empty = [Text("")] * (room - len(lines))
    return [fitted(line, face.width, ascii_only=face.ascii_only) for line in (*lines[:room], *empty, *foot)]


def foot_height(face: Face) -> int:
    """Lines that the keys, or what is said in their place, take."""
    return len(_foot(face))


def _foot(face: Face) -> list[Text]:
    width = max(face.width, LEAST_WIDTH)
    if face.notice:
        return packed([Text(face.notice, "reverse")], width)
    return packed([Text(key, "dim") for key in face.foot], width, between="   ")


def _body(view: View, face: Face, width: int, room: int) -> list[Text]:
    """What is needed takes its room first: problems, then devices that are in trouble, then what is mined on and what
    comes of it, the other devices and pools, and more figures. Events have a few lines, and whatever is left.
    """
    devices, pools = _devices(view, width), _pools(view, width)
    problems = _problems(view.summary.problems, width, max(room - devices.least, room // 3))[:room]
    room -= len(problems)
    events = min(LEAST_EVENTS, len(view.events)) if face.height >= SMALL_HEIGHT else 0
    events = max(0, min(events, (room - devices.least) // 2))
    room -= events
    figures = _figures(view.summary, view.pools, width)[: max(0, room - devices.least)]
    room -= len(figures)
    kept = max(0, min(pools.height, (room - devices.least) // 2))
    listed = devices.lines(room - kept)
    room -= len(listed)
    listed_pools = pools.lines(room)
    room -= len(listed_pools)
    more = _more_figures(view, width, face.ascii_only)[:room]
    room -= len(more)
    return _spaced([problems, [*figures, *more], listed, listed_pools], view.events, events, room, width)


def _spaced(
    blocks: Sequence[list[Text]], events: Sequence[EventView], least: int, spare: int, width: int
) -> list[Text]:
    """The blocks one below the other and the events, with empty lines between while there are lines to spare."""
    lines: list[Text] = []
    for block in blocks:
        if lines and block and spare:
            lines.append(Text(""))
            spare -= 1
        lines += block
    gap = [Text("")] if lines and events and spare else []
    return [*lines, *gap, *_events(events, least + spare - len(gap), width)]


# ---- blocks ---------------------------------------------------------------------------------------------------------


def state_text(state: str) -> Text:
    """A state in words, in its colour."""
    words = state.replace("_", " ")
    return Text(words, _STATE_STYLES.get(words, ""))


def detail_is_news(summary: Summary) -> bool:
    """Whether the detail of the state says what no problem says: problems tell in full why something does not mine."""
    told = summary.state in ("degraded", "no_device", "no_pool") and bool(summary.problems)
    return bool(summary.detail) and not told


def severity_style(severity: str) -> str:
    """The colour of a problem."""
    return "red" if severity == "critical" else "yellow"


def _power(summary: Summary) -> str:
    if summary.power_w is None:
        return ""
    return f"{'at least ' if summary.power_is_partial else ''}{summary.power_w:,.0f} W"


def _head(summary: Summary, width: int, *, is_old: bool) -> list[Text]:
    old = f" ({duration_text(summary.sample_age_s)} old)" if summary.sample_age_s > OLD_S else ""
    items = [
        state_text(NO_ANSWER if is_old else summary.state),
        Text(hash_rate_text(summary.hash_rate_1m) + old, "bold"),
        Text(_power(summary)),
        Text(f"{summary.devices_mining} of {summary.devices_total} devices mine"),
    ]
    items = [item for item in items if item]
    lines = packed(items, width)
    age = Text(f"up {duration_text(summary.elapsed_s)}", "dim")
    version = Text(f"stratum_miner {summary.version}, ", "dim")
    frozen = f", did not run for {duration_text(summary.frozen_s)}" if summary.frozen_s >= 1 else ""
    rights = (version + age + Text(frozen, "dim"), age + Text(frozen, "dim"), age)
    beside = [sides(lines[-1], right, width) for right in rights]
    lines = [*lines[:-1], next(filter(None, beside), lines[-1])]
    if detail_is_news(summary):
        lines += hanging(Text(), Text(summary.detail), width)
    return lines


def _problems(problems: Sequence[ProblemView], width: int, room: int) -> list[Text]:
    """As many as fit, each of them whole, and how many more there are. The worst is there wherever it fits alone."""
    lines: list[Text] = []
    advice = ""
    for index, problem in enumerate(problems):
        block = _problem(problem, width, "" if problem.advice == advice else problem.advice)  # said once for all
        is_last = index == len(problems) - 1
        if lines and len(lines) + len(block) + (not is_last) > room:
            return [*lines, _more_problems(problems[index:])]
        lines += block
        advice = problem.advice
    return lines


def _problem(problem: ProblemView, width: int, advice: str) -> list[Text]:
    style = severity_style(problem.severity)
    text = Text.assemble((problem.text, style), f" {advice}" if advice else "")
    text.append(f" (for {duration_text(problem.since_s)})", "dim")
    return field(problem.severity, text, width, style=style)


def _more_problems(problems: Sequence[ProblemView]) -> Text:
    critical = sum(problem.severity == "critical" for problem in problems)
    how = (
        "none of them critical"
        if not critical
        else "all critical"
        if critical == len(problems)
        else f"{critical} critical"
    )
    return Text(f"  {len(problems)} more problem{'s' if len(problems) != 1 else ''}, {how}", "red")


def _figures(summary: Summary, pools: Sequence[PoolView], width: int) -> list[Text]:
    """What is mined on, and what comes of it."""
    return [*_job(summary, pools, width), *_rates(summary, width), *_shares(summary, width)]


def _more_figures(view: View, width: int, ascii_only: bool) -> list[Text]:
    """The most telling first."""
    summary = view.summary
    return [
        *_luck(summary, width), *_implied(summary, width), *_history(view.history, width, ascii_only),
        *_costs(summary, width),
    ]  # fmt: skip


def _job(summary: Summary, pools: Sequence[PoolView], width: int) -> list[Text]:
    active = next((pool for pool in pools if pool.active), None)
    name = _address(summary.pool if active is None else active.name)
    worker = summary.worker_name if active is None else active.worker_name
    room = max(LEAST_WORKER, width - LABEL - len(f"{name} · worker "))
    lines = packed([name, f"worker {shortened(worker, room)}", *_latency(active)], width, label="pool")
    job = summary.job
    if job is None:
        return [*lines, *field("job", "none", width)]
    told = [f"block {summary.height:,}"] if summary.height is not None else []
    share, block = scaled_difficulty_text(job.share_difficulty), scaled_difficulty_text(job.network_difficulty)
    difficulty = f"{share}, each share is a block" if _is_easy(summary) else f"{share} a share, {block} a block"
    told += [f"{duration_text(job.age_s)} old", f"difficulty {difficulty}"]
    return [*lines, *packed(told, width, label="job")]


def _address(name: str) -> str:
    return name.removeprefix("stratum+tcp://")


def _is_easy(summary: Summary) -> bool:
    """Whether a share is worth a block, as on a private chain."""
    return summary.job is not None and summary.job.share_difficulty >= summary.job.network_difficulty


def _latency(pool: PoolView | None) -> list[str]:
    if pool is None or pool.latency_p50_ms is None:
        return []
    most = "" if pool.latency_p99_ms is None else f" (99 %: {latency_text(pool.latency_p99_ms)})"
    return [f"answers in {latency_text(pool.latency_p50_ms)}{most}"]


def _rates(summary: Summary, width: int) -> list[Text]:
    """A window that is longer than the run would repeat the rate of the whole run."""
    windows = (
        ("5 s", 5, summary.hash_rate_5s),
        ("5 m", 300, summary.hash_rate_5m),
        ("15 m", 900, summary.hash_rate_15m),
        ("all", 60, summary.hash_rate),
    )
    rates = [f"{name} {hash_rate_text(rate)}" for name, seconds, rate in windows if summary.elapsed_s > seconds]
    return packed(rates, width, label="rate")


def _implied(summary: Summary, width: int) -> list[Text]:
    implied = summary.implied_hash_rate
    if implied is None:
        return []
    bounds = f"95 %: {hash_rate_text(implied.low)} to {hash_rate_text(implied.high)}"
    return packed([hash_rate_text(implied.value), bounds], width, label="shares say")


def _history(points: Sequence[Point], width: int, ascii_only: bool) -> list[Text]:
    bars = _spark(_with_holes(points), width - LABEL, ascii_only)
    return [Text.assemble(f"{'10 minutes':<{LABEL}}", (bars, "cyan"))] if bars else []


def _with_holes(points: Sequence[Point]) -> list[float | None]:
    """The hash rates of the points that may be shown, and None for each that is missing since nothing ran."""
    rates: list[float | None] = []
    newest = points[-FINE_KEPT:]
    for before, point in zip([None, *newest], newest, strict=False):
        missing = 0 if before is None else (point.at - before.at) / FINE_S - 1
        if missing >= FEWEST_MISSING:
            rates += [None] * int(min(missing, FINE_KEPT))
        rates.append(point.hash_rate)
    return rates[-FINE_KEPT:]


def _spark(values: Sequence[float | None], width: int, ascii_only: bool) -> str:
    """The newest values, one a character or the mean of a few, from zero to the highest; a space where nothing ran."""
    if len(values) < 2 or width < 8:
        return ""
    step = -(-len(values) // width)
    tail = values[len(values) % step :]
    means = [_mean(tail[index : index + step]) for index in range(0, len(tail), step)]
    top = max((mean for mean in means if mean is not None), default=0.0) or 1.0
    bars = _ASCII_BARS if ascii_only else _BARS
    return "".join(" " if mean is None else bars[min(len(bars) - 1, int(mean / top * len(bars)))] for mean in means)


def _mean(values: Sequence[float | None]) -> float | None:
    known = [min(max(0.0, value), MOST_RATE) for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _shares(summary: Summary, width: int) -> list[Text]:
    shares = summary.shares
    counts = [
        Text(f"{shares.accepted:,} accepted", "green"),
        Text(f"{shares.rejected:,} rejected", "red" if shares.rejected else ""),
        Text(f"{shares.stale:,} stale", "yellow" if shares.stale else ""),
        Text(f"{shares.lost:,} lost", "red" if shares.lost else ""),
    ]
    if shares.open:
        counts.append(Text(f"{shares.open:,} open", "dim"))
    lines = packed(counts, width, label="shares")
    if summary.hardware_errors:
        errors = Text(f"{summary.hardware_errors:,} nonces computed wrongly", "red")
        lines += packed([errors], width, label="errors")
    return lines


def _luck(summary: Summary, width: int) -> list[Text]:
    luck = summary.luck
    told = [f"best share {scaled_difficulty_text(summary.best_share)}"] if summary.best_share else []
    if summary.blocks_accepted:
        told.append(f"{summary.blocks_accepted:,} block{'s' if summary.blocks_accepted != 1 else ''} solved")
    if luck.ratio is not None:
        bounds = "" if luck.low is None or luck.high is None else f" ({luck.low:.2f} to {luck.high:.2f})"
        told.append(f"luck {luck.ratio:.2f}{bounds}")
    if summary.share_every_s is not None:
        told.append(f"a share every {span_text(summary.share_every_s)} on average")
    if summary.last_share_age_s is not None:
        told.append(f"the last {duration_text(summary.last_share_age_s)} ago")
    return packed(told, width, label=" ")


def _costs(summary: Summary, width: int) -> list[Text]:
    day, so_far, profit, block = (
        value if isinstance(value := (summary.economics or {}).get(name), int | float) else None
        for name in ("electricity_per_day", "electricity_so_far", "profit_per_day", "seconds_per_block")
    )
    told = [] if day is None else [f"{day:.2f} a day"]
    told += [] if so_far is None else [f"{so_far:.4f} so far"]
    told += [] if profit is None else [f"{'earns' if profit >= 0 else 'loses'} {abs(profit):.4f} a day"]
    if summary.joules_per_terahash is not None:
        told.append(efficiency_text(summary.joules_per_terahash))
    if block is not None and not _is_easy(summary):
        told.append(f"a block here takes {span_text(block)}")
    return packed(told, width, label="costs")


def _devices(view: View, width: int) -> Table:
    """Those in trouble first: they do not mine though they should, or have another problem."""
    troubled = {problem.device_id for problem in view.summary.problems}
    names = Counter(device.name for device in view.devices)
    expected = view.summary.state not in ("paused", "stopping", "no_pool")

    def is_ill(device: DeviceView) -> bool:
        return device.id in troubled or (expected and not device.mines and device.state != "removed")

    def order(device: DeviceView) -> tuple[bool, bool, int]:
        ill = is_ill(device)
        return not ill, device.mines if ill else device.state == "removed", device.id

    devices = sorted(view.devices, key=order)

    def name(device: DeviceView) -> str:
        return device.name if names[device.name] == 1 else f"{device.backend} {device.name}"

    def notes(device: DeviceView) -> list[Text]:
        told = not device.reason or device.id in troubled or not expected
        return [] if told else [Text(device.reason, "dim")]

    def rest(shown: int) -> str:
        hidden = devices[shown:]
        idle = sum(not device.mines for device in hidden)
        how = (
            "all mining" if not idle else "none of them mining" if idle == len(hidden) else f"{idle} of them not mining"
        )
        return f"{len(hidden)} more, {how}"

    columns = [
        Column("state", 10, lambda device: state_text(device.state), is_word=True),
        Column("1 m", 11, lambda device: hash_rate_text(device.hash_rate_1m)),
        *_sensors(devices),
        Column("accepted", 10, lambda device: count_text(device.accepted)),
        Column(
            "errors", 8, lambda device: Text(count_text(device.hardware_errors), "red" * bool(device.hardware_errors))
        ),
        Column("5 s", 11, lambda device: hash_rate_text(device.hash_rate)),
        Column("refused", 9, lambda device: count_text(device.refused)),
        Column("nonces", 9, lambda device: count_text(device.nonces_found)),
    ]
    needed = sum(map(is_ill, devices))
    return table("device", devices, columns, name=name, notes=notes, rest=rest, width=width, needed=needed)


def _sensors(devices: Sequence[DeviceView]) -> list[Column[DeviceView]]:
    """Columns of what some device measures."""
    found: list[Column[DeviceView]] = []
    if any(device.chip_temperature_c is not None for device in devices):
        found.append(Column("temp", 7, lambda device: _known(device.chip_temperature_c, "{:.0f} C")))
    if any(device.power_w is not None for device in devices):
        found.append(Column("power", 9, lambda device: _known(device.power_w, "{:.1f} W")))
    return found


def _known(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)


def _pools(view: View, width: int) -> Table:
    """The best first, each with the id that a key names it by."""
    pools = view.pools if len(view.pools) > 1 else ()
    troubled = {problem.pool_id for problem in view.summary.problems}

    def name(pool: PoolView) -> str:
        mark = ">" if pool.active else " " if pool.enabled else "x"
        return f"{mark}{pool.id} {_address(pool.name)}"

    def notes(pool: PoolView) -> list[Text]:
        return [] if not pool.reason or pool.id in troubled else [Text(pool.reason, "dim")]

    columns: list[Column[PoolView]] = [
        Column("state", 11, lambda pool: state_text(pool.state if pool.enabled else "off"), is_word=True),
        Column("for", 7, lambda pool: duration_text(pool.since_s)),
        Column("accepted", 10, lambda pool: count_text(pool.accepted)),
        Column("refused", 9, lambda pool: count_text(pool.rejected + pool.stale)),
        Column("lost", 7, lambda pool: count_text(pool.lost)),
    ]
    if any(pool.work_share is not None for pool in pools):
        columns.insert(2, Column("of time", 9, lambda pool: _known(pool.work_share, "{:.0%}")))
    return table(
        "pool", pools, columns, name=name, notes=notes, rest=lambda shown: f"{len(pools) - shown} more", width=width
    )


def _events(events: Sequence[EventView], room: int, width: int) -> list[Text]:
    """The newest, warnings in full; a hash of a block is too long to be read here."""
    lines: list[Text] = []
    for event in reversed(events):
        if room - len(lines) < 1:
            break
        style = "bold green" if "BLOCK" in event.text else _LEVEL_STYLES.get(event.level, "")
        clock, text = Text(f"{_clock(event.at)}  ", "dim"), Text(_HASH.sub("", event.text), style)
        block = hanging(clock, text, width) if event.level in _LEVEL_STYLES else [clock + text]
        lines = [*(block if len(block) <= room - len(lines) else [clock + text]), *lines]
    return lines


def _clock(at: float) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):  # what another miner says need not be a date
        return "--:--:--"
