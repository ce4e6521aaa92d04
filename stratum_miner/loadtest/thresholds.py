"""Names the figures of a run, checks limits on them (``--fail-if``), and compares them with those of an earlier run.

All functions take a report in its JSON form.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stratum_miner.loadtest import spec
from stratum_miner.loadtest.metrics import PHASES
from stratum_miner.quantities import milliseconds_text

STATISTICS = ("p50", "p90", "p99", "p999", "max", "mean")
_MS = {"us": 1e-3, "µs": 1e-3, "ms": 1.0, "s": 1e3}
_BYTES = {"b": 1.0, "kb": 1e3, "mb": 1e6, "kib": 1024.0, "mib": 1048576.0}
_PER_CENT = {"%": 0.01}
_UNITS: Mapping[str, Mapping[str, float]] = (
    {f"{phase}_{name}": _MS for phase in PHASES for name in STATISTICS}
    | {f"loop_lag_{name}": _MS for name in STATISTICS if name != "mean"}
    | {"spread_max": _MS, "memory_per_miner": _BYTES}
    | {name: {} for name in ("mining", "shares_per_second", "lost", "unanswered", "errors", "bad_accepted", "marked")}
    | {"refused": _PER_CENT}
)
"""For each figure that can have a limit: the units in which users may write the limit, each with the factor that
converts it to the base unit of the figure. A limit without a unit is in the base unit: milliseconds, bytes, a count or
a fraction."""
_LIMIT = re.compile(r"\s*(\w+)\s*(<=|>=|<|>)\s*([0-9.eE+-]+?)\s*([a-zA-Zµ%]*)\s*")


@dataclass(frozen=True, slots=True)
class Threshold:
    """A limit for one figure. The run fails if the condition ``figure operator value`` is true."""

    text: str
    """The limit as the user wrote it."""
    figure: str
    operator: str
    value: float
    """The value of the limit in the base unit of the figure: ms, bytes, a count or a fraction."""

    @classmethod
    def parse(cls, text: str) -> "Threshold":
        """Parse a limit such as ``submit_p99>50ms``, ``shares_per_second<1000`` or ``refused>1%``.

        Raises SpecError if the figure or the unit is unknown, or the text is not of this form.
        """
        match = _LIMIT.fullmatch(text)
        if match is None:
            raise spec.SpecError(
                f"--fail-if: expected FIGURE>VALUE or FIGURE<VALUE, as in submit_p99>50ms, got {text!r}"
            )
        figure, operator, number, unit = match.groups()
        spec.check_known(figure, _UNITS, "--fail-if")
        units = _UNITS[figure]
        if unit:
            spec.check_known(unit.lower(), units or ("no unit",), f"--fail-if {figure}: unit")
        factor = units[unit.lower()] if unit else 1.0
        return cls(text.strip(), figure, operator, spec.number(number, f"--fail-if {figure}") * factor)

    def failure(self, figures: Mapping[str, float | None]) -> str | None:
        """Return why this limit makes the run fail, or None if it does not. A limit also makes the run fail if the run
        has no value for the figure."""
        value = figures.get(self.figure)
        if value is None:
            return f"{self.text}: the run has no sample of this figure"
        exceeded = {
            ">": value > self.value,
            ">=": value >= self.value,
            "<": value < self.value,
            "<=": value <= self.value,
        }[self.operator]
        return f"{self.text}: it was {figure_text(self.figure, value)}" if exceeded else None


@dataclass(frozen=True, slots=True)
class FigureChange:
    """The values of one figure in an earlier and a later run. If a run does not have the figure, its value is None."""

    figure: str
    before: float | None
    after: float | None

    @property
    def ratio(self) -> float | None:
        """The later value divided by the earlier value; None if a value is missing or the earlier value is 0."""
        return self.after / self.before if self.before and self.after is not None else None


def figures_of(report: Mapping[str, Any]) -> dict[str, float | None]:
    """Return all figures of a report by name. Raises SpecError if ``report`` is not the JSON of a report."""
    try:
        return dict(_figures(report))
    except (KeyError, TypeError, AttributeError) as error:
        raise spec.SpecError(
            f"expected the JSON that stratum-miner load --json prints, got JSON of another form ({error})"
        ) from None


def _figures(report: Mapping[str, Any]) -> Iterator[tuple[str, float | None]]:
    for phase in PHASES:
        for name in STATISTICS:
            yield f"{phase}_{name}", report["phases"][phase][f"{name}_ms"]
    for name, value in report["loop_lag_ms"].items():
        yield f"loop_lag_{name}", value
    shares = report["shares"]
    answered = shares["accepted"] + sum(shares["refused"].values())
    spreads = [item["spread_ms"] for item in report["notifies"] if item["spread_ms"] is not None]
    yield "spread_max", max(spreads, default=None)
    yield "memory_per_miner", report["memory_per_miner_bytes"]
    yield "mining", report["mining"]
    yield "shares_per_second", shares["per_second"]
    yield "refused", sum(shares["refused"].values()) / answered if answered else None
    yield "lost", shares["lost"]
    yield "unanswered", shares["unanswered"]
    yield "errors", sum(report["errors"].values())
    yield "bad_accepted", sum(count["accepted"] for count in shares["bad"].values())
    yield "marked", sum(phase["marked"] for phase in report["phases"].values())


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[FigureChange]:
    """Return the values of all figures that at least one of the two runs has.

    Raises SpecError if one of the arguments is not the JSON of a report.
    """
    old, new = figures_of(before), figures_of(after)
    return [
        FigureChange(name, old.get(name), new.get(name)) for name in new if (old.get(name), new[name]) != (None, None)
    ]


def different_settings(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the settings that differ between two runs, one text for each. If there are any, the figures of the two
    runs are not comparable."""
    old = {"miners": before.get("miners"), "target": before.get("target"), **before.get("settings", {})}
    new = {"miners": after.get("miners"), "target": after.get("target"), **after.get("settings", {})}
    return [f"{name}: {old.get(name)} then, {value} now" for name, value in new.items() if old.get(name) != value]


def figure_text(figure: str, value: float | None) -> str:
    """Return the value of a figure as text with its unit; "-" for None."""
    if value is None:
        return "-"
    units = _UNITS[figure]
    if units is _MS:
        return milliseconds_text(value)
    if units is _BYTES:
        return f"{value / 1024:.2f} KiB"
    return f"{value:.3%}" if units is _PER_CENT else f"{value:,.6g}"
