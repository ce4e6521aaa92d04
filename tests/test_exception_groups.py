"""The nursery that raises a single exception as it is."""

import contextlib
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import Any

import pytest
import trio

from stratum_miner import exception_groups
from stratum_miner.exception_groups import leaves, unwrapping_nursery

FILES = (exception_groups.__file__, contextlib.__file__)


class Interrupter:
    """Sends this process SIGINT, as Ctrl-C does, at one step of the code that enters and leaves the nursery."""

    def __init__(self, step: int) -> None:
        self.steps_left = step
        self._is_counting = False

    def trace(self, frame: FrameType, event: str, arg: Any) -> Any:
        if not self._is_counting or frame.f_code.co_filename not in FILES:
            return None
        self.steps_left -= 1
        if self.steps_left == 0:
            signal.raise_signal(signal.SIGINT)
        return self.trace

    async def use_nursery(self) -> None:
        self._is_counting = True
        async with unwrapping_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            await trio.lowlevel.checkpoint()
            nursery.cancel_scope.cancel()
        self._is_counting = False

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.use_nursery)


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Let Ctrl-C raise KeyboardInterrupt, also if the tests run as the background job of a script, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ctrl_c")
def test_ctrl_c_at_any_step_leaves_no_nursery_open() -> None:
    step, before = 0, sys.gettrace()
    while True:
        step += 1
        interrupter = Interrupter(step)
        raised: BaseException | None = None
        sys.settrace(interrupter.trace)
        try:
            trio.run(interrupter.run)
        except BaseException as error:
            raised = error
        finally:
            sys.settrace(before)
        if interrupter.steps_left > 0:
            break
        assert raised is not None
        assert [type(leaf) for leaf in leaves(raised)] == [KeyboardInterrupt], f"at step {step}"
    assert step > 10
