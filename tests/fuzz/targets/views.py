"""What a miner's HTTP API answers to ``top``: read as a view and drawn, alone and among others, at several sizes."""

from typing import Any

import trio

from stratum_miner.cli import top
from stratum_miner.monitoring.screen import overview
from stratum_miner.monitoring.screen.layout import ScreenState
from stratum_miner.network.fetch import HttpResponse
from tests.fuzz.judge import check_shown

SCREENS = (ScreenState(80, 24), ScreenState(40, 12), ScreenState(200, 60))
ROUNDS = 40


class Answering:
    """Stands in for the fetcher."""

    def __init__(self, answer: HttpResponse) -> None:
        self._answer = answer

    async def fetch(self, *arguments: Any, **options: Any) -> HttpResponse:
        await trio.lowlevel.checkpoint()
        return self._answer


def run(data: bytes) -> None:
    for status in (200, 503):
        miner = top._Remote(0, "http://one.example:7780", None)
        fetcher: Any = Answering(HttpResponse(status, data))
        trio.run(miner.ask, fetcher)
        check_shown(miner.error, 300)
        seen = miner.seen()
        for screen in SCREENS:
            for lines in (overview.draw_one(seen, screen), overview.draw([seen, seen], screen)):
                assert len(lines) <= screen.height
                for line in lines:
                    check_shown(line.plain)
