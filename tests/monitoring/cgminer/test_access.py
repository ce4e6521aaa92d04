"""Tests the groups of IP addresses in cgminer's notation."""

import pytest

from stratum_miner.monitoring.cgminer.access import AccessError, AccessList
from stratum_miner.monitoring.cgminer.commands import COMMANDS, READING


def access(allow: str | None = None, groups: str | None = None) -> AccessList:
    return AccessList.parse(allow, groups, reading=READING, all_commands=COMMANDS)


def test_this_machine_may_read_and_nobody_else() -> None:
    it = access()
    assert it.group_of("127.0.0.1") == it.group_of("::1") == it.group_of("::ffff:127.0.0.1") == "R"
    assert it.group_of("192.168.1.5") is None
    assert it.may("R", "summary")
    assert not it.may("R", "quit")


def test_the_first_entry_that_fits_decides() -> None:
    it = access("W:192.168.1.5, P:192.168.0/16 ,R:0/0,W:::1", "P:switchpool:*")
    assert it.group_of("192.168.1.5") == "W"
    assert it.group_of("192.168.200.1") == "P"
    assert it.group_of("10.0.0.1") == "R"
    assert it.group_of("::1") == "W"
    assert it.group_of("fe80::1%eth0") is None
    assert it.may("P", "switchpool")
    assert it.may("P", "summary")
    assert not it.may("P", "quit")
    assert it.may("W", "quit")


def test_a_group_and_the_shortest_address() -> None:
    assert access("W:0").group_of("0.0.0.0") == "W"
    assert access("W:1/8").group_of("1.255.0.9") == "W"


def test_an_address_alone_may_read() -> None:
    assert access("10.1.2.3").group_of("10.1.2.3") == "R"


@pytest.mark.parametrize(
    ("allow", "groups", "needle"),
    [
        (
            "W:home",
            None,
            "allow: expected GROUP:ADDRESS or GROUP:ADDRESS/BITS, as in W:127.0.0.1 or R:192.168.0.0/16, got 'W:home'",
        ),
        ("X:127.0.0.1", None, "allow: expected one of the groups R, W, got 'X:127.0.0.1'"),
        ("127.0.0.1/99", None, "allow: expected GROUP:ADDRESS or GROUP:ADDRESS/BITS"),
        (None, "[:quit", "groups: expected a letter other than R and W"),
        (None, "@:quit", "groups: expected a letter other than R and W"),
        (None, ":quit", "groups: expected a letter other than R and W"),
        (None, "R:quit", "groups: expected a letter other than R and W"),
        (None, "W:quit", "groups: expected a letter other than R and W that no other group has"),
        (None, "P:quit,P:save", "groups: expected a letter other than R and W that no other group has"),
        (None, "PQ:quit", "groups: expected a letter other than R and W that no other group has"),
        (None, "P:swichpool", "groups: expected names of commands, got 'swichpool': did you mean 'switchpool'?"),
    ],
)
def test_mistakes_are_told(allow: str | None, groups: str | None, needle: str) -> None:
    with pytest.raises(AccessError) as refused:
        access(allow, groups)
    assert needle in str(refused.value)


def test_groups_have_any_letter_but_r_and_w_and_their_own_commands() -> None:
    it = access("A:127.0.0.1,z:127.0.0.2,a::1,10.1", "A:quit, ,Z:SAVE:summary")
    assert [it.group_of(f"127.0.0.{last}") for last in (1, 2, 3)] == ["A", "Z", None]
    assert it.group_of("a::1") == "R", "an address that begins with a letter"
    assert it.group_of("10.1.0.0") == "R"
    assert it.group_of("10.1.0.1") is None
    assert [it.may(group, "quit") for group in "AZRW"] == [True, False, False, True]
    assert [it.may(group, "save") for group in "AZRW"] == [False, True, False, True]
    assert [it.may(group, "summary") for group in "AZRW"] == [False, True, True, True]
