"""Our views in cgminer's fields, names, units and number formats: MH/s, seconds, whole numbers where it has them.

Aliases that tools ask for stand beside: ``GHS 5s``, ``GHS av``, ``MHS 20s``. What cgminer counts and we have no
counterpart of is zero.
"""

from collections.abc import Mapping
from typing import Any

from stratum_miner.monitoring.model import DeviceView, PoolView, Summary, View

Fields = dict[str, Any]
SCHEMES = {"stratum+tcp": "stratum+tcp", "tcp": "stratum+tcp"}
_WELL = ("mining", "idle")
"""All others are TLS, which tools know as stratum+ssl."""


def summary(view: View) -> Fields:
    """``summary``."""
    told, shares = view.summary, view.summary.shares
    worth = told.difficulties
    answered = worth["accepted"] + worth["rejected"] + worth["stale"]
    nonces = sum(item.nonces_found for item in view.devices)
    return {
        "Elapsed": int(told.elapsed_s),
        **_rates(told),
        "Found Blocks": told.blocks_accepted,
        "Getworks": sum(pool.jobs for pool in view.pools),
        "Accepted": shares.accepted,
        "Rejected": shares.rejected,
        "Hardware Errors": told.hardware_errors,
        "Utility": round(_per_minute(shares.accepted, told), 2),
        "Discarded": told.withheld,
        "Stale": shares.stale,
        "Get Failures": 0,
        "Local Work": shares.found,
        "Remote Failures": shares.lost,
        "Network Blocks": len(view.blocks),
        "Total MH": round(told.hash_rate * told.elapsed_s / 1e6, 4),
        "Work Utility": round(told.work_utility, 2),
        "Difficulty Accepted": round(worth["accepted"], 8),
        "Difficulty Rejected": round(worth["rejected"], 8),
        "Difficulty Stale": round(worth["stale"], 8),
        "Best Share": int(told.best_share),
        "Device Hardware%": _percent(told.hardware_errors, told.hardware_errors + nonces),
        "Device Rejected%": _percent(shares.rejected, shares.found),
        "Pool Rejected%": _percent(worth["rejected"], answered),
        "Pool Stale%": _percent(worth["stale"], answered),
        "Last getwork": _moment(view, None if told.job is None else told.job.age_s),
    }


def pools(view: View) -> list[Fields]:
    """``pools``."""
    return [_pool(view, pool) for pool in view.pools]


def devices(view: View) -> list[Fields]:
    """``devs``: everything that hashes is an ASC to a tool."""
    return [device(view, item) for item in view.devices]


def device(view: View, item: DeviceView) -> Fields:
    """One of ``devs``."""
    elapsed = max(view.summary.elapsed_s, 1e-9)
    found = item.accepted + item.refused
    key = item.backend, item.name
    last = next((share for share in reversed(view.shares) if (share.backend, share.device) == key), None)
    active = next((pool.id for pool in view.pools if pool.active), -1)
    return {
        "ASC": item.id,
        "Name": item.backend,
        "ID": item.id,
        "Enabled": "N" if item.state == "off" else "Y",
        "Status": {"dead": "Dead", "sick": "Sick", "starting": "Initialising", "absent": "NoStart"}.get(
            item.state, "Alive"
        ),
        "Temperature": round(item.chip_temperature_c or 0.0, 2),
        "MHS av": round(item.hashes / elapsed / 1e6, 2),
        "MHS 5s": round(item.hash_rate / 1e6, 2),
        "MHS 20s": round(item.hash_rate_1m / 1e6, 2),
        "MHS 1m": round(item.hash_rate_1m / 1e6, 2),
        "MHS 5m": round(item.hash_rate_1m / 1e6, 2),
        "MHS 15m": round(item.hash_rate_1m / 1e6, 2),
        "Accepted": item.accepted,
        "Rejected": item.refused,
        "Hardware Errors": item.hardware_errors,
        "Utility": round(item.accepted / elapsed * 60, 2),
        "Last Share Pool": active if last is not None else -1,
        "Last Share Time": 0 if last is None else int(last.at),
        "Total MH": round(item.hashes / 1e6, 4),
        "Diff1 Work": item.hashes >> 32,
        "Difficulty Accepted": round(item.difficulties["accepted"], 8),
        "Difficulty Rejected": round(item.difficulties["rejected"], 8),
        "Last Share Difficulty": 0.0 if last is None else round(last.share_difficulty, 8),
        "No Device": item.state == "absent",
        "Last Valid Work": _moment(view, item.last_nonce_age_s),
        "Device Hardware%": _percent(item.hardware_errors, item.hardware_errors + item.nonces_found),
        "Device Rejected%": _percent(item.refused, found),
        "Device Elapsed": int(view.summary.elapsed_s),
    }


