"""The house in figures: ``python -m tests.structure [FOLDER]`` measures the package, or one folder of it, and
``python -m tests.structure --table`` writes the table of docs/explanation/architecture.md.

A room is a file or a folder that stands directly in the one measured. An arrow goes from a room to each one that it
imports, at the top of a file, inside a function or for types only. A room's floor is one above the highest room that it
imports, so that floor 1 imports none of the others.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

from tests.test_imports import MAY_IMPORT, ROOT, ROOT_MODULES, all_imports, circles


def rooms(folder: str = "") -> dict[str, set[str]]:
    """Each room of a folder of the package, with those of the same folder that it imports.

    ``__init__.py`` and ``__main__.py`` are no rooms: they only hand on what others are.
    """
    found: dict[str, set[str]] = {}
    for module, names in all_imports().items():
        room = _room(module, folder)
        if room is not None and not room.startswith("__"):
            found.setdefault(room, set()).update(
                other for name in names if (other := _room(name, folder)) != room and other
            )
    return found


def _room(module: str, folder: str) -> str | None:
    before = ".".join(["stratum_miner", *filter(None, folder.split("/"))]) + "."
    return module.removeprefix(before).split(".")[0] if module.startswith(before) else None


def floors(arrows: Mapping[str, set[str]]) -> list[list[str]]:
    """The rooms of each floor, the ground first; rooms in a circle, and those above one, are on none."""
    left, found = {room: set(names) for room, names in arrows.items()}, list[list[str]]()
    while floor := sorted(room for room, names in left.items() if not names & set(left)):
        found.append(floor)
        left = {room: names for room, names in left.items() if room not in floor}
    return found


def table() -> str:
    """A row for each package and each module beside them, the top floor first: what it may import of ours."""
    found = floors(rooms())
    rows = ["| floor | package | may import of ours |", "|---|---|---|"]
    for number, floor in reversed(list(enumerate(found, 1))):
        for room in floor:
            parts = [row for row in MAY_IMPORT if row.startswith(f"{room}.")]
            for row in parts or [room]:
                allowed = ROOT_MODULES[row] if row in ROOT_MODULES else MAY_IMPORT[row]
                rows.append(f"| {number} | {row} | {', '.join(sorted(allowed)) or 'nothing'} |")
    return "\n".join(rows)


def lines(place: Path) -> int:
    """Lines of Python in a file or a folder."""
    files = place.rglob("*.py") if place.is_dir() else [place.with_suffix(".py")]
    return sum(len(file.read_text(encoding="utf-8").splitlines()) for file in files)


def main() -> None:
    """Print what was measured, the top floor first."""
    if sys.argv[1:] == ["--table"]:
        print(table())
        return
    folder = sys.argv[1].removeprefix("stratum_miner").strip("/") if len(sys.argv) > 1 else ""
    arrows = rooms(folder)
    found = floors(arrows)
    print(f"lines: package {lines(ROOT)}, tests {lines(ROOT.parent / 'tests')}")
    total = sum(map(len, arrows.values()))
    print(f"rooms {len(arrows)}, floors {len(found)}, arrows {total}, in circles {circles(arrows)}")
    for number, floor in reversed(list(enumerate(found, 1))):
        print(f"floor {number}: " + ", ".join(f"{room} {lines(ROOT / folder / room)}" for room in floor))


if __name__ == "__main__":
    main()
