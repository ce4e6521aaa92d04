"""Computes the difference between two JSON values, which is small if little changed.

The difference of two objects is an object. For each key that changed, it holds the difference of the two values. The
difference of two lists of equal length is such an object, too, with the indexes of the changed entries as keys. Every
other difference is a list: ``[value]`` means that ``value`` replaces the old value, and ``[]`` means that the key was
removed.

An object in a difference therefore always holds further differences, and a list always holds a new value or nothing. A
reader needs about ten lines of any language to compute the new value from the old one. For example, the call in the
first line returns the second line::

    difference({"a": 1, "b": {"c": 2, "d": None}, "e": [7, 8]}, {"b": {"c": [3], "d": None}, "e": [7, 9]})
    {"a": [], "b": {"c": [[3]]}, "e": {"1": [9]}}
"""

from collections.abc import Sequence
from typing import Any


def difference(before: Any, after: Any) -> dict[str, Any] | list[Any] | None:
    """Return the difference that turns ``before`` into ``after``; None if they are equal."""
    if isinstance(before, list | tuple) and isinstance(after, list | tuple) and len(before) == len(after):
        before, after = _by_index(before), _by_index(after)
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return None if before == after and type(before) is type(after) else [after]
    found: dict[str, Any] = {key: [] for key in before if key not in after}
    for key, value in after.items():
        part = difference(before[key], value) if key in before else [value]
        if part is not None:
            found[key] = part
    return found or None


def _by_index(values: Sequence[Any]) -> dict[str, Any]:
    return {str(index): value for index, value in enumerate(values)}
