"""Numbers for the devices of a run: one that comes back gets the number that it had."""


class DeviceIds:
    """By the label of the backend and the name of the device there; counted from 0."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], int] = {}

    def __contains__(self, device: tuple[str, str]) -> bool:
        return device in self._known

    def of(self, backend: str, device: str, listed_as: str = "") -> int:
        """The number of a device, which is that of what it was listed as before it told its name."""
        if (backend, device) not in self._known:
            self._known[backend, device] = self._known.pop((backend, listed_as), len(self._known))
        return self._known[backend, device]

    def find(self, device_id: int) -> tuple[str, str]:
        """The backend and the name of the device with this number. ValueError when there is none."""
        for device, known in self._known.items():
            if known == device_id:
                return device
        ids = ", ".join(map(str, sorted(self._known.values())))
        raise ValueError(f"device: expected one of the ids {ids or '(there is no device)'}, got {device_id}")
