"""Checks of the devices of --device: whether each is plugged in, is what it is said to be, and can be opened."""

import glob
import os
from collections.abc import Callable, Sequence
from dataclasses import replace

from stratum_miner.app.doctor.device_names import naming_hint, what_it_is
from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.app.doctor.ports import process
from stratum_miner.backends.asic import access
from stratum_miner.backends.asic.access import PortAccess
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.discovery import FoundDevice
from stratum_miner.backends.asic.errors import DeviceGone, DeviceRefused

TOPIC = "device"
_NONE_RECOGNISED = "no miner is recognised"
_LIST = "stratum-miner devices lists what is plugged in"


def device_findings(specs: Sequence[DeviceSpec], devices: Sequence[FoundDevice]) -> list[Finding]:
    """Return a finding for each specification of ``--device``. ``devices`` are the USB devices that are plugged in."""
    has_auto = any(spec.path is None and spec.kind is None and spec.pattern is None for spec in specs)
    found = []
    for spec in specs:
        if spec.path is not None:
            found.append(_of_path(spec, spec.path, devices))
        elif spec.pattern is not None:
            found.append(_of_pattern(spec, spec.pattern, devices))
        else:
            found.append(_of_all(spec, devices, is_only_setting=has_auto and bool(spec.options)))
    autos = {spec.text for spec in specs if spec.path is None and spec.kind is None and spec.pattern is None}
    if any(each.verdict is Severity.GOOD for each in found):
        # At least one other specification has a device that is ready, so the miner can mine. That ``auto`` finds no
        # device is then no problem: one may be plugged in later.
        found = [
            replace(each, verdict=Severity.NOTE)
            if each.subject in autos and each.text.startswith(_NONE_RECOGNISED)
            else each
            for each in found
        ]
    return found


def _of_pattern(spec: DeviceSpec, pattern: str, devices: Sequence[FoundDevice]) -> Finding:
    """Return one finding for all paths that match a pattern. If some path has a problem or a note, return the finding
    about the first such path. Otherwise return a finding that lists all paths as ready."""
    paths = dict.fromkeys(sorted(glob.glob(os.path.expanduser(pattern))))
    paths |= dict.fromkeys(device.path for device in devices if spec.selects(device))
    if not paths:
        text = "no serial port matches; the miner waits for a device"
        return _finding(spec, Severity.PROBLEM, text, f"plug the device in, or correct the pattern; {_LIST}")
    found = {path: _of_path(spec, path, devices) for path in paths}
    for path, finding in found.items():
        if finding.verdict is not Severity.GOOD:
            return replace(finding, text=f"{path}: {finding.text.removeprefix(f'{path}: ')}")
    return _finding(spec, Severity.GOOD, f"ready{_as_far_as_seen()}: {', '.join(paths)}")


def _of_all(spec: DeviceSpec, devices: Sequence[FoundDevice], *, is_only_setting: bool) -> Finding:
    """Return one finding for all devices that a specification without a path or pattern selects.

    ``is_only_setting`` is true if ``--device auto`` is given, too, so that the specification only sets options for
    devices of its kind. If no device of this kind is plugged in, the finding is then a note: ``auto`` may select
    devices of other kinds.
    """
    fitting = [device for device in devices if spec.selects(device)]
    if not fitting:
        bare = [device for device in devices if device.bridge is not None and spec.kind in (None, *device.kinds)]
        return _finding(
            spec,
            Severity.NOTE if is_only_setting else Severity.PROBLEM,
            (f"no {spec.kind} is recognised" if spec.kind else _NONE_RECOGNISED)
            + (f"; {bare[0].path} may be one" if bare else ""),
            naming_hint(bare[0]) if bare else f"plug the device in; {_LIST}",
        )
    found = [(device, access.examine_all(port.path for port in device.ports)) for device in fitting]
    for device, result in found:
        if not result.allowed:
            return _of_access(spec, f"{what_it_is(device)} at {device.path}: ", result)
    names = ", ".join(f"{what_it_is(device)} at {device.path}" for device in fitting)
    return _finding(spec, Severity.GOOD, f"ready{_as_far_as_seen()}: {names}")


def _of_path(spec: DeviceSpec, path: str, devices: Sequence[FoundDevice]) -> Finding:
    path = os.path.expanduser(path)
    if not os.path.exists(path) and os.path.exists(f"{path}-data"):
        # The user names an emulated device with two ports by PATH, but the port to its chips is PATH-data.
        path = f"{path}-data"
    try:
        access.require_serial_port(path)
    except DeviceGone:
        text = "nothing is there; the miner waits for the device"
        if os.path.islink(path):
            text = f"it is a link to {os.path.realpath(path)}, and {text}"
        return _finding(spec, Severity.PROBLEM, text, f"plug the device in, or correct the path; {_LIST}")
    except DeviceRefused as error:
        return _finding(spec, Severity.PROBLEM, str(error), f"name the serial port of the device; {_LIST}")
    resolved = os.path.realpath(path)
    device = next((each for each in devices if any(port.path == resolved for port in each.ports)), None)
    name = ""
    ports = [path]
    if device is not None:
        ports = [port.path for port in device.ports]
        name = f"{what_it_is(device)}: "
        if spec.kind is not None and device.recognised and spec.kind not in device.kinds:
            text = f"expected a device of the kind {spec.kind}, found {what_it_is(device)}"
            return _finding(spec, Severity.PROBLEM, text, f"name its kind: --device {device.kinds[0]}:{path}")
        if device.undriven:
            return _finding(spec, Severity.PROBLEM, what_it_is(device))
    result = access.examine_all(ports)
    if result.allowed:
        return _finding(spec, Severity.GOOD, f"{name}ready{_as_far_as_seen()}")
    return _of_access(spec, name, result)


def _of_access(spec: DeviceSpec, name: str, result: PortAccess) -> Finding:
    """Return the finding for a port that cannot be opened. If another stratum-miner process is mining with the port,
    the finding is a note, not a problem."""
    if any(process(holder.pid).is_miner for holder in result.holders):
        return _finding(spec, Severity.NOTE, f"{name}{result.problem}, a miner that is already running")
    return _finding(spec, Severity.PROBLEM, f"{name}{result.problem}", result.fix)


def _as_far_as_seen(is_root: Callable[[], bool] = lambda: os.geteuid() == 0) -> str:
    """Return a remark that a port may be open in a program of another user, which only root can see. The remark is
    empty for root."""
    return "" if is_root() else ", unless a program of another user has opened it, which only root can see"


def _finding(spec: DeviceSpec, verdict: Severity, text: str, fix: str = "") -> Finding:
    return Finding(topic=TOPIC, subject=spec.text, verdict=verdict, text=text, fix=fix)
