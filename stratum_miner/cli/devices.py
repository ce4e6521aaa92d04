"""``stratum-miner devices``: lists the mining devices that are plugged in, and whether stratum-miner may open them."""

from dataclasses import asdict
from typing import Annotated, Any

from cyclopts import Parameter
from rich import box
from rich.table import Table
from rich.text import Text

from stratum_miner.app.doctor.device_names import device_argument, naming_hint, what_it_is
from stratum_miner.app.options import common
from stratum_miner.app.process import printing
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode
from stratum_miner.backends.asic import access
from stratum_miner.backends.asic.discovery import FoundDevice, discover
from stratum_miner.backends.asic.port_list import list_ports


def devices(
    *,
    everything: Annotated[
        bool,
        Parameter(
            name="--all",
            help="Also list USB serial devices that are not mining devices.",
            negative=(),
            show_default=False,
        ),
    ] = False,
    json: common.Json = False,
) -> int:
    """List the USB mining devices, and the USB serial bridges that may be mining devices. No device is opened.

    Exit code 1: a mining device cannot be used.
    """
    try:
        found = discover(list_ports())
    except OSError as error:
        raise CommandFailed(f"devices: {error}") from None
    shown = [device for device in found if everything or device.kinds or device.undriven]
    looked = [(device, access.examine_all(port.path for port in device.ports)) for device in shown]
    if json:
        printing.print_json([_object(device, may) for device, may in looked])
    else:
        _show(looked, hidden=len(found) - len(shown))
    blocked = any(device.recognised and not may.allowed for device, may in looked)
    return ExitCode.FAILED if blocked else ExitCode.OK


def _object(device: FoundDevice, may: access.PortAccess) -> dict[str, Any]:
    first = device.ports[0]
    return {
        "path": device.path,
        "ports": [port.path for port in device.ports],
        "what": what_it_is(device),
        "kinds": list(device.kinds),
        "recognised": device.recognised,
        "device": device_argument(device),
        "identity": device.identity,
        "usb_id": first.vid_pid,
        "manufacturer": first.manufacturer,
        "product": first.product,
        "serial_number": first.serial_number,
        "location": first.socket,
        "access": asdict(may),
    }


def _show(looked: list[tuple[FoundDevice, access.PortAccess]], *, hidden: int) -> None:
    output = printing.console(highlight=False)
    if not looked:
        other = f" --all lists {hidden} other USB serial device{'s' * (hidden != 1)}." if hidden else ""
        output.print(f"No mining device is plugged in.{other}", markup=False)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("port", "what", "number", "state"):
        table.add_column(heading, overflow="fold")
    for device, may in looked:
        port = device.ports[0]
        number = port.socket if port.has_placeholder_serial else port.serial_number
        ports = "\n".join(port.path for port in device.ports)
        table.add_row(*(Text(cell) for cell in (ports, what_it_is(device), number, _state(device, may))))
    output.print(table)
    for device, may in looked:
        if not may.allowed:
            output.print(f"{device.path}: {may.problem}\n  > {may.fix}", markup=False, soft_wrap=True)
        elif hint := naming_hint(device):
            output.print(f"{device.path}: {hint}", markup=False, soft_wrap=True)


def _state(device: FoundDevice, may: access.PortAccess) -> str:
    if may.holders:
        return "in use"
    if not may.allowed:
        return "not ours"
    return "ready" if device.recognised else "not driven" if device.undriven else "to be named" if device.kinds else ""
