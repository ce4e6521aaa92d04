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
    """Yield the exceptions inside a group in order, however nested, or the error itself if it is not a group."""
    if isinstance(error, BaseExceptionGroup):
        for item in error.exceptions:
            yield from leaves(item)
    else:
        yield error


def leading_cause(error: BaseException, *ranked: type[Exception]) -> Exception | None:
    """Return the first exception of the highest-ranked type inside ``error``.

    Returns None if any exception inside is of an unlisted type: it is an internal error and must stay visible.
    """
    found = list(leaves(error))
    if not all(isinstance(leaf, ranked) for leaf in found):
        return None
    for kind in ranked:
        for leaf in found:
            if isinstance(leaf, kind):
                return leaf
    return None
