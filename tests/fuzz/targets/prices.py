"""What a price source or a running miner's API answers to ``profit``, and the terms that are made of it.

The first byte chooses: a number alone, a number under a field of JSON, or the summary of a miner.
"""

from collections.abc import Mapping
from unittest.mock import patch

from stratum_miner.app.process.exit_codes import CommandFailed, UsageError
from stratum_miner.cli.profit import market, terms
from tests.fuzz.judge import check_shown


def run(data: bytes) -> None:
    mode, body = (data[:1] or b"\0")[0] % 3, data[1:]
    try:
        with patch.object(market, "_get", lambda url, option: body):
            if mode == 2:
                _check(market.miner_terms("http://h"))
            else:
                _check(market.price_from_url("http://h", "price.usd" if mode else None))
    except (CommandFailed, UsageError) as error:
        check_shown(str(error), 600)


def _check(found: Mapping[str, str]) -> None:
    for name, text in found.items():
        terms.PARSERS[name](f"--{name}", text)
