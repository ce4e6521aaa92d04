"""Tests the commands: answers equal the figures of the view, changes reach the control, and codes are those of
cgminer."""

from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from stratum_miner import __version__
from stratum_miner.monitoring.cgminer import fields
from stratum_miner.monitoring.cgminer.commands import COMMANDS, READING, CommandRequest, answer
from stratum_miner.monitoring.cgminer.dialect import CommandReply
from stratum_miner.monitoring.cgminer.zero import Zero
from stratum_miner.monitoring.control import ControlRefused, NewPool, PoolChange
from stratum_miner.monitoring.view import SharesView, View
from tests.monitoring.screen.test_layout import device, pool, view


class Control:
    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.refusing = ""

    def __getattr__(self, name: str) -> Any:
        def call(*values: Any) -> Any:
            if self.refusing:
                raise ControlRefused(self.refusing)
            self.calls.append((name, *values))
            return 2 if name == "add_pool" else None

        return call


def ask(
    name: str,
    parameter: str = "",
    *,
    it: View | None = None,
    control: Any = None,
    joined: bool = False,
    group: str = "W",
) -> CommandReply:
    asked = CommandRequest(
        view=it or view(pools=3), control=control or Control(), parameter=parameter,
        may=lambda command: group == "W" or command in READING,
    )  # fmt: skip
    return answer(name, asked, joined=joined)


def test_pools_have_the_status_and_the_schemes_that_tools_know() -> None:
    it = view(pools=4)
    pools = (
        it.pools[0],
        replace(it.pools[1], url="stratum+tcps://b:1", state="down"),
        replace(it.pools[2], url="stratums://c:1", enabled=False),
        replace(it.pools[3], state="penalized", quota=30),
    )
    rows = ask("pools", it=replace(it, pools=pools)).rows
    assert [row["Status"] for row in rows] == ["Alive", "Dead", "Disabled", "Rejecting"]
    assert [row["URL"] for row in rows[:3]] == [
        "stratum+tcp://pool0.example:3333",
        "stratum+ssl://b:1",
        "stratum+ssl://c:1",
    ]
    assert [row["Priority"] for row in rows] == [0, 1, 2, 3]
    assert [row["Stratum Active"] for row in rows] == [True, False, False, False]
    assert rows[3]["Quota"] == 30
    assert rows[0]["Stratum URL"] == "pool0.example"
    assert rows[0]["Has Vmask"] is True


def test_stats_have_elapsed_in_the_second_entry_too() -> None:
    rows = ask("stats", it=view(devices=1)).rows
    assert [row["STATS"] for row in rows] == [0, 1]
    assert [row["Elapsed"] for row in rows] == [754, 754]
    assert [row["ID"] for row in rows] == ["cpu0", "POOL0"]


def test_machines_show_their_sensors() -> None:
    hot = device(0, chip_temperature_c=71.6, power_w=15.2, state="dead", reason="silent", unwell_reason="silent")
    it = replace(view(), devices=(hot,))
    [row] = ask("devs", it=it).rows
    assert (row["Status"], row["Temperature"], row["Enabled"]) == ("Dead", 71.6, "Y")
    assert ask("stats", it=it).rows[0]["temp"] == 71.6
    assert ask("notify", it=it).rows[0]["Reason Not Well"] == "silent"
    assert ask("devs", it=view(devices=0)).status.code == 10
    assert ask("asc", "1").rows[0]["ASC"] == 1


def test_hardware_errors_are_a_part_of_all_nonces_not_of_shares() -> None:
    """A stick reports all nonces of difficulty 1 and above, and only few of them are shares."""
    base = view()
    sick = device(0, nonces_found=990, hardware_errors=10)
    it = replace(base, devices=(sick,), summary=replace(base.summary, hardware_errors=10))
    assert ask("summary", it=it).rows[0]["Device Hardware%"] == 1.0
    assert ask("devs", it=it).rows[0]["Device Hardware%"] == 1.0


