"""Numbers for people: hash rates, difficulties, durations, in a width that fits a line."""

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def hash_rate_text(rate: float) -> str:
    """``12.3 MH/s``; ``rate`` in H/s."""
    return f"{scaled(rate)}H/s"


def scaled(value: float) -> str:
    """Three significant digits and an SI prefix, the unit to follow: ``12.3 M``; beyond all prefixes ``1.23e+30 ``."""
    if abs(value) >= 999.5e21:
        return f"{value:.3g} "
    index = 0
    while abs(value) >= 999.5 and index < len(_PREFIXES) - 1:
        value /= 1000
        index += 1
    digits = 0 if abs(value) >= 99.95 or index == 0 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{digits}f} {_PREFIXES[index]}"


def difficulty_text(difficulty: float | None) -> str:
    """``0.001``, ``16384``, ``1.1e+14``; ``-`` when unknown."""
    return "-" if difficulty is None else f"{difficulty:.4g}"


def duration_text(seconds: float) -> str:
    """``4.2s``, ``3m07s``, ``2h05m``, ``9d04h``."""
    if seconds < 60:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d{hours:02d}h"
    return f"{hours}h{minutes:02d}m" if hours else f"{minutes}m{rest:02d}s"
