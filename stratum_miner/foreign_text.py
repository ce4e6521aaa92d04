"""Text that somebody else wrote, made safe to show: bounded, printable, on one line. The one place that does this.

Peers, files, devices and other programs choose such text. It must not steer a terminal, begin another line of a log
or fill a page.
"""

SHOWN_CHARACTERS = 200
"""How much of a foreign text is kept; python pools send tracebacks of 2 kB (stratum.md 7, 85)."""


def sanitize(text: str | bytes, limit: int = SHOWN_CHARACTERS) -> str:
    """Replace what is not printable (control characters, escapes, line ends) and cut at ``limit`` characters."""
    if isinstance(text, bytes):
        text = text[: limit * 4].decode("utf-8", "replace")
    shown = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text[:limit])
    return shown.strip() + ("…" if len(text) > limit else "")
