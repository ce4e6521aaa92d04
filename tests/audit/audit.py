"""Holds everything that was read of a scene against what happened: one walk for all surfaces."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.audit.expect import Expectation
from tests.audit.proxy_table import PROXY
from tests.audit.proxy_truth import ProxyTruth
from tests.audit.scene import MinerAtRest, PoolAtRest, ProxyAtRest, Scene
from tests.audit.stick_truth import StickTruth
from tests.audit.surfaces import Reading
from tests.audit.table import MINER, POOL, Exempt, Row, Surface
from tests.audit.truth import MinerTruth, PoolTruth

Path = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """A figure that is not what it must be, or that no row of the table knows."""

    who: str
    surface: str
    path: str
    told: Any
    expected: str

    def __str__(self) -> str:
        return f"{self.who}: {self.surface}: {self.path}: told {self.told!r}, expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One field as it was read, with its row; None where the table has none."""

    path: Path
    told: Any
    pattern: str
    row: Row | None
    keys: tuple[Any, ...]


def figures(surface: Surface, value: Any) -> Iterator[Figure]:
    """All fields of a surface, the rows of the table deciding how deep it is taken apart."""
    rows = [(tuple(pattern.split(" / ")), pattern, row) for pattern, row in surface.rows.items()]
    yield from _walk(rows, value, ())


def _walk(rows: list[tuple[Path, str, Row]], value: Any, path: Path) -> Iterator[Figure]:
    matched = None if not path or (isinstance(value, dict | list) and _goes_deeper(rows, path)) else _row(rows, path)
    if matched is not None:
        yield Figure(path, value, *matched)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _walk(rows, item, (*path, key))
    elif isinstance(value, list):
        counted = _row(rows, (*path, "#"))
        yield Figure((*path, "#"), len(value), *(counted or ("", None, ())))
        for index, item in enumerate(value):
            yield from _walk(rows, item, (*path, index))
    else:
        yield Figure(path, value, "", None, ())


def _goes_deeper(rows: list[tuple[Path, str, Row]], path: Path) -> bool:
    """Whether rows speak of parts of this value: then a row for the whole is for another form of it."""
    return any(len(parts) > len(path) and _keys(parts[: len(path)], path) is not None for parts, _, _ in rows)


def _row(rows: list[tuple[Path, str, Row]], path: Path) -> tuple[str, Row, tuple[Any, ...]] | None:
    for parts, pattern, row in rows:
        keys = _keys(parts, path) if len(parts) == len(path) else None
        if keys is not None:
            return pattern, row, keys
    return None


def _keys(parts: Path, path: Path) -> tuple[Any, ...] | None:
    keys = []
    for part, key in zip(parts, path, strict=True):
        if part == "*" and key != "#":
            keys.append(key)
        elif part.endswith("=*") and isinstance(key, str) and key.startswith(part[:-1]) and "," not in key:
            keys.append(key[len(part) - 1 :])
        elif part != str(key):
            return None
    return tuple(keys)


def judge(who: str, surface: Surface, name: str, truth: Any, value: Any) -> Iterator[Finding]:
    """What is wrong with one reading."""
    for figure in figures(surface, value):
        expected = wrong(figure, truth)
        if expected is not None:
            yield Finding(who, name, " / ".join(str(part) for part in figure.path), figure.told, expected)


def wrong(figure: Figure, truth: Any) -> str | None:
    """What a figure must be, where it is not so."""
    if figure.row is None:
        return "that the table has a row for it"
    if isinstance(figure.row, Exempt):
        return None
    expected = expectation(figure, truth)
    return None if not isinstance(expected, str) and expected.holds(figure.told) else str(expected)


def expectation(figure: Figure, truth: Any) -> Expectation | str:
    """What a figure must be; words where it speaks of something that is not there."""
    assert figure.row is not None
    assert not isinstance(figure.row, Exempt)
    try:
        return figure.row(truth, *figure.keys)
    except (IndexError, KeyError, ValueError, StopIteration) as error:
        return f"something that is there ({type(error).__name__}: {error})"


def miner_readings(miner: MinerAtRest) -> Iterator[tuple[Reading, Surface, MinerTruth, Any]]:
    """Each reading with its rows, the truth for it, and the value that the rows speak of."""
    for reading in miner.readings:
        surface = MINER[reading.surface]
        kind = MinerTruth if miner.stick is None else StickTruth
        truth = kind(miner, reading, ended=surface.ended)
        truth.told = value = surface.fold(reading.value)
        yield reading, surface, truth, value


def pool_readings(pool: PoolAtRest) -> Iterator[tuple[Reading, Surface, PoolTruth, Any]]:
    """The same of a pool."""
    for reading in pool.readings:
        surface = POOL[reading.surface]
        yield reading, surface, PoolTruth(pool, reading, ended=surface.ended), reading.value


def proxy_readings(proxy: ProxyAtRest) -> Iterator[tuple[Reading, Surface, ProxyTruth, Any]]:
    """The same of a proxy."""
    for reading in proxy.readings:
        surface = PROXY[reading.surface]
        yield reading, surface, ProxyTruth(proxy, reading, ended=surface.ended), reading.value


def readings(scene: Scene) -> Iterator[tuple[str, Reading, Surface, Any, Any]]:
    """All readings of a scene: whose, what, its rows, its truth, its value."""
    for number, miner in enumerate(scene.miners):
        yield from ((f"mine{number}", *item) for item in miner_readings(miner))
    for number, proxy in enumerate(scene.proxies):
        yield from ((f"proxy{number}", *item) for item in proxy_readings(proxy))
    for number, pool in enumerate(scene.pools):
        yield from ((f"pool{number}", *item) for item in pool_readings(pool))


def audit(scene: Scene) -> list[Finding]:
    """Everything that is wrong."""
    found: list[Finding] = []
    for who, reading, surface, truth, value in readings(scene):
        found += judge(who, surface, reading.surface, truth, value)
    return found


def check(scene: Scene) -> None:
    """Nothing is wrong."""
    found = audit(scene)
    assert not found, f"{len(found)} figures are wrong:\n" + "\n".join(map(str, found[:40]))
