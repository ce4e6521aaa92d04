"""Results of the conformance checks as an HTML page. The details of failed checks are unfolded when the page opens."""

from collections.abc import Sequence
from html import escape

from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.pool_death import PoolDeath
from stratum_miner.conformance.verify import Result, Tally
from stratum_miner.reports.page import document, paragraph

_STYLE = """
h2 { text-transform: capitalize; }
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
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem .6rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--panel); border-radius: .5rem; padding: .7rem; overflow-x: auto; font-size: .8rem;
  max-height: 24rem; }
@media (max-width: 40rem) { summary { grid-template-columns: 5rem 4.5rem 1fr; } summary span:last-child {
  grid-column: 1 / -1; } dl { grid-template-columns: 1fr; } }
"""


def page(pool: str, results: Sequence[Result], seconds: float, *, death: PoolDeath | None = None) -> str:
    """Return the whole HTML document. ``death`` says how the pool died, if it did."""
    lead = (
        f"{len(results)} checks in {seconds:.0f} s. A pool that fails a MUST breaks miners, or loses work or blocks. A "
        "SHOULD is what most pools do. An OBS is only recorded, never judged."
    )
    topics = dict.fromkeys(result.case.topic for result in results)
    died = [] if death is None else [paragraph(f"{pool}: {death}. The checks after that were skipped.", "died")]
    sections = [paragraph(lead, "soft"), *died, _tally(Tally.of(results)), _links(results)]
    for topic in topics:
        sections.append(f"<h2>{escape(topic)}</h2>")
        sections += [_check(result) for result in results if result.case.topic == topic]
    return document(f"Conformance of {pool}", sections, style=_STYLE)


def _tally(tally: Tally) -> str:
    counts = (
        ("passed", "passed", tally.passed),
        ("failed", "MUST failed", tally.failed_must),
        ("failed", "SHOULD failed", tally.failed_should),
        ("skipped", "skipped", tally.skipped),
        ("observed", "observed", tally.observed),
    )
    items = (
        f'<li><strong class="{style if count else "skipped"}">{count}</strong>{name}</li>'
        for style, name, count in counts
    )
    return f'<ul class="tally">{"".join(items)}</ul>'


def _links(results: Sequence[Result]) -> str:
    """Return links to the failed checks."""
    links = ", ".join(
        f'<a class="failed" href="#{result.case.id}">{result.case.id}</a>'
        for result in results
        if result.verdict is Verdict.FAILED
    )
    return f"<p>Failed: {links}</p>" if links else ""


def _check(result: Result) -> str:
    case, verdict = result.case, result.verdict.value
    opened = " open" if result.verdict is Verdict.FAILED else ""
    rows = (
        *([("who is hurt", case.hurts)] if case.hurts else []),
        ("expected", case.expected),
        ("actual", result.outcome.actual),
        ("class", case.kind),
        ("code path", case.address),
        ("duration", f"{result.seconds:.2f} s"),
    )
    terms = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    transcript = f"<pre>{escape(chr(10).join(result.transcript))}</pre>" if result.transcript else ""
    return (
        f'<details{opened} id="{escape(case.id)}"><summary><span class="{verdict}">{verdict}</span>'
        f"<span>{escape(case.id)}</span><span>{case.level.value}</span><span>{escape(case.requirement)}</span></summary>"
        f"<dl>{terms}</dl>{transcript}</details>"
    )
