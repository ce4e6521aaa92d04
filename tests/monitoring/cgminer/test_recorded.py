"""Compares the answers with recorded ones of cgminer 4.13.6: the same fields, order, types and digits."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.monitoring.cgminer.commands import COMMANDS, CommandRequest, answer
from stratum_miner.monitoring.cgminer.dialect import encode, parse
from stratum_miner.monitoring.cgminer.zero import Zero
from stratum_miner.monitoring.view import View
from tests.monitoring.screen.test_layout import device, view

from .test_commands import Control

RECORDED = json.loads((Path(__file__).parents[2] / "vectors" / "cgminer.json").read_text())["answers"]
TABLES = (
    "version",
    "summary",
    "pools",
    "devs",
    "notify",
    "devdetails",
    "coin",
    "lcd",
    "config",
    "asccount",
    "pgacount",
)
OF_DRIVERS = 5
"""In ``stats``, the row of a device begins with these fields. Fields of its driver follow."""


def two_of_each(**changes: Any) -> View:
    """A view like the recorded cgminer at its start: two pools, two devices."""
    base = view(pools=2, devices=2)
    named = [replace(one, url=f"stratum+tcp://127.0.0.1:2480{one.id + 1}") for one in base.pools]
    return replace(base, pools=tuple(named), **changes)


def ours(request: str, it: View | None = None, control: Any = None) -> str:
    parsed = parse(request.encode())
    control = control or Control()
    replies = [
        answer(
            name,
            CommandRequest(
                view=it or two_of_each(), control=control, parameter=parsed.parameter, may=lambda command: True
            ),
            joined=parsed.joined,
        )
        for name in parsed.commands
    ]
    return encode(parsed, replies, when=1, description="cgminer 4.13.6").decode()


def recorded(request: str) -> str:
    return next(str(one["answer"]) for one in RECORDED if one["request"] == request)


def kinds(text: str) -> dict[str, list[list[tuple[str, str]]]]:
    """The rows of each section: the fields with their types and numbers of digits after the decimal point."""
    whole = json.loads(
        text.rstrip("\0"), object_pairs_hook=list, parse_float=lambda number: f"float.{len(number.split('.')[1])}"
    )
    return {
        section: [
            [(name, value if str(value).startswith("float.") else type(value).__name__) for name, value in row]
            for row in rows
        ]
        for section, rows in whole
        if isinstance(rows, list)
    }


@pytest.mark.parametrize("command", TABLES)
def test_fields_stand_in_cgminers_order_with_its_types_and_digits(command: str) -> None:
    theirs, here = (
        kinds(text) for text in (recorded(f'{{"command":"{command}"}}'), ours(f'{{"command":"{command}"}}'))
    )
    assert list(here) == list(theirs)
    for section, rows in theirs.items():
        assert len(here[section]) == len(rows)
        for row, expected in zip(here[section], rows, strict=True):
            if section == "CONFIG":
                expected[-1] = ("Hotplug", "str")  # "None": cgminer's word where it does not look for USB devices
            assert row[: len(expected)] == expected
    extra = {"summary": ["GHS 5s", "GHS av"], "version": ["Miner"]}
    last = list(here)[-1]
    assert [name for name, _ in here[last][0][len(theirs[last][0]) :]] == extra.get(command, [])


def test_statistics_of_pools_are_all_there_and_those_of_devices_begin_alike() -> None:
    theirs, here = (kinds(text)["STATS"] for text in (recorded('{"command":"stats"}'), ours('{"command":"stats"}')))
    assert here[2:] == theirs[2:]
    assert [row[: 1 + OF_DRIVERS] for row in here[:2]] == [row[: 1 + OF_DRIVERS] for row in theirs[:2]]


@pytest.mark.parametrize("command", [*TABLES, "asc|0"])
def test_plain_text_has_the_same_names_and_digits(command: str) -> None:
    def shape(text: str) -> list[list[tuple[str, int]]]:
        return [
            [(name, len(value.partition(".")[2]) if value[:1].isdecimal() and "." in value else 0) for name, _, value in
             (part.partition("=") for part in row.split(","))]
            for row in text.rstrip("\0").split("|")[1:-1]
        ]  # fmt: skip

    theirs, here = shape(recorded(command)), shape(ours(command))
    loose = ("CGMiner", "API", "Miner", "URL", "Stratum URL", "Current Pool", "Device Path", "Model", "Kernel")
    for row, expected in zip(here, theirs, strict=True):
        told = [one for one in row if one[0] not in loose]
        wanted = [one for one in expected if one[0] not in loose]
        assert told[: len(wanted)] == wanted


@pytest.mark.parametrize(
    ("request_", "change"),
    [
        (one["request"], None)
        for one in RECORDED
        if json.loads(one["request"] if one["request"].startswith("{") else "{}").get("command")
        in ("check", "nonsense", "summary+quit", "privileged", "quit", "zero", "poolquota", "addpool", "asc", "ascset")
        and one["request"] not in (
            '{"command":"asc","parameter":"0"}', '{"command":"asc","parameter":"1"}',  # tables, see above
            '{"command":"asc","parameter":"x"}', '{"command":"poolquota","parameter":"1,x"}',  # taken for 0; not here
            '{"command":"ascset","parameter":"0,help"}',  # Gekko's options
            '{"command":"addpool","parameter":"x"}',  # ours says what was expected
        )
    ]
    + [
        ('{"command":"switchpool","parameter":"1"}', None),
        ('{"command":"switchpool","parameter":"9"}', None),
        ('{"command":"switchpool","parameter":"-1"}', None),
        ('{"command":"switchpool","parameter":""}', None),
        ('{"command":"disablepool","parameter":"1"}', None),
        ('{"command":"enablepool","parameter":"1"}', "pool 1 is off"),
        ('{"command":"enablepool","parameter":"9"}', None),
        ('{"command":"poolpriority","parameter":"1,0"}', None),
        ('{"command":"poolpriority","parameter":"1"}', None),
        ('{"command":"poolpriority","parameter":"1,1"}', None),
        ('{"command":"poolpriority","parameter":"1,9"}', None),
        ('{"command":"poolpriority","parameter":""}', None),
        ('{"command":"removepool","parameter":"9"}', None),
        ('{"command":"removepool","parameter":""}', None),
        ('{"command":"removepool","parameter":"1"}', "pool 1 is mined on"),
        ('{"command":"removepool","parameter":"0"}', "pool 1 is mined on"),
        ('{"command":"ascdisable","parameter":"0"}', None),
        ('{"command":"ascenable","parameter":"0"}', "device 0 is off"),
        ('{"command":"ascenable","parameter":"9"}', None),
        ('{"command":"ascidentify","parameter":"0"}', None),
    ],
)  # fmt: skip
def test_what_is_asked_for_is_answered_in_cgminers_words(request_: str, change: str | None) -> None:
    it = two_of_each()
    if change == "pool 1 is off":
        it = replace(it, pools=(it.pools[0], replace(it.pools[1], enabled=False)))
    elif change == "pool 1 is mined on":
        it = replace(it, pools=(replace(it.pools[0], active=False), replace(it.pools[1], active=True)))
    elif change == "device 0 is off":
        it = replace(it, devices=(device(0, state="off"), device(1)))

    def said(text: str) -> Any:
        whole = json.loads(text.rstrip("\0"))
        status = whole["quit"][0]["STATUS"] if "quit" in whole else whole["STATUS"]
        return status if isinstance(status, str) else [(one["STATUS"], one["Code"], one["Msg"]) for one in status]

    assert said(ours(request_, it)) == said(recorded(request_))


@pytest.mark.parametrize(("command", "code"), [("ascdisable", 109), ("ascenable", 108)])
def test_what_is_so_already_is_told_and_not_done_again(command: str, code: int) -> None:
    request = f'{{"command":"{command}","parameter":"0"}}'
    second = [one["answer"] for one in RECORDED if one["request"] == request][1]
    control = Control()
    it = replace(two_of_each(), devices=(device(0, state="off" if code == 109 else "mining"),))
    status = json.loads(ours(request, it, control).rstrip("\0"))["STATUS"][0]
    assert (status["Code"], status["Msg"]) == (code, json.loads(second.rstrip("\0"))["STATUS"][0]["Msg"])
    assert control.calls == []


def test_a_pool_keeps_its_number_and_its_priority_moves() -> None:
    """The recording has ``pools`` before and after ``switchpool|1`` was sent twice."""
    before, after, *_ = (json.loads(one["answer"].rstrip("\0")) for one in RECORDED if one["request"] ==
                         '{"command":"pools"}')  # fmt: skip
    assert [(one["POOL"], one["Priority"]) for one in before["POOLS"]] == [(0, 0), (1, 1)]
    assert [(one["POOL"], one["Priority"]) for one in after["POOLS"]] == [(0, 1), (1, 0)]
    it = two_of_each()
    switched = replace(it, pools=(replace(it.pools[1], priority=0), replace(it.pools[0], priority=1)))
    rows = json.loads(ours('{"command":"pools"}', switched).rstrip("\0"))["POOLS"]
    assert [(one["POOL"], one["Priority"], one["URL"]) for one in rows] == [
        (one["POOL"], one["Priority"], one["URL"]) for one in after["POOLS"]
    ]


def test_zero_leaves_what_it_left_in_cgminer() -> None:
    """Fields that cgminer did not set to zero with ``zero|all`` are not set to zero here, if they are counted here."""
    zeroed = [one["answer"] for one in RECORDED if one["request"] == '{"command":"summary"}'][1]
    theirs = json.loads(zeroed.rstrip("\0"))["SUMMARY"][0]
    before = view(pools=2, devices=2, blocks_seen=53, last_job_at=1_700_000_000.0)
    zero = Zero()
    zero.everything(before)
    later = replace(before, at=before.at + 1, summary=replace(before.summary, elapsed_s=before.summary.elapsed_s + 1))
    asked = CommandRequest(view=later, control=Control(), parameter="", may=lambda command: True, zero=zero)
    [row] = answer("summary", asked, joined=False).rows
    assert {name for name, value in theirs.items() if value} - {"Discarded", "Local Work"} <= {
        name for name, value in row.items() if value
    }
    counted = ("Accepted", "Rejected", "Stale", "Hardware Errors", "Found Blocks", "Getworks", "Difficulty Accepted",
               "Difficulty Rejected", "Best Share", "Utility", "Remote Failures", "Pool Stale%")  # fmt: skip
    assert [row[name] for name in counted] == [0] * len(counted)
    assert row["Network Blocks"] == 53


def test_every_command_of_the_record_is_known() -> None:
    named = {json.loads(one["request"])["command"] for one in RECORDED if one["request"].startswith("{")}
    assert named - {"nonsense", "summary+quit"} <= set(COMMANDS)