READING_ANSWERS: dict[str, tuple[int, str, str, int]] = {
    "version": (22, "S", "VERSION", 1), "config": (33, "S", "CONFIG", 1), "devs": (9, "S", "DEVS", 2),
    "edevs": (9, "S", "DEVS", 2), "pools": (7, "S", "POOLS", 3), "summary": (11, "S", "SUMMARY", 1),
    "stats": (70, "S", "STATS", 5), "estats": (70, "S", "STATS", 5), "notify": (60, "S", "NOTIFY", 2),
    "devdetails": (69, "S", "DEVDETAILS", 2), "coin": (78, "S", "COIN", 1), "lcd": (125, "S", "LCD", 1),
    "usbstats": (88, "I", "", 0), "pgacount": (59, "S", "PGAS", 1), "asccount": (104, "S", "ASCS", 1),
    "asc": (106, "S", "ASC", 1), "check": (72, "S", "CHECK", 1),
}  # fmt: skip
"""For each command that only reads, of a miner with two devices and three pools: code and severity, which are those of
cgminer's api.c, the section, and the number of rows."""


@pytest.mark.parametrize("name", sorted(READING))
def test_every_answer_has_cgminers_code_and_a_row_for_each_part(name: str) -> None:
    reply = ask(name, "0" if name == "asc" else "summary", group="R")
    answered = (reply.status.code, reply.status.severity, reply.section, len(reply.rows))
    assert answered == READING_ANSWERS[name]


def test_counts_are_those_of_the_parts() -> None:
    it = view(devices=3, pools=2)
    assert ask("asccount", it=it).rows == [{"Count": 3}]
    assert ask("pgacount", it=it).rows == [{"Count": 0}]
    assert (ask("devs", it=it).status.text, ask("pools", it=it).status.text) == ("3 ASC(s)", "2 Pool(s)")
    [version] = ask("version").rows
    assert version == {"CGMiner": __version__, "API": "3.7", "Miner": f"stratum_miner {__version__}"}


def test_before_the_first_share_every_figure_is_zero() -> None:
    worth = dict.fromkeys(("accepted", "rejected", "stale", "lost"), 0.0)
    empty = view(
        job=None, network_difficulty=None, height=None, elapsed_s=0.0, implied_hash_rate=None, hash_rate=0.0,
        hash_rate_5s=0.0, hash_rate_1m=0.0, hash_rate_5m=0.0, hash_rate_15m=0.0, blocks_accepted=0, best_share=0.0,
        hardware_errors=0, difficulties=worth, shares=SharesView(found=0, accepted=0, rejected=0, stale=0, lost=0,
                                                                 open=0), power_w=None,
    )  # fmt: skip
    silent = device(
        0, last_nonce_age_s=None, hash_rate=0.0, hash_rate_1m=0.0, hashes=0, nonces_found=0, accepted=0, refused=0,
        difficulties=worth, state="starting",
    )  # fmt: skip
    trying = pool(
        0, difficulty=None, state="trying", accepted=0, rejected=0, stale=0, lost=0, difficulties=worth, jobs=0,
        work_units=0, bytes_received=0, bytes_sent=0, active=False, version_mask="00000000",
    )  # fmt: skip
    it = replace(empty, pools=(trying,), devices=(silent,))
    words: dict[str, dict[str, Any]] = {
        "summary": {},
        "devs": {"Name": "cpu", "Enabled": "Y", "Status": "Initialising", "Last Share Pool": -1},
        "pools": {
            "URL": "stratum+tcp://pool0.example:3333", "Status": "Alive", "Quota": 1, "Long Poll": "N", "User": "w",
            "Proxy Type": "", "Proxy": "", "Has Stratum": True, "Stratum URL": "",
        },
        "lcd": {"Current Pool": it.summary.pool, "User": it.summary.worker_name},
        "coin": {"Hash Method": "sha256", "Current Block Hash": "", "LP": True},
    }  # fmt: skip
    for name, known in words.items():
        [row] = ask(name, it=it).rows
        assert {field: value for field, value in row.items() if value != 0} == {
            field: value for field, value in known.items() if value != 0
        }, name


