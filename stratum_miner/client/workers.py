"""The worker names of one connection: which of them the pool authorized, and under which of them to submit a share.

If the device that found a share has a worker name, the share is submitted under this name. Otherwise the worker name of
the share's backend is used, or, if the backend has none, the ``worker_name`` of the pool. If the pool refused the name
that was chosen in this way, the share is submitted under the first configured worker name that the pool has not
refused, because otherwise the share would be lost.
"""

from dataclasses import dataclass
from math import inf

import structlog

from stratum_miner.client.endings import WorkerRefused
from stratum_miner.client.settings import PoolSettings
from stratum_miner.work.share import Share

log = structlog.get_logger(__name__)

MAX_WORKER_NAMES = 10_000
"""Maximum number of worker names for which mining.authorize is sent on one connection. The miners of a proxy choose
their names, so there could be any number. Above the limit, shares with a new name are submitted under a configured
worker name."""
MAX_ACCEPTED = 1000
"""Maximum number of worker names that are remembered as accepted. The miners of a proxy choose their names, so there
could be any number."""
FIRST_PAUSE_S, LONGEST_PAUSE_S = 5.0, 600.0
"""First and longest pause (s) before mining.authorize is sent again for a refused worker name on the same connection.
The pause doubles each time."""


@dataclass(slots=True)
class _WorkerEntry:
    asked_at: float
    answered: bool = False
    refusal: str = ""
    pause: float = FIRST_PAUSE_S
    """Seconds before mining.authorize is sent again, if the refusal may be temporary."""
    again_at: float = inf


class Workers:
    """The worker names for which mining.authorize was sent on one connection.

    ``accepted``: the set of names that the pool has authorized so far, on any connection. This object adds newly
    authorized names to the set.
    """

    def __init__(self, settings: PoolSettings, accepted: set[str]) -> None:
        self._accepted = accepted
        self._refusal_is_temporary = False
        """Whether any refusal on this connection says that the pool may accept the worker name later."""
        self._configured = settings.worker_names
        self._entries: dict[str, _WorkerEntry] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    @property
    def is_full(self) -> bool:
        """Whether ``MAX_WORKER_NAMES`` is reached, so that mining.authorize is not sent for any further worker name."""
        return len(self._entries) >= MAX_WORKER_NAMES

    def asked(self, name: str, now: float) -> None:
        """Record that mining.authorize was sent for a worker name."""
        self._entries[name] = _WorkerEntry(now)

    def answered(self, name: str, refusal: str, now: float, *, is_temporary: bool = False) -> None:
        """Record the pool's answer about a worker name.

        ``refusal``: why the pool refused the name; empty if the pool accepted it. ``is_temporary``: whether the pool
        may accept the name later. Raises WorkerRefused if the pool has refused all configured worker names.
        """
        self._refusal_is_temporary = self._refusal_is_temporary or is_temporary
        entry = self._entries.get(name)
        if entry is not None:
            entry.answered, entry.refusal = True, refusal
            entry.again_at = now + entry.pause if refusal and (is_temporary or name in self._accepted) else inf
            entry.pause = min(2 * entry.pause, LONGEST_PAUSE_S)
        if self._all_refused:
            raise WorkerRefused(self._refusal_text, is_temporary=self._refusal_is_temporary)
        if refusal:
            log.warning("login_refused", worker=name, reason=refusal, instead=self.stand_in(name))
        elif len(self._accepted) < MAX_ACCEPTED:
            self._accepted.add(name)

    def due_again(self, now: float) -> list[str]:
        """Return the refused worker names for which mining.authorize is to be sent again now. A later call returns a
        name again only if the pool has refused it once more."""
        due = [name for name, entry in self._entries.items() if entry.again_at <= now]
        for name in due:
            self._entries[name].again_at = inf
        return due

    def stand_in(self, name: str) -> str | None:
        """Return the worker name under which to submit shares that should have ``name``.

        The candidates are ``name``, followed by the configured names. This method chooses the first candidate for which
        mining.authorize was sent and which the pool has not refused. It returns None if there is no such candidate, or
        if the pool has not yet answered the mining.authorize of the chosen one.
        """
        for candidate in (name, *self._configured):
            entry = self._entries.get(candidate)
            if entry is not None and not entry.refusal:
                return candidate if entry.answered else None
        return None

    def overdue(self, since: float) -> tuple[str, ...]:
        """Return the worker names whose mining.authorize was sent before the time ``since`` and is still unanswered."""
        return tuple(name for name, entry in self._entries.items() if not entry.answered and entry.asked_at < since)

    @property
    def refusals(self) -> dict[str, str]:
        """The refused worker names, each with the reason."""
        return {name: entry.refusal for name, entry in self._entries.items() if entry.refusal}

    @property
    def _all_refused(self) -> bool:
        """Whether the pool has refused all configured worker names."""
        return all(name in self._entries and self._entries[name].refusal for name in self._configured)

    @property
    def _refusal_text(self) -> str:
        """Why the pool refused the worker names."""
        return "; ".join(f"the pool refused the worker {name!r}: {why}" for name, why in self.refusals.items())


def wanted_worker_name(share: Share, settings: PoolSettings) -> str:
    """Return the worker name under which a share should be submitted to a pool. If the pool has refused this name, the
    share is submitted under a different name (see ``Workers.stand_in``)."""
    return worker_name_at(share, settings.worker_of(share.backend))


def worker_name_at(share: Share, account: str) -> str:
    """Return the worker name under which to submit a share to a pool.

    ``account``: the worker name that the share's backend has at this pool. It is used if the share has no worker name
    of its own. If the share's own worker name begins with a dot, the result is ``account`` followed by this name.
    """
    own = share.worker_name
    return account + own if own.startswith(".") else own or account
