"""An API that is compatible with AxeOS, the firmware of Bitaxe, so that tools for Bitaxe can read and control the
miner.

pyasic, asic-rs and Home Assistant look for the text ``AxeOS`` at the path ``/`` on port 80 and read
``/api/system/info``. AxeOS describes one board, so this API describes one device: the first hardware device in the
view or, if the view has none, this computer with all its search threads. All figures are those of this one device.

Names and units are those of AxeOS (``openapi.yaml`` and ``system_api_json.c`` of bitaxeorg/ESP-Miner): GH/s, MHz,
millivolts, watts, degrees Celsius, milliseconds. A field is left out while its value is not known, because all clients
interpret a missing field as unknown and a zero as a measurement. Fields about the ESP32 (heap, Wi-Fi, display,
partitions), the limits of a board and the settings of the firmware have no counterpart here and are always left out.
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
"""Value of the field ``ASICModel`` while the API shows this computer and no hardware device. The value is not the name
of a chip, so no client mistakes this computer for a board."""
UNKNOWN = "Unknown"
"""The text that AxeOS uses for an unknown name."""
NO_SECOND_SENSOR_C = -1
"""Temperature that AxeOS sends for the second sensor of a board that has only one."""
NO_SECOND_FAN = 0
"""Fan speed that AxeOS sends for the second fan of a board that has only one."""
READING = "GET of /, /api/system/info, /api/system/asic or /api/swarm/info"
ACTIONS = "POST of /api/system/pause, /api/system/resume or /api/system/restart"


@dataclass(frozen=True, slots=True)
class ShownBoard:
    """What the API shows as the board: one hardware device, or all search threads of this computer."""

    devices: tuple[DeviceView, ...]
    hardware: DeviceView | None
    """The hardware device that is shown as the board. None if the search threads of this computer are shown instead."""

    @classmethod
    def of(cls, view: View) -> "ShownBoard":
        """Return what the API shows as the board: the first hardware device that the user has not removed.

        If the user has removed all hardware devices, return the first of them. If the view has none, return this
        computer.
        """
        hardware = sorted(
            (item for item in view.devices if item.chip is not None), key=lambda item: item.state == "removed"
        )
        return cls((hardware[0],), hardware[0]) if hardware else cls(view.devices, None)

    def total(self, of: Callable[[DeviceView], float]) -> Any:
        """Return the sum of one figure, such as the hash rate, over all shown devices. ``of`` is a function that
        returns this figure for one device."""
        return sum(of(device) for device in self.devices)


def information(view: View) -> dict[str, Any]:
    """Return the fields of ``/api/system/info``."""
    summary, shown = view.summary, ShownBoard.of(view)
    reasons = sum((Counter(item.reasons) for item in shown.devices), Counter[str]())
    best = max((item.best_share for item in shown.devices), default=0.0)
    nonces = shown.total(lambda item: item.nonces_found + item.hardware_errors)
    return _known(
        {
            **_board(shown.hardware),
            **_sensors(shown, summary.power_w if shown.devices == view.devices else None),
            "hostname": socket.gethostname(),
            "macAddr": _mac_address(socket.gethostname(), shown.hardware),
            "version": summary.version,
            "axeOSVersion": summary.version,
            "uptimeSeconds": int(summary.elapsed_s),
            "hashRate": shown.total(lambda item: item.hash_rate_1m) / 1e9,
            "hashRate_1m": shown.total(lambda item: item.hash_rate_1m) / 1e9,
            "hashRate_10m": shown.total(lambda item: item.hash_rate_10m) / 1e9,
            "hashRate_1h": shown.total(lambda item: item.hash_rate_1h) / 1e9,
            "errorPercentage": shown.total(lambda item: item.hardware_errors) / nonces * 100 if nonces else 0.0,
            "bestDiff": best,
            "bestSessionDiff": best,
            "blockHeight": summary.height,
            "networkDifficulty": summary.network_difficulty,
            "blockFound": shown.total(lambda item: item.blocks_accepted),
            "sharesAccepted": shown.total(lambda item: item.accepted),
            "sharesRejected": shown.total(lambda item: item.refused),
            "sharesRejectedReasons": [{"message": text, "count": count} for text, count in reasons.most_common()],
            **_pools(_pools_of(view, shown)),
            "miningPaused": summary.state == "paused",
        }
    )


def _board(device: DeviceView | None) -> dict[str, Any]:
    if device is None:
        return {"ASICModel": COMPUTER, "deviceModel": COMPUTER, "asicCount": 0}
    chips, frequency, expected = len(device.chips), device.frequency_mhz, device.expected_hash_rate
    return {
        "ASICModel": device.chip or UNKNOWN,
        "deviceModel": (device.product or UNKNOWN).removeprefix("Bitaxe "),
        "boardVersion": UNKNOWN,
        "asicCount": chips or None,
        "smallCoreCount": round(expected / 1e6 / (chips * frequency)) if expected and chips and frequency else None,
        "frequency": frequency,
        "actualFrequency": frequency,
        "expectedHashrate": None if expected is None else expected / 1e9,
        "overheat_mode": int(device.is_overheated),
    }


def _sensors(shown: ShownBoard, power_of_all: float | None) -> dict[str, Any]:
    """Return the fields for power, voltages, temperatures and fans.

    ``power_of_all`` is the power of the whole miner in watts; None if it is not known, or if the miner has devices that
    are not shown.
    """
    device = shown.hardware
    power = device.power_w if device is not None and device.power_w is not None else power_of_all
    # autofanspeed 1: automatic, because this API sets no fan speed
    fields: dict[str, Any] = {"power": _rounded(power, 2), "autofanspeed": 1}
    if device is None:
        return fields
    return fields | {
        "voltage": _millivolts(device.input_voltage_v),
        "coreVoltage": _millivolts(device.core_voltage_asked_v),
        "coreVoltageActual": _millivolts(device.core_voltage_v),
        "temp": _rounded(device.chip_temperature_c, 1),
        "temp2": NO_SECOND_SENSOR_C,
        "vrTemp": _rounded(device.regulator_temperature_c, 1),
        "fanrpm": device.fan_rpm,
        "fan2rpm": NO_SECOND_FAN,
        "fanspeed": device.fan_percent,
    }


def _pools_of(view: View, shown: ShownBoard) -> list[PoolView]:
    """Return the pools among which the miner chooses one for the shown device, the best first."""
    bound = {device.bound_to for device in view.devices if device.bound_to}
    own = {device.bound_to for device in shown.devices}
    return [
        pool
        for pool in view.pools
        if (pool.name in own or ("" in own and pool.name not in bound)) and (pool.enabled or pool.active)
    ]


def _pools(pools: Sequence[PoolView]) -> dict[str, Any]:
    """Return the fields about pools: a list of all pools, and a primary and a fallback pool as AxeOS has them.

    The primary pool is the first of ``pools``. The fallback pool is the pool that the miner mines on, or the second of
    ``pools`` if the miner mines on the primary pool or on no pool. A single pool is both the primary and the fallback
    pool, which AxeOS allows. Without a fallback pool, asic-rs would show ``stratum+tcp://:0`` as the fallback pool.
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
        "stratumURL": f"[{host}]" if ":" in host else host,  # clients append the port, so IPv6 needs brackets
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


