"""Tests every figure of a view, and every metric, by a scene in which no two figures are equal.

The numbers below follow from the scene by arithmetic, which the comments state where it is not plain.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from stratum_miner import __version__
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.monitoring.problems import KINDS
from stratum_miner.monitoring.view import as_json

from . import scene
from .http.scrapes import of_miner
from .test_monitor import JOB, shares

START = scene.DATE + 100.0
FOUND = sorted(shares(4), key=lambda share: -share.difficulty)
BEST, SECOND_BEST, THIRD, LEAST = (share.difficulty for share in FOUND)
SUMMARY: dict[str, Any] = {
    "version": __version__, "state": "mining", "detail": "", "devices_mining": 2, "devices_total": 2,
    "started_at": START, "elapsed_s": 600.0, "frozen_s": 31.0, "sample_age_s": 3.0, "hash_rate": 5.5e9,
    "hash_rate_5s": 5.1e9, "hash_rate_1m": 5.2e9, "hash_rate_5m": 5.3e9, "hash_rate_15m": 5.4e9,
    # 422 x 2^32 hashes in 600 s; 95 % of all means that make 211 shares lie between 183.49 and 241.47 shares
    "implied_hash_rate.value": 3_020_793_664.85, "implied_hash_rate.low": 2_626_924_195.1,
    "implied_hash_rate.high": 3_457_055_516.8,
    "shares.found": 317, "shares.accepted": 211, "shares.rejected": 32, "shares.stale": 33, "shares.lost": 34,
    "shares.open": 7, "reasons.rejected: low difficulty": 32,
    "all_runs.accepted": 1211, "all_runs.rejected": 112, "all_runs.stale": 113, "all_runs.lost": 114,
    "blocks_accepted": 3, "best_share": 987.5, "difficulties.accepted": SECOND_BEST, "difficulties.rejected": BEST,
    "difficulties.stale": THIRD, "difficulties.lost": LEAST, "last_share_age_s": 2.0,
    "share_every_s": 2.25 * 2**32 / 5.2e9, "work_utility": 422 / 10, "luck.found": 221, "luck.expected": 442.0,
    "luck.ratio": 0.5, "luck.low": 0.4362476, "luck.high": 0.5704482, "hardware_errors": 47, "below_target": 18,
    "withheld": 19, "height": 800_001, "network_difficulty": 123.5, "job.job_id": "j1", "job.age_s": 41.0,
    "job.previous_hash": "".join(f"{byte:02x}" for byte in range(31, -1, -1)), "job.share_difficulty": 2.75,
    "job.network_difficulty": 122.5, "job.version_mask": "00ffe000", "job.version": 0x20400000,
    "pool": "stratum+tcp://one.example:3331", "worker_name": "me.rig", "power_w": 17.5, "power_is_partial": True,
    "joules_per_terahash": None, "economics.a": 1.5, "work_units": 20, "blocks_seen": 1, "block_at": START + 4,
    "last_job_at": START + 4,
    "problems.0.severity": "warning", "problems.0.kind": "pool_refuses", "problems.0.device_id": None,
    "problems.0.pool_id": 1, "problems.0.since_s": 9.0,
    "problems.0.text": "Pool first refuses the worker name me.two: nobody.",
    "problems.0.advice": "Check with the pool whether the worker name and the password (--user and --pass) are right.",
    "problems.1.severity": "warning", "problems.1.kind": "device_throttled", "problems.1.device_id": 0,
    "problems.1.pool_id": None, "problems.1.since_s": 9.0, "problems.1.text": "bitaxe-1 is throttled: 72 C.",
    "problems.1.advice": "Improve its cooling and power supply, or set a lower frequency.",
}  # fmt: skip
POOL: dict[str, Any] = {
    "id": 1, "priority": 1, "name": "first", "url": "stratum+tcp://one.example:3331", "worker_name": "me.rig",
    "active": True, "enabled": True, "state": "up", "reason": "", "since_s": 701.0, "connection": "mining",
    "accepted": 101, "rejected": 12, "stale": 25, "lost": 14, "reasons.rejected: duplicate": 11,
    "reasons.stale: job not found": 25, "reject_share": 12 / 138, "stale_share": 25 / 138, "latency_p50_ms": 21.0,
    "latency_p99_ms": 89.0, "job_switch_p50_ms": 3.1, "job_switch_p99_ms": 9.7, "difficulties.accepted": 202.0,
    "difficulties.rejected": 24.0, "difficulties.stale": 50.0, "difficulties.lost": 28.0, "quota": 17,
    "work_share": 0.75, "bound.0": "boards", "difficulty": 2.25, "version_mask": "1fffe000", "jobs": 71,
    "work_units": 88, "connects": 72, "bytes_received": 3001, "bytes_sent": 4002, "best_share": 555.5,
    "last_share_at": scene.DATE + 79.0, "last_share_difficulty": 2.5,
    "workers.0.name": "me.rig", "workers.0.refusal": "", "workers.0.accepted": 81, "workers.0.rejected": 82,
    "workers.0.stale": 83, "workers.1.name": "me.two", "workers.1.refusal": "nobody", "workers.1.accepted": 84,
    "workers.1.rejected": 85, "workers.1.stale": 86, "answers.total_s": 0.04005, "job_switches.total_s": 70.003,
}  # fmt: skip
BOARD: dict[str, Any] = {
    "id": 0, "backend": "boards", "name": "bitaxe-1", "detail": "Bitaxe Gamma", "mines": True, "state": "throttled",
    "reason": "72 C", "hash_rate": 1.2e9, "hash_rate_1m": 1.2e9, "hash_rate_5m": 1.2e9, "hash_rate_10m": 1.2e9,
    "hash_rate_15m": 1.2e9, "hash_rate_1h": 1.2e9, "expected_hash_rate": 1.02e12, "hashes": 7_200_000_000,
    "nonces_found": 61, "accepted": 1, "refused": 1, "reasons.rejected: duplicate share": 1, "best_share": BEST,
    "blocks_accepted": 1, "difficulties.accepted": SECOND_BEST, "difficulties.rejected": BEST,
    "difficulties.stale": 0.0, "difficulties.lost": 0.0, "hardware_errors": 6, "last_nonce_age_s": 5.0,
    "bound_to": "first", "product": "Bitaxe Gamma", "chip": "BM1370", "frequency_mhz": 525.0,
    "chip_temperature_c": 61.25, "regulator_temperature_c": 55.5, "core_voltage_v": 1.147,
    "core_voltage_asked_v": 1.15, "input_voltage_v": 5.06, "power_w": 17.5, "joules_per_terahash": 17.5e12 / 1.2e9,
    "fan_rpm": 4200, "fan_percent": 60, "duplicate_nonces": 901, "stale_nonces": 902, "crc_errors": 903,
    "restarts": 904, "trips": 905, "is_overheated": True, "chips.0": 31, "chips.1": 29, "came_at": START,
    "frozen_s": 0.0, "last_share_at": START + 7, "last_share_pool_id": 1, "last_share_difficulty": 1e-9,
    "unwell_at": None, "unwell_reason": "",
}  # fmt: skip
THREAD: dict[str, Any] = {
    "id": 1, "backend": "cpu", "name": "cpu0", "detail": "avx512", "state": "mining", "reason": "",
    "hash_rate": 2e5, "hashes": 1_200_000, "nonces_found": 62, "accepted": 0, "refused": 1,
    "reasons.stale: job not found": 1, "best_share": THIRD, "blocks_accepted": 0, "difficulties.stale": THIRD,
    "difficulties.lost": LEAST, "hardware_errors": 7, "bound_to": "", "product": None, "chip": None,
    "frequency_mhz": None, "power_w": None, "joules_per_terahash": None, "duplicate_nonces": 0, "stale_nonces": 0,
    "crc_errors": 0, "restarts": 0, "trips": 0, "is_overheated": False, "last_share_at": None,
    "last_share_pool_id": None, "last_share_difficulty": 0.0,
}  # fmt: skip
POINT = {
    "at": START + 6, "hash_rate": 1.2002e9, "accepted": 211, "rejected": 32, "stale": 33, "lost": 34,
    "latency_ms": 21.0, "temperature_c": 61.25, "power_w": 17.5,
}  # fmt: skip
METRICS = {
    f'build_info{{version="{__version__}"}}': 1, 'state{state="mining"}': 1, "devices_mining": 2, "devices": 2,
    "start_time_seconds": START, "frozen_seconds_total": 31, 'hash_rate{window="5s"}': 5.1e9,
    'hash_rate{window="1m"}': 5.2e9, 'hash_rate{window="5m"}': 5.3e9, 'hash_rate{window="15m"}': 5.4e9,
    'hash_rate{window="start"}': 5.5e9, 'shares_total{fate="accepted"}': 211, 'shares_total{fate="rejected"}': 32,
    'shares_total{fate="stale"}': 33, 'shares_total{fate="lost"}': 34, "shares_open": 7, "blocks_accepted_total": 3,
    "hardware_errors_total": 47, "best_share_difficulty": 987.5, "expected_shares": 442, "luck_ratio": 0.5,
    "share_difficulty": 2.75, "job_age_seconds": 41, "network_difficulty": 123.5, "block_height": 800_001,
    "power_watts": 17.5,
    'pool_active{pool="first"}': 1, 'pool_up{pool="first"}': 1, 'pool_enabled{pool="first"}': 1,
    'pool_active{pool="second"}': 0, 'pool_up{pool="second"}': 0, 'pool_enabled{pool="second"}': 0,
    'pool_shares_total{fate="accepted",pool="first"}': 101, 'pool_shares_total{fate="rejected",pool="first"}': 12,
    'pool_shares_total{fate="stale",pool="first"}': 25, 'pool_shares_total{fate="lost",pool="first"}': 14,
    'pool_jobs_total{pool="first"}': 71, 'pool_connects_total{pool="first"}': 72,
    'pool_received_bytes_total{pool="first"}': 3001, 'pool_sent_bytes_total{pool="first"}': 4002,
    'pool_answer_seconds_count{pool="first"}': 3, 'pool_answer_seconds_sum{pool="first"}': 0.04005,
    'pool_answer_seconds_bucket{le="0.01",pool="first"}': 1, 'pool_answer_seconds_bucket{le="0.025",pool="first"}': 3,
    'pool_job_switch_seconds_count{pool="first"}': 2, 'pool_job_switch_seconds_sum{pool="first"}': 70.003,
    'pool_job_switch_seconds_bucket{le="60.0",pool="first"}': 1,
}  # fmt: skip
BOARD_METRICS = {
    "hashes_total": 7.2e9, "hash_rate": 1.2e9, "expected_hash_rate": 1.02e12, "nonces_total": 61,
    "hardware_errors_total": 6, "mining": 1, "restarts_total": 904, "temperature_celsius": 61.25, "power_watts": 17.5,
    "frequency_hertz": 525e6, "core_volts": 1.147, "fan_rpm": 4200,
}  # fmt: skip


def flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield each plain value of nested objects and lists with its path, such as ``shares.found``."""
    if isinstance(value, dict | tuple | list):
        parts = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in parts:
            yield from flat(inner, f"{path}.{key}" if path else str(key))
    else:
        yield path, value


