"""What changed between two JSON values, as a value that is small when little did.

A difference of two objects is an object: for each key that changed, the difference of its values. That of two lists of
one length is such an object too, by index. Any other is a list: ``[value]`` puts a new value in place of the old one,
and ``[]`` takes a key away. So no value has another meaning, and ten lines of any language make the new value of the
old one::

    difference({"a": 1, "b": {"c": 2, "d": None}, "e": [7, 8]}, {"b": {"c": [3], "d": None}, "e": [7, 9]})
    {"a": [], "b": {"c": [[3]]}, "e": {"1": [9]}}
"""

from collections.abc import Sequence
from typing import Any


def difference(before: Any, after: Any) -> dict[str, Any] | list[Any] | None:
    """From one value to the other; None where they are equal."""
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