@pytest.mark.parametrize(
    ("name", "parameter", "code", "severity", "calls"),
    [
        ("switchpool", "1", 27, "S", [("switch_pool", 1)]),
        ("disablepool", "1", 48, "S", [("change_pool", 1, PoolChange(enabled=False))]),
        ("enablepool", "1", 49, "I", []),
        ("removepool", "1", 68, "S", [("remove_pool", 1)]),
        ("removepool", "0", 67, "E", []),
        ("addpool", "h:1,me,pw", 55, "S", [("add_pool", NewPool(url="h:1", user="me", password="pw"))]),
        ("addpool", r"h:1,a\,b,pw", 55, "S", [("add_pool", NewPool(url="h:1", user="a,b", password="pw"))]),
        ("addpool", "h:1", 53, "E", []),
        ("addpool", "", 52, "E", []),
        (
            "poolpriority",
            "2,1",
            73,
            "S",
            [("change_pool", 2, PoolChange(priority=0)), ("change_pool", 1, PoolChange(priority=1))],
        ),
        ("poolpriority", "1,1", 74, "E", []),
        ("poolpriority", "", 25, "E", []),
        ("poolpriority", "2", 73, "S", [("change_pool", 2, PoolChange(priority=0))]),
        ("poolquota", "", 25, "E", []),
        ("poolquota", "1,", 86, "E", []),
        ("poolquota", ",5", 25, "E", []),
        ("poolquota", "1,999999", 122, "S", [("change_pool", 1, PoolChange(quota=999_999))]),
        ("poolquota", "1,1000000", 121, "E", []),
        ("addpool", "h:1,me,", 55, "S", [("add_pool", NewPool(url="h:1", user="me", password="x"))]),
        ("addpool", ",me,pw", 53, "E", []),
        ("addpool", "h:1,,pw", 53, "E", []),
        ("addpool", "h:1,me,pw,more", 53, "E", []),
        ("asc", "000000", 106, "S", []),
        ("asc", "0000000", 107, "E", []),
        ("asc", "٠", 107, "E", []),
        ("ascset", "0", 116, "E", []),
        ("ascset", "0,", 116, "E", []),
        ("ascidentify", "0", 114, "W", []),
        ("poolquota", "1,30", 122, "S", [("change_pool", 1, PoolChange(quota=30))]),
        ("poolquota", "1", 86, "E", []),
        ("poolquota", "1,-3", 121, "E", []),
        ("switchpool", "9", 26, "E", []),
        ("switchpool", "x", 26, "E", []),
        ("switchpool", "", 25, "E", []),
        ("asc", "7", 107, "E", []),
        ("asc", "", 15, "E", []),
        ("ascenable", "0", 108, "I", []),
        ("ascdisable", "0", 111, "I", [("remove_device", 0)]),
        ("ascset", "0,freq,500", 117, "W", []),
        ("privileged", "", 46, "S", []),
        ("quit", "", 46, "S", [("quit",)]),
        ("zero", "all,false", 97, "S", []),
        ("zero", "BestShare,True", 96, "S", []),
        ("zero", "", 94, "E", []),
        ("zero", "all", 75, "E", []),
        ("zero", "some,false", 95, "E", []),
        ("zero", "all,7", 76, "E", []),
        ("pause", "", 46, "S", [("pause", "over cgminer's API")]),
        ("resume", "", 46, "S", [("resume", "over cgminer's API")]),
        ("save", "x", 43, "E", []),
        ("restart", "", 45, "E", []),
        ("nonsense", "", 14, "E", []),
        ("check", "", 71, "E", []),
    ],
)
def test_wishes(name: str, parameter: str, code: int, severity: str, calls: list[Any]) -> None:
    control = Control()
    reply = ask(name, parameter, control=control)
    assert (reply.status.code, reply.status.severity) == (code, severity)
    assert control.calls == calls
    assert "pw" not in reply.status.text


