"""The id, the key and the label of each pool of a run. It keeps id and key wherever it moves and whatever changes."""

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.settings import PoolSettings
from stratum_miner.work.job import PoolKey


class PoolIdentities:
    """Shared by all groups of one miner, so that no two of their pools have the same id or the same label."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[PoolUrl, str]] = {}
        """Which URL and which worker each id stands for; nobody else gets it."""
        self._in_use: set[int] = set()
        self._keys: dict[int, PoolKey] = {}
        self._labels: dict[int, tuple[str, str]] = {}
        """What the settings call a pool, and the label made of it."""

    def take(self, settings: PoolSettings) -> int:
        """An id for a pool that comes, counted from 0; the one that the same URL and worker had before, unless it is
        still in use.
        """
        twin = settings.url, settings.worker_name
        free = (known_id for known_id, known in self._known.items() if known == twin and known_id not in self._in_use)
        pool_id = next(free, len(self._known))
        self._known[pool_id] = twin
        self._in_use.add(pool_id)
        if pool_id not in self._keys:
            key = settings.key
            while key in self._keys.values():
                key = PoolKey(f"{key} #{pool_id}")
            self._keys[pool_id] = key
        self.label(pool_id, settings)
        return pool_id

    def key(self, pool_id: int) -> PoolKey:
        """The pool's key: one for each id. KeyError for an id that was never given."""
        return self._keys[pool_id]

    def named(self, key: PoolKey) -> tuple[int, str] | None:
        """The id and the label of the pool with this key; None for a key that was never given."""
        pool_id = next((known for known, given in self._keys.items() if given == key), None)
        return None if pool_id is None else (pool_id, self._labels[pool_id][1])

    def leave(self, pool_id: int) -> None:
        """The pool is none of ours any more."""
        self._in_use.discard(pool_id)

    def label(self, pool_id: int, settings: PoolSettings) -> str:
        """The user's name of the pool, else its URL; where another pool has that label, with what tells them apart."""
        called = settings.name or str(settings.url)
        before = self._labels.get(pool_id)
        if before is not None and before[0] == called:
            return before[1]
        taken = {label for other, (_, label) in self._labels.items() if other != pool_id}
        ways = (called, f"{called} as {settings.worker_name}", f"{called} #{pool_id}")
        label = next((way for way in ways if way not in taken), f"{called} as {settings.worker_name} #{pool_id}")
        self._labels[pool_id] = called, label
        return label
