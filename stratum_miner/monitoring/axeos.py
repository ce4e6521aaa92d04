"""An API in the shape of AxeOS, the firmware of Bitaxe: monitoring tools find it at port 80 and read it. Read-only.

pyasic and Home Assistant look for the text ``AxeOS`` on ``/`` and read ``/api/system/info``; a stock cgminer they do
not know.
Field names and units are AxeOS's: GH/s, MHz, millivolts, watts. What this computer has no counterpart of is zero.
"""

import hashlib
import socket
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from stratum_miner.monitoring.http import Access, Guard, refusal, serve_application
from stratum_miner.monitoring.model import View

GREETING = "AxeOS-shaped API of stratum_miner: GET /api/system/info\n"
DEFAULT_PORT = 3333


def information(view: View) -> dict[str, Any]:
    """``/api/system/info``."""
    told, shares = view.summary, view.summary.shares
    machines = [device for device in view.devices if device.product]
    hot = [device.chip_temperature_c for device in machines if device.chip_temperature_c is not None]
    regulators = [item.regulator_temperature_c for item in machines if item.regulator_temperature_c is not None]
    core = next((item.core_voltage_v for item in machines if item.core_voltage_v is not None), 0.0)
    supply = next((item.input_voltage_v for item in machines if item.input_voltage_v is not None), 0.0)
    chips = sum(len(device.chips) or 1 for device in machines)
    frequency = next((item.frequency_mhz for item in machines if item.frequency_mhz), 0.0)
    expected = sum(device.expected_hash_rate or 0.0 for device in machines)
    target = urlsplit(told.pool)
    active = next((pool for pool in view.pools if pool.active), None)
    return {
        "ASICModel": machines[0].product if machines else "CPU",
        "hostname": socket.gethostname(),
        "macAddr": _address_of(socket.gethostname()),
        "version": told.version,
        "axeOSVersion": told.version,
        "uptimeSeconds": int(told.elapsed_s),
        "power": round(told.power_w or 0.0, 2),
        "voltage": round(supply * 1000),
        "coreVoltageActual": round(core * 1000),
        "temp": round(max(hot, default=0.0), 1),
        "vrTemp": round(max(regulators, default=0.0), 1),
        "fanrpm": next((device.fan_rpm for device in machines if device.fan_rpm is not None), 0),
        "fanspeed": next((device.fan_percent for device in machines if device.fan_percent is not None), 0),
        "autofanspeed": 0,
        "hashRate": told.hash_rate_1m / 1e9,
        "hashRate_1m": told.hash_rate_1m / 1e9,
        "expectedHashrate": expected / 1e9,
        "frequency": frequency,
        "asicCount": chips if machines else len(view.devices),
        "smallCoreCount": round(expected / 1e6 / (chips * frequency)) if frequency else 0,
        "bestDiff": told.best_share,
        "bestSessionDiff": told.best_share,
        "poolDifficulty": told.job.share_difficulty if told.job is not None else 0,
        "networkDifficulty": told.network_difficulty or 0,
        "blockHeight": told.height or 0,
        "blockFound": told.blocks_accepted,
        "sharesAccepted": shares.accepted,
        "sharesRejected": shares.rejected + shares.stale,
        "sharesRejectedReasons": [{"message": reason, "count": count} for reason, count in told.reasons.items()],
        "stratumURL": target.hostname or "",
        "stratumPort": target.port or DEFAULT_PORT,
        "stratumUser": told.worker_name,
        "fallbackStratumURL": "",
        "fallbackStratumPort": 0,
        "fallbackStratumUser": "",
        "isUsingFallbackStratum": int(active is not None and active.priority > 0),
        "miningPaused": told.state == "paused",
        "overheat_mode": 0,
    }


async def serve(bound: socket.socket, look: Callable[[], View]) -> None:
    """Answer on a bound socket, which it takes over, until cancelled."""
    await serve_application(bound, application(look))


def application(look: Callable[[], View]) -> Starlette:
    """The few routes that tools read."""

    async def info(request: Request) -> Response:
        return _json(information(look()))

    async def asic(request: Request) -> Response:
        told = information(look())
        return _json({name: told[name] for name in ("ASICModel", "asicCount", "smallCoreCount", "frequency")})

    async def swarm(request: Request) -> Response:
        return _json([])

    async def greeting(request: Request) -> Response:
        return PlainTextResponse(GREETING)

    return Starlette(
        routes=[
            Route("/", greeting, methods=["GET"]),
            Route("/api/system/info", info, methods=["GET"]),
            Route("/api/system/asic", asic, methods=["GET"]),
            Route("/api/swarm/info", swarm, methods=["GET"]),
        ],
        middleware=[Middleware(Guard, access=Access("", names=("localhost", socket.gethostname())))],
        exception_handlers={HTTPException: _told},
    )


async def _told(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    asked = f"{request.method} {request.url.path[:80]}"
    return refusal(error.status_code, f"{asked}: expected GET of one of the few paths that this API has")


def _json(value: Any) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _address_of(hostname: str) -> str:
    """Tools tell miners apart by it: made of the host's name, in the range that no maker uses."""
    digest = hashlib.sha256(hostname.encode()).digest()
    return ":".join(f"{byte:02X}" for byte in (0x02, *digest[:5]))