def _mac_address(hostname: str, device: DeviceView | None) -> str:
    """Return a MAC address that is always the same for this host and device, because tools use it as an identifier.

    The MAC address is a locally administered one, which no manufacturer assigns.
    """
    name = hostname if device is None else f"{hostname}/{device.name}"
    digest = hashlib.sha256(name.encode()).digest()
    return ":".join(f"{byte:02X}" for byte in (0x02, *digest[:5]))


# ---- over HTTP ------------------------------------------------------------------------------------------------------


async def serve(bound: socket.socket, look: Callable[[], View], control: Control, access: Access) -> None:
    """Answer requests on a bound socket until cancelled. Closes the socket at the end."""
    await serve_application(bound, application(look, control, access))


def application(look: Callable[[], View], control: Control, access: Access) -> Starlette:
    """Return the application that answers the requests of tools. It also carries out the actions pause, resume and
    restart.

    ``access`` decides which clients may read and which may use the actions.
    """

    async def info(request: Request) -> Response:
        return _json(information(look()))

    async def asic(request: Request) -> Response:
        fields = information(look())
        names = ("ASICModel", "deviceModel", "asicCount", "smallCoreCount", "frequency")
        settable: dict[str, Any] = {"frequencyOptions": [], "voltageOptions": []}  # empty: clients can set no value
        return _json({name: fields[name] for name in names if name in fields} | settable)

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
        device = ShownBoard.of(look()).hardware
        if device is None:
            raise ControlRefused(
                "restart: expected a hardware device, got none; restart the miner where it was started"
            )
        control.restart_device(device.id)
        return "System will restart shortly."

    return Starlette(
        routes=[
            Route("/", greeting, methods=["GET"]),
            Route("/api/system/info", info, methods=["GET"]),
            Route("/api/system/asic", asic, methods=["GET"]),
            Route("/api/swarm/info", swarm, methods=["GET"]),
            *_action_routes((pause, resume, restart)),
        ],
        middleware=[Middleware(Guard, access=access)],
        exception_handlers={HTTPException: _describe},
    )


def _action_routes(actions: Iterable[Callable[[], str]]) -> list[Route]:
    """Return one route for each action. As in AxeOS, an action that succeeds is answered with status 200 and a
    message."""

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


async def _describe(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    where = sanitize(f"{request.method[:20]} {request.scope['path']}", 100)
    text = f"{where}: expected {READING}, or {ACTIONS}; settings can only be changed where the miner was started"
    return refusal(error.status_code, text, **(error.headers or {}))


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")
