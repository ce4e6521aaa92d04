"""An API in the shape of AxeOS, the firmware of Bitaxe: tools that know a Bitaxe find it at port 80, read and steer it.

pyasic, asic-rs and Home Assistant look for the text ``AxeOS`` on ``/`` and read ``/api/system/info``. AxeOS speaks of
one board, and so does this: of the first machine in the view, or of this computer where there is none. All figures are
those of the one that is shown; none is of another device.

Names and units are AxeOS's (``openapi.yaml`` and ``system_api_json.c`` of bitaxeorg/ESP-Miner): GH/s, MHz, millivolts,
watts, degrees Celsius, milliseconds. A field whose value is not known now is left out, since all clients take a missing
one for "unknown", and a zero for a measurement. The parts of an ESP32 (its heap, its Wi-Fi, its display, its
partitions), the makers' limits of a board and the settings of the firmware have no counterpart and are left out, too.
"""

import hashlib
import socket
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stratum_miner.foreign_text import sanitize
from stratum_miner.monitoring.control import OVER_AXEOS, Control, ControlRefused
from stratum_miner.monitoring.http import Access, Guard, refusal, serve_application
from stratum_miner.monitoring.view import DeviceView, PoolView, View

log = structlog.get_logger(__name__)

GREETING = "AxeOS-shaped API of stratum_miner: GET /api/system/info\n"
COMPUTER = "CPU"
"""The ``ASICModel`` of a computer: no client knows a chip of that name."""
UNKNOWN = "Unknown"
"""AxeOS's word for a name that it does not know."""
NO_SECOND_SENSOR_C = -1
NO_SECOND_FAN = 0
"""What AxeOS says on boards that have one of each."""
READING = "GET of /, /api/system/info, /api/system/asic or /api/swarm/info"
STEERING = "POST of /api/system/pause, /api/system/resume or /api/system/restart"


@dataclass(frozen=True, slots=True)
class ShownBoard:
    """What stands in for the board: one machine, or all search threads of this computer."""

    devices: tuple[DeviceView, ...]
    machine: DeviceView | None

    @classmethod
    def of(cls, view: View) -> "ShownBoard":
        """The first machine, before others one that its owner has not removed."""
        machines = sorted(
            (item for item in view.devices if item.chip is not None), key=lambda item: item.state == "removed"
        )
        return cls((machines[0],), machines[0]) if machines else cls(view.devices, None)

    def total(self, of: Callable[[DeviceView], float]) -> Any:
        """A sum over the devices."""
        return sum(of(device) for device in self.devices)


def information(view: View) -> dict[str, Any]:
    """``/api/system/info``."""
    told, shown = view.summary, ShownBoard.of(view)
    refused = shown.total(lambda item: item.refused)
    reasons = sum((Counter(item.reasons) for item in shown.devices), Counter[str]())
    best = max((item.best_share for item in shown.devices), default=0.0)
    nonces = shown.total(lambda item: item.nonces_found + item.hardware_errors)
    return _known(
        {
            **_board(shown.machine),
            **_sensors(shown, told.power_w if shown.devices == view.devices else None),
            "hostname": socket.gethostname(),
            "macAddr": _address_of(socket.gethostname(), shown.machine),
            "version": told.version,
            "axeOSVersion": told.version,
            "uptimeSeconds": int(told.elapsed_s),
            "hashRate": shown.total(lambda item: item.hash_rate_1m) / 1e9,
            "hashRate_1m": shown.total(lambda item: item.hash_rate_1m) / 1e9,
            "hashRate_10m": shown.total(lambda item: item.hash_rate_10m) / 1e9,
            "hashRate_1h": shown.total(lambda item: item.hash_rate_1h) / 1e9,
            "errorPercentage": shown.total(lambda item: item.hardware_errors) / nonces * 100 if nonces else 0.0,
            "bestDiff": best,
            "bestSessionDiff": best,
            "blockHeight": told.height,
            "networkDifficulty": told.network_difficulty,
            "blockFound": shown.total(lambda item: item.blocks_accepted),
            "sharesAccepted": shown.total(lambda item: item.accepted),
            "sharesRejected": refused,
            "sharesRejectedReasons": [{"message": text, "count": count} for text, count in reasons.most_common()],
            **_pools(_pools_of(view, shown)),
            "miningPaused": told.state == "paused",
        }
    )


def _board(machine: DeviceView | None) -> dict[str, Any]:
    if machine is None:
        return {"ASICModel": COMPUTER, "deviceModel": COMPUTER, "asicCount": 0}
    chips, frequency, expected = len(machine.chips), machine.frequency_mhz, machine.expected_hash_rate
    return {
        "ASICModel": machine.chip or UNKNOWN,
        "deviceModel": (machine.product or UNKNOWN).removeprefix("Bitaxe "),
        "boardVersion": UNKNOWN,
        "asicCount": chips or None,
        "smallCoreCount": round(expected / 1e6 / (chips * frequency)) if expected and chips and frequency else None,
        "frequency": frequency,
        "actualFrequency": frequency,
        "expectedHashrate": None if expected is None else expected / 1e9,
        "overheat_mode": int(machine.is_overheated),
    }