def near(expected: dict[str, Any]) -> dict[str, Any]:
    return {
        name: pytest.approx(value, rel=1e-6, abs=0.0) if isinstance(value, float) else value
        for name, value in expected.items()
    }


def test_every_figure_of_the_summary_is_its_own() -> None:
    assert dict(flat(as_json(scene.view())["summary"])) == near(SUMMARY)


def test_every_figure_of_a_pool_is_its_own() -> None:
    pools = as_json(scene.view())["pools"]
    found = dict(flat(pools[1]))
    counted = {name: value for name, value in found.items() if ".counts." in name and value}
    assert counted == {"answers.counts.0": 1, "answers.counts.7": 2, "job_switches.counts.5": 1,
                       "job_switches.counts.18": 1}  # fmt: skip
    assert {name: value for name, value in found.items() if "s.counts." not in name and "s.bounds_s." not in name} == (
        near(POOL)
    )
    other = dict(flat(pools[0]))
    expected = {"id": 0, "priority": 0, "state": "down", "reason": "refused", "active": False, "enabled": False,
                "latency_p50_ms": None, "latency_p99_ms": None, "job_switch_p50_ms": None,
                "job_switch_p99_ms": None, "difficulty": 3.25}  # fmt: skip
    assert {name: other[name] for name in expected} == expected


