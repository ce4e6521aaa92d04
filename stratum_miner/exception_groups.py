"""Unpacks the exception groups that trio's nurseries raise, to find the one exception that a user should see."""

from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import trio


def unwrapping_nursery() -> AbstractAsyncContextManager[trio.Nursery]:
    """Open a nursery that raises a single exception without a group around it, and several exceptions as a group."""
    return _UnwrappingNursery()


class _UnwrappingNursery(AbstractAsyncContextManager[trio.Nursery]):
    """The context manager of ``unwrapping_nursery``.

    It is a class and not a generator, because Ctrl-C during the code of contextlib would leave the nursery open, and
    its tasks would hang.
    """

    def __init__(self) -> None:
        self._manager = trio.open_nursery()

    @trio.lowlevel.enable_ki_protection
    async def __aenter__(self) -> trio.Nursery:
        return await self._manager.__aenter__()

    @trio.lowlevel.enable_ki_protection
    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        try:
            return await self._manager.__aexit__(kind, error, traceback)
        except BaseExceptionGroup as group:
            if len(group.exceptions) > 1:
                raise
            failure = group.exceptions[0]
        if failure is error:
            return False
        context = failure.__context__
        try:
            raise failure
        finally:
            failure.__context__ = context  # restore ``__context__``, which ``raise`` has overwritten


def leaves(error: BaseException) -> Iterator[BaseException]:
    """Yield the exceptions inside a group and inside its nested groups, in order. If ``error`` is not a group, yield
    it."""
    if isinstance(error, BaseExceptionGroup):
        for item in error.exceptions:
            yield from leaves(item)
    else:
        yield error


def leading_cause(error: BaseException, *ranked: type[Exception]) -> Exception | None:
    """Return the most important exception inside ``error``. ``ranked`` lists the possible types, the most important
    first. If several exceptions have the most important type, the first of them is returned.

    Returns None if any exception inside ``error`` has none of these types: such an exception is an internal error, and
    must not be hidden behind another one.
    """
    found = list(leaves(error))
    if not all(isinstance(leaf, ranked) for leaf in found):
        return None
    for kind in ranked:
        for leaf in found:
            if isinstance(leaf, kind):
                return leaf
    return None
