"""The token that changes over HTTP need: given, or made once and kept where only its owner can read it."""

import os
import secrets as random
from pathlib import Path

from stratum_miner import user_folders
from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError

VARIABLE = "STRATUM_MINER_HTTP_TOKEN"
SHORTEST = 16
"""Characters that cannot be guessed at the rate at which we answer."""


def find(file: Path | None, flag: str = "--http") -> tuple[str, str]:
    """The token, and in words where its owner finds it. UsageError for one that is too short or cannot be kept.

    ``flag`` is the option that wants it, for these errors.
    """
    if file is not None:
        return _checked(secrets.read_secret_file(file, "--http-token-file"), str(file), flag)
    given = secrets.from_environment(VARIABLE)
    if given is not None:
        return _checked(given, VARIABLE, flag)
    path = user_folders.state() / "http-token"
    if path.exists():
        return _checked(secrets.read_secret_file(path, flag), str(path), flag)
    return _made(path, flag), str(path)


def _made(path: Path, flag: str) -> str:
    token = secrets.register(random.token_urlsafe(24))
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as out:
            out.write(token + "\n")
    except OSError as error:
        raise UsageError(
            f"{flag}: cannot keep a token in {str(path)!r}: {error.strerror}; give one with --http-token-file"
        ) from None
    return token


def _checked(token: str, where: str, flag: str) -> tuple[str, str]:
    if len(token) < SHORTEST:
        raise UsageError(f"{flag}: expected a token of at least {SHORTEST} characters in {where}, got {len(token)}")
    return token, where
