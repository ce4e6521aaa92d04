"""Several workers on one connection: what the pool said of each, and under whose name a share goes.

The rule: a share goes under the name that it came with (a device may have one of its own), else under that of the
backend that found it, else under the pool's own. If the pool refuses that worker, the share goes under the first of the
pool's configured workers that it did not refuse: a share is worth more under another name than lost.
"""

from dataclasses import dataclass
from math import inf

import structlog

from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.settings import PoolSettings
from stratum_miner.work.share import Share

log = structlog.get_logger(__name__)

MAX_LOGINS = 10_000
"""Workers of one connection: behind a proxy their names are its miners', who may think of more every day. Shares of
further ones go under another's name."""
MAX_ACCEPTED = 1000
"""Workers remembered as accepted: behind a proxy their names are its miners'."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0
"""Before a refused worker is asked for again on the same connection, doubled each time."""


@dataclass(slots=True)
class _Login:
    asked_at: float
    answered: bool = False
    refusal: str = ""
    pause: float = FIRST_PAUSE_S
    """Before it is asked for again, if its refusal may pass."""
    again_at: float = inf


class Workers:
    """The workers of one connection that were asked for; ``accepted`` are those of it and of earlier ones."""

    def __init__(self, settings: PoolSettings, accepted: set[str]) -> None:
        self._accepted = accepted
        self._refusal_passes = False
        """Whether the pool said of any worker that it may be accepted later."""
        self._configured = settings.worker_names
        self._logins: dict[str, _Login] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._logins

    @property
    def is_full(self) -> bool:
        """Whether nobody else is asked for."""
        return len(self._logins) >= MAX_LOGINS

    def asked(self, name: str, now: float) -> None:
        """A worker was sent to the pool."""
        self._logins[name] = _Login(now)

    def answered(self, name: str, refusal: str, now: float, *, passes: bool = False) -> None:
        """The pool took a worker, or refused it and said why; ``passes``: it may be accepted later.

        Raises WorkerRefused when none of the configured workers may mine.
        """
        self._refusal_passes = self._refusal_passes or passes
        login = self._logins.get(name)
        if login is not None:
            login.answered, login.refusal = True, refusal
            login.again_at = now + login.pause if refusal and (passes or name in self._accepted) else inf
            login.pause = min(2 * login.pause, LONGEST_PAUSE_S)
        if self._all_refused:
            raise WorkerRefused(self._refusal_text, passes=self._refusal_passes)
        if refusal:
            log.warning("login_refused", worker=name, reason=refusal, instead=self.stand_in(name))
        elif len(self._accepted) < MAX_ACCEPTED:
            self._accepted.add(name)

    def to_ask_again(self, now: float) -> list[str]:
        """Workers whose refusals may have passed, each once. Others stand in for them until the pool answers."""
        due = [name for name, login in self._logins.items() if login.again_at <= now]
        for name in due:
            self._logins[name].again_at = inf
        return due

    def stand_in(self, name: str) -> str | None:
        """Who submits for a worker: itself, or who stands in when it was refused; None while the pool has not said."""
        for candidate in (name, *self._configured):
            login = self._logins.get(candidate)
            if login is not None and not login.refusal:
                return candidate if login.answered else None
        return None

    def overdue(self, since: float) -> tuple[str, ...]:
        """Whom the pool was asked for before that time without a word."""
        return tuple(name for name, login in self._logins.items() if not login.answered and login.asked_at < since)

    @property
    def refusals(self) -> dict[str, str]:
        """Who may not, and why."""
        return {name: login.refusal for name, login in self._logins.items() if login.refusal}

    @property
    def _all_refused(self) -> bool:
        """Whether none of the configured workers may mine here."""
        return all(name in self._logins and self._logins[name].refusal for name in self._configured)

    @property
    def _refusal_text(self) -> str:
        """Why nobody may."""
        return "; ".join(f"the pool refused the worker {name!r}: {why}" for name, why in self.refusals.items())


def wanted_login(share: Share, settings: PoolSettings) -> str:
    """Whom a share is for, if the pool lets it."""
    return login_of(share, settings.worker_of(share.backend))


def login_of(share: Share, account: str) -> str:
    """Whom a share is for at a pool whose login for it is ``account``."""
    own = share.worker_name
    return account + own if own.startswith(".") else own or account
