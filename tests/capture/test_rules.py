"""What rules mean, what they do to lines, and how wrong ones are answered."""

import json
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.capture import rules
from stratum_miner.capture.filter import Close, FilterAction, Send
from stratum_miner.capture.record import Side
from stratum_miner.capture.rules import ACTIONS, RuleError, RuleFilter

MINER, POOL = Side.MINER, Side.POOL


def line(**message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def notify(job: int) -> bytes:
    return line(id=None, method="mining.notify", params=[str(job)])


def filtered(texts: Sequence[str], *lines: tuple[Side, bytes], seed: int = 0) -> list[FilterAction]:
    filter_ = RuleFilter([rules.parse(text) for text in texts], Random(seed))
    return [step for sender, data in lines for step in filter_.line(sender, data)]


def test_a_line_that_no_rule_means_goes_on() -> None:
    assert filtered(["drop from=miner"], (POOL, b"x\n")) == [Send(MINER, b"x\n")]


def test_a_reply_has_the_method_of_its_request() -> None:
    submit, reply = line(id=4, method="mining.submit", params=[]), line(id=4, result=True, error=None)
    other = line(id=5, result=True, error=None)
    steps = filtered(["drop from=pool method=mining.submit"], (MINER, submit), (POOL, reply), (POOL, other))
    assert steps == [Send(POOL, submit), Send(MINER, other)]


@pytest.mark.parametrize(
    ("condition", "dropped"),
    [
        ("nth=2", [2]),
        ("nth=2-3", [2, 3]),
        ("nth=4-", [4, 5]),
        ("every=2", [2, 4]),
        ("match='\"3\"'", [3]),
        ("match='{*\"5\"*}'", [5]),
        ("", [1, 2, 3, 4, 5]),
        ("chance=0", []),
    ],
)
def test_which_lines_are_meant(condition: str, dropped: list[int]) -> None:
    jobs = [1, 2, 3, 4, 5]
    steps = filtered([f"drop method=mining.notify {condition}"], *((POOL, notify(job)) for job in jobs))
    assert steps == [Send(MINER, notify(job)) for job in jobs if job not in dropped]


def test_chance_is_the_seed_s() -> None:
    lines = [(POOL, notify(job)) for job in range(100)]
    one, again, other = (filtered(["drop chance=0.5"], *lines, seed=seed) for seed in (1, 1, 2))
    assert one == again != other
    assert 20 < len(one) < 80


@pytest.mark.parametrize(
    ("rule", "steps"),
    [
        ("drop", []),
        ("delay=1.5", [Send(MINER, b"abc\n", 1.5)]),
        ("duplicate", [Send(MINER, b"abc\n", times=2)]),
        ("duplicate=2", [Send(MINER, b"abc\n", times=3)]),
        ("replace=x", [Send(MINER, b"x\n")]),
        (r"replace=<\1> match=a*c", [Send(MINER, b"<b>\n")]),
        ("replace= match=b", [Send(MINER, b"ac\n")]),
        ("split=3", [Send(MINER, b"abc\n", piece=3)]),
        ("close", [Send(MINER, b"abc\n"), Close(MINER)]),
    ],
)
def test_what_actions_do(rule: str, steps: list[FilterAction]) -> None:
    assert filtered([rule], (POOL, b"abc\n")) == steps


def test_rules_are_applied_in_order() -> None:
    assert filtered(["duplicate", "split=2", "delay=3"], (POOL, b"abc\n")) == [
        Send(MINER, b"abc\n", 3, times=2, piece=2)
    ]


def test_reordered_lines_change_places_and_none_is_lost() -> None:
    filter_ = RuleFilter([rules.parse("reorder from=pool nth=1-3")], Random(0))
    steps = [step for n in range(4) for step in filter_.line(POOL, notify(n))]
    assert steps == [Send(MINER, notify(n)) for n in (1, 0, 3, 2)]
    last = RuleFilter([rules.parse("reorder")], Random(0))
    assert last.line(POOL, b"a\n") == []
    assert last.line(MINER, b"b\n") == []
    assert last.ended(POOL) == [Send(MINER, b"a\n")]
    assert last.ended(MINER) == [Send(POOL, b"b\n")]
    assert last.ended(POOL) == []


def test_notes_say_which_rule_met_which_line() -> None:
    filter_ = RuleFilter([rules.parse("drop nth=1")], Random(0))
    filter_.line(POOL, b"a\n")
    [note] = filter_.notes()
    assert (note.text, note.line) == ("drop nth=1", b"a\n")
    assert filter_.notes() == []


@given(st.binary(max_size=60), st.sampled_from(list(Side)))
def test_whatever_is_said_no_rule_stumbles(data: bytes, sender: Side) -> None:
    texts = ["duplicate", "split=7", "replace=y match=x", "reorder nth=2", "delay=1 method=mining.notify"]
    filter_ = RuleFilter([rules.parse(text) for text in texts], Random(0))
    said = b""
    for step in [*(step for _ in range(3) for step in filter_.line(sender, data + b"\n")), *filter_.ended(sender)]:
        assert isinstance(step, Send)
        said += step.data * step.times
    assert said == (data.replace(b"x", b"y") + b"\n") * 6, "each line twice, and none is lost"


@given(
    st.sampled_from(["drop", "delay=2", "replace=a b", "split=3", "duplicate"]),
    st.sampled_from(["", " from=pool", " from=miner"]),
    st.sampled_from(["", " nth=3", " nth=3-", " nth=2-9", " every=4"]),
    st.sampled_from(["", r" 'match=a*d b'", " method=mining.submit"]),
)
def test_a_rule_reads_back_what_it_prints(action: str, sender: str, count: str, rest: str) -> None:
    rule = rules.parse(f"'{action}'{sender}{count}{rest}")
    assert rules.parse(str(rule)) == rule


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "expected ACTION and conditions"),
        ("dropp", "did you mean 'drop'"),
        ("drop methd=x", "did you mean 'method'"),
        ("drop x", "expected KEY=VALUE, got 'x'"),
        ("drop nth=1 nth=2", "expected nth once"),
        ("drop nth=0", "expected N, N-M or N- counted from 1"),
        ("drop nth=3-2", "expected N, N-M"),
        ("drop nth=1 every=2", "expected nth or every, got both"),
        ("drop from=node", "from: expected miner or pool"),
        ("drop match=id.*submit", "'.*' looks like a regular expression"),
        (f"drop match={'x' * 1001}", "match: expected at most 1000"),
        ("drop chance=2", "chance: expected a number from 0 to 1"),
        ("drop=3", "drop: expected no value"),
        ("delay", "delay: expected a value"),
        ("delay=soon", "delay: expected a time from 0s to 1d, such as 90s or 1h30m, got 'soon'"),
        ("delay=nan", "delay: expected a time"),
        ("split=0", "split: expected a number from 1"),
        (
            r"replace=\2 match=a*b",
            r"replace: \2: expected 2 or more * in match=a*b, got 1",
        ),
        ("drop 'x", "No closing quotation"),
        ("replace=\udcff", "expected text in UTF-8"),
    ],
)
def test_a_wrong_rule_is_answered_in_one_line(text: str, complaint: str) -> None:
    with pytest.raises(RuleError) as told:
        rules.parse(text)
    assert complaint in str(told.value)
    assert "\n" not in str(told.value)


