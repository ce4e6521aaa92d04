"""Results as one self-contained page: no script, no request, light or dark as read."""

from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape

from stratum_miner import __version__
from stratum_miner.conformance.case import Verdict
from stratum_miner.conformance.verify import Result, Tally

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2024; --soft: #60646c; --line: #e0e1e6; --page: #fff; --panel: #f7f8fa;
  --passed: #1a7f37; --failed: #c8102e; --skipped: #60646c; --observed: #0b68cb; }
@media (prefers-color-scheme: dark) { :root { --ink: #edeef0; --soft: #a0a5ad; --line: #34373d; --page: #111316;
  --panel: #1a1d21; --passed: #6bd58a; --failed: #ff8095; --skipped: #a0a5ad; --observed: #6cb6ff; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.5rem; margin: .2rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .3rem; text-transform: capitalize; }
.soft, footer { color: var(--soft); font-size: .9rem; overflow-wrap: anywhere; }
.tally { display: flex; flex-wrap: wrap; gap: .6rem; padding: 0; margin: 1rem 0; list-style: none; }
.tally li { background: var(--panel); border-radius: .5rem; padding: .5rem .9rem; }
.tally strong { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums; }
details, .plain { border-bottom: 1px solid var(--line); padding: .45rem 0; }
summary { cursor: pointer; display: grid; grid-template-columns: 5.5rem 4.5rem 4.5rem 1fr; gap: .5rem;
  list-style: none; }
summary::-webkit-details-marker { display: none; }
.passed { color: var(--passed); } .failed { color: var(--failed); font-weight: 700; }
.skipped { color: var(--skipped); } .observed { color: var(--observed); }
dl { display: grid; grid-template-columns: 6rem 1fr; gap: .2rem .6rem; margin: .5rem 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { background: var(--panel); border-radius: .5rem; padding: .7rem; overflow-x: auto; font-size: .8rem;
  max-height: 24rem; }
@media (max-width: 40rem) { summary { grid-template-columns: 5rem 4.5rem 1fr; } summary span:last-child {
  grid-column: 1 / -1; } dl { grid-template-columns: 1fr; } }
"""


def page(pool: str, results: Sequence[Result], seconds: float) -> str:
    """The whole document; failed checks stand open."""
    tally = Tally.of(results)
    title = f"Conformance of {pool}"
    figures = [
        ("passed", "passed", tally.passed),
        ("failed", "MUST failed", tally.failed_must),
        ("failed", "SHOULD failed", tally.failed_should),
        ("skipped", "skipped", tally.skipped),
        ("observed", "observed", tally.observed),
    ]
    items = "".join(
        f'<li><strong class="{style if count else "skipped"}">{count}</strong>{name}</li>'
        for style, name, count in figures
    )
    links = ", ".join(
        f'<a class="failed" href="#{each.case.id}">{each.case.id}</a>'
        for each in results
        if each.verdict is Verdict.FAILED
    )
    topics = dict.fromkeys(result.case.topic for result in results)
    sections = "".join(
        f"<h2>{escape(topic)}</h2>" + "".join(_check(result) for result in results if result.case.topic == topic)
        for topic in topics
    )
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main><h1>{escape(title)}</h1>"
        f'<p class="soft">{len(results)} checks in {seconds:.0f} s. An unmet MUST breaks miners, or costs work '
        "or blocks; a SHOULD is what most pools do; an OBS is recorded and never judged.</p>"
        f'<ul class="tally">{items}</ul>{f"<p>Failed: {links}</p>" if links else ""}{sections}'
        f"<footer><p>Made by stratum-miner {escape(__version__)}, {made}.</p></footer></main></body></html>\n"
    )


def _check(result: Result) -> str:
    case, verdict = result.case, result.verdict.value
    opened = " open" if result.verdict is Verdict.FAILED else ""
    rows = (
        ("expected", case.expected),
        ("actual", result.outcome.actual),
        ("class", case.kind),
        ("address", case.address),
        ("took", f"{result.seconds:.2f} s"),
    )
    terms = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in rows)
    transcript = f"<pre>{escape(chr(10).join(result.transcript))}</pre>" if result.transcript else ""
    return (
        f'<details{opened} id="{escape(case.id)}"><summary><span class="{verdict}">{verdict}</span>'
        f"<span>{escape(case.id)}</span><span>{case.level.value}</span><span>{escape(case.requirement)}</span></summary>"
        f"<dl>{terms}</dl>{transcript}</details>"
    )
