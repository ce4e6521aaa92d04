"""The contract between a scheduler that has work and a backend that searches it.

A backend pulls: it asks its ``WorkSource`` for a unit whenever it has capacity, searches it, and sends each hit as
a ``NonceFound`` on a bounded trio channel. Nothing else crosses the border. The rules, which
``stratum_miner.testing.check_backend`` turns into tests:

1. ``run`` works until cancelled and leaves nothing running behind: no thread, no process, no open device.
2. ``WorkSource.next_unit`` may be called from any thread. ``None`` means that there is no work now: go idle, and ask
   again when the change callback fires, or after ``ASK_AGAIN_SECONDS``: where extranonce2 is small, all that a job has
   may be handed out until the next second brings another ntime.
3. When the change callback fires with ``void=True``, units handed out before are worthless: abandon them within a
   millisecond if the hardware can, and report nothing from them that is found later. With ``void=False`` a newer
   job exists: finish or switch, as is cheaper.
4. Each hit is reported once and none is lost: when the channel is full the backend waits.
5. A hit means ``hash <= unit.target``, the nonce inside the unit, and ``version`` differing from ``unit.version``
   only in ``unit.version_mask``. The claim is re-hashed by the miner; a wrong one counts as a hardware error.
6. An ``exhaustive`` backend finds every hit of a unit it was not told to abandon.
7. ``statistics`` may be called from any thread at any time, also before and after ``run``, and never blocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import trio

from stratum_miner.backends.statistics import BackendStatistics
from stratum_miner.work.unit import NonceFound, WorkUnit

ASK_AGAIN_SECONDS = 1.0
"""How long a backend without work waits for a change before it asks again."""
ChangeCallback = Callable[[bool], None]
"""Called as ``callback(void)``, synchronously, in the trio thread; must not block or raise."""


class WorkSource(Protocol):
    """Where a backend gets its work."""

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """A unit nobody else gets, or None while there is no valid work. From any thread.

        ``rollable`` names the version bits that the caller can roll by itself, and ``at_once`` says how many of them
        in one unit. The unit's ``version_mask`` has no others and no more, so the caller can search all of the unit.
        """
        ...

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Register for changes of work; returns the function that unregisters. From the trio thread."""
        ...


class BackendError(Exception):
    """A backend cannot start or go on; the message says what was expected, what came and where."""


class BackendOptionError(BackendError):
    """The user gave a backend an option that it does not know or a value that it cannot use."""


class SelfTestError(BackendError):
    """A kernel computed a known answer wrongly: nothing it finds can be trusted."""


class Backend(ABC):
    """One way to search work units. Create it with options, then ``run`` it once.

    Third-party packages register a subclass under the entry point group ``stratum_miner.backends``; the class is
    called with the user's options as keyword arguments through ``from_options``.
    """

    name: ClassVar[str]
    exhaustive: ClassVar[bool] = True
    """Whether rule 6 holds; hardware with a fixed filter and rate-limited backends say False."""

    @classmethod
    @abstractmethod
    def from_options(cls, options: Mapping[str, str]) -> "Backend":
        """Build from strings as the command line gives them; BackendOptionError names a bad one."""

    @abstractmethod
    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Search until cancelled. Raises BackendError when it cannot go on."""

    def worker_name(self, device: str) -> str:
        """The login that the shares of this device are submitted under; empty for the miner's own."""
        del device
        return ""

    @abstractmethod
    def statistics(self) -> BackendStatistics:
        """A snapshot; the devices keep their order and names for the life of the backend."""
