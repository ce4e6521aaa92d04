"""Lines on their way through the tap: rules, the chain of filters, redaction and the record.

The first byte says which of the rules apply, and with its lowest bit passwords are hidden in the record. Lines are said
in turn by the pool and the miner.
"""

from collections.abc import Callable
from contextlib import suppress
from random import Random

from stratum_miner.capture import record, rules
from stratum_miner.capture.filter import FilterSequence, LimitReached, Send
from stratum_miner.capture.record import Side
from stratum_miner.capture.recorder import RecordedConnection, Recorder
from stratum_miner.capture.redaction import Redactor
from stratum_miner.faults.fault_filter import ChosenFault, FaultFilter
from stratum_miner.faults.pool_faults import POOL_FAULTS

RULES = [
    rules.parse(text)
    for text in (
        "reorder from=miner nth=2",
        "duplicate=2 method=mining.submit",
        "split=7 chance=0.5",
        "delay=0.1 match=notify",
        r"replace=\1x match=params*:",
        "drop every=3",
        "replace=zz nth=5",
        "close nth=30",
    )
]


class Kept(Recorder):
    """Keeps records in memory, each read back as it was written."""

    def __init__(self) -> None:
        self.records: list[record.Record] = []

    def add(self, make: Callable[[float], record.Timed]) -> None:
        written = make(1.0)
        assert record.decode(record.encode(written)) == written
        self.records.append(written)


def run(data: bytes) -> None:
    mode, lines = (data[:1] or b"\0")[0], data[1:].split(b"\n")
    _pass_through(lines)
    kept = Kept()
    recorded = RecordedConnection(kept, 1, Redactor() if mode & 1 else None)
    chosen = [rule for place, rule in enumerate(RULES) if mode >> place & 1]
    faults = [ChosenFault(fault, fault.default) for fault in POOL_FAULTS.values()]
    fault = FaultFilter(faults[mode % len(faults)], Random(1))
    chain = FilterSequence([rules.RuleFilter(chosen, Random(1)), fault])
    with suppress(LimitReached):  # the connection ends
        for number, line in enumerate(lines):
            sender = Side.MINER if number % 2 else Side.POOL
            for step in chain.line(sender, line + b"\n"):
                assert step.after >= 0
                if isinstance(step, Send):
                    recorded.data(step.to.other, step.data)
            for note in chain.notes():
                recorded.note(note.text, note.line)
    for side in Side:
        chain.ended(side)
    recorded.close(None)


def _pass_through(lines: list[bytes]) -> None:
    """Without a rule, and unhidden, what is recorded is what was said."""
    kept = Kept()
    recorded = RecordedConnection(kept, 1, None)
    chain = FilterSequence([FilterSequence([]), rules.RuleFilter([], Random(1))])
    for line in lines:
        for step in chain.line(Side.POOL, line + b"\n"):
            assert isinstance(step, Send)
            recorded.data(step.to.other, step.data)
    recorded.close(None)
    said = b"".join(item.wire for item in kept.records if isinstance(item, record.LineRecord))
    assert said == b"".join(line + b"\n" for line in lines)
