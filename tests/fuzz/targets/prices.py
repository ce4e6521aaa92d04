"""What a price source or a running miner's API answers to ``profit``, and the terms that are made of it.

The first byte chooses: a number alone, a number under a field of JSON, or the summary of a miner.
"""

from collections.abc import Mapping
from datetime import date

from stratum_miner.economics.profit import sources, terms
from tests.fuzz.judge import check_shown

TODAY = date(2026, 11, 30)


def run(data: bytes) -> None:
    mode, body = (data[:1] or b"\0")[0] % 3, data[1:]
    try:
        if mode == 2:
            _check(sources.miner_terms(body, "--api", "http://h"))
        else:
            _check(sources.price(body, "price.usd" if mode else None, "--price-url", "http://h", TODAY))
    except (sources.SourceError, terms.TermError) as error:
        check_shown(str(error), 600)


def _check(found: Mapping[str, str]) -> None:
    for name, text in found.items():
        terms.PARSERS[name](f"--{name}", text)
