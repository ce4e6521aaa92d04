"""Reads passwords, and keeps secrets out of the process list and of everything that is printed or logged."""

import os
import re
import shlex
import sys
from collections.abc import MutableMapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import setproctitle

from stratum_miner import user_files
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.monitoring.sentences import SENTENCES
from stratum_miner.secret_words import HIDDEN, SHORTEST, Hider, is_word, without_credentials
from stratum_miner.user_files import UserFileError

MAX_FILE_SIZE = 4096

_PASSWORD_OPTIONS = ("-p", "--pass", "--password", "--price-command", "--on-event")
_USERPASS_OPTIONS = ("-O", "--userpass")
_URL_OPTIONS = ("--node", "--api", "--price-url", "--proxy", "-x", "--url", "-o", "--to")

_PACKED = re.compile(r"-([DPq]*)([poOx])(.*)", re.DOTALL)
"""Matches a command-line argument in which short flags are followed by a short option whose value is a secret, as in
``-qp``.

The secret is either the rest of this argument, as in ``-qpSECRET``, or the next argument.
"""

_POOL_WITH_USER = re.compile(r"(?!-)[^@]*:.*@.*", re.DOTALL)
"""Matches a command-line argument that may be the URL of a pool with a user and a password, with or without a scheme.
"""
_USERINFO = re.compile(r"(\b[a-z][a-z0-9+.-]{0,30}://)(?!USER:PASS@)[^\s/?#@'\"]+@")
"""Matches the scheme of a URL with its user and password. User and password are always a secret; the placeholder
``USER:PASS`` of help texts is not matched. The length of the scheme is limited, because a long text would otherwise
take quadratic time."""
_OUR_NAMES = (
    "stratum stratum_miner version_mask subscribe authorize submit notify configure extranonce password worker "
    "penalized silent untried trying degraded debug info warning error critical localhost"
)
"""Names of methods, states and the like, which the program itself prints. ``_vocabulary`` adds them to the words of the
events. A secret that equals one of these words is not hidden in the program's own text."""


class _Known(NamedTuple):
    """All secrets, and two objects that hide them: ``in_ours`` for the program's own text, ``in_foreign`` for foreign
    text.

    An instance never changes. A new secret replaces the whole instance, so any thread may read it.
    """

    secrets: frozenset[str] = frozenset()
    in_ours: Hider = Hider(own_text=True)
    in_foreign: Hider = Hider()


_NOTHING = Hider()
_open: frozenset[str] = frozenset()
_known = _Known()


def register(secret: str) -> str:
    """From now on, hide a secret in everything that is printed, also where the secret is escaped or encoded, as in JSON
    or in a URL. Return the secret unchanged.

    A secret of fewer than SHORTEST characters is not hidden.
    """
    if len(secret) >= SHORTEST and secret not in _known.secrets:
        _remember(_known.secrets | {secret})
    return secret


def register_credentials(url: str) -> None:
    """From now on, hide the password that a URL contains. The password is hidden both as it is written in the URL and
    with its ``%xx`` sequences decoded. The URL may lack a scheme."""
    credentials, _, _ = url.rpartition("://")[2].rpartition("@")
    password = credentials.partition(":")[2]
    register(password)
    register(unquote(password))


def _remember(secrets: frozenset[str]) -> None:
    global _known  # noqa: PLW0603  there is one process
    _known = _Known(secrets, Hider((each for each in secrets if not _is_ours(each)), own_text=True), Hider(secrets))


def given_openly(*texts: str) -> None:
    """From now on, never hide these texts in the program's own text, even if one of them is also a password. Callers
    pass texts that the user gives openly, such as worker names and hosts."""
    global _open  # noqa: PLW0603  there is one process
    _open |= frozenset(texts)
    _remember(_known.secrets)


def redact(value: Any) -> Any:
    """Return the program's own text or value, which may quote foreign text, with registered secrets hidden.

    A secret that is also a word of this program, or a short number, is not hidden, because the program's own text
    contains it anyway. The keys of a dictionary stay unchanged. Bytes of a command line or file name that are not valid
    text are written as escapes, because JSON cannot represent them.
    """
    return _redact(value, _known.in_ours)


def redact_foreign(text: str) -> str:
    """Return a foreign text, such as a pool's message or a job id, with every registered secret hidden.

    Unlike ``redact``, this function also hides a secret that is a word of this program or a short number.
    """
    return _known.in_foreign.hide(text)


