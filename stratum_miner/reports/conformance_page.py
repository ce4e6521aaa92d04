"""Results of the conformance checks as an HTML page. Failed checks come first, with their details unfolded."""

from collections.abc import Iterable, Sequence
from html import escape

from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.pool_death import PoolDeath
from stratum_miner.conformance.report import by_reason, failures, skip_notes
from stratum_miner.conformance.reproduction import commands
from stratum_miner.conformance.verify import Result, Tally
from stratum_miner.reports.page import document, paragraph

SHORT = 240
"""Maximum number of characters of a line in the transcript of a check that did not fail."""
ENDS = 15
"""Number of lines that are shown of the beginning and of the end of such a transcript."""
_STYLE = """
.topic { text-transform: capitalize; }
.tally { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: 1rem 0; list-style: none; }
.tally li { background: var(--panel); border-radius: .5rem; padding: .5rem .9rem; }
.tally strong { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
details { border-bottom: 1px solid var(--grid); padding: .45rem 0; }
summary { cursor: pointer; display: grid; grid-template-columns: 5.5rem 4.5rem 4.5rem 1fr; gap: .5rem;
  list-style: none; }
summary::-webkit-details-marker { display: none; }
.passed { color: rgb(var(--gain)); } .failed { color: rgb(var(--loss)); font-weight: 700; }
.skipped { color: var(--soft); } .observed { color: var(--series0); }
.died { background: rgb(var(--loss)); color: white; border-radius: .5rem; padding: .7rem .9rem; font-weight: 600; }
dl { display: grid; grid-template-columns: 6.5rem 1fr; gap: .2rem .6rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--panel); border-radius: .5rem; padding: .7rem; overflow-x: auto; font-size: .8rem;
  max-height: 24rem; margin: .4rem 0; }
pre.command { white-space: pre-wrap; overflow-wrap: anywhere; max-height: none; }
@media (max-width: 40rem) { summary { grid-template-columns: 5rem 4.5rem 1fr; } summary span:last-child {
  grid-column: 1 / -1; } dl { grid-template-columns: 1fr; } }
"""


def page(
    pool: str,
    results: Sequence[Result],
    seconds: float,
    *,
    death: PoolDeath | None = None,
    gone: Sequence[str] = (),
) -> str:
    """Return the whole HTML document.

    ``death`` says how the pool died, if it did. ``gone`` are the ids of the known deviations that are gone.
    """
    lead = (
        f"{len(results)} checks in {seconds:.0f} s. A pool that fails a MUST breaks miners, or loses work or blocks. A "
        "SHOULD is what most pools do. An OBS is only recorded, never judged."
    )
    sections = [paragraph(lead, "soft")]
    if death is not None:
        sections.append(paragraph(f"{pool}: {death}. {death.consequence}", "died"))
    sections.append(_tally(Tally.of(results)))
    sections += [paragraph(text) for text in skip_notes(results)]
    sections += [
        paragraph(f"{identifier} no longer deviates: delete it from the file of known deviations.", "bad")
        for identifier in gone
    ]
    suspects = [result for result in results if death is not None and result.case.id in death.after[:1]]
    sections += _section("After this request the pool died", pool, suspects, unfolded=True)
    sections += _section("Failed", pool, failures(results), unfolded=True)
    sections += _section("Known deviations", pool, [result for result in results if result.known_deviation])
    judged = [result for result in results if result.verdict in (Verdict.PASSED, Verdict.OBSERVED)]
    for topic in dict.fromkeys(result.case.topic for result in judged):
        of_topic = [result for result in judged if result.case.topic == topic]
        sections += _section(topic, pool, of_topic, kind="topic")
    for reason, skipped in by_reason(result for result in results if result not in suspects).items():
        sections += _section(f"Skipped: {reason}", pool, skipped)
    return document(f"Conformance of {pool}", sections, style=_STYLE)


def _tally(tally: Tally) -> str:
    counts = (
        ("passed", "passed", tally.passed),
        ("failed", "MUST failed", tally.failed_must),
        ("failed", "SHOULD failed", tally.failed_should),
        ("observed", "known deviations", tally.known),
        ("skipped", "skipped", tally.skipped),
        ("observed", "observed", tally.observed),
    )
    items = (
        f'<li><strong class="{style if count else "skipped"}">{count}</strong>{name}</li>'
        for style, name, count in counts
    )
    return f'<ul class="tally">{"".join(items)}</ul>'


def _section(
    title: str, pool: str, results: Sequence[Result], *, kind: str = "", unfolded: bool = False
) -> Iterable[str]:
    """Yield a heading and the checks below it, or nothing if there are no checks."""
    if results:
        yield f'<h2 class="{kind}">{escape(title)}</h2>' if kind else f"<h2>{escape(title)}</h2>"
    for result in results:
        yield _check(pool, result, unfolded)


def _check(pool: str, result: Result, unfolded: bool) -> str:
    case, verdict = result.case, result.verdict.value
    rows = [
        ("who is hurt", case.hurts),
        ("expected", case.expected),
        ("seen", "" if result.verdict is Verdict.SKIPPED else result.outcome.actual),
        ("known deviation", result.known_deviation),
        ("class", case.kind),
        ("code path", case.address),
        ("duration", f"{result.seconds:.2f} s" if result.transcript else ""),
    ]
    terms = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows if text)
    return (
        f'<details{" open" * unfolded} id="{escape(case.id)}"><summary><span class="{verdict}">{verdict}</span>'
        f"<span>{escape(case.id)}</span><span>{case.level.value}</span><span>{escape(case.requirement)}</span></summary>"
        f"<dl>{terms}</dl>{_evidence(pool, result, unfolded)}</details>"
    )


def _evidence(pool: str, result: Result, unfolded: bool) -> str:
    again = commands(pool, result) if unfolded else []
    bound = "; the ids in it are those of this run" if result.session_bound else ""
    shown = paragraph(f"To send this again, paste into a terminal (Ctrl-C ends it{bound}):", "soft") if again else ""
    shown += "".join(f'<pre class="command">{escape(command)}</pre>' for command in again)
    lines = result.transcript if unfolded else _extract(result.transcript)
    return shown + (f"<pre>{escape(chr(10).join(lines))}</pre>" if result.transcript else "")


def _extract(transcript: Sequence[str]) -> list[str]:
    """Return the first and the last lines of a transcript, none of them longer than ``SHORT`` characters."""
    lines = [
        line if len(line) <= SHORT else f"{line[:SHORT]}… ({len(line) - SHORT} more characters, see --json)"
        for line in transcript
    ]
    left_out = len(lines) - 2 * ENDS
    return lines if left_out <= 0 else [*lines[:ENDS], f"… ({left_out} more lines, see --json)", *lines[-ENDS:]]