def _sensors(shown: ShownBoard, power_of_all: float | None) -> dict[str, Any]:
    """``power_of_all`` is the miner's, where it is that of what is shown."""
    machine = shown.machine
    power = machine.power_w if machine is not None and machine.power_w is not None else power_of_all
    told: dict[str, Any] = {"power": _rounded(power, 2), "autofanspeed": 1}  # no fan here is ever set by hand
    if machine is None:
        return told
    return told | {
        "voltage": _millivolts(machine.input_voltage_v),
        "coreVoltage": _millivolts(machine.core_voltage_asked_v),
        "coreVoltageActual": _millivolts(machine.core_voltage_v),
        "temp": _rounded(machine.chip_temperature_c, 1),
        "temp2": NO_SECOND_SENSOR_C,
        "vrTemp": _rounded(machine.regulator_temperature_c, 1),
        "fanrpm": machine.fan_rpm,
        "fan2rpm": NO_SECOND_FAN,
        "fanspeed": machine.fan_percent,
    }


def _pools_of(view: View, shown: ShownBoard) -> list[PoolView]:
    """The pools that the shown device mines on, the best first."""
    bound = {device.bound_to for device in view.devices if device.bound_to}
    own = {device.bound_to for device in shown.devices}
    return [
        pool
        for pool in view.pools
        if (pool.name in own or ("" in own and pool.name not in bound)) and (pool.enabled or pool.active)
    ]


def _pools(pools: Sequence[PoolView]) -> dict[str, Any]:
    """The first pool is AxeOS's primary one, its fallback the one that is mined on, or the next.

    Where there is one pool, it is its own fallback, as it is in AxeOS when both are set to one entry: it is what we
    try again. asic-rs always shows a second pool, and would make ``stratum+tcp://:0`` of a missing one.
    """
    if not pools:
        return {"pools": [], "isUsingFallbackStratum": 0}
    primary, others = pools[0], pools[1:] or pools
    active = next((pool for pool in pools if pool.active), None)
    fallback = active if active is not None and active is not primary else others[0]
    used = active or primary
    return {
        "pools": [{"id": pool.id, **_pool(pool)} for pool in pools],
        "primaryPoolIndex": primary.id,
        "secondaryPoolIndex": fallback.id,
        **_pool(primary),
        **{f"fallback{name[0].upper()}{name[1:]}": value for name, value in _pool(fallback).items()},
        "isUsingFallbackStratum": int(used is not primary),
        "poolDifficulty": used.difficulty,
        "responseTime": _rounded(used.latency_p50_ms, 3),
    }


def _pool(pool: PoolView) -> dict[str, Any]:
    target = urlsplit(pool.url)
    host = target.hostname or ""
    return {
        "stratumURL": f"[{host}]" if ":" in host else host,  # clients put the port behind it
        "stratumPort": target.port,
        "stratumUser": pool.worker_name,
        "stratumProtocol": "SV1",
        "stratumTLS": int(target.scheme.endswith("ssl")),
    }


def _known(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value is not None}


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _millivolts(volts: float | None) -> int | None:
    return None if volts is None else round(volts * 1000)


def _address_of(hostname: str, machine: DeviceView | None) -> str:
    """Tools tell miners apart by it: made of the names of host and board, in the range that no maker uses."""
    name = hostname if machine is None else f"{hostname}/{machine.name}"
    digest = hashlib.sha256(name.encode()).digest()
    return ":".join(f"{byte:02X}" for byte in (0x02, *digest[:5]))


# ---- over HTTP ------------------------------------------------------------------------------------------------------


async def serve(bound: socket.socket, look: Callable[[], View], control: Control, access: Access) -> None:
    """Answer on a bound socket, which it takes over, until cancelled."""
    await serve_application(bound, application(look, control, access))


def application(look: Callable[[], View], control: Control, access: Access) -> Starlette:
    """What tools read, and the three things that they may do; ``access`` says who may do them."""

    async def info(request: Request) -> Response:
        return _json(information(look()))

    async def asic(request: Request) -> Response:
        told = information(look())
        names = ("ASICModel", "deviceModel", "asicCount", "smallCoreCount", "frequency")
        settable: dict[str, Any] = {"frequencyOptions": [], "voltageOptions": []}  # nothing can be set from here
        return _json({name: told[name] for name in names if name in told} | settable)

    async def swarm(request: Request) -> Response:
        return _json([])

    async def greeting(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    def pause() -> str:
        control.pause(OVER_AXEOS)
        return "Mining paused"

    def resume() -> str:
        control.resume(OVER_AXEOS)
        return "Mining resumed"

    def restart() -> str:
        machine = ShownBoard.of(look()).machine
        if machine is None:
            raise ControlRefused("restart: expected a board, and this miner has none; restart it where it was started")
        control.restart_device(machine.id)
        return "System will restart shortly."

    return Starlette(
        routes=[
            Route("/", greeting, methods=["GET"]),
            Route("/api/system/info", info, methods=["GET"]),
            Route("/api/system/asic", asic, methods=["GET"]),
            Route("/api/swarm/info", swarm, methods=["GET"]),
            *_steering((pause, resume, restart)),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={HTTPException: _told},
    )


def _steering(actions: Iterable[Callable[[], str]]) -> list[Route]:
    """AxeOS answers each of them with 200 and a message."""

    def route(action: Callable[[], str]) -> Route:
        async def answer(request: Request) -> Response:
            try:
                message = action()
            except ControlRefused as error:
                return refusal(409, str(error))
            log.info("changed_over_http", request=f"{request.method} {request.scope['path']}")
            return _json({"message": message})

        return Route(f"/api/system/{action.__name__}", answer, methods=["POST"])

    return [route(action) for action in actions]


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    asked = sanitize(f"{request.method[:20]} {request.scope['path']}", 100)
    text = f"{asked}: expected {READING}; or {STEERING}; settings are changed where the miner was started"
    return refusal(error.status_code, text, **(error.headers or {}))


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
