"""Converts the pools in another miner's file to pools of stratum-miner.

The module of each program, such as ``xmrig``, says how the keys of its pools are converted.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

from stratum_miner.app.config.problems import InvalidValue, shown
from stratum_miner.app.foreign.notes import KeyOutcome, Note, assigned, shown_value
from stratum_miner.app.foreign.rules import MAX_POOLS, Conversion
from stratum_miner.app.foreign.source import is_comment
from stratum_miner.app.foreign.values import Unsafe
from stratum_miner.foreign_text import sanitize

SettingPairs: TypeAlias = Iterator[tuple[str, Any]]
ConvertKey: TypeAlias = Callable[[str, Any], SettingPairs]
"""Converts one key of a pool in another program's file. The arguments are the key and its value. Yields the settings of
stratum-miner's pool that replace the key. Raises NothingToDo, InvalidValue or Unsafe."""


class NothingToDo(Exception):  # noqa: N818  not an error of the program
    """Nothing is to be done for a key. The message says why."""


def add_pool(conversion: Conversion, path: str, pool: Any, convert: ConvertKey) -> None:
    """Convert a pool and record the outcome of each of its keys. ``path`` is the path of the pool in the file.

    A pool without a usable address is lost. A pool whose protection is lost is added, but switched off.
    """
    if not isinstance(pool, dict):
        conversion.lose(path, pool, f"expected an object, got {shown(pool)}")
        return
    made: dict[str, Any] = {}
    unsafe = False
    notes: list[Note] = []

    def note(key: str, value: Any, outcome: KeyOutcome, text: str) -> None:
        name = sanitize(f"{path}.{key}" if path else key)
        notes.append(Note(name, conversion.source.lines.get(name, 0), shown_value(name, value), outcome, text))

    for key, value in pool.items():
        if is_comment(key):
            continue
        try:
            settings = list(convert(key, value))
        except NothingToDo as reason:
            note(key, value, KeyOutcome.NOTHING_TO_DO, str(reason))
        except InvalidValue as error:
            unsafe = unsafe or isinstance(error, Unsafe)
            note(key, value, KeyOutcome.LOST, str(error))
        else:
            made |= {name: item for name, item in settings if name != "user" or "user" not in pool or key == "user"}
            note(key, value, KeyOutcome.CARRIED, assigned(settings))
    _finish(conversion, path or "pool", made, notes, unsafe=unsafe)


def _finish(conversion: Conversion, path: str, made: dict[str, Any], notes: list[Note], *, unsafe: bool) -> None:
    result = conversion.result
    if "url" not in made:
        reasons = [item for item in notes if item.outcome is not KeyOutcome.CARRIED]
        result.notes += reasons
        conversion.lose(path, None, "this pool is left out, because it has no address that can be used")
        return
    result.notes += notes
    same = [pool for pool in result.pools if (pool["url"], pool.get("user")) == (made["url"], made.get("user"))]
    if same and same[0].get("pass") == made.get("pass"):
        conversion.leave(path, None, "this pool is left out, because the same pool and worker came before")
    elif same:
        conversion.lose(path, None, "this pool is left out, because the same pool and worker came before")
    elif len(result.pools) == MAX_POOLS:
        conversion.lose(path, None, f"this pool is left out, because only the first {MAX_POOLS} are converted")
    else:
        if unsafe:
            switch_off(conversion, path, made)
        result.pools.append(made)


def switch_off(conversion: Conversion, path: str, pool: dict[str, Any]) -> None:
    """Switch off a pool whose protection is lost, and record that it is switched off."""
    pool["enabled"] = False
    conversion.lose(
        path,
        None,
        "this pool is switched off with enabled = false, because without the lost setting its connection would be "
        "weaker than before",
    )


def ordered(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a pool in the order in which a file shows them."""
    order = ("url", "user", "pass")
    return {key: settings[key] for key in (*order, *(key for key in settings if key not in order)) if key in settings}
