"""A view as lines of text that fit a screen of any size: pure, so that every size can be tested.

From top to bottom: what it is and does, the pool and its job, hash rates, shares, devices, pools where there are
several, events in whatever room is left, keys. When room is short, what can be missed most goes first. Colour repeats
what words and signs say.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text

from stratum_miner.cli.profit.quantities import span_text
from stratum_miner.cli.quantities import difficulty_text, duration_text, hash_rate_text, scaled
from stratum_miner.monitoring.model import DeviceView, EventView, PoolView, Summary, View

LEAST_WIDTH = 40
LEAST_EVENTS = 3
SMALL_HEIGHT = 14
"""Below it, figures go before events."""
_BARS = "▁▂▃▄▅▆▇█"
_ASCII_BARS = "_.-=+*#@"
_STATE_STYLES = {"mining": "green", "up": "green", "throttled": "yellow", "sick": "yellow", "paused": "yellow",
                 "degraded": "yellow", "trying": "yellow", "starting": "yellow", "stopping": "yellow",
                 "silent": "yellow", "no_device": "red", "no_pool": "red", "dead": "red", "off": "red",
                 "absent": "red", "down": "red", "penalized": "red"}  # fmt: skip
_LEVEL_STYLES = {"warning": "yellow", "error": "red", "critical": "red"}


@dataclass(frozen=True, slots=True)
class Face:
    """The screen that there is, and what stands at its foot."""

    width: int
    height: int
    ascii_only: bool = False
    foot: str = ""
    """Keys, or a question."""
    notice: str = ""
    """The answer to the last key."""


def draw(view: View, face: Face) -> list[Text]:
    """Exactly as many lines as the screen has, none wider than it."""
    width, summary = max(face.width, LEAST_WIDTH), view.summary
    head = [*_head(summary, width), *_job(view, width)]
    figures = [*_rates(view, width, face.ascii_only), *_shares(summary, width)]
    devices = _devices(view.devices, width)
    pools = _pools(view.pools, width) if len(view.pools) > 1 else []
    foot = [Text(face.notice or face.foot, style="reverse" if face.notice else "dim")]
    kept = LEAST_EVENTS + 1 if face.height >= SMALL_HEIGHT else 0
    body = _fitted([head, figures, devices, pools], face.height - len(foot) - kept)
    room = face.height - len(body) - len(foot) - 1
    events = _events(view.events, room) if room > 0 else []
    lines = [*body, *events]
    lines = [*lines[: max(0, face.height - len(foot))]]
    lines += [Text("")] * (face.height - len(foot) - len(lines))
    return [_cut(line, face) for line in (*lines, *foot)][: face.height]


def _cut(line: Text, face: Face) -> Text:
    shown = line.copy()
    if not shown.plain.isprintable():  # a pool's words may be in it, and must not steer the terminal
        shown.plain = "".join(letter if letter.isprintable() else "?" for letter in shown.plain)
    if face.ascii_only:
        shown.plain = shown.plain.translate(_ASCII)
    shown.truncate(face.width, overflow="crop" if face.ascii_only else "ellipsis")
    shown.no_wrap = True
    return shown


_ASCII = {ord("·"): "|", ord("…"): "~", ord("–"): "-", ord("─"): "-"}


def _fitted(blocks: Sequence[list[Text]], room: int) -> list[Text]:
    """The blocks with an empty line between, the last shortened or left out where they do not fit."""
    lines: list[Text] = []
    for block in blocks:
        if not block:
            continue
        gap = [Text("")] if lines else []
        left = room - len(lines) - len(gap)
        if left < min(2, len(block)):
            break
        cut = block if len(block) <= left else [*block[: left - 1], Text(f"  {len(block) - left + 1} more", "dim")]
        lines += gap + cut
    return lines


# ---- blocks ---------------------------------------------------------------------------------------------------------


def _head(summary: Summary, width: int) -> list[Text]:
    left = Text.assemble(
        ("stratum_miner ", "bold"), (summary.version, "dim"), " · ", _state(summary.state),
        f" · {duration_text(summary.elapsed_s)}",
    )  # fmt: skip
    if summary.power_w is not None:
        left.append(f" · {summary.power_w:,.0f} W")
        if summary.joules_per_terahash is not None:
            left.append(f" · {scaled(summary.joules_per_terahash).strip()} J/TH")
    return [_sides(left, Text(hash_rate_text(summary.hash_rate_1m), style="bold"), width)]


def _job(view: View, width: int) -> list[Text]:
    summary = view.summary
    active = next((pool for pool in view.pools if pool.active), None)
    pool = _field("pool", f"{summary.pool} as {summary.worker_name}")
    lines = [pool if active is None else _sides(pool, Text(_latency(active), style="dim"), width)]
    job = summary.job
    if job is None:
        lines.append(_field("job", summary.detail or "none yet"))
        return lines
    height = "" if summary.height is None else f"block {summary.height:,}, "
    lines.append(
        _field(
            "job",
            f"{job.job_id} · {height}{duration_text(job.age_s)} old · "
            f"difficulty {_difficulty(job.share_difficulty)} of {_difficulty(job.network_difficulty)}",
        )
    )
    return lines


def _latency(pool: PoolView) -> str:
    if pool.latency_p50_ms is None:
        return ""
    return f"{pool.latency_p50_ms:.1f} ms (99 %: {pool.latency_p99_ms or 0:.1f})"


def _rates(view: View, width: int, ascii_only: bool) -> list[Text]:
    summary = view.summary
    rates = " · ".join(
        f"{window} {hash_rate_text(rate)}"
        for window, rate in (
            ("5 s", summary.hash_rate_5s),
            ("5 m", summary.hash_rate_5m),
            ("15 m", summary.hash_rate_15m),
            ("all", summary.hash_rate),
        )
    )
    lines = [_field("rate", rates)]
    implied = summary.implied_hash_rate
    if implied is not None:
        bounds = f"{hash_rate_text(implied.low)} to {hash_rate_text(implied.high)}"
        lines.append(_field("shares say", f"{hash_rate_text(implied.value)}, 95 %: {bounds}"))
    bars = _spark([point.hash_rate for point in view.history], width - 12, ascii_only)
    if bars:
        lines.append(Text.assemble(f"{'10 minutes':<12}", (bars, "cyan")))
    return lines


def _spark(values: Sequence[float], width: int, ascii_only: bool) -> str:
    """The newest values, one a character or the mean of a few, from zero to the highest."""
    if len(values) < 2 or width < 8:
        return ""
    step = -(-len(values) // width)
    tail = values[len(values) % step :]
    means = [sum(tail[index : index + step]) / step for index in range(0, len(tail), step)]
    top = max(means)
    bars = _ASCII_BARS if ascii_only else _BARS
    return "".join(bars[min(len(bars) - 1, int(mean / top * len(bars)))] if top > 0 else bars[0] for mean in means)


def _shares(summary: Summary, width: int) -> list[Text]:
    shares = summary.shares
    line = Text.assemble(
        f"{'shares':<12}", (f"{shares.accepted:,} accepted", "green"), " · ",
        (f"{shares.rejected:,} rejected", "red" if shares.rejected else ""), " · ",
        (f"{shares.stale:,} stale", "yellow" if shares.stale else ""), " · ",
        (f"{shares.lost:,} lost", "red" if shares.lost else ""),
    )  # fmt: skip
    if shares.open:
        line.append(f" · {shares.open} open", "dim")
    lines = [line]
    told = [f"best {_difficulty(summary.best_share)}"] if summary.best_share else []
    if summary.blocks_accepted:
        told.append(f"{summary.blocks_accepted:,} block{'s' if summary.blocks_accepted != 1 else ''} solved")
    if summary.luck.ratio is not None:
        told.append(f"luck {summary.luck.ratio:.2f} ({summary.luck.low:.2f} to {summary.luck.high:.2f})")
    if told:
        lines.append(_field("", " · ".join(told)))
    if summary.share_every_s is not None:
        age = "" if summary.last_share_age_s is None else f", the last {duration_text(summary.last_share_age_s)} ago"
        lines.append(_field("", f"one every {span_text(summary.share_every_s)} on average{age}"))
    if summary.hardware_errors:
        lines.append(_field("errors", f"{summary.hardware_errors:,} nonces computed wrongly", "red"))
    lines += [_field("problem", problem.text, "red") for problem in summary.problems]
    if summary.economics is not None:
        lines.append(_field("costs", _costs(summary), "dim"))
    return lines


def _costs(summary: Summary) -> str:
    told = summary.economics or {}
    text = f"{told['electricity_per_day']:.2f} a day, {told['electricity_so_far']:.4f} so far"
    if told.get("profit_per_day") is not None:
        text += f"; {'earns' if told['profit_per_day'] >= 0 else 'loses'} {abs(told['profit_per_day']):.4f} a day"
    if told.get("seconds_per_block") is not None:
        text += f"; a block here takes {span_text(told['seconds_per_block'])}"
    return text


def _devices(devices: Sequence[DeviceView], width: int) -> list[Text]:
    if not devices:
        return []
    hot = any(device.chip_temperature_c is not None for device in devices)
    watts = any(device.power_w is not None for device in devices)
    name_width = min(max(8, width - (64 if hot or watts else 52)), max(len(device.name) for device in devices) + 2)
    heading = f"{'device':<{max(12, name_width)}}{'5 s':>11}{'1 m':>11}{'nonces':>9}{'errors':>7}"
    heading += f"{'temp':>7}" if hot else ""
    heading += f"{'power':>8}" if watts else ""
    lines = [Text(f"{heading}  state", "dim")]
    for device in devices:
        name = device.name if len(device.name) <= name_width or name_width < 9 else device.name[: name_width - 1] + "…"
        line = Text(f"{name:<{max(12, name_width)}}")
        line.append(f"{hash_rate_text(device.hash_rate):>11}{hash_rate_text(device.hash_rate_1m):>11}")
        line.append(f"{_count(device.nonces_found):>9}")
        line.append(f"{_count(device.hardware_errors):>7}", "red" if device.hardware_errors else "")
        if hot:
            line.append("      -" if device.chip_temperature_c is None else f"{device.chip_temperature_c:>5.0f} C")
        if watts:
            line.append("       -" if device.power_w is None else f"{device.power_w:>6.1f} W")
        line.append("  ")
        line.append_text(_state(device.state))
        if device.reason:
            line.append(f": {device.reason}", "dim")
        lines.append(line)
    return lines


def _pools(pools: Sequence[PoolView], width: int) -> list[Text]:
    names = [pool.name.removeprefix("stratum+tcp://") for pool in pools]
    room = max(9, min(max(map(len, names)), width - 52))
    lines = [Text(f"{'pool':<{room + 3}}{'accepted':>9}{'rejected':>9}{'stale':>7}{'lost':>7}  state", "dim")]
    for name, pool in zip(names, pools, strict=True):
        mark = ">" if pool.active else " " if pool.enabled else "x"
        shown = name if len(name) <= room else name[: room - 1] + "…"
        line = Text(f"{mark}{pool.id} {shown:<{room}}", "bold" if pool.active else "")
        line.append(f"{_count(pool.accepted):>9}{_count(pool.rejected):>9}")
        line.append(f"{_count(pool.stale):>7}{_count(pool.lost):>7}  ")
        line.append_text(_state(pool.state if pool.enabled else "off"))
        share = "" if pool.work_share is None else f", {pool.work_share:.0%} of the time"
        line.append(f" {duration_text(pool.since_s)}{share}{': ' if pool.reason else ''}{pool.reason}", "dim")
        lines.append(line)
    return lines


def _events(events: Sequence[EventView], room: int) -> list[Text]:
    lines = [Text("")]
    for event in events[max(0, len(events) - room) :]:
        style = "bold green" if "BLOCK" in event.text else _LEVEL_STYLES.get(event.level, "")
        clock = time.strftime("%H:%M:%S", time.localtime(event.at))
        lines.append(Text.assemble((f"{clock}  ", "dim"), (event.text, style)))
    return lines


def _field(name: str, text: str, style: str = "") -> Text:
    return Text.assemble((f"{name:<12}", "dim"), (text, style))


def _state(state: str) -> Text:
    return Text(state, _STATE_STYLES.get(state, ""))


def _sides(left: Text, right: Text, width: int) -> Text:
    """Both on one line; the left one gives way."""
    room = width - len(right.plain) - 1
    if room < LEAST_WIDTH // 2:
        return left
    shown = left.copy()
    shown.truncate(room, overflow="ellipsis", pad=True)
    return Text.assemble(shown, " ", right)


def _difficulty(difficulty: float) -> str:
    return scaled(difficulty).strip() if difficulty >= 10_000 else difficulty_text(difficulty)


def _count(number: int) -> str:
    return f"{number:,}" if number < 1_000_000 else scaled(number).strip().replace(" ", "")
