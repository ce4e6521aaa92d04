"""The key and the label of each pool of a run. A pool keeps its key even if its position or its settings change."""

from stratum_miner.client.dialing.url import PoolUrl
from stratum_miner.client.settings import PoolSettings
from stratum_miner.work.job import PoolKey


class PoolIdentities:
    """Gives each pool a key and a label of its own. All groups of one miner share this object."""

    def __init__(self) -> None:
        self._known: dict[PoolKey, tuple[PoolUrl, str]] = {}
        """For each key that was ever given to a pool, the URL and worker name that the pool had at that time. The
        oldest key is first. If that pool is removed, only a new pool with the same URL and worker name can get its
        key."""
        self._in_use: set[PoolKey] = set()
        self._labels: dict[PoolKey, tuple[str, str]] = {}
        """For each key, two texts: the configured name of the pool, or its URL if it has no name; and the label that
        was made from this text."""

    def take(self, settings: PoolSettings) -> PoolKey:
        """Return a key for a new pool. If a removed pool had the same URL and worker name, the new pool gets its
        key."""
        twin = settings.url, settings.worker_name
        key = next((old for old, known in self._known.items() if known == twin and old not in self._in_use), None)
        if key is None:
            key = settings.key
            while key in self._known:
                key = PoolKey(f"{key} #{len(self._known)}")
            self._known[key] = twin
        self._in_use.add(key)
        self.label(key, settings)
        return key

    def release(self, key: PoolKey) -> None:
        """Record that the pool was removed."""
        self._in_use.discard(key)

    def label(self, key: PoolKey, settings: PoolSettings) -> str:
        """Return the label of a pool: the name that the user gave it, or its URL. If another pool already has this
        label, the worker name or a number is appended."""
        called = settings.name or str(settings.url)
        before = self._labels.get(key)
        if before is not None and before[0] == called:
            return before[1]
        taken = {label for other, (_, label) in self._labels.items() if other != key}
        number = list(self._known).index(key)
        ways = (called, f"{called} as {settings.worker_name}", f"{called} #{number}")
        label = next((way for way in ways if way not in taken), f"{called} as {settings.worker_name} #{number}")
        self._labels[key] = called, label
        return label
