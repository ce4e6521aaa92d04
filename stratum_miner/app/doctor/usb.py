"""Checks of USB devices: whether the user may open their ports, whether other programs use the ports, and whether
drivers are missing or power supplies are weak."""

from collections.abc import Sequence

import trio

from stratum_miner.app.doctor.device_names import naming_hint, what_it_is
from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.backends.asic import access, usb_power
from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.discovery import FoundDevice, discover
from stratum_miner.backends.asic.port_list import list_ports

TOPIC = "usb"
_MODULES = {"10c4": "cp210x", "0403": "ftdi_sio", "067b": "pl2303", "c0de": "cdc_acm"}
"""Linux kernel modules by USB vendor id (docs/reference/asic.md#recognising-a-device)."""


async def check_devices() -> Sequence[Finding]:
    """Check each device that is or may be a miner: whether this user may open its ports, and whether no other program
    uses them."""
    devices = [device for device in await _devices() if device.kinds or device.undriven]
    if not devices:
        return [Finding(topic=TOPIC, subject="", verdict=Severity.NOTE, text="no miner is plugged in")]
    return [_finding(device) for device in devices]


async def check_rule() -> Sequence[Finding]:
    """Check whether the udev rule that gives access to the devices is installed, and whether it is the rule of this
    version of the program."""
    path = access.installed_rule()
    if path is None:
        return [
            Finding(
                topic=TOPIC,
                subject="udev",
                verdict=Severity.NOTE,
                text="the udev rule is not installed, so only root and the group of the ports may open them",
                fix=access.install_rule(),
            )
        ]
    if access.is_current_rule(path):
        return [Finding(topic=TOPIC, subject="udev", verdict=Severity.GOOD, text=f"{path} is the rule of this version")]
    return [
        Finding(
            topic=TOPIC,
            subject="udev",
            verdict=Severity.NOTE,
            text=f"{path} is not the rule of this version",
            fix=access.INSTALL_COMMAND,
        )
    ]


async def check_drivers() -> Sequence[Finding]:
    """Check for devices on the USB bus that are miners but have no serial port, because a kernel driver is not
    loaded."""
    usb_ids = {usb_id for board in BOARDS.values() for usb_id in board.usb_ids}
    found = await trio.to_thread.run_sync(usb_power.devices_without_a_port, usb_ids)
    return [
        Finding(
            topic=TOPIC,
            subject=socket,
            verdict=Severity.PROBLEM,
            text=f"a device with the USB id {usb_id} has no serial port, because its kernel driver is not loaded",
            fix=f"sudo modprobe {_MODULES[usb_id.partition(':')[0]]}",
        )
        for socket, usb_id in found
        if usb_id.partition(":")[0] in _MODULES
    ]


async def check_power() -> Sequence[Finding]:
    """Check the kernel log for signs of a weak power supply, and check for miners on USB hubs that have no power supply
    of their own."""
    lines = await trio.to_thread.run_sync(usb_power.kernel_log)
    findings = [
        Finding(
            topic="power",
            subject=sign.socket,
            verdict=Severity.PROBLEM,
            text=f"{sign.text} ({sign.count} times in the kernel log)",
            fix="use a powered hub, a shorter cable or a lower frequency",
        )
        for sign in usb_power.signs_in_log(lines or ())
    ]
    for device in await _devices():
        hubs = usb_power.bus_powered_hubs(device.ports[0].socket) if device.kinds else ()
        if hubs:
            findings.append(
                Finding(
                    topic="power",
                    subject=device.path,
                    verdict=Severity.NOTE,
                    text=f"the device is on hub {hubs[0]}, which has no power supply: 500 mA for all its devices",
                    fix="use a powered hub",
                )
            )
    if lines is None:
        text = "this user may not read the kernel log, which would show a weak power supply"
        fix = "sudo stratum-miner doctor"
        findings.append(Finding(topic="power", subject="", verdict=Severity.NOTE, text=text, fix=fix))
    return findings


async def _devices() -> tuple[FoundDevice, ...]:
    try:
        return discover(await trio.to_thread.run_sync(list_ports))
    except OSError:
        return ()


def _finding(device: FoundDevice) -> Finding:
    what = what_it_is(device)
    found = access.examine_all(port.path for port in device.ports)
    if not device.recognised:
        text = what if found.allowed else f"{what}; {found.problem}"
        return Finding(topic=TOPIC, subject=device.path, verdict=Severity.NOTE, text=text, fix=naming_hint(device))
    verdict = Severity.GOOD if found.allowed else Severity.NOTE if found.holders else Severity.PROBLEM
    text = f"{what}: {found.problem or 'ready'}"
    return Finding(topic=TOPIC, subject=device.path, verdict=verdict, text=text, fix=found.fix)
