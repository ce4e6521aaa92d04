"""Nurseries wrap the exceptions that end them into groups; this module finds the exception that the user needs."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import trio


@asynccontextmanager
async def unwrapping_nursery() -> AsyncIterator[trio.Nursery]:
    """Open a nursery that raises a single exception as it is. Several exceptions still come as one group."""
    failure: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            yield nursery
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        failure = group.exceptions[0]
    if failure is not None:
        raise failure  # outside of the handler, so that the exception keeps its own cause and context


def leaves(error: BaseException) -> Iterator[BaseException]:
    """The exceptions inside a group, however nested, in order; the error itself when it is no group."""
    if isinstance(error, BaseExceptionGroup):
        for item in error.exceptions:
            yield from leaves(item)
    else:
        yield error


def leading_cause(error: BaseException, *ranked: type[Exception]) -> Exception | None:
    """The first leaf of the highest-ranked type; None when some leaf is of no listed type (a defect to be seen)."""
    found = list(leaves(error))
    if not all(isinstance(leaf, ranked) for leaf in found):
        return None
    for kind in ranked:
        for leaf in found:
            if isinstance(leaf, kind):
                return leaf
    return None
