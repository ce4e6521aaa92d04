"""Events reach ``on_event`` in order, after what they report was handled, and an error of it stops the owner."""

import pytest

from stratum_miner.downstream.event_reporter import EventReporter


def test_events_are_passed_on_in_order_and_only_when_they_are_due() -> None:
    seen: list[str] = []
    reporter = EventReporter[str](seen.append, lambda: seen.append("stopped"))
    reporter.add("first")
    reporter.add("second")
    assert seen == []
    reporter.deliver()
    reporter.deliver()
    reporter.raise_error()
    assert seen == ["first", "second"]


def test_an_error_stops_the_owner_once_and_no_further_event_comes() -> None:
    seen: list[str] = []

    def fail(event: str) -> None:
        seen.append(event)
        raise ZeroDivisionError(event)

    reporter = EventReporter[str](fail, lambda: seen.append("stopped"))
    for event in ("first", "second"):
        reporter.add(event)
    reporter.deliver()
    reporter.add("third")
    reporter.deliver()
    assert seen == ["first", "stopped"]
    assert not reporter._waiting, "nobody will take these"
    with pytest.raises(ZeroDivisionError, match="first"):
        reporter.raise_error()


def test_without_a_function_nothing_is_kept() -> None:
    reporter = EventReporter[str](None, lambda: None)
    reporter.add("first")
    reporter.deliver()
    assert not reporter._waiting


def test_a_coroutine_function_is_refused() -> None:
    async def later(event: str) -> None: ...

    with pytest.raises(TypeError):
        EventReporter[str](later, lambda: None)  # type: ignore[arg-type]  # what is tested