def details(view: View) -> list[Fields]:
    """``devdetails``."""
    return [
        {
            "DEVDETAILS": item.id,
            "Name": item.backend,
            "ID": item.id,
            "Driver": item.backend,
            "Kernel": "" if item.product else item.detail,
            "Model": item.product or "",
            "Device Path": item.name,
        }
        for item in view.devices
    ]


def statistics(view: View) -> list[Fields]:
    """``stats``: of devices and pools, in cgminer's order; the second has ``Elapsed`` too, which tools look for."""
    elapsed = int(view.summary.elapsed_s)
    waits = {"Calls": 0, "Wait": 0.0, "Max": 0.0, "Min": 0.0}
    machines = [
        {"ID": f"{item.backend}{item.id}", "Elapsed": elapsed, **waits, **_sensors(item)} for item in view.devices
    ]
    connections = [
        {
            "ID": f"POOL{pool.id}",
            "Elapsed": elapsed,
            **waits,
            "Work Diff": round(pool.difficulty or 0.0, 8),
            "Times Recv": pool.jobs,
            "Bytes Sent": pool.bytes_sent,
            "Bytes Recv": pool.bytes_received,
            "Net Bytes Sent": pool.bytes_sent,
            "Net Bytes Recv": pool.bytes_received,
        }
        for pool in view.pools
    ]
    return [{"STATS": index, **row} for index, row in enumerate([*machines, *connections])]


def notices(view: View) -> list[Fields]:
    """``notify``: when each was last well, and why not."""
    return [
        {
            "NOTIFY": item.id,
            "Name": item.backend,
            "ID": item.id,
            "Last Well": _moment(view, item.last_nonce_age_s),
            "Last Not Well": 0 if item.state in _WELL else int(view.at),
            "Reason Not Well": "None" if item.state in _WELL else item.reason or item.state,
            "*Thread Fail Init": 0,
            "*Thread Zero Hash": 0,
            "*Thread Fail Queue": 0,
            "*Dev Sick Idle 60s": 0,
            "*Dev Dead Idle 600s": 0,
            "*Dev Nostart": 0,
            "*Dev Over Heat": item.trips,
            "*Dev Thermal Cutoff": item.trips,
            "*Dev Comms Error": item.crc_errors,
            "*Dev Throttle": 0,
        }
        for item in view.devices
    ]


def configuration(view: View) -> Fields:
    """``config``."""
    quotas = any(pool.quota is not None for pool in view.pools)
    return {
        "ASC Count": len(view.devices),
        "PGA Count": 0,
        "Pool Count": len(view.pools),
        "Strategy": "Load Balance" if quotas else "Failover",
        "Log Interval": 5,
        "Device Code": " ".join(dict.fromkeys(item.backend for item in view.devices)),
        "OS": "Linux",
        "Hotplug": "None",
    }


def coin(view: View) -> Fields:
    """``coin``."""
    told = view.summary
    return {
        "Hash Method": "sha256",
        "Current Block Time": float(_moment(view, None if told.job is None else told.job.age_s)),
        "Current Block Hash": "" if told.job is None else told.job.previous_hash,
        "LP": True,
        "Network Difficulty": round(told.network_difficulty or 0.0, 8),
    }


def lcd(view: View) -> Fields:
    """``lcd``: what fits a small display."""
    told = view.summary
    last = view.shares[-1] if view.shares else None
    hot = [item.chip_temperature_c for item in view.devices if item.chip_temperature_c is not None]
    ages = [item.last_nonce_age_s for item in view.devices if item.last_nonce_age_s is not None]
    return {
        "Elapsed": int(told.elapsed_s),
        "GHS av": round(told.hash_rate / 1e9, 2),
        "GHS 5m": round(told.hash_rate_5m / 1e9, 2),
        "GHS 5s": round(told.hash_rate_5s / 1e9, 2),
        "Temperature": round(max(hot, default=0.0), 2),
        "Last Share Difficulty": 0.0 if last is None else round(last.share_difficulty, 8),
        "Last Share Time": 0 if last is None else int(last.at),
        "Best Share": int(told.best_share),
        "Last Valid Work": _moment(view, min(ages, default=None)),
        "Found Blocks": told.blocks_accepted,
        "Current Pool": _url(told.pool),
        "User": told.worker_name,
    }


