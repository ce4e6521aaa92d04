"""Passwords: where they may come from, and keeping them out of the process list and of every log line."""

import json
import os
import re
import shlex
import sys
from collections.abc import MutableMapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import setproctitle

from stratum_miner.cli.exit_codes import UsageError

HIDDEN = "***"
SHORTEST_REDACTED = 4
"""Shorter passwords ("x") are conventions, not secrets; replacing them everywhere would garble the log."""
MAX_FILE_SIZE = 4096

_PASSWORD_OPTIONS = ("-p", "--pass", "--password", "--price-command", "--on-event")
_USERPASS_OPTIONS = ("-O", "--userpass")
_URL_OPTIONS = ("--node", "--api", "--price-url", "--proxy", "-x")

_PACKED = re.compile(r"-([DPq]*)([pOx])(.*)", re.DOTALL)
"""Flags and an option in one word, perhaps with its value: -qp SECRET, -pSECRET."""

_spellings: tuple[str, ...] = ()
"""Of all secrets, the longest first: one may be the beginning of another. Replaced as a whole: any thread may read."""


def register(secret: str) -> str:
    """Never show this text again, in any spelling; returns it."""
    global _spellings  # noqa: PLW0603  there is one process
    if len(secret) >= SHORTEST_REDACTED and secret not in _spellings:
        _spellings = tuple(sorted({*_spellings, *_spelt(secret)}, key=len, reverse=True))
    return secret


def redact(value: Any) -> Any:
    """The same value without any registered secret, for whatever is about to be shown.

    Bytes of a command line or of a file's name that are no text are spelt out, because JSON cannot carry them.
    """
    if isinstance(value, str):
        for spelling in _spellings:
            value = value.replace(spelling, HIDDEN)
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {redact(key): redact(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return redact(str(value))  # an error, a path: shown as text anyway


def _spelt(secret: str) -> set[str]:
    """As it stands in JSON, in URLs, and in what Python quotes."""
    plain = {secret, json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {*plain, *(repr(text)[1:-1] for text in plain), quote(secret), quote(secret, safe="")}


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: the one place where log lines lose their secrets."""
    return {key: redact(value) for key, value in event.items()}


def read_secret_file(path: Path, what: str) -> str:
    """The first line of a file. UsageError when it cannot be read or holds nothing."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise UsageError(f"{what}: cannot read {str(path)!r}: {error.strerror}") from None
    if len(content) > MAX_FILE_SIZE:
        raise UsageError(f"{what}: expected a file of at most {MAX_FILE_SIZE} bytes, {str(path)!r} is larger")
    line = content.decode("utf-8", "replace").splitlines()[:1]
    if not line or not line[0].strip():
        raise UsageError(f"{what}: expected a password in the first line of {str(path)!r}, got none")
    return register(line[0].strip())


def hide_command_line() -> None:
    """Overwrite this process's arguments, so that ps and its kin show no password."""
    shown = hidden_arguments(sys.argv[1:])
    if shown != sys.argv[1:]:
        setproctitle.setproctitle(" ".join(["stratum-miner", *map(shlex.quote, shown)]))


def hidden_arguments(arguments: list[str]) -> list[str]:
    """The arguments with the value of each password option replaced, in every spelling the parser takes."""
    shown: list[str] = []
    hide_next: str | None = None
    for argument in arguments:
        if hide_next is not None:
            shown.append(_hide(hide_next, argument))
            hide_next = None
            continue
        name, equals, value = argument.partition("=")
        name = name.replace("_", "-") if name.startswith("--") else name  # the parser takes --on_event too
        packed = _PACKED.fullmatch(argument)
        if name in (*_PASSWORD_OPTIONS, *_USERPASS_OPTIONS, *_URL_OPTIONS):
            if equals:
                shown.append(f"{name}={_hide(name, value)}")
            else:
                shown.append(argument)
                hide_next = name
        elif packed is not None:
            flags, option, value = packed.groups()
            shown.append(f"-{flags}{option}{_hide(f'-{option}', value) if value else ''}")
            hide_next = None if value else f"-{option}"
        else:
            shown.append(argument)
    return shown


def _hide(option: str, value: str) -> str:
    if option in _USERPASS_OPTIONS:
        user, colon, _ = value.partition(":")
        return user + colon + HIDDEN if colon else HIDDEN
    if option in _URL_OPTIONS:
        scheme, separator, rest = value.partition("://")
        credentials, at, host = rest.rpartition("@")
        host, question, _ = host.partition("?")
        shown = scheme + separator + (HIDDEN if credentials else "") + at + host
        return shown + question + HIDDEN if question else shown
    return HIDDEN


def from_environment(name: str) -> str | None:
    """A secret from the environment, or None when it is not set or empty."""
    value = os.environ.get(name, "")
    return register(value) if value else None
