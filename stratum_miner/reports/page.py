"""The HTML page of a report: one file that has no scripts and loads nothing else. The page is light or dark, following
the settings of the reader's computer."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

from stratum_miner import __version__
from stratum_miner.plots import svg
from stratum_miner.plots.figure import Figure

STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
main { max-width: 62rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.6rem; margin: .2rem 0; overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.2rem 0 .4rem; } h3 { font-size: 1rem; margin: 1.6rem 0 .4rem; }
.lead { font-size: 1.15rem; } .soft, figcaption, footer { color: var(--soft); font-size: .9rem; }
.bad { color: rgb(var(--loss)); font-weight: 600; }
figure { margin: 1.4rem 0; padding: 1rem; background: var(--panel); border-radius: .6rem; overflow-x: auto; }
figure svg { min-width: 34rem; }
footer { margin-top: 1.2rem; }
figcaption strong { color: var(--ink); display: block; font-size: 1rem; margin-bottom: .6rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: .35rem .6rem; text-align: right; border-bottom: 1px solid var(--grid); white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
th { color: var(--soft); font-weight: 600; }
"""
"""CSS of all report pages, in addition to ``plots.svg.STYLE``, which has the colours and the classes of the charts."""


def document(title: str, sections: Iterable[str], *, style: str = "", note: str = "") -> str:
    """Return the whole HTML document.

    ``sections`` are HTML; ``title`` and the ``note`` at the end are plain text. ``style`` is the CSS that only this
    report needs.
    """
    made = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{svg.STYLE}{STYLE}{style}</style></head><body><main>"
        f"<h1>{escape(title)}</h1>{''.join(sections)}"
        f"<footer>Made by stratum-miner {escape(__version__)} on {made}. {escape(note)}</footer>"
        "</main></body></html>\n"
    )


def paragraph(text: str, kind: str = "") -> str:
    """Return a paragraph of plain text; ``kind`` is a CSS class."""
    return f'<p class="{kind}">{escape(text)}</p>' if kind else f"<p>{escape(text)}</p>"


def table(title: str, heads: Iterable[str], rows: Iterable[Iterable[str]], *, level: int = 2) -> str:
    """Return a table under a heading of the given ``level``, or without a heading if ``title`` is empty.

    On a narrow page, the table scrolls sideways.
    """
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in row)}</tr>" for row in rows)
    shown = f"<h{level}>{escape(title)}</h{level}>" if title else ""
    return f'{shown}<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def figure(drawn: Figure) -> str:
    """Return a chart with its title above and its note below."""
    note = f"<figcaption>{escape(drawn.note)}</figcaption>" if drawn.note else ""
    return f"<figure><figcaption><strong>{escape(drawn.title)}</strong></figcaption>{svg.render(drawn)}{note}</figure>"