# ---- parts --------------------------------------------------------------------------------------------------------


def _pool(view: View, pool: PoolView) -> Fields:
    worth = pool.difficulty or 0.0
    mine = [share for share in view.shares if share.pool_id == pool.id]
    last = mine[-1] if mine else None
    up = pool.state == "up"
    return {
        "POOL": pool.id,
        "URL": _url(pool.url),
        "Status": "Disabled" if not pool.enabled else "Rejecting" if pool.state == "penalized" else _alive(pool),
        "Priority": pool.priority,
        "Quota": 1 if pool.quota is None else pool.quota,
        "Long Poll": "N",
        "Getworks": pool.jobs,
        "Accepted": pool.accepted,
        "Rejected": pool.rejected,
        "Works": pool.jobs,
        "Discarded": 0,
        "Stale": pool.stale,
        "Get Failures": 0,
        "Remote Failures": pool.lost,
        "User": pool.worker_name,
        "Last Share Time": 0 if last is None else int(last.at),
        "Diff1 Shares": int(pool.difficulties["accepted"]),
        "Proxy Type": "",
        "Proxy": "",
        "Difficulty Accepted": round(pool.difficulties["accepted"], 8),
        "Difficulty Rejected": round(pool.difficulties["rejected"], 8),
        "Difficulty Stale": round(pool.difficulties["stale"], 8),
        "Last Share Difficulty": 0.0 if last is None else round(last.share_difficulty, 8),
        "Work Difficulty": round(worth, 8),
        "Has Stratum": True,
        "Stratum Active": pool.active and up,
        "Stratum URL": _url(pool.url).partition("://")[2].partition(":")[0] if pool.active and up else "",
        "Stratum Difficulty": round(worth, 8),
        "Has Vmask": pool.version_mask != "00000000",
        "Has GBT": False,
        "Best Share": int(max((share.difficulty for share in mine), default=0.0)),
        "Pool Rejected%": round(pool.reject_share * 100, 4),
        "Pool Stale%": round(pool.stale_share * 100, 4),
        "Bad Work": 0,
        "Current Block Height": (view.summary.height or 0) if pool.active else 0,
        "Current Block Version": 0x20000000,
    }


def _alive(pool: PoolView) -> str:
    """A pool that stands by counts as alive, as it does in cgminer until it is seen dead."""
    return "Dead" if pool.state in ("down", "silent") else "Alive"


def _rates(told: Summary) -> Fields:
    return {
        "MHS av": round(told.hash_rate / 1e6, 2),
        "MHS 5s": round(told.hash_rate_5s / 1e6, 2),
        "MHS 20s": round(told.hash_rate_1m / 1e6, 2),
        "MHS 1m": round(told.hash_rate_1m / 1e6, 2),
        "MHS 5m": round(told.hash_rate_5m / 1e6, 2),
        "MHS 15m": round(told.hash_rate_15m / 1e6, 2),
        "GHS 5s": round(told.hash_rate_5s / 1e9, 6),
        "GHS av": round(told.hash_rate / 1e9, 6),
    }


def _sensors(item: DeviceView) -> Fields:
    known: Mapping[str, float | None] = {
        "temp": item.chip_temperature_c,
        "temp_vr": item.regulator_temperature_c,
        "voltage": item.core_voltage_v,
        "power": item.power_w,
        "frequency": item.frequency_mhz,
        "fan1": item.fan_rpm,
    }
    return {name: value for name, value in known.items() if value is not None}


def _per_minute(count: float, told: Summary) -> float:
    return count / told.elapsed_s * 60 if told.elapsed_s > 0 else 0.0


def _percent(part: float, whole: float) -> float:
    return round(part / whole * 100, 4) if whole else 0.0


def _moment(view: View, age_s: float | None) -> int:
    return 0 if age_s is None else int(view.at - age_s)


def _url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{SCHEMES.get(scheme, 'stratum+ssl')}://{rest}" if rest else url