def test_every_figure_of_a_device_is_its_own() -> None:
    board, thread = (dict(flat(device)) for device in as_json(scene.view())["devices"])
    assert board == near(BOARD)
    assert {name: thread[name] for name in THREAD} == near(THREAD)


def test_every_figure_of_shares_blocks_and_history_is_its_own() -> None:
    view = scene.view()
    shown = [
        (share.at - START, share.device_id, share.pool_id, share.difficulty, share.fate, share.reason, share.latency_ms)
        for share in view.shares
    ]
    assert shown == [
        (7.0, 0, 1, SECOND_BEST, "accepted", "", 25.0),
        (7.25, 0, 1, BEST, "rejected", "duplicate share", 25.0),
        (7.5, 1, 1, THIRD, "stale", "job not found", 25.0),
        (7.75, 1, 1, LEAST, "lost", "", None),
    ]
    first = view.shares[0]
    assert (first.backend, first.device, first.pool, first.job_id) == ("boards", "bitaxe-1", "first", JOB.job_id)
    assert first.share_difficulty == pytest.approx(1e-9)
    [block] = view.blocks
    assert (block.at, block.hash, block.pool, block.pool_id) == (START + 7, first.block, "first", 1)
    assert (block.difficulty, block.height) == (SECOND_BEST, JOB.height)
    assert first.block == display_hash(FOUND[1].digest)
    assert dict(flat(as_json(view)["history"][-1])) == near(POINT)
    assert [point.hash_rate for point in view.history] == pytest.approx([0, 1.2002e9, 1.2002e9, 1.2002e9])


def test_every_metric_of_the_miner_is_that_of_the_scene() -> None:
    lines = [line.rpartition(" ") for line in of_miner(scene.view()).splitlines() if not line.startswith("#")]
    told = {name.removeprefix("stratum_miner_"): float(value) for name, _, value in lines}
    labels = 'backend="boards",device="bitaxe-1"'
    expected = METRICS | {f"device_{name}{{{labels}}}": value for name, value in BOARD_METRICS.items()}
    assert {name: told[name] for name in expected} == near(expected)
    zero = {name for name, value in told.items() if name.startswith(("state", "problems")) and not value}
    assert zero == {
        f'state{{state="{name}"}}' for name in ("degraded", "no_device", "no_pool", "paused", "stopping")
    } | {f'problems{{kind="{kind}"}}' for kind in KINDS if kind not in ("pool_refuses", "device_throttled")}
    others = {name for name in told if name.partition("{")[0] not in {each.partition("{")[0] for each in expected}}
    assert {name.partition("{")[0] for name in others} == {"problems"}, "a metric of which no figure is tested"
