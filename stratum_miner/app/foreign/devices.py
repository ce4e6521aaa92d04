"""Converts the devices of cgminer and bfgminer, and their clocks, to ``device`` of stratum-miner.

Both programs mine with every USB device that they recognise, and with the CPU only if the file asks for it. The
configuration that results from the conversion does the same: its ``device`` is ``auto`` unless the file names
devices.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from stratum_miner.app.config.problems import InvalidValue
from stratum_miner.app.foreign import values
from stratum_miner.app.foreign.notes import KeyOutcome
from stratum_miner.app.foreign.rules import Conversion, is_off
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.foreign_text import sanitize

_DRIVERS = {
    "antminer": "antminer-u1",
    "amu": "antminer-u1",
    "compac": "compac",
    "cbm": "compac",
    "erupter": "erupter",
    "bes": "erupter",
    "icarus": "icarus",
    "ica": "icarus",
}
"""Kinds of devices by the names of bfgminer's drivers."""
_GPUS = frozenset({"opencl", "ocl", "gpu"})
_CPU = "cpu"
_SCANS = ("scan", "scan-serial", "scan-device", "devscan", "S")
_SETS = ("set-device", "set")
_FREQUENCIES = {
    "compac-freq": ("compac", ()),
    "gekko-compac-freq": ("compac", (150,)),
    "gekko-2pac-freq": ("2pac", (100,)),
    "gekko-newpac-freq": ("newpac", (100,)),
    "gekko-r606-freq": ("r606", (550,)),
    "gekko-compacf-freq": ("compac-f", (200,)),
    "gekko-compaca1-freq": ("compac-a1", (300,)),
    "anu-freq": ("antminer-u1", (250,)),
}
"""Maps cgminer's keys that set the clock of one kind of device to this kind and to cgminer's default clocks in MHz."""
_DETECTIONS = {
    "gekko-compac-detect": "compac",
    "gekko-2pac-detect": "2pac",
    "gekko-newpac-detect": "newpac",
    "gekko-r606-detect": "r606",
    "gekko-compacf-detect": "compac-f",
    "gekko-compaca1-detect": "compac-a1",
}
"""Maps cgminer's keys that limit mining to one kind of device to this kind."""


class _Devices:
    """The devices that the file has named so far. ``settings`` has the settings of each device by its *head*: the
    beginning of a value of ``device``, such as ``compac:/dev/ttyUSB0``, ``compac:auto`` or a path alone."""

    def __init__(self) -> None:
        self.settings: dict[str, dict[str, str]] = {}
        self.auto = True
        self.cpu = False

    def add(self, head: str) -> None:
        """Add a device or a kind of devices, named by its head. Raises InvalidValue if stratum-miner does not know the
        device or kind."""
        _check(head)
        self.settings.setdefault(head, {})

    def of_kind(self, kind: str) -> list[str]:
        """Return the devices of a kind that the file has named so far. If it has named none, return KIND:auto, which
        means every device of the kind."""
        return [head for head in self.settings if head.partition(":")[0] == kind] or [f"{kind}:auto"]

    def at_path(self, kind: str, path: str) -> str:
        """Return KIND:PATH for the device at a path. If the file has named this path without a kind before, add the
        kind to that entry."""
        if path in self.settings:
            self.settings = {f"{kind}:{path}" if head == path else head: item for head, item in self.settings.items()}
        return f"{kind}:{path}"

    def set(self, head: str, key: str, value: str) -> None:
        """Set one setting of a device. Raises InvalidValue if the device has no such setting, or if the setting cannot
        have this value."""
        changed = {**self.settings.get(head, {}), key: value}
        _check(_joined(head, changed))
        self.settings[head] = changed

    def texts(self) -> list[str]:
        """Return the values of ``device``. ``auto`` comes last, because stratum-miner uses the first value that selects
        a device."""
        return [_joined(head, settings) for head, settings in self.settings.items()] + ["auto"] * self.auto


