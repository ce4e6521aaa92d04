"""The JSON API as a table of endpoints, from which both the router and the OpenAPI document are made.

Each endpoint has a function that takes a ``Source``, which holds the data, and an ``ApiRequest``, and returns the
answer.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec

from stratum_miner.monitoring.control import OVER_HTTP, Control, NewPool, PoolChange
from stratum_miner.monitoring.monitor import Monitor
from stratum_miner.monitoring.view import BlockView, DeviceView, EventView, Point, PoolView, ShareView, Summary, View

MOST = 500
"""Largest number of entries of a list in one answer."""
BOUNDS = {"limit": MOST, "after": 2**53, "id": 2**31, "priority": 1000}
"""Largest permitted value of each integer in paths and queries. For ``after`` it is 2^53, because every JSON reader
represents integers up to 2^53 exactly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Everything that an answer is made from: the monitor, the control interface and the settings."""

    monitor: Monitor
    control: Control
    configuration: Callable[[], Mapping[str, Any]] = dict
    """Returns the settings in force, but without secrets. It also returns, for each setting, the place where its value
    was set."""


class PoolAddition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A pool to add."""

    url: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    user: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]
    password: Annotated[str, msgspec.Meta(max_length=500)] = "x"
    name: Annotated[str, msgspec.Meta(max_length=100)] = ""
    priority: Annotated[int, msgspec.Meta(ge=0, le=BOUNDS["priority"])] | None = None
    """Position among all pools, 0 for the best. Without it, the pool becomes the last."""


class PoolChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Changes of a pool. A field that is absent stays as it is. All fields are checked before any change is made."""

    enabled: bool | None = None
    quota: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] | None = None
    priority: Annotated[int, msgspec.Meta(ge=0, le=BOUNDS["priority"])] | None = None
    """New position among all pools, 0 for the best."""


class DeviceAddition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A device to mine with. The field ``device`` has the same form as the option --device."""

    device: Annotated[str, msgspec.Meta(min_length=1, max_length=500)]


