"""The power-down sequence: no failure, hang or missing device keeps the power on."""

from collections.abc import Awaitable, Callable

import pytest
import trio
from structlog.testing import capture_logs

from stratum_miner.backends.asic.errors import DeviceError, DeviceGone, DeviceSilent
from stratum_miner.backends.asic.power import MAKE_IDLE_S, OFF_S, OFF_TRIES, NoPower, power_down, run_all


class Switch(NoPower):
    """Fails so often, then goes off; ``hangs`` never answers."""

    def __init__(self, *, failures: int = 0, hangs: bool = False) -> None:
        self.tries = 0
        self.is_off = False
        self._failures, self._hangs = failures, hangs

    async def off(self) -> None:
        await trio.lowlevel.checkpoint()
        self.tries += 1
        if self._hangs:
            await trio.sleep_forever()
        if self.tries <= self._failures:
            raise DeviceSilent("control: no answer")
        self.is_off = True


def raising(error: Exception) -> Callable[[], Awaitable[None]]:
    async def step() -> None:
        await trio.lowlevel.checkpoint()
        raise error

    return step


RESTS = {
    "well": trio.lowlevel.checkpoint,
    "refused": raising(DeviceSilent("data: took none")),
    "gone": raising(DeviceGone("data: gone")),
    "a defect": raising(AssertionError("a defect")),
    "hanging": trio.sleep_forever,
}


@pytest.mark.parametrize("rest", RESTS)
async def test_the_power_goes_off_whatever_becomes_of_the_chips(rest: str, autojump_clock: object) -> None:
    power = Switch(failures=OFF_TRIES - 1)
    with trio.CancelScope() as scope:
        scope.cancel()
        await power_down("stick", RESTS[rest], power)
    assert power.is_off


@pytest.mark.parametrize(
    ("failures", "hangs", "reason"), [(99, False, "no answer"), (0, True, "it took longer than 8 s")]
)
async def test_power_that_stays_on_is_logged_and_not_waited_for_any_longer(
    failures: int, hangs: bool, reason: str, autojump_clock: object
) -> None:
    power, began = Switch(failures=failures, hangs=hangs), trio.current_time()
    with capture_logs() as logged:
        await power_down("stick", trio.sleep_forever, power)
    assert trio.current_time() - began <= MAKE_IDLE_S + OFF_S
    assert power.tries == (1 if hangs else OFF_TRIES)
    steps = [(line["log_level"], line["step"]) for line in logged]
    assert steps == [("warning", "make idle"), ("warning", "power off")]
    assert reason in logged[1]["reason"]


async def test_each_step_is_tried_and_the_first_error_raised() -> None:
    done: list[str] = []

    async def step() -> None:
        await trio.lowlevel.checkpoint()
        done.append("done")

    with pytest.raises(DeviceError, match="first"):
        await run_all(raising(DeviceSilent("first")), step, raising(DeviceSilent("second")), step)
    assert done == ["done", "done"]