@pytest.mark.parametrize("state", ["off", "removed", "sick", "dead", "absent"])
def test_a_device_that_does_not_mine_is_started_again(state: str) -> None:
    control = Control()
    it = replace(view(), devices=(device(7, state=state),))
    assert ask("ascenable", "7", it=it, control=control).status.code == 110
    assert control.calls == [("restart_device", 7)]


def test_who_asks_for_an_id_that_is_no_more_is_told_which_there_are() -> None:
    it = replace(view(), pools=(pool(3, priority=0), pool(1, priority=1)), devices=(device(0), device(4)))
    assert ask("switchpool", "2", it=it).status.text == "Invalid pool id 2 - expected one of 1, 3"
    assert ask("asc", "2", it=it).status.text == "Invalid ASC id 2 - expected one of 0, 4"
    assert ask("poolpriority", "3,2", it=it).status.code == 26
    for command in ("switchpool", "enablepool", "disablepool", "removepool"):
        control = Control()
        assert ask(command, "0", it=it, control=control).status.code == 26
        assert control.calls == []
    control = Control()
    ask("poolquota", "3,5", it=it, control=control)
    ask("switchpool", "1", it=it, control=control)
    ask("switchpool", "1", it=it, control=control)
    assert control.calls == [("change_pool", 3, PoolChange(quota=5)), ("switch_pool", 1), ("switch_pool", 1)]
    assert [row["POOL"] for row in ask("pools", it=it).rows] == [1, 3]
    assert [row["ASC"] for row in ask("asc", "4", it=it).rows] == [4]


def test_an_order_that_is_refused_on_the_way_leaves_all_pools_where_they_were() -> None:
    class Bound(Control):
        """A control whose last pool has a backend bound to it."""

        def __init__(self) -> None:
            super().__init__()
            self.places = [0, 1, 3]

        def change_pool(self, pool_id: int, change: PoolChange) -> None:
            if pool_id == 2:
                raise ControlRefused("priority: expected a place from 0 to 0, got 2")
            self.places.insert(change.priority or 0, self.places.pop(self.places.index(pool_id)))

    control = Bound()
    it = replace(view(), pools=tuple(pool(number, priority=at) for at, number in enumerate((0, 1, 3, 2))))
    assert ask("poolpriority", "3,1,2", it=it, control=control).status.severity == "E"
    assert control.places == [0, 1, 3]
    assert ask("poolpriority", "3,1", it=it, control=control).status.code == 73
    assert control.places == [3, 1, 0]


def test_the_last_pool_stays() -> None:
    assert ask("disablepool", "0", it=view(pools=1)).status.code == 51
    assert ask("removepool", "0", it=view(pools=1)).status.code == 66


def test_who_may_only_read_changes_nothing() -> None:
    for name, command in COMMANDS.items():
        if command.writes:
            control = Control()
            assert ask(name, "0", control=control, group="R").status.code == 45
            assert control.calls == []
    assert ask("quit", joined=True).status.code == 45


def test_check_says_what_exists_and_what_is_allowed() -> None:
    assert ask("check", "quit").rows == [{"Exists": "Y", "Access": "Y"}]
    assert ask("check", "quit", group="R").rows == [{"Exists": "Y", "Access": "N"}]
    assert ask("check", "dance").rows == [{"Exists": "N", "Access": "N"}]


def test_a_refusal_is_told() -> None:
    control = Control()
    control.refusing = "pool: pools are mined on in turns"
    reply = ask("switchpool", "1", control=control)
    assert (reply.status.severity, reply.status.text) == ("E", "Refused: pool: pools are mined on in turns")


def test_devices_that_are_parts_of_this_computer_are_ascs_to_a_tool() -> None:
    assert [row["ASC"] for row in fields.devices(view(devices=3))] == [0, 1, 2]