def redact_line(text: str) -> str:
    """Return a protocol line with every registered secret hidden. Its keys and method names stay unchanged."""
    return _known.in_foreign.hide_in_line(text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def _redact(value: Any, hider: Hider) -> Any:
    if isinstance(value, str):
        text = hider.hide(value).encode("utf-8", "backslashreplace").decode()
        return _USERINFO.sub(rf"\1{HIDDEN}@", text) if "@" in text else text
    if isinstance(value, dict):
        return {key: _redact(item, hider) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact(item, hider) for item in value]
    if value is None or isinstance(value, bool | int | float):
        return value
    return _redact(str(value), hider)  # the value is an error or a path, which is printed as text


def _is_ours(secret: str) -> bool:
    """Return whether the secret is also a word, number or name that the program's own text contains anyway. It would be
    useless to hide such a secret in that text."""
    return secret.lower() in _vocabulary() or secret in _open or (is_word(secret) and not secret.isalpha())


@cache
def _vocabulary() -> frozenset[str]:
    """Return the words of this program: those in its event names and their sentences, and names such as those of
    backends and kernels."""
    from stratum_miner.backends import registry  # noqa: PLC0415  loads the native module, needed only with a secret
    from stratum_miner.backends.cpu import kernels  # noqa: PLC0415  the same

    names = (*registry.available(), *kernels.compiled_names(), _OUR_NAMES)
    text = " ".join([*SENTENCES, *SENTENCES.values(), *names]).lower()
    return frozenset(re.findall(r"\w+", text)) | frozenset(re.findall(r"[^\W_]+", text))


OUR_FIELDS = frozenset(
    """
    accepted address addresses backend blocks by chip chips clean connections device difficulty directory dropped
    event fate file first form frequency hash hash_rate header height job_kept kernel kind last latency_ms level
    lines listen lost miner_bytes miners missing most nonce nonce_difficulty number open_shares path place port
    prefix_bytes product quota rate real records refused rejected resubmitted retry_in_s role room seconds session
    sessions stale state step strategy tag thread threads timestamp token unanswered_blocks upstream_bytes url
    version wait_s
    """.split()  # noqa: SIM905  a table of words reads better than a list of strings
)
"""Log fields whose values are names, numbers and paths that the program itself chose. They contain no foreign text."""
FOREIGN_FIELDS = frozenset({"answer", "host", "id", "job_id", "method", "user_agent"})
"""Log fields that contain only foreign text."""


def redact_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Remove the secrets from a log event. Every log event passes through this structlog processor, and no other code
    removes secrets from events.

    The event name, all keys, and the values of OUR_FIELDS stay unchanged, because other programs rely on them. There is
    one exception: if a value of OUR_FIELDS contains a URL with credentials, the credentials are hidden.
    """
    return {key: _redacted_field(key, value) for key, value in event.items()}


def _redacted_field(key: str, value: Any) -> Any:
    if key in OUR_FIELDS:
        return _redact(value, _NOTHING)
    if key == "line":  # a protocol line of --debug
        return redact_line(str(value))
    return _redact(value, _known.in_foreign if key in FOREIGN_FIELDS else _known.in_ours)


def read_secret_file(path: Path, what: str) -> str:
    """Return the first line of a file, and register it as a secret.

    Raises UsageError if the file cannot be read or its first line is empty. The error begins with ``what``.
    """
    try:
        return first_line(path)
    except ValueError as error:
        raise UsageError(f"{what}: {error}") from None


def first_line(path: Path) -> str:
    """Return the first line of a file, and register it as a secret.

    Raises ValueError if the file cannot be read or its first line is empty.
    """
    try:
        content = user_files.read(path, MAX_FILE_SIZE)
    except OSError as error:
        raise ValueError(f"cannot read {str(path)!r}: {error.strerror}") from None
    except UserFileError as error:
        raise ValueError(f"{str(path)!r}: {error}") from None
    line = content.decode("utf-8", "replace").splitlines()[:1]
    if not line or not line[0].strip():
        raise ValueError(f"expected a password in the first line of {str(path)!r}, got none")
    return register(line[0].strip())


def hide_command_line() -> None:
    """Overwrite the arguments of this process, so that ps and similar programs show no password."""
    shown = hidden_arguments(sys.argv[1:])
    if shown != sys.argv[1:]:
        setproctitle.setproctitle(" ".join(["stratum-miner", *map(shlex.quote, shown)]))


def hidden_arguments(arguments: list[str]) -> list[str]:
    """Return the arguments of a command line with ``***`` in place of each secret value. Options are recognised in
    every spelling that the parser accepts."""
    shown: list[str] = []
    hide_next: str | None = None
    for argument in arguments:
        if hide_next is not None:
            shown.append(_hide(hide_next, argument))
            hide_next = None
            continue
        name, equals, value = argument.partition("=")
        name = name.replace("_", "-") if name.startswith("--") else name  # the parser accepts --on_event, too
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
        elif name.startswith("-") and _POOL_WITH_USER.fullmatch(value):  # such as a URL option of another miner
            shown.append(f"{name}={without_credentials(value)}")
        else:
            shown.append(without_credentials(argument) if _POOL_WITH_USER.fullmatch(argument) else argument)
    return shown


def _hide(option: str, value: str) -> str:
    if option in _USERPASS_OPTIONS:
        user, colon, _ = value.partition(":")
        return user + colon + HIDDEN if colon else HIDDEN
    if option in _URL_OPTIONS:
        shown, question, _ = without_credentials(value).partition("?")
        return shown + question + HIDDEN if question else shown
    return HIDDEN


def from_environment(name: str) -> str | None:
    """Return the value of an environment variable and register it as a secret; None if it is not set or empty."""
    value = os.environ.get(name, "")
    return register(value) if value else None
