"""Tests the log of events: numbers, limits, threads, and sentences."""

import threading

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from stratum_miner.foreign_text import SENTENCE_CHARACTERS
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.sentences import SENTENCES, sentence


def test_events_are_numbered_and_the_oldest_go_first() -> None:
    log = EventLog(kept=3)
    for index in range(5):
        log.take("new_job", "info", {"job_id": index, "difficulty": "1"}, at=float(index))
    assert [event.number for event in log.newest()] == [3, 4, 5]
    assert [event.number for event in log.newest(2)] == [4, 5]
    assert [event.number for event in log.newest(after=4)] == [5]
    assert log.newest(0) == ()
    assert log.newest()[-1].text == "New job 4, share difficulty 1."


def test_fields_are_what_json_can_carry_and_of_bounded_size() -> None:
    fields = {"text": "x" * 9999, "list": list(range(99)), "none": None, "error": ValueError("v")}
    event = EventLog().take("odd", "info", fields, 0.0)
    assert event.fields["text"] == "x" * SENTENCE_CHARACTERS + "…"
    assert event.fields["list"] == list(range(20))
    assert event.fields["error"] == "v"
    assert "none" not in event.fields


async def test_who_waits_is_woken_also_from_another_thread() -> None:
    log = EventLog()
    got: list[int] = []

    async def listen() -> None:
        number = 0
        while number < 2:
            for event in await log.wait(number):
                number = event.number
                got.append(number)

    with trio.fail_after(60):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen)
            await wait_all_tasks_blocked()
            log.take("paused", "info", {}, 0.0)
            await wait_all_tasks_blocked()
            assert got == [1]
            thread = threading.Thread(target=log.take, args=("resumed", "info", {}, 0.0))
            thread.start()
            await trio.to_thread.run_sync(thread.join)
    assert got == [1, 2]


def test_an_event_after_the_loop_has_ended_is_kept() -> None:
    log = EventLog()

    async def look() -> None:
        with trio.move_on_after(0.01):
            await log.wait(0)

    trio.run(look)
    assert log.take("paused", "info", {}, 0.0).number == 1


@pytest.mark.parametrize(
    ("name", "fields", "text"),
    [
        ("share_accepted", {"difficulty": "2", "latency_ms": 7}, "Share accepted, difficulty 2, answered in 7 ms."),
        ("share_accepted", {"difficulty": "1", "block": "00ab"}, "BLOCK 00ab solved. Share accepted, difficulty 1."),
        ("new_block", {"job_id": "a", "difficulty": "2"}, "New block: job a, share difficulty 2."),
        ("waiting", {}, "Waiting."),
        ("paused", {"reason": "hot."}, "Mining is paused: hot."),
        ("device_off", {"device": "stick", "reason": "hot", "hint": "unplug it"}, "stick stays off: hot. Unplug it."),
        ("hook_failed", {"kind": "k", "reason": "why?"}, "The hook for k failed: why?"),
        ("shares_rare", {"text": "a share a day", "hint": "--x asks for more"}, "A share a day. --x asks for more."),
        ("pool_message", {"text": "hello"}, "Message from the pool: hello"),
        ("no_device_found", {"hint": "stratum-miner x"}, "No mining device was recognised. stratum-miner x."),
        ("kernel_chosen", {}, "Kernel chosen"),  # a field is missing: better plain than wrong
        ("never_heard_of", {"some_count": 3, "who": ["a", "b"]}, "Never heard of: some count 3, who a, b"),
    ],
)  # fmt: skip
def test_words(name: str, fields: dict[str, object], text: str) -> None:
    assert sentence(name, fields) == text


def test_every_sentence_can_be_said() -> None:
    for name, template in SENTENCES.items():
        fields = dict.fromkeys(__import__("re").findall(r"\{(\w+)\}", template), "x")
        assert "{" not in sentence(name, fields)
        assert "[" not in sentence(name, fields)


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("device_state", {"device": "stick", "state": "starting", "reason": ""}, "stick is starting."),
        ("device_state", {"device": "stick", "state": "dead", "reason": "no nonces"}, "stick is dead: no nonces."),
        ("device_mining", {"device": "stick", "chips": 1}, "stick is mining. Chips: 1."),
        (
            "no_device_found",
            {"to_be_named": "/dev/ttyUSB0", "hint": "look"},
            "No mining device was recognised. If one of these is a mining device, name it with its kind: /dev/ttyUSB0. "
            "Look.",
        ),
    ],
)
def test_what_devices_do_is_told_in_words(name: str, fields: dict[str, object], words: str) -> None:
    assert sentence(name, fields) == words


def test_five_hundred_events_are_kept_from_number_one_on() -> None:
    log = EventLog()
    assert log.take("paused", "info", {"reason": "", "by": None, "count": 0}, 7.5).number == 1
    [first] = log.newest()
    assert (first.fields, first.at, first.level, first.name) == ({"count": 0}, 7.5, "info", "paused")
    for _ in range(500):
        log.take("paused", "info", {}, 0.0)
    assert [event.number for event in log.newest()] == list(range(2, 502))
    assert [event.number for event in log.newest(3, after=499)] == [500, 501]
    assert [event.number for event in log.newest(1, after=499)] == [501]
    assert log.newest(after=501) == ()
