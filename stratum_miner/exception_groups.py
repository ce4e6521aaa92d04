"""Nurseries wrap what ends them into exception groups; this finds the one cause worth telling."""

from collections.abc import Iterator


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
