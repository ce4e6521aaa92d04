"""The interface between the miner, which has work, and a backend, which searches it.

A backend pulls its work. Whenever it can search more, it asks its ``WorkSource`` for a unit: a block header, and the
nonces and version bits to try in it. It searches the unit for *hits* (rule 5), and sends each hit as a ``NonceFound``
on a bounded trio channel. It also registers a function with the source, the *change callback*, which the source calls
when the work changes. A backend obeys these rules, which ``stratum_miner.testing.check_backend`` tests:

1. ``run`` works until it is cancelled, and leaves nothing behind: no thread, no process, no open device.
2. ``WorkSource.next_unit`` may be called from any thread. If it returns ``None``, there is no work now. The backend is
  then idle, and asks again when the change callback is called or after ``ASK_AGAIN_SECONDS``. (There can be no work for
  a moment even if there is a job: if extranonce2 is short, all units can be in use until the next second allows another
  ntime.)
3. If the change callback is called with ``void=True``, all units that the source returned before are worthless. The
  backend abandons them within a millisecond if its hardware can, and reports no hit that it finds in them afterwards.
  With ``void=False`` there is a newer job, and the backend finishes its unit or takes a unit of the new job, whichever
  is cheaper.
4. A backend reports each hit once and loses none: while the channel is full, it waits.
5. A hit is a nonce and a version under which the header has ``hash <= unit.target``. The nonce lies inside the unit.
   The version differs from ``unit.version`` only in bits of ``unit.version_mask``. The miner hashes every reported
   nonce again, and counts a wrong one as a hardware error.
6. An ``exhaustive`` backend finds every hit of each unit that it did not have to abandon.
7. ``statistics`` may be called from any thread at any time, also before and after ``run``, and never blocks.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import ClassVar, Protocol

import trio

from stratum_miner.backends.statistics import BackendStatistics
from stratum_miner.work.unit import NonceFound, WorkUnit

ASK_AGAIN_SECONDS = 1.0
"""Seconds after which a backend without work asks again, even if the work source has not called the function that
reports a change of work."""
ChangeCallback = Callable[[bool], None]
"""A function that the work source calls as ``callback(void)``, synchronously, in the trio thread.

It must not block or raise. ``void`` is True if all work units that the source returned before are worthless.
"""


class WorkSource(Protocol):
    """The source from which a backend takes its work."""

    def next_unit(self, rollable: int = 0, at_once: int = 32) -> WorkUnit | None:
        """Return a work unit that no other caller gets, or None while there is no valid work. May be called from any
        thread.

        ``rollable`` is a mask of the version bits that the caller can roll by itself, and ``at_once`` is the number of
        bits (0 to 32) that it can roll within one unit. The unit's ``version_mask`` contains only bits of ``rollable``,
        and at most ``at_once`` of them, so the caller can search the whole unit.
        """
        ...

    def on_change(self, callback: ChangeCallback) -> Callable[[], None]:
        """Register a callback for changes of work, and return a function that unregisters it. Call ``on_change`` in the
        trio thread."""
        ...


class BackendError(Exception):
    """Raised if a backend cannot start or continue. The message says what was expected, what was found instead, and
    where."""


class BackendOptionError(BackendError):
    """Raised for a backend option that does not exist, or whose value the backend cannot use."""


class SelfTestError(BackendError):
    """Raised if a kernel (a C function that searches nonces) gives a wrong result for a known input. Nothing that it
    finds can then be trusted."""


class Backend(ABC):
    """Base class of the backends, which search work units. Create a backend with options, then call ``run`` once.

    Another package adds a backend by registering a subclass under the entry point group ``stratum_miner.backends``. The
    miner then calls ``from_options`` of that class with the options that the user gave.
    """

    name: ClassVar[str]
    """Name of the backend on the command line and in logs. It contains no slash."""
    exhaustive: ClassVar[bool] = True
    """Whether rule 6 in the docstring of this module holds. The rule demands that the backend finds every nonce that
    meets the target. False for hardware that reports only nonces above a difficulty of its own, and for backends that
    limit their rate."""

    @classmethod
    @abstractmethod
    def from_options(cls, options: Mapping[str, str]) -> "Backend":
        """Build the backend from option strings as the command line gives them.

        Raises BackendOptionError, which names the option, if an option is unknown or has an unusable value.
        """

    @abstractmethod
    async def run(self, source: WorkSource, found: trio.MemorySendChannel[NonceFound]) -> None:
        """Search until cancelled, and send every hit (a nonce that meets the target of its work unit) to ``found``. The
        caller closes ``found``.

        Raises BackendError if the backend cannot continue.
        """

    def worker_name(self, device: str) -> str:
        """Return the worker name to submit the shares of this device under; empty for the worker name of the pool."""
        del device
        return ""

    @abstractmethod
    def statistics(self) -> BackendStatistics:
        """Return a frozen snapshot of the totals. In every snapshot, the devices have the same order and the same
        names. The only exception is a mining device that gets another name when it is identified:
        ``DeviceStatistics.listed_as`` then contains its first name."""
