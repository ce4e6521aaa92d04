"""Builds the table of devices. Devices with problems come first."""

from collections import Counter
from collections.abc import Sequence

from rich.text import Text

from stratum_miner.monitoring.screen.states import state_text
from stratum_miner.monitoring.screen.tables import NOT_ACCEPTED, Column, Table, known, table
from stratum_miner.monitoring.view import DeviceView, View
from stratum_miner.quantities import count_text, hash_rate_text


def device_table(view: View, width: int) -> Table:
    """Return the table. Devices that should mine but do not, or that have another problem, come first."""
    with_problem = {problem.device_id for problem in view.summary.problems}
    names = Counter(device.name for device in view.devices)
    expected = view.summary.state not in ("paused", "stopping", "no_pool")

    def needs_attention(device: DeviceView) -> bool:
        return device.id in with_problem or (expected and not device.mines and device.state != "removed")

    def order(device: DeviceView) -> tuple[bool, bool, int]:
        urgent = needs_attention(device)
        return not urgent, device.mines if urgent else device.state == "removed", device.id

    devices = sorted(view.devices, key=order)

    def name(device: DeviceView) -> str:
        return device.name if names[device.name] == 1 else f"{device.backend} {device.name}"

    def notes(device: DeviceView) -> list[Text]:
        is_shown_elsewhere = device.id in with_problem or not expected
        return [] if is_shown_elsewhere or not device.reason else [Text(device.reason, "dim")]

    def rest(shown: int) -> str:
        hidden = devices[shown:]
        idle = sum(not device.mines for device in hidden)
        how = (
            "all mining" if not idle else "none of them mining" if idle == len(hidden) else f"{idle} of them not mining"
        )
        return f"{len(hidden)} more, {how}"

    columns = [
        Column("state", 10, lambda device: state_text(device.state), is_word=True),
        Column("1 m", 11, lambda device: hash_rate_text(device.hash_rate_1m)),
        *_sensors(devices),
        Column("accepted", 10, lambda device: count_text(device.accepted)),
        Column(
            "errors", 8, lambda device: Text(count_text(device.hardware_errors), "red" * bool(device.hardware_errors))
        ),
        Column("5 s", 11, lambda device: hash_rate_text(device.hash_rate)),
        Column(NOT_ACCEPTED, 11, lambda device: count_text(device.refused)),
        Column("nonces", 9, lambda device: count_text(device.nonces_found)),
    ]
    needed = sum(map(needs_attention, devices))
    return table("device", devices, columns, name=name, notes=notes, rest=rest, width=width, needed=needed)


def _sensors(devices: Sequence[DeviceView]) -> list[Column[DeviceView]]:
    """Return the columns for temperature and power. A column is left out if no device measures that quantity."""
    found: list[Column[DeviceView]] = []
    if any(device.chip_temperature_c is not None for device in devices):
        found.append(Column("temp", 7, lambda device: known(device.chip_temperature_c, "{:.0f} C")))
    if any(device.power_w is not None for device in devices):
        found.append(Column("power", 9, lambda device: known(device.power_w, "{:.1f} W")))
    return found