def test_rules_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "rules.toml"
    path.write_text('[[rule]]\naction = "delay"\nvalue = 2.5\nfrom = "pool"\nevery = 3\n[[rule]]\naction = "drop"\n')
    assert [str(rule) for rule in rules.read(path)] == ["delay=2.5 from=pool every=3", "drop"]


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "expected tables named"),
        ("rule = 3", "expected tables named"),
        ("[[rules]]", "got rules"),
        ("[[rule]]\nacton = 'drop'", "rule 1: key: expected a known name, got 'acton': did you mean 'action'?"),
        ("[[rule]]\naction = 'drop'\n[[rule]]\naction = 'delay'", "rule 2: delay: expected a value"),
        ("nonsense\n", "line 1"),
        ("rule = " + "[" * 10_000, "expected at most 32 nested tables and lists, got more"),
        ("rule = " + "9" * 10_000, "a number in it is too large"),
        ("#" * (rules.MAX_FILE + 1), "expected a file of at most 262144 bytes"),
    ],
)
def test_a_wrong_file_is_answered_in_one_line(tmp_path: Path, content: str, complaint: str) -> None:
    path = tmp_path / "rules.toml"
    path.write_text(content)
    with pytest.raises(RuleError) as told:
        rules.read(path)
    assert complaint in str(told.value)
    assert "\n" not in str(told.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RuleError, match="No such file"):
        rules.read(tmp_path / "none.toml")


def test_all_actions_are_tried_here() -> None:
    assert set(ACTIONS) == {"drop", "delay", "duplicate", "reorder", "replace", "split", "close"}