def convert_devices(conversion: Conversion) -> None:
    """Convert all keys about devices, and set ``device`` and ``backend``."""
    devices = _Devices()
    for key in _SCANS:
        for path, item in _items(conversion, key):
            with _losing(conversion, path, item):
                _carried(conversion, path, item, _scan(devices, values.text(item)))
    _convert_patterns(conversion, devices)
    named = [key for key in _DETECTIONS if key in conversion.source.table and conversion.flag(key, values.flag)]
    for key in named:
        devices.auto = False
        devices.add(f"{_DETECTIONS[key]}:auto")
        _carried(conversion, key, True, f"{_DETECTIONS[key]}:auto")
    for key, (kind, defaults) in _FREQUENCIES.items():
        value = conversion.take(key)
        if is_off(value):
            continue
        with _losing(conversion, key, value):
            megahertz = values.number(value)
            if megahertz in defaults:
                conversion.leave(key, value, "this is the default of that program")
                continue
            for head in devices.of_kind(kind):
                devices.set(head, "frequency", f"{megahertz:g}")
            _carried(conversion, key, value, f"frequency={megahertz:g} of {kind}")
            _lose_of_unknown(conversion, devices, key, value, f"{kind}:PATH,frequency={megahertz:g}")
    value = conversion.take("gekko-compaca1-corev")
    if not is_off(value):
        with _losing(conversion, "gekko-compaca1-corev", value):
            volts = f"{values.number(value) / 1000:g}"
            if volts == "0.3":
                conversion.leave("gekko-compaca1-corev", value, "this is the default of that program")
            else:
                for head in devices.of_kind("compac-a1"):
                    devices.set(head, "voltage", volts)
                _carried(conversion, "gekko-compaca1-corev", value, f"voltage={volts} of compac-a1")
                spec = f"compac-a1:PATH,voltage={volts}"
                _lose_of_unknown(conversion, devices, "gekko-compaca1-corev", value, spec)
    for key in _SETS:
        for path, item in _items(conversion, key):
            with _losing(conversion, path, item):
                kind, setting = _set(devices, values.text(item))
                _carried(conversion, path, item, f"{setting} of {kind}")
                if "@" not in item:
                    _lose_of_unknown(conversion, devices, path, item, f"{kind}:PATH,{setting}")
    texts = devices.texts()
    if texts:
        conversion.result.options["device"] = texts
    if texts == ["auto"] and not devices.cpu:
        conversion.note(
            "device",
            None,
            KeyOutcome.CARRIED,
            'device = ["auto"], because that program mines with the devices it recognises, not with the CPU. '
            'For the CPU, set backend = ["cpu"] instead',
        )
    if devices.cpu:
        conversion.result.options["backend"] = [_CPU]


def _carried(conversion: Conversion, path: str, value: Any, became: str) -> None:
    conversion.note(path, value, KeyOutcome.CARRIED, became if became.startswith("backend") else f"device: {became}")


def _lose_of_unknown(conversion: Conversion, devices: _Devices, key: str, value: Any, spec: str) -> None:
    """Record that a setting for one kind of device is lost for each device that the file names only by its path. The
    kind of such a device is not known, so stratum-miner would run it without the setting. ``spec`` shows how to name
    the device with its kind."""
    paths = [head for head in devices.settings if head.startswith("/")]
    if paths:
        reason = f"the file does not say of which kind {' or '.join(paths[:3])} is, so this setting does not reach it"
        conversion.lose(key, value, f"{reason}; if it is of this kind, name it as {spec}")


def _convert_patterns(conversion: Conversion, devices: _Devices) -> None:
    """Convert ``device`` of bfgminer, which limits mining to the devices that fit a pattern."""
    found = list(_items(conversion, "device"))
    for path, item in found:
        with _losing(conversion, path, item):
            pattern = values.text(item) if isinstance(item, str) else str(values.integer(item))
            driver, _, port = pattern.partition("@")
            if pattern.lower() == "all":
                conversion.leave(path, item, "all devices are used without a setting")
            elif driver.lower() in _DRIVERS:
                head = f"{_DRIVERS[driver.lower()]}:{port or 'auto'}"
                devices.add(head)
                devices.auto = False
                _carried(conversion, path, item, head)
            elif driver.lower() == _CPU:
                devices.cpu = True
                devices.auto = False
                _carried(conversion, path, item, 'backend = ["cpu"]')
            else:
                raise InvalidValue(
                    "expected a pattern with a driver, as in compac or icarus@/dev/ttyUSB0. The numbers of devices "
                    "differ here: use --device with their paths, which stratum-miner devices lists"
                )


