"""Names a detected device for people, and in the form of the argument of --device."""

from stratum_miner.backends.asic.discovery import FoundDevice


def what_it_is(device: FoundDevice) -> str:
    """Return a text that names a device, such as "GekkoScience Compac" or "CP2102 bridge". If the device may be one of
    several products, the text names all of them, as in "Bitaxe Gamma, Bitaxe Supra or Bitaxe Ultra"."""
    if device.boards:
        return _alternatives([board.product for board in device.boards])
    if device.undriven:
        return f"{device.undriven}, for which stratum-miner has no driver"
    if device.bridge is not None:
        return f"{device.bridge.name} bridge"
    return device.ports[0].product or device.ports[0].vid_pid


def device_argument(device: FoundDevice) -> str:
    """Return the argument of --device, or an empty text if the device is not a miner.

    If the device may be one of several kinds, because only its USB bridge is known, the argument is the path alone. The
    user must then add the kind.
    """
    if not device.kinds:
        return ""
    return f"{device.kinds[0]}:{device.path}" if len(device.kinds) == 1 else device.path


def naming_hint(device: FoundDevice) -> str:
    """Return a hint for a device of which only the USB bridge is known: what it may be, and the argument of --device
    for it. The hint is empty for other devices."""
    if device.bridge is None:
        return ""
    kinds = _alternatives(list(device.kinds))
    example = f"--device {device.kinds[0]}:{device.path}"
    return (
        f"{kinds}, or a device that is not a miner ({device.bridge.lookalikes}). If it is a miner, name its kind, "
        f"as in {example}"
    )


def _alternatives(names: list[str]) -> str:
    """Join names as in "Bitaxe Gamma, Bitaxe Supra or Bitaxe Ultra"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
