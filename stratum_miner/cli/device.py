"""``stratum-miner device``: sets, resets or identifies one device that is not in use."""

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

Which: TypeAlias = Annotated[
    str, Parameter(help="Device, as in mine --device: PATH or KIND:PATH. 'stratum-miner devices' lists the devices.")
]
DeviceAction: TypeAlias = Callable[[Driver, Board, PortOpener], Awaitable[str]]


@app.command(name="set")
def set_(
    device: Which,
    /,
    *,
    frequency: Annotated[
        float | None,
        Parameter(name="--frequency", help="Clock frequency of the chips in MHz."),
    ] = None,
    voltage: Annotated[float | None, Parameter(name="--voltage", help="Core voltage of the chips in V.")] = None,
    allow_out_of_limits: Annotated[
        bool,
        Parameter(
            name="--allow-out-of-limits",
            help="Allow values outside the limits within which the product is known to be safe.",
            negative=(),
            show_default=False,
        ),
    ] = False,
) -> int:
    """Set the frequency and core voltage of a device, and print the values in force.

    For a device that a miner uses, set them in the --device option of that miner instead.
    """
    if frequency is None and voltage is None:
        raise UsageError("device set: expected --frequency, --voltage or both")
    given = {"frequency": frequency, "voltage": voltage}
    values = {name: f"{value:g}" for name, value in given.items() if value is not None}
    if allow_out_of_limits:
        values["allow_out_of_limits"] = "yes"
    spec = _spec(device)
    spec = replace(spec, options={**spec.options, **values})

    async def configure(driver: Driver, board: Board, ports: PortOpener) -> str:
        return await driver.configure(ports, spec.options_for(board))

    return _run(spec, configure)


@app.command
def reset(device: Which, /) -> int:
    """Reset a device to its power-on state, as far as its hardware allows.

    On a Bitaxe, this stops the chips and, where the board allows it, switches off the core voltage.
    """

    async def ask(driver: Driver, board: Board, ports: PortOpener) -> str:
        del board
        return await driver.reset(ports)

    return _run(_spec(device), ask)


@app.command
def identify(device: Which, /) -> int:
    """Make a device visible for a few seconds, such as by blinking, and print its product and chips."""

    async def ask(driver: Driver, board: Board, ports: PortOpener) -> str:
        answer = await driver.probe(ports)
        what = f"{board.product}, {answer.chips} {answer.chip}"
        try:
            return f"{what}; {await driver.identify(ports)}"
        except DeviceRefused as error:
            return f"{what}; {error}"

    return _run(_spec(device), ask)


def _spec(text: str) -> DeviceSpec:
    spec = DeviceSpec.parse(text)
    if spec.path is None:
        raise UsageError(
            f"device: expected PATH or KIND:PATH, got {text!r}. To list the devices: stratum-miner devices"
        )
    spec.check_path()
    return spec


def _run(spec: DeviceSpec, action: DeviceAction) -> int:
    """Find the device, check that no program uses it, run the action, and print the text that the action returns."""
    logs.configure(level="warning")
    answer = ""

    async def ask(stop: signals.Stop) -> None:
        nonlocal answer
        del stop
        place = locate_path(spec.path or "", "", discover(await ports_now()))
        boards = () if place is None else candidates(place, spec.kind)
        if place is None or not boards:
            raise CommandFailed(
                f"{spec.path}: expected a device at this path, found none. To list the devices: stratum-miner devices"
            )
        _require_free(place, boards[0])
        board = await choose_board(place, boards, open_serial_port)
        paths = place.port_paths(board)
        answer = await action(driver_of(board), board, DevicePorts(place.path, lambda: paths))

    signals.run(ask)
    printing.say(answer)
    return ExitCode.OK


def _require_free(place: DeviceLocation, board: Board) -> None:
    for path in place.port_paths(board).values():
        held = access.holders(path)
        if held:
            programs = ", ".join(map(str, held))
            raise PortBusy(f"{path}: in use by {programs}. Stop that program first")