def _scan(devices: _Devices, spelled: str) -> str:
    """Apply one value of ``scan``, which names devices. Return what it became, in the notation of stratum-miner."""
    word = spelled.strip()
    if word.lower() in ("auto", "all"):
        devices.auto = True
        return "auto; ports without a recognised device are not searched"
    if word.lower() == "noauto":
        devices.auto = False
        return "without auto"
    driver, colon, port = ("", "", word) if word.startswith(("/", "\\", ".")) else word.partition(":")
    driver = driver.lower()
    if driver in _GPUS:
        raise InvalidValue("mining with GPUs is not supported")
    if driver == _CPU:
        devices.cpu = devices.cpu or port.lower() != "noauto"
        return 'backend = ["cpu"]' if devices.cpu else "without the backend cpu"
    if port.lower() == "noauto" or not port:
        raise InvalidValue("expected the driver and the port of a device, as in erupter:/dev/ttyUSB0")
    if colon and driver not in _DRIVERS:
        raise InvalidValue(f"stratum-miner has no driver for devices of the kind {sanitize(driver, 40)!r}")
    kind = _DRIVERS.get(driver, "")
    if port.lower() in ("all", "auto"):
        head = _all_of(kind) if port.lower() == "all" else f"{kind}:auto"
    elif port.startswith("/"):
        head = f"{kind}:{port}" if kind else port
    else:
        raise InvalidValue(f"expected a path such as /dev/ttyUSB0, got {sanitize(port, 40)!r}")
    devices.add(head)
    return head


def _all_of(kind: str) -> str:
    """Return the specification of all devices of a kind: ``KIND:all``, or ``KIND:auto`` if ``DeviceSpec`` does not
    accept ``all``. Only ``all`` includes devices whose USB texts do not name the product."""
    try:
        everything = DeviceSpec.parse(f"{kind}:all")
    except BackendOptionError:
        return f"{kind}:auto"
    return f"{kind}:all" if everything.path is None else f"{kind}:auto"


def _set(devices: _Devices, spelled: str) -> tuple[str, str]:
    """Apply one value of ``set-device``, such as ``compac:clock=200``, and return the kind and the setting that it
    became."""
    match = re.fullmatch(r"([\w*]+)(?:@(/\S+?))?:([\w-]+)=(\S+)", spelled.strip(), re.ASCII)
    if match is None:
        raise InvalidValue("expected DRIVER:KEY=VALUE, as in compac:clock=200")
    driver, path, key, value = match[1].lower(), match[2], match[3].lower(), match[4]
    if driver not in _DRIVERS:
        raise InvalidValue(f"stratum-miner has no driver for devices of the kind {sanitize(driver, 40)!r}")
    if key not in ("clock", "frequency", "freq"):
        raise InvalidValue(f"stratum-miner has no setting {sanitize(key, 40)!r} for this device")
    kind = _DRIVERS[driver]
    megahertz = _antminer_clock(value) if value[:1].lower() == "x" and kind == "antminer-u1" else values.number(value)
    for head in [devices.at_path(kind, path)] if path else devices.of_kind(kind):
        devices.set(head, "frequency", f"{megahertz:g}")
    return kind, f"frequency={megahertz:g}"


def _antminer_clock(spelled: str) -> float:
    """Return the frequency in MHz that a register value of a BM1380 stands for, such as 200 for x0781.

    See docs/reference/asic.md#antminer-u1-and-u2.
    """
    if not re.fullmatch(r"[0-9a-f]{3,4}", spelled[1:], re.IGNORECASE):
        raise InvalidValue("expected a clock in MHz, or a register value such as x0781")
    register = int(spelled[1:], 16)
    multiplier, divider, halvings = (register >> 7) & 0x7F, (register >> 2) & 0x1F, register & 3
    return 25 * ((multiplier & 0x3F) + 1) / ((divider + 1) * (1 << halvings))


def _joined(head: str, settings: Mapping[str, str]) -> str:
    return ",".join([head, *(f"{key}={value}" for key, value in settings.items())])


def _check(spec: str) -> None:
    try:
        DeviceSpec.parse(spec)
    except BackendOptionError as error:
        raise InvalidValue(str(error).removeprefix("device: ")) from None


def _items(conversion: Conversion, key: str) -> Iterator[tuple[str, Any]]:
    """Yield each value of a key that may have one value or a list of values. Before each value stands its path in the
    file, such as ``scan[0]``."""
    value = conversion.take(key)
    if isinstance(value, list):
        yield from ((f"{key}[{index}]", item) for index, item in enumerate(value))
    elif not is_off(value):
        yield key, value


@contextmanager
def _losing(conversion: Conversion, path: str, value: Any) -> Iterator[None]:
    """If the ``with`` block raises InvalidValue, record that the value at ``path`` is lost, and raise nothing."""
    try:
        yield
    except InvalidValue as error:
        conversion.lose(path, value, str(error))
