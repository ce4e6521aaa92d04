"""Several filters as one."""

from collections.abc import Sequence
from random import Random

from stratum_miner.capture import rules
from stratum_miner.capture.filter import Close, End, FilterAction, FilterNote, FilterSequence, Send
from stratum_miner.capture.record import Side
from stratum_miner.capture.rules import RuleFilter


class Says:
    """Adds a line of its own to every line."""

    def __init__(self, word: bytes, greeting: bytes = b"") -> None:
        self.word = word
        self.greeting = greeting

    def opened(self) -> Sequence[FilterAction]:
        return [Send(Side.MINER, self.greeting)] if self.greeting else []

    def line(self, sender: Side, line: bytes) -> Sequence[FilterAction]:
        return [Send(sender.other, self.word + line, 1.0), Send(sender.other, self.word + b"\n")]

    def ended(self, sender: Side) -> Sequence[FilterAction]:
        return [Send(sender.other, b"bye\n"), End(sender.other)]

    def notes(self) -> Sequence[FilterNote]:
        return ()

    held = 0


def test_filters_in_a_chain_see_what_the_one_before_let_through() -> None:
    chain = FilterSequence([Says(b"a", b"hi\n"), Says(b"b")])
    to = Side.MINER
    assert list(chain.line(Side.POOL, b"x\n")) == [
        Send(to, b"bax\n", 2.0),
        Send(to, b"b\n"),
        Send(to, b"ba\n", 1.0),
        Send(to, b"b\n"),
    ]
    assert list(chain.opened()) == [Send(to, b"bhi\n", 1.0), Send(to, b"b\n")]
    assert list(chain.ended(Side.POOL))[-1] == End(to)
    assert list(FilterSequence([FilterSequence([])]).line(Side.POOL, b"half")) == [Send(to, b"half")]
    assert isinstance(Close(to), Close)


def test_a_chain_keeps_how_a_line_is_said_and_ends_lines_at_lf_only() -> None:
    chain = FilterSequence(
        [RuleFilter([rules.parse("duplicate"), rules.parse("split=2")], Random(0)), FilterSequence([])]
    )
    assert list(chain.line(Side.POOL, b"a\rb\n")) == [Send(Side.MINER, b"a\rb\n", times=2, piece=2)]