def test_what_is_on_or_off_already_is_said_and_not_done_again() -> None:
    base = view(pools=3)
    it = replace(base, pools=(*base.pools[:2], replace(base.pools[2], enabled=False)))
    control = Control()
    assert ask("disablepool", "2", it=it, control=control).status.code == 50
    assert ask("enablepool", "1", it=it, control=control).status.code == 49
    assert control.calls == []
    assert ask("enablepool", "2", it=it, control=control).status.code == 47
    assert ask("disablepool", "1", it=it, control=control).status.code == 48
    assert control.calls == [
        ("change_pool", 2, PoolChange(enabled=True)), ("change_pool", 1, PoolChange(enabled=False))
    ]  # fmt: skip
    last = replace(it, pools=(it.pools[0], it.pools[2]))
    assert ask("disablepool", "0", it=last, control=control).status.code == 51
    for state in ("off", "removed"):
        there = replace(base, devices=(device(0, state=state),))
        assert ask("ascdisable", "0", it=there, control=control).status.code == 109
    assert len(control.calls) == 2


def test_ids_are_told_as_a_range_or_one_by_one() -> None:
    def told(*ids: int) -> str:
        return ask("asc", "9", it=replace(view(), devices=tuple(map(device, ids)))).status.text

    assert told(0) == "Invalid ASC id 9 - range is 0 - 0"
    assert told(2, 1, 0) == "Invalid ASC id 9 - range is 0 - 2"
    assert told(1, 2) == "Invalid ASC id 9 - expected one of 1, 2"
    assert told(3, 0) == "Invalid ASC id 9 - expected one of 0, 3"
    none = ask("asc", "0", it=view(devices=0)).status
    assert (none.code, none.text) == (105, "No ASCs")
    assert ask("asc", "x" * 30).status.text == f"Invalid ASC id {'x' * 20} - range is 0 - 1"
    assert ask("switchpool", "x" * 30).status.text == f"Invalid pool id {'x' * 20} - range is 0 - 2"


def test_an_order_of_pools_is_made_by_as_few_moves_as_it_names() -> None:
    """Each move is to the place in the named order. Pools that are not named come behind it."""
    control = Control()
    it = replace(view(), pools=tuple(pool(number, priority=at) for at, number in enumerate((3, 0, 2))))
    assert ask("poolpriority", "2,0", it=it, control=control).status.code == 73
    assert control.calls == [("change_pool", 2, PoolChange(priority=0)), ("change_pool", 0, PoolChange(priority=1))]


def test_a_refused_change_has_code_52_as_a_refused_pool_has() -> None:
    control = Control()
    control.refusing = "no"
    for name, parameter in (("switchpool", "1"), ("addpool", "h:1,me,pw"), ("pause", ""), ("poolpriority", "1")):
        assert ask(name, parameter, control=control).status.code == 52


@pytest.mark.parametrize(("name", "said"), [("all", "All"), ("bestshare", "BestShare")])
def test_zero_tells_the_log_what_was_there(name: str, said: str) -> None:
    shown = view(best_share=7.5)
    zero = Zero(lambda at, pool_id: 1.0)
    request = CommandRequest(view=shown, control=Control(), parameter=f"{name},T", may=lambda command: True, zero=zero)
    with capture_logs() as logs:
        assert answer("zero", request, joined=False).status.text == f"Zeroed {said} stats with summary"
    [entry] = logs
    assert {field: entry[field] for field in ("event", "accepted", "rejected", "stale", "best_share")} == {
        "event": "figures_zeroed", "accepted": 120, "rejected": 3, "stale": 2, "best_share": 7.5,
    }  # fmt: skip
    after = zero.since(shown).summary
    assert (after.best_share, after.shares.accepted) == (1.0, 0 if name == "all" else 120)
    with capture_logs() as logs:
        quiet = replace(request, parameter=f"{name},false")
        assert answer("zero", quiet, joined=False).status.text == f"Zeroed {said} stats without summary"
    assert logs == []
