"""Builds the fields of cgminer's answers from views, with cgminer's names, order, units, types and digits.

``tests/vectors/cgminer.json`` has recorded answers of cgminer 4.13.6. ``summary`` has two more fields at its end that
tools read: ``GHS 5s`` and ``GHS av``. Fields without a counterpart here are zero;
docs/reference/cgminer-api.md lists them.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from stratum_miner.monitoring.cgminer.dialect import Fixed
from stratum_miner.monitoring.view import DeviceView, PoolView, View

Fields = dict[str, Any]
SCHEMES = {"stratum+tcp": "stratum+tcp", "tcp": "stratum+tcp"}
"""URL schemes without TLS, and the scheme that is shown for each. For all other schemes, stratum+ssl is shown."""
NEVER_S = 99999999.0
"""cgminer shows the shortest time that it has waited for work, in seconds. It shows this value if it has measured no
such time yet."""
DISABLED = ("off", "removed")
"""States of a device that is off until it is restarted, because the user or a limit, such as a temperature limit,
switched it off."""
STATUS = {"dead": "Dead", "sick": "Sick", "starting": "Initialising", "absent": "NoStart"}
"""cgminer's word for some states of a device. For every other state, even that of a device that is off, cgminer's word
is Alive."""

_Number = Callable[[float | None], Fixed]
_rate: _Number = partial(Fixed, places=2)
_total: _Number = partial(Fixed, places=4)
_difficulty: _Number = partial(Fixed, places=8)
_seconds: _Number = partial(Fixed, places=6)


def summary(view: View) -> Fields:
    """Return the fields of ``summary``."""
    totals, shares = view.summary, view.summary.shares
    worth = totals.difficulties
    answered = _answered(worth)
    nonces = sum(item.nonces_found for item in view.devices)
    work = sum(item.hashes for item in view.devices) / 2**32
    return {
        "Elapsed": round(totals.elapsed_s),
        "MHS av": _rate(totals.hash_rate / 1e6),
        "MHS 5s": _rate(totals.hash_rate_5s / 1e6),
        "MHS 1m": _rate(totals.hash_rate_1m / 1e6),
        "MHS 5m": _rate(totals.hash_rate_5m / 1e6),
        "MHS 15m": _rate(totals.hash_rate_15m / 1e6),
        "Found Blocks": totals.blocks_accepted,
        "Getworks": sum(pool.jobs for pool in view.pools),
        "Accepted": shares.accepted,
        "Rejected": shares.rejected,
        "Hardware Errors": totals.hardware_errors,
        "Utility": _rate(_per_minute(shares.accepted, totals.elapsed_s)),
        "Discarded": 0,
        "Stale": shares.stale,
        "Get Failures": 0,
        "Local Work": totals.work_units,
        "Remote Failures": shares.lost,
        "Network Blocks": totals.blocks_seen,
        "Total MH": _total(totals.hash_rate * totals.elapsed_s / 1e6),
        "Work Utility": _rate(_per_minute(work, totals.elapsed_s)),
        "Difficulty Accepted": _difficulty(worth["accepted"]),
        "Difficulty Rejected": _difficulty(worth["rejected"]),
        "Difficulty Stale": _difficulty(worth["stale"]),
        "Best Share": int(totals.best_share),
        "Device Hardware%": _percent(totals.hardware_errors, totals.hardware_errors + nonces),
        "Device Rejected%": _percent(worth["rejected"] + worth["stale"], work),
        "Pool Rejected%": _percent(worth["rejected"], answered),
        "Pool Stale%": _percent(worth["stale"], answered),
        "Last getwork": _date(totals.last_job_at),
        "GHS 5s": _seconds(totals.hash_rate_5s / 1e9),
        "GHS av": _seconds(totals.hash_rate / 1e9),
    }


def pools(view: View) -> list[Fields]:
    """Return the rows of ``pools`` in the order of their ids."""
    return [_pool(view, pool) for pool in sorted(view.pools, key=lambda pool: pool.id)]


def devices(view: View) -> list[Fields]:
    """Return the rows of ``devs``. Every device and search thread is shown as an ``ASC``, which is cgminer's word for a
    mining device."""
    return [device(view, item) for item in view.devices]


def device(view: View, item: DeviceView) -> Fields:
    """Return the row of one device in ``devs``."""
    elapsed = view.at - item.came_at - item.frozen_s if item.came_at else 0
    return {
        "ASC": item.id,
        "Name": item.backend,
        "ID": item.id,
        "Enabled": "N" if item.state in DISABLED else "Y",
        "Status": STATUS.get(item.state, "Alive"),
        "Temperature": _rate(item.chip_temperature_c),
        "MHS av": _rate(item.hashes / elapsed / 1e6 if elapsed > 0 else None),
        "MHS 5s": _rate(item.hash_rate / 1e6),
        "MHS 1m": _rate(item.hash_rate_1m / 1e6),
        "MHS 5m": _rate(item.hash_rate_5m / 1e6),
        "MHS 15m": _rate(item.hash_rate_15m / 1e6),
        "Accepted": item.accepted,
        "Rejected": item.refused,
        "Hardware Errors": item.hardware_errors,
        "Utility": _rate(_per_minute(item.accepted, elapsed)),
        "Last Share Pool": -1 if item.last_share_pool_id is None else item.last_share_pool_id,
        "Last Share Time": _date(item.last_share_at),
        "Total MH": _total(item.hashes / 1e6),
        "Diff1 Work": item.hashes >> 32,
        "Difficulty Accepted": _difficulty(item.difficulties["accepted"]),
        "Difficulty Rejected": _difficulty(item.difficulties["rejected"] + item.difficulties["stale"]),
        "Last Share Difficulty": _difficulty(item.last_share_difficulty),
        "No Device": item.state == "absent",
        "Last Valid Work": _moment(view, item.last_nonce_age_s),
        "Device Hardware%": _percent(item.hardware_errors, item.hardware_errors + item.nonces_found),
        "Device Rejected%": _percent(item.difficulties["rejected"] + item.difficulties["stale"], item.hashes / 2**32),
        "Device Elapsed": round(elapsed),
    }


def details(view: View) -> list[Fields]:
    """Return the rows of ``devdetails``."""
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
    """Return the rows of ``stats``: devices, then pools. All rows have ``Elapsed``, because tools look for it."""
    elapsed = round(view.summary.elapsed_s)
    waits = {"Calls": 0, "Wait": _seconds(None), "Max": _seconds(None), "Min": _seconds(NEVER_S)}
    device_rows = [
        {"ID": f"{item.backend}{item.id}", "Elapsed": elapsed, **waits, **_sensors(item)} for item in view.devices
    ]
    pool_rows = [
        {"ID": f"POOL{pool.id}", "Elapsed": elapsed, **waits, **_connection(pool)}
        for pool in sorted(view.pools, key=lambda pool: pool.id)
    ]
    return [{"STATS": index, **row} for index, row in enumerate([*device_rows, *pool_rows])]


def notices(view: View) -> list[Fields]:
    """Return the rows of ``notify``: when each device last worked, and when, why and how often it did not work."""
    return [
        {
            "NOTIFY": item.id,
            "Name": item.backend,
            "ID": item.id,
            "Last Well": _moment(view, item.last_nonce_age_s),
            "Last Not Well": _date(item.unwell_at),
            "Reason Not Well": item.unwell_reason or "None",
            "*Thread Fail Init": 0,
            "*Thread Zero Hash": 0,
            "*Thread Fail Queue": 0,
            "*Dev Sick Idle 60s": item.spells.get("sick", 0),
            "*Dev Dead Idle 600s": item.spells.get("dead", 0),
            "*Dev Nostart": item.spells.get("absent", 0),
            "*Dev Over Heat": 0,
            "*Dev Thermal Cutoff": item.trips,
            "*Dev Comms Error": item.crc_errors,
            "*Dev Throttle": 0,
        }
        for item in view.devices
    ]


def configuration(view: View) -> Fields:
    """Return the fields of ``config``."""
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
    """Return the fields of ``coin``."""
    totals = view.summary
    return {
        "Hash Method": "sha256",
        "Current Block Time": _seconds(totals.block_at),
        "Current Block Hash": "" if totals.job is None else totals.job.previous_hash,
        "LP": True,
        "Network Difficulty": _difficulty(totals.network_difficulty),
    }


def lcd(view: View) -> Fields:
    """Return the fields of ``lcd``, a command for small displays."""
    totals = view.summary
    last = max(view.pools, key=lambda pool: pool.last_share_at or 0.0, default=None)
    hot = [item.chip_temperature_c for item in view.devices if item.chip_temperature_c is not None]
    ages = [item.last_nonce_age_s for item in view.devices if item.last_nonce_age_s is not None]
    return {
        "Elapsed": round(totals.elapsed_s),
        "GHS av": _rate(totals.hash_rate / 1e9),
        "GHS 5m": _rate(totals.hash_rate_5m / 1e9),
        "GHS 5s": _rate(totals.hash_rate_5s / 1e9),
        "Temperature": _rate(max(hot, default=None)),
        "Last Share Difficulty": _difficulty(None if last is None else last.last_share_difficulty),
        "Last Share Time": _date(None if last is None else last.last_share_at),
        "Best Share": int(totals.best_share),
        "Last Valid Work": _moment(view, min(ages, default=None)),
        "Found Blocks": totals.blocks_accepted,
        "Current Pool": _url(totals.pool),
        "User": totals.worker_name,
    }


# ---- parts --------------------------------------------------------------------------------------------------------


def _pool(view: View, pool: PoolView) -> Fields:
    answered = _answered(pool.difficulties)
    connected = pool.active and pool.state == "up"
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
        "Works": pool.work_units,
        "Discarded": 0,
        "Stale": pool.stale,
        "Get Failures": 0,
        "Remote Failures": pool.lost,
        "User": pool.worker_name,
        "Last Share Time": _date(pool.last_share_at),
        "Diff1 Shares": int(sum(pool.difficulties.values())),
        "Proxy Type": "",
        "Proxy": "",
        "Difficulty Accepted": _difficulty(pool.difficulties["accepted"]),
        "Difficulty Rejected": _difficulty(pool.difficulties["rejected"]),
        "Difficulty Stale": _difficulty(pool.difficulties["stale"]),
        "Last Share Difficulty": _difficulty(pool.last_share_difficulty),
        "Work Difficulty": _difficulty(pool.difficulty),
        "Has Stratum": True,
        "Stratum Active": connected,
        "Stratum URL": _host(pool.url) if connected else "",
        "Stratum Difficulty": _difficulty(pool.difficulty if connected else None),
        "Has Vmask": pool.version_mask != "00000000",
        "Has GBT": False,
        "Best Share": int(pool.best_share),
        "Pool Rejected%": _percent(pool.difficulties["rejected"], answered),
        "Pool Stale%": _percent(pool.difficulties["stale"], answered),
        "Bad Work": 0,
        "Current Block Height": (view.summary.height or 1) - 1 if pool.active else 0,
        "Current Block Version": view.summary.job.version if pool.active and view.summary.job is not None else 0,
    }


def _alive(pool: PoolView) -> str:
    """Return cgminer's status of an enabled pool. As in cgminer, a pool to which the miner is not connected counts as
    alive until an attempt to use it fails."""
    return "Dead" if pool.state in ("down", "silent") else "Alive"


def _connection(pool: PoolView) -> Fields:
    nothing = _seconds(None)
    return {
        "Pool Calls": 0,
        "Pool Attempts": 0,
        "Pool Wait": nothing,
        "Pool Max": nothing,
        "Pool Min": _seconds(NEVER_S),
        "Pool Av": nothing,
        "Work Had Roll Time": False,
        "Work Can Roll": False,
        "Work Had Expire": False,
        "Work Roll Time": 0,
        "Work Diff": _difficulty(pool.difficulty),
        "Min Diff": _difficulty(None),
        "Max Diff": _difficulty(None),
        "Min Diff Count": 0,
        "Max Diff Count": 0,
        "Times Sent": 0,
        "Bytes Sent": pool.bytes_sent,
        "Times Recv": 0,
        "Bytes Recv": pool.bytes_received,
        "Net Bytes Sent": pool.bytes_sent,
        "Net Bytes Recv": pool.bytes_received,
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


def _answered(worth: Mapping[str, float]) -> float:
    return worth["accepted"] + worth["rejected"] + worth["stale"]


def _per_minute(count: float, elapsed_s: float) -> float | None:
    return count / elapsed_s * 60 if elapsed_s > 0 else None


def _percent(part: float, whole: float) -> Fixed:
    return Fixed(part / whole * 100 if whole else None, 4)


def _moment(view: View, age_s: float | None) -> int:
    return 0 if age_s is None else int(view.at - age_s)


def _date(at: float | None) -> int:
    return int(at or 0)


def _url(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{SCHEMES.get(scheme, 'stratum+ssl')}://{rest}" if rest else url


def _host(url: str) -> str:
    return url.partition("://")[2].rpartition(":")[0].strip("[]")
