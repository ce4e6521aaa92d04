"""Shows states and severities as words with a colour that only repeats what the word says."""

from rich.text import Text

from stratum_miner.monitoring.view import Summary

NO_ANSWER = "no answer"
"""Shown instead of the state of a miner that does not answer."""
_STATE_STYLES = {
    "mining": "green", "up": "green",
    "degraded": "yellow", "paused": "yellow", "stopping": "yellow", "throttled": "yellow", "sick": "yellow",
    "starting": "yellow", "trying": "yellow", "silent": "yellow",
    "no device": "red", "no pool": "red", NO_ANSWER: "red", "dead": "red", "off": "red", "absent": "red",
    "down": "red", "penalized": "red",
}  # fmt: skip


def state_text(state: str) -> Text:
    """Return a state in words, in its colour."""
    words = state.replace("_", " ")
    return Text(words, _STATE_STYLES.get(words, ""))


def detail_is_news(summary: Summary) -> bool:
    """Return whether ``summary.detail`` says something that the problems of the summary do not say.

    In the states degraded, no_device and no_pool, any problems of the summary already say what the detail says.
    """
    is_shown = summary.state in ("degraded", "no_device", "no_pool") and bool(summary.problems)
    return bool(summary.detail) and not is_shown


def severity_style(severity: str) -> str:
    """Return the colour in which problems of this severity are shown."""
    return "red" if severity == "critical" else "yellow"
