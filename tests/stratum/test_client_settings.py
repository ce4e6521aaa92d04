"""When a setting of the pool takes effect: on the job that comes next, or on the present one."""

from typing import Any

import pytest

from stratum_miner.stratum import events
from stratum_miner.stratum.client_connection import (
    ClientConnection,
)
from stratum_miner.stratum.extensions import MinimumDifficulty
from tests.stratum.pool_lines import MASK, call, difficulty_of, feed, jobs, line, notify, subscribe_reply, subscribed


def test_a_job_carries_what_was_in_force_when_it_came() -> None:
    connection = subscribed()
    first, second = jobs(
        feed(
            connection,
            call("mining.set_difficulty", 2),
            notify("j1"),
            call("mining.set_difficulty", 4),
            call("mining.set_extranonce", "aabbcc", 3),
            notify("j2"),
        )
    )
    assert (difficulty_of(first), first.extranonce1.hex(), first.extranonce2_size) == (2.0, "f1ad9a67", 4)
    assert (difficulty_of(second), second.extranonce1.hex(), second.extranonce2_size) == (4.0, "aabbcc", 3)
    assert not first.amended
    assert not second.amended


def test_a_mask_change_amends_the_job_and_nothing_else() -> None:
    """A staged difficulty or extranonce must not leak into the job that is already running."""
    connection = subscribed(mask=MASK)
    feed(connection, call("mining.set_difficulty", 2), notify("j1"))
    happened = feed(
        connection,
        call("mining.set_difficulty", 1),
        call("mining.set_extranonce", "aabbcc", 3),
        call("mining.set_version_mask", "00006000"),
    )
    [amended] = jobs(happened)
    assert amended.amended
    assert (amended.version_mask, difficulty_of(amended)) == (0x6000, 2.0)
    assert (amended.extranonce1.hex(), amended.extranonce2_size) == ("f1ad9a67", 4)
    [after] = jobs(feed(connection, notify("j2")))
    assert (after.version_mask, difficulty_of(after), after.extranonce1.hex()) == (0x6000, 1.0, "aabbcc")


def test_a_job_held_for_the_subscribe_reply_keeps_its_difficulty() -> None:
    connection = ClientConnection("test/1")
    request_id = connection.subscribe()
    assert jobs(feed(connection, call("mining.set_difficulty", 2), notify(), call("mining.set_difficulty", 8))) == []
    [job] = jobs(feed(connection, subscribe_reply(request_id)))
    assert (difficulty_of(job), job.amended) == (2.0, False)


def test_a_held_job_takes_the_first_difficulty_that_comes_after_it() -> None:
    connection = ClientConnection("test/1")
    request_id = connection.subscribe()
    assert jobs(feed(connection, notify(), call("mining.set_difficulty", 8))) == []
    [job] = jobs(feed(connection, subscribe_reply(request_id)))
    assert (difficulty_of(job), job.amended) == (8.0, False)


def test_set_extranonce_keeps_what_it_does_not_name() -> None:
    connection = subscribed()
    assert feed(connection, call("mining.set_extranonce", "aa")) == [events.ExtranonceChanged(b"\xaa", 4)]
    assert feed(connection, call("mining.set_extranonce", None, 8)) == [events.ExtranonceChanged(b"\xaa", 8)]
    assert feed(connection, call("mining.set_extranonce")) == [events.ExtranonceChanged(b"\xaa", 8)]


def test_settings_without_a_session_are_ignored_aloud() -> None:
    connection = ClientConnection("test/1")
    assert [type(event) for event in feed(connection, call("mining.set_extranonce", "aa", 4))] == [events.Ignored]


def test_a_second_configure_may_take_version_rolling_back() -> None:
    connection = subscribed(mask=MASK)
    feed(connection, notify())
    [configured, job] = feed(connection, line(id=connection.configure(), result={"version-rolling": False}))
    assert isinstance(configured, events.Configured)
    assert configured.version_mask == 0
    assert isinstance(job, events.JobAnnounced)
    assert (job.version_rolling, job.version_mask, job.amended) == (False, 0, True)


def test_a_later_configure_for_something_else_leaves_version_rolling_alone() -> None:
    connection = subscribed(mask=MASK)
    connection.version_mask, mask = 0, connection.version_mask  # asks for the other extension only
    request_id = connection.configure(MinimumDifficulty(1.0))
    connection.version_mask = mask
    feed(connection, line(id=request_id, result={"minimum-difficulty": True}))
    [job] = jobs(feed(connection, notify()))
    assert (job.version_rolling, job.version_mask) == (True, MASK)


def test_a_grant_after_the_first_job_amends_it() -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    configure = connection.configure()
    happened = feed(connection, subscribe_reply(connection.subscribe()), call("mining.set_difficulty", 1), notify())
    assert [job.version_rolling for job in jobs(happened)] == [False]
    granted = {"version-rolling": True, "version-rolling.mask": "00006000"}
    [job] = jobs(feed(connection, line(id=configure, result=granted)))
    assert (job.version_rolling, job.version_mask, job.amended) == (True, 0x6000, True)


def test_rolling_may_be_granted_with_an_empty_mask() -> None:
    """The sixth parameter is then still sent (docs/reference/stratum.md#merging-version-bits)."""
    connection = ClientConnection("test/1", version_mask=MASK)
    granted = {"version-rolling": True, "version-rolling.mask": "00000000"}
    feed(connection, line(id=connection.configure(), result=granted), subscribe_reply(connection.subscribe()))
    [job] = jobs(feed(connection, notify()))
    assert (job.version_rolling, job.version_mask) == (True, 0)


@pytest.mark.parametrize(
    "reply",
    [
        {"error": [-3, "Method not found", None]},
        {"result": None},
        {"result": {"version-rolling": True}},
        {"result": {"version-rolling": "not supported"}},
        {"result": {}},
    ],
)
def test_configure_that_grants_nothing(reply: dict[str, Any]) -> None:
    connection = ClientConnection("test/1", version_mask=MASK)
    [event] = feed(connection, line(id=connection.configure(), **reply))
    assert isinstance(event, events.Configured)
    assert event.version_mask == 0
