"""Parses the text by which a user names a device, or several: ``auto``, ``PATH``, ``KIND:PATH``, ``KIND:auto`` or
``KIND:all``, where the kind is the name of a board, and a path may be a glob pattern such as ``/dev/ttyUSB*``. Settings
can follow, each as ``,key=value``."""

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch

from stratum_miner.backends.asic import access
from stratum_miner.backends.asic.board import Board
from stratum_miner.backends.asic.boards import BOARDS, board_of
from stratum_miner.backends.asic.discovery import FoundDevice
from stratum_miner.backends.asic.errors import DeviceGone, DeviceRefused
from stratum_miner.backends.asic.options import DeviceOptions, check_spelling
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.spelling import did_you_mean

AUTO = "auto"
ALL = "all"
EXPECTED = "expected auto, PATH or KIND:PATH, as in erupter:/dev/ttyUSB0 or 'erupter:/dev/ttyUSB*'"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """What a user's text names: the device at ``path`` or, if ``path`` is None, every device that fits the text,
    including devices that are plugged in later."""

    text: str
    """The specification as the user wrote it."""
    path: str | None = None
    kind: str | None = None
    """Name of the board; None if the miner has to find out."""
    pattern: str | None = None
    """Glob pattern of the paths of the devices; None: every recognised device, whatever its path."""
    unrecognised: bool = False
    """True for ``KIND:all``: if boards of ``kind`` can have the USB bridge of a device, the device counts as such a
    board, even if its USB texts do not say so."""
    options: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> "DeviceSpec":
        """Parse a specification. Does not access the device.

        Raises BackendOptionError for a text that is not a valid specification. If a word of the text is misspelt, the
        error suggests the correct spelling.
        """
        if re.search(r"\s", text):
            raise BackendOptionError(f"device: {EXPECTED}, without spaces, got {text!r}")
        head, *pairs = text.split(",")
        kind, where = _kind_and_path(head)
        options: dict[str, str] = {}
        for key, value in map(_pair, pairs):
            if key in options:
                raise BackendOptionError(f"device: {key}: expected once, got {options[key]!r} and {value!r}")
            options[key] = value
        if kind is not None:
            DeviceOptions.parse(board_of(kind), options)
        else:
            check_spelling(options)
        found = cls(text=text, kind=kind, options=options)
        if where in (AUTO, ALL):
            return replace(found, unrecognised=where == ALL and kind is not None)
        return replace(found, pattern=where) if glob.has_magic(where) else replace(found, path=where)

    def selects(self, device: FoundDevice) -> bool:
        """Return whether this specification makes the miner use ``device``, which is plugged in. Only call this for a
        specification without a path: one whose ``path`` is None."""
        if self.pattern is not None:
            return any(fnmatch(port.path, os.path.expanduser(self.pattern)) for port in device.ports)
        if self.kind is None:
            return device.recognised
        return self.kind in device.kinds and (device.recognised or self.unrecognised)

    def fits(self, board: Board | None) -> bool:
        """Return whether ``board`` is of the requested kind. If no kind was requested, return True for every board. If
        ``board`` is None, return False."""
        return board is not None and self.kind in (None, board.kind)

    def check_path(self) -> None:
        """Raise BackendOptionError if the folder of the path does not exist, or if something other than a serial port
        is at the path. A missing file in an existing folder is accepted, because the device may be plugged in later."""
        path = os.path.expanduser(self.path or self.pattern or "")
        directory = os.path.dirname(path) or "."
        appears_later = self.pattern is not None and (directory.startswith("/dev/") or glob.has_magic(directory))
        if not os.path.isdir(directory) and not appears_later:
            raise BackendOptionError(
                f"device: expected the path of a serial port, got {path}: {directory} is not a directory"
            )
        if self.path is None:
            return
        try:
            access.require_serial_port(path)
        except DeviceGone:
            return
        except DeviceRefused as error:
            raise BackendOptionError(f"device: {error}") from None

    def options_for(self, board: Board) -> DeviceOptions:
        """Return the settings, checked against the board. Raises BackendOptionError if the board does not have one of
        these settings."""
        return DeviceOptions.parse(board, self.options)


def _kind_and_path(head: str) -> tuple[str | None, str]:
    if head in (AUTO, ALL):
        return None, head
    if head.lower() == "noauto":
        raise BackendOptionError("device: expected a device, got 'noauto'. Leave it out: only named devices are used")
    if re.fullmatch(r"(\d{1,3}|[A-Z][A-Z0-9]{2}):(\d{1,3}|\*)", head):
        raise BackendOptionError(
            f"device: expected PATH or KIND:PATH, got {head!r}, which is a device in the notation of cgminer; "
            "stratum-miner devices lists the devices with their paths"
        )
    if head.startswith(("/", ".", "~")):
        return None, head  # a path may contain colons: /dev/serial/by-path/pci-0000:00:14.0-usb-0:1:1.0-port0
    kind, colon, path = head.partition(":")
    if colon and kind and path:
        board_of(kind)
        return kind, path
    if kind in BOARDS:
        raise BackendOptionError(f"device: expected a port after the kind, as in {kind}:/dev/ttyUSB0 or {kind}:auto")
    if "/" in head:
        raise BackendOptionError(f"device: {EXPECTED}; a relative path must begin with ./, got {head!r}")
    raise BackendOptionError(f"device: {EXPECTED}, got {head!r}{did_you_mean(kind, (AUTO, ALL, *BOARDS))}")


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not (equals and key and value):
        raise BackendOptionError(f"device: expected key=value after the comma, got {text!r}")
    return key, value
