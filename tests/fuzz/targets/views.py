"""What a miner's HTTP API answers to ``top``: read as a view and drawn, alone and among others, at several sizes."""

import msgspec

from stratum_miner.cli.screen import overview
from stratum_miner.cli.screen.layout import Face
from stratum_miner.cli.screen.overview import Seen
from stratum_miner.foreign_text import sanitize_texts
from stratum_miner.monitoring.model import View
from tests.fuzz.judge import check_shown

FACES = (Face(80, 24), Face(40, 12), Face(200, 60))
ROUNDS = 40


def run(data: bytes) -> None:
    try:
        view = msgspec.convert(sanitize_texts(msgspec.json.decode(data)), type=View)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return
    seen = Seen(0, "http://one.example:7780", view, "", 1.0)
    for face in FACES:
        for lines in (overview.draw_one(seen, face), overview.draw([seen, seen], face)):
            assert len(lines) <= face.height
            for line in lines:
                check_shown(line.plain)
