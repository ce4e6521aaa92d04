"""What a user says to name a device: ``auto``, ``PATH``, ``KIND:PATH`` or ``KIND:auto``, each with ``,key=value``."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from stratum_miner.backends.asic import access
from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.boards import BOARDS, board_of
from stratum_miner.backends.asic.errors import DeviceGone, DeviceRefused
from stratum_miner.backends.asic.options import DeviceOptions, check_spelling
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.spelling import did_you_mean

AUTO = "auto"
EXPECTED = "expected auto, PATH or KIND:PATH, as in erupter:/dev/ttyUSB0"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """One device, or (``path`` None) every recognised one, of one kind or of any."""

    text: str
    """As the user wrote it."""
    path: str | None = None
    kind: str | None = None
    """None: to be found out."""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "DeviceSpec":
        """BackendOptionError for what is none of these, with the nearest spelling. Looks at no device."""
        if re.search(r"\s", text):
            raise BackendOptionError(f"device: {EXPECTED}, without blanks, got {text!r}")
        head, *pairs = text.split(",")
        kind, path = _kind_and_path(head)
        options: dict[str, str] = {}
        for key, value in map(_pair, pairs):
            if key in options:
                raise BackendOptionError(f"device: {key}: expected once, got {options[key]!r} and {value!r}")
            options[key] = value
        if kind is not None:
            DeviceOptions.parse(board_of(kind), options)
        else:
            check_spelling(options)
        return cls(text=text, path=path, kind=kind, options=options)

    def fits(self, board: Board | None) -> bool:
        """Whether a board is of the kind asked for."""
        return board is not None and self.kind in (None, board.kind)

    def check_path(self) -> None:
        """BackendOptionError when the path can never be a serial port; one that is absent may yet be plugged in."""
        if self.path is None:
            return
        path = os.path.expanduser(self.path)
        directory = os.path.dirname(path) or "."
        if not os.path.isdir(directory):
            raise BackendOptionError(f"device: expected a serial port, {directory} is no directory")
        try:
            access.require_serial_port(path)
        except DeviceGone:
            return
        except DeviceRefused as error:
            raise BackendOptionError(f"device: {error}") from None

    def options_for(self, board: Board) -> DeviceOptions:
        """Its settings, checked against the board. BackendOptionError for one that the board cannot take."""
        return DeviceOptions.parse(board, self.options)


def _kind_and_path(head: str) -> tuple[str | None, str | None]:
    if head == AUTO:
        return None, None
    if head.startswith(("/", ".", "~")):
        return None, head  # may hold colons: /dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0
    kind, colon, path = head.partition(":")
    if colon and kind and path:
        board_of(kind)
        return kind, None if path == AUTO else path
    if kind in BOARDS:
        raise BackendOptionError(f"device: expected a port after the kind, as in {kind}:/dev/ttyUSB0 or {kind}:auto")
    if "/" in head:
        raise BackendOptionError(f"device: {EXPECTED}; a path from here begins with ./, got {head!r}")
    raise BackendOptionError(f"device: {EXPECTED}, got {head!r}{did_you_mean(kind, (AUTO, *BOARDS))}")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (equals and key and value):
        raise BackendOptionError(f"device: expected key=value after the comma, got {text!r}")
    return key, value
