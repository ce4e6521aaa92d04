"""``stratum-miner device``: set, reset or identify one device that nobody is mining with."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, TypeAlias

import cyclopts
from cyclopts import Parameter

from stratum_miner.app.process import logs, printing, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.backends.asic import access
from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.device import Driver
from stratum_miner.backends.asic.device_location import DeviceLocation, DevicePorts, locate_path
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.discovery import discover
from stratum_miner.backends.asic.drivers import driver_of
from stratum_miner.backends.asic.errors import DeviceRefused, PortBusy
from stratum_miner.backends.asic.port_list import ports_now
from stratum_miner.backends.asic.probing import candidates, choose_board
from stratum_miner.backends.asic.serial_port import open_serial_port
from stratum_miner.backends.asic.transport import PortOpener

app = cyclopts.App(name="device", help="Set, reset or identify one device that is not mining.")

Which: TypeAlias = Annotated[str, Parameter(help="PATH or KIND:PATH, as after mine --device.")]
DeviceAction: TypeAlias = Callable[[Driver, Board, PortOpener], Awaitable[str]]


@app.command(name="set")
def set_(
    device: Which,
    /,
    *,
    frequency: Annotated[float | None, Parameter(name="--frequency", help="MHz.")] = None,
    voltage: Annotated[float | None, Parameter(name="--voltage", help="Core volts.")] = None,
    allow_out_of_limits: Annotated[
        bool,
        Parameter(
            name="--allow-out-of-limits", help="Beyond what the product is safe with.", negative=(), show_default=False
        ),
    ] = False,
) -> int:
    """Set frequency and voltage, and say what is in force. A running miner takes them from its own --device."""
    if frequency is None and voltage is None:
        raise UsageError("device set: expected --frequency, --voltage or both")
    told = {"frequency": frequency, "voltage": voltage}
    values = {name: f"{value:g}" for name, value in told.items() if value is not None}
    if allow_out_of_limits:
        values["allow_out_of_limits"] = "yes"
    spec = _spec(device)
    spec = replace(spec, options={**spec.options, **values})

    async def configure(driver: Driver, board: Board, ports: PortOpener) -> str:
        return await driver.configure(ports, spec.options_for(board))

    return _ask(spec, configure)


@app.command
def reset(device: Which, /) -> int:
    """Bring it back to its state after power-on, as far as it has a way."""

    async def ask(driver: Driver, board: Board, ports: PortOpener) -> str:
        del board
        return await driver.reset(ports)

    return _ask(_spec(device), ask)


@app.command
def identify(device: Which, /) -> int:
    """Make it show itself for a few seconds, and say what it is."""

    async def ask(driver: Driver, board: Board, ports: PortOpener) -> str:
        answer = await driver.probe(ports)
        what = f"{board.product}, {answer.chips} {answer.chip}"
        try:
            return f"{what}; {await driver.identify(ports)}"
        except DeviceRefused as error:
            return f"{what}; {error}"

    return _ask(_spec(device), ask)


def _spec(text: str) -> DeviceSpec:
    spec = DeviceSpec.parse(text)
    if spec.path is None:
        raise UsageError(f"device: expected PATH or KIND:PATH, got {text!r}: stratum-miner devices lists them")
    spec.check_path()
    return spec


def _ask(spec: DeviceSpec, asked: DeviceAction) -> int:
    """Find it, make sure that it is free, ask it."""
    logs.configure(level="warning")
    answer = ""

    async def ask(stop: signals.Stop) -> None:
        nonlocal answer
        del stop
        place = locate_path(spec.path or "", "", discover(await ports_now()))
        boards = () if place is None else candidates(place, spec.kind)
        if place is None or not boards:
            raise CommandFailed(f"{spec.path}: expected a device there, there is none")
        _require_free(place, boards[0])
        board = await choose_board(place, boards, open_serial_port)
        paths = place.port_paths(board)
        answer = await asked(driver_of(board), board, DevicePorts(place.path, lambda: paths))

    signals.run(ask)
    printing.say(answer)
    return ExitCode.OK


def _require_free(place: DeviceLocation, board: Board) -> None:
    for path in place.port_paths(board).values():
        held = access.holders(path)
        if held:
            who = ", ".join(map(str, held))
            raise PortBusy(f"{path}: in use by {who}; only a device that is free can be changed")
