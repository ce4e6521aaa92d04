"""A listener of the stream, written only from its documentation: it applies changes to the first view."""

import json
from typing import Any


class Listener:
    """Receives the bytes of a stream in pieces of any size."""

    def __init__(self) -> None:
        self.view: Any = None
        self.number = 0
        self.page = ""
        self.views = 0
        self.last_id = ""
        self.events: list[Any] = []
        self.points: list[Any] = []
        self.kinds: list[str] = []
        self._rest = b""

    def take(self, data: bytes) -> None:
        *blocks, self._rest = (self._rest + data).split(b"\n\n")
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.decode().split("\n"))
            self.last_id = fields.get("id", self.last_id)
            if "event" in fields:
                self.kinds.append(fields["event"])
                getattr(self, f"_take_{fields['event']}")(json.loads(fields["data"]))

    def _take_view(self, told: Any) -> None:
        self.view, self.number, self.page = told["view"], told["number"], told["page"]
        self.views += 1

    def _take_change(self, told: Any) -> None:
        assert told["number"] == self.number + 1, "a step was missed"
        self.view, self.number = changed(self.view, told["change"]), told["number"]

    def _take_event(self, event: Any) -> None:
        self.events.append(event)

    def _take_point(self, point: Any) -> None:
        self.points.append(point)


def changed(before: Any, difference: Any) -> Any:
    """Return the value with a difference applied. The old value is not changed."""
    if isinstance(difference, list):
        return difference[0]
    if not difference:
        return before
    if isinstance(before, list):
        return [changed(item, difference.get(str(index), {})) for index, item in enumerate(before)]
    after = dict(before)
    for key, part in difference.items():
        if part == []:
            del after[key]
        else:
            after[key] = changed(before.get(key), part)
    return after