class Done(msgspec.Struct, frozen=True):
    """The answer to a request that changed something: one line of text for each change."""

    done: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiRequest:
    """A request that was decoded and checked."""

    path: Mapping[str, int] = field(default_factory=dict)
    query: Mapping[str, int] = field(default_factory=dict)
    body: Any = None

    @property
    def id(self) -> int:
        """Id of the pool or device that the path names."""
        return self.path["id"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One kind of request of the API."""

    method: str
    path: str
    summary: str
    answer: Any
    """Type that the JSON answer is encoded from."""
    handle: Callable[[Source, ApiRequest], Any]
    body: Any = None
    """Type that the JSON body is decoded to; None if the request has no body."""
    query: tuple[str, ...] = ()
    """Names of the permitted query parameters. All are optional integers."""

    @property
    def changes(self) -> bool:
        """Whether the request changes something. Such a request needs the API token, except from a trusted network."""
        return self.method != "GET"


def _newest(items: tuple[Any, ...], call: ApiRequest) -> tuple[Any, ...]:
    limit = call.query.get("limit", MOST)
    return items[max(0, len(items) - limit) :]


def _events(source: Source, call: ApiRequest) -> tuple[EventView, ...]:
    return source.monitor.events.newest(call.query.get("limit", MOST), after=call.query.get("after", 0))


def _history(source: Source, call: ApiRequest) -> tuple[Point, ...]:
    return tuple(point for point in source.monitor.history() if point.at > call.query.get("after", 0))


def _add_pool(source: Source, call: ApiRequest) -> Done:
    added: PoolAddition = call.body
    pool_id = source.control.add_pool(
        NewPool(url=added.url, user=added.user, password=added.password, name=added.name, priority=added.priority)
    )
    return Done((f"pool {added.url} was added with id {pool_id}",))


def _change_pool(source: Source, call: ApiRequest) -> Done:
    change: PoolChanges = call.body
    source.control.change_pool(
        call.id, PoolChange(enabled=change.enabled, quota=change.quota, priority=change.priority)
    )
    done: list[str] = []
    if change.enabled is not None:
        done.append(f"pool {call.id} was {'enabled' if change.enabled else 'disabled'}")
    if change.quota is not None:
        done.append(f"pool {call.id} now has the quota {change.quota}")
    if change.priority is not None:
        done.append(f"pool {call.id} now has priority {change.priority}")
    return Done(tuple(done))


def _remove_pool(source: Source, call: ApiRequest) -> Done:
    source.control.remove_pool(call.id)
    return Done((f"pool {call.id} was removed",))


def _switch_pool(source: Source, call: ApiRequest) -> Done:
    source.control.switch_pool(call.id)
    return Done((f"pool {call.id} is now the first",))


def _pause(source: Source, call: ApiRequest) -> Done:
    source.control.pause(OVER_HTTP)
    return Done(("mining is paused",))


def _resume(source: Source, call: ApiRequest) -> Done:
    source.control.resume(OVER_HTTP)
    return Done(("mining continues",))


def _quit(source: Source, call: ApiRequest) -> Done:
    source.control.quit()
    return Done(("the miner is stopping",))


def _add_device(source: Source, call: ApiRequest) -> Done:
    added: DeviceAddition = call.body
    source.control.add_device(added.device)
    return Done((f"device {added.device} was added",))


def _restart_device(source: Source, call: ApiRequest) -> Done:
    source.control.restart_device(call.id)
    return Done((f"device {call.id} is restarting",))


def _remove_device(source: Source, call: ApiRequest) -> Done:
    source.control.remove_device(call.id)
    return Done((f"device {call.id} was removed",))


PREFIX = "/api/v1"
ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        method="GET", path="/view", summary="The whole state of the miner", answer=View,
        handle=lambda source, call: source.monitor.view(),
    ),
    Endpoint(
        method="GET", path="/summary", summary="The miner as a whole", answer=Summary,
        handle=lambda source, call: source.monitor.view().summary,
    ),
    Endpoint(
        method="GET", path="/pools", summary="All pools, the best first", answer=tuple[PoolView, ...],
        handle=lambda source, call: source.monitor.view().pools,
    ),
    Endpoint(
        method="GET", path="/devices", summary="All devices and search threads", answer=tuple[DeviceView, ...],
        handle=lambda source, call: source.monitor.view().devices,
    ),
    Endpoint(
        method="GET", path="/shares", summary="The newest resolved shares", answer=tuple[ShareView, ...],
        query=("limit",), handle=lambda source, call: _newest(source.monitor.view().shares, call),
    ),
    Endpoint(
        method="GET", path="/blocks", summary="Blocks that accepted shares solve", answer=tuple[BlockView, ...],
        query=("limit",), handle=lambda source, call: _newest(source.monitor.blocks(), call),
    ),
    Endpoint(
        method="GET", path="/events", summary="The newest events, or the events after a number",
        answer=tuple[EventView, ...], query=("after", "limit"), handle=_events,
    ),
    Endpoint(
        method="GET", path="/history", summary="Points for charts of the last day, or those after a Unix time",
        answer=tuple[Point, ...], query=("after",), handle=_history,
    ),
    Endpoint(
        method="GET", path="/config", summary="The settings in force, without secrets", answer=dict[str, Any],
        handle=lambda source, call: dict(source.configuration()),
    ),
    Endpoint(
        method="POST", path="/pause", summary="Pause mining; connections to pools stay open", answer=Done,
        handle=_pause,
    ),
    Endpoint(method="POST", path="/resume", summary="Continue mining", answer=Done, handle=_resume),
    Endpoint(method="POST", path="/quit", summary="Stop the miner gracefully", answer=Done, handle=_quit),
    Endpoint(
        method="POST", path="/reload", summary="Read the configuration again", answer=Done,
        handle=lambda source, call: Done(source.control.reload()),
    ),
    Endpoint(method="POST", path="/pools", summary="Add a pool", answer=Done, body=PoolAddition, handle=_add_pool),
    Endpoint(
        method="PATCH", path="/pools/{id}", summary="Enable, disable or move a pool, or set its quota", answer=Done,
        body=PoolChanges, handle=_change_pool,
    ),
    Endpoint(method="DELETE", path="/pools/{id}", summary="Remove a pool", answer=Done, handle=_remove_pool),
    Endpoint(
        method="POST", path="/pools/{id}/switch", summary="Make this pool the first", answer=Done, handle=_switch_pool
    ),
    Endpoint(
        method="POST", path="/devices", summary="Mine with another device", answer=Done, body=DeviceAddition,
        handle=_add_device,
    ),
    Endpoint(
        method="POST", path="/devices/{id}/restart", summary="Power a device down and up", answer=Done,
        handle=_restart_device,
    ),
    Endpoint(
        method="DELETE", path="/devices/{id}", summary="Power a device down and stop using it", answer=Done,
        handle=_remove_device,
    ),
)  # fmt: skip
