"""The API token: given by the user, or created once and kept in a file that only its owner can read."""

import os
import secrets as random
import tempfile
from contextlib import suppress
from pathlib import Path

from stratum_miner import user_folders
from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError

VARIABLE = "STRATUM_MINER_HTTP_TOKEN"
SHORTEST = 16
"""Smallest number of characters of a token. Nobody can find a token of this length by trying, because the API answers
too slowly."""


def find(file: Path | None, flag: str = "--http") -> tuple[str, str]:
    """Return the API token, and the name of the file or environment variable that contains it.

    If the user gave no token, use the one that was created earlier, or else create a token and store it.

    Raises UsageError for a token that is too short, or if a new token cannot be stored. The error begins with ``flag``,
    the option that requires the token.
    """
    if file is not None:
        return _checked(secrets.read_secret_file(file, "--http-token-file"), str(file), flag)
    given = secrets.from_environment(VARIABLE)
    if given is not None:
        return _checked(given, VARIABLE, flag)
    path = user_folders.state() / "http-token"
    if not path.exists():
        _make(path, flag)
    return _checked(secrets.read_secret_file(path, flag), str(path), flag)


def _make(path: Path, flag: str) -> None:
    """Create a token and store it, unless another process that started at the same time has just stored one.

    The file appears at ``path`` only when its content is complete, so that no process reads a part of the token.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=f"{path.name}.") as unfinished:
            unfinished.write(random.token_urlsafe(24) + "\n")
            unfinished.flush()
            with suppress(FileExistsError):
                os.link(unfinished.name, path)
    except OSError as error:
        raise UsageError(
            f"{flag}: cannot write an API token to {str(path)!r}: {error.strerror}. Give a token with --http-token-file"
        ) from None


def _checked(token: str, where: str, flag: str) -> tuple[str, str]:
    if len(token) < SHORTEST:
        raise UsageError(
            f"{flag}: expected an API token of at least {SHORTEST} characters in {where}, got {len(token)}"
        )
    return token, where
