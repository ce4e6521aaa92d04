"""The name of a detected device for people, and its spelling as the argument of --device."""

from stratum_miner.backends.asic.discovery import FoundDevice


def what_it_is(device: FoundDevice) -> str:
    """Return the name of a device: "GekkoScience Compac", "Bitaxe Gamma, Supra or Ultra", "CP2102 bridge"."""
    if device.boards:
        return _alternatives([board.product for board in device.boards])
    if device.undriven:
        return f"{device.undriven}, for which stratum-miner has no driver"
    if device.bridge is not None:
        return f"{device.bridge.name} bridge"
    return device.ports[0].product or device.ports[0].vid_pid


def device_argument(device: FoundDevice) -> str:
    """Return the argument of --device, or an empty text if the device is not a miner.

    If only the USB bridge of the device is known, the argument has no kind, because the user must choose the kind.
    """
    if not device.kinds:
        return ""
    return f"{device.kinds[0]}:{device.path}" if len(device.kinds) == 1 else device.path


def naming_hint(device: FoundDevice) -> str:
    """Return how to name a device of which only the USB bridge is known; empty for all other devices."""
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
