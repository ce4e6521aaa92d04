"""What a found device is, in words and as the argument of --device."""

from stratum_miner.backends.asic.discovery import FoundDevice


def what_it_is(device: FoundDevice) -> str:
    """For people: "GekkoScience Compac", "Bitaxe Gamma, Supra or Ultra", "CP2102 bridge"."""
    if device.boards:
        return _alternatives([board.product for board in device.boards])
    if device.undriven:
        return f"{device.undriven}, which we have no driver for"
    if device.bridge is not None:
        return f"{device.bridge.name} bridge"
    return device.ports[0].product or device.ports[0].vid_pid


def device_argument(device: FoundDevice) -> str:
    """What to write after --device; empty for what is no miner. The kind of a bare bridge has to be chosen."""
    if not device.kinds:
        return ""
    return f"{device.kinds[0]}:{device.path}" if len(device.kinds) == 1 else device.path


def naming_hint(device: FoundDevice) -> str:
    """What to do with a bare bridge that is a miner; empty for anything else."""
    if device.bridge is None:
        return ""
    kinds = _alternatives(list(device.kinds))
    example = f"--device {device.kinds[0]}:{device.path}"
    return f"{kinds}, or anything else ({device.bridge.lookalikes}): if it is one, name it, as in {example}"


def _alternatives(names: list[str]) -> str:
    """ "Bitaxe Gamma, Bitaxe Supra or Bitaxe Ultra"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
