"""Every field of every surface: audited, with what it must be, or exempt, with the reason.

A pattern is a path into what a surface says; ``*`` is any key or index and hands it to the row's function, ``#`` is
the length of a list. Bounds of derived figures are stated where they are computed (``truth``).
"""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.audit import bitcoin
from tests.audit.expect import Exactly, Expectation, OneOf, Within, rounded, shortened, spread
from tests.audit.node import Offer
from tests.audit.truth import FATES, KEPT, LAG_S, MinerTruth, PoolTruth, garwood, quantile
from tests.audit.witness import Share

Check = Callable[..., Expectation]


@dataclass(frozen=True, slots=True)
class Exempt:
    """A field that is not audited, and why."""

    reason: str


TEXT = Exempt("names something, states no figure")
SETTING = Exempt("repeats a setting of the user's")
CONSTANT = Exempt(
    "cgminer's and AxeOS's shape asks for the field; nothing here has a counterpart, it is always the same"
)
NOT_ON_THE_WIRE = Exempt("happens inside the program, on no wire; tests of its part hold it")
Row = Check | Exempt
BUCKETS = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5),
    *(1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
"""Upper bounds in which the program counts how long answers took, in seconds."""
M = MinerTruth


# ---- parts that several surfaces share -------------------------------------------------------------------------------


def _last(shares: list[Share]) -> Share | None:
    return shares[-1] if shares else None


def _age(m: M, moment: float | None, lag: float = LAG_S) -> Expectation:
    if moment is None:
        return Exactly(None)
    return Within(m.reading.asked - moment - lag, m.reading.answered - moment + 0.01)


def _moment(share: Share | None) -> Expectation:
    """Unix time in whole seconds of the end of a share; 0 where there is none."""
    at = None if share is None else share.settled_unix
    return Exactly(0) if at is None else Within(int(at - 0.01), int(at + LAG_S))


def _exact_moment(share: Share | None) -> Expectation:
    """The same with its fraction, and None."""
    at = None if share is None else share.settled_unix
    return Exactly(None) if at is None else Within(at - 0.01, at + LAG_S)


def _asked(share: Share | None) -> float:
    """The difficulty that a share was asked for; 0 where there is none."""
    return float(share.first.job.difficulty) if share is not None and share.first.job is not None else 0.0


def _always(value: Any) -> Check:
    """What docs/reference/cgminer-api.md promises for a field that cgminer has and for which there is nothing here."""
    return lambda m, *keys: Exactly(value)


def _latency(m: M, index: int, part: float, unit: float = 1000.0) -> Expectation:
    told = m.told_latencies(index)
    bounds = m.latencies(index)
    if len(told) == min(KEPT, len(bounds)) and told:
        value = quantile(told, part)
        assert value is not None
        return rounded(value * unit, 3)
    low, high = (quantile([pair[side] for pair in bounds], part) for side in (0, 1))
    return Exactly(None) if low is None or high is None else Within(low * unit, high * unit)


def _latency_of_active(m: M, part: float) -> Expectation:
    """The same of the pool that is mined on; where quotas decide, of one of them."""
    if m.miner.active is not None:
        return _latency(m, m.miner.active, part)
    each = [item for item in (_latency(m, index, part) for index in range(len(m.stories))) if isinstance(item, Within)]
    return Within(min(item.low for item in each), max(item.high for item in each))


def _answers_within(m: M, index: int, bound: str) -> Expectation:
    """Shares that a pool answered in so many seconds; the relay sees a little less of each than the program."""
    least, most = (sum(pair[side] <= float(bound) for pair in m.latencies(index)) for side in (1, 0))
    return Within(least, most)


def _answers_in_bucket(m: M, index: int, place: int) -> Expectation:
    """The same between two bounds."""
    bounds = (-math.inf, *BUCKETS, math.inf)
    below, above = (_answers_within(m, index, str(bound)) for bound in bounds[place : place + 2])
    assert isinstance(below, Within)
    assert isinstance(above, Within)
    return Within(max(0, above.low - below.high), above.high - below.low)


def _answered_in(m: M, index: int) -> Expectation:
    """The sum of these times."""
    low, high = (math.fsum(pair[side] for pair in m.latencies(index)) for side in (0, 1))
    return Within(low, high)


def _ratio(part: float, whole: float) -> Expectation:
    return Exactly(part / whole if whole else 0.0)


def _answered(counts: Counter[str]) -> int:
    return counts["accepted"] + counts["rejected"] + counts["stale"]


def _work_share(m: M, index: int) -> Expectation:
    """A pool's share of all hashes. Where several are mined on, by the time between the shares that went to each."""
    if len(m.stories) == 1:
        return Exactly(1.0) if m.hashes()[0] else OneOf((0.0, 1.0))
    spans = m.turns()
    total = sum(high for _, high in spans)
    lows = sum(low for low, _ in spans)
    low, high = spans[index]
    if not total:
        return Exactly(0.0)
    others_low, others_high = lows - low, total - high
    return Within(low / max(low + others_high, 1e-9) - 0.02, high / max(high + others_low, 1e-9) + 0.02)


def worker_counts(m: M, index: int, number: int, fate: str) -> Expectation:
    """Shares of one of a pool's workers."""
    names = m.worker_names()
    return Exactly(m.of_worker(names[number], index)[fate])


def pool_rows(prefix: str) -> dict[str, Row]:
    """A pool as --json and the API show it."""
    p = prefix + " / * / "
    rows: dict[str, Row] = {
        prefix + " / #": lambda m: Exactly(len(m.stories)),
        p + "name": lambda m, i: Exactly(m.miner.pools[i].title),
        p + "url": lambda m, i: Exactly(m.miner.pools[i].url),
        p + "active": lambda m, i: m.is_active(i),
        p + "enabled": lambda m, i: Exactly(True),
        p + "state": lambda m, i: m.condition(i),
        p + "reason": TEXT,
        p + "since_s": lambda m, i: Within(0.0, m.elapsed[1]),
        p + "reasons": lambda m, i: Exactly(m.reasons(i)),
        p + "reject_share": lambda m, i: _ratio(m.of_pool(i)["rejected"], _answered(m.of_pool(i))),
        p + "stale_share": lambda m, i: _ratio(m.of_pool(i)["stale"], _answered(m.of_pool(i))),
        p + "latency_p50_ms": lambda m, i: _latency(m, i, 0.5),
        p + "latency_p99_ms": lambda m, i: _latency(m, i, 0.99),
        p + "quota": lambda m, i: Exactly(m.miner.pools[i].quota),
        p + "work_share": _work_share,
        p + "difficulty": lambda m, i: Exactly(None if (job := m.job(i)) is None else float(job.difficulty)),
        p + "jobs": lambda m, i: Exactly(len(m.stories[i].jobs)),
        p + "connects": lambda m, i: Exactly(len(m.stories[i].connections)),
        p + "bytes_received": lambda m, i: m.received(i),
        p + "bytes_sent": lambda m, i: m.sent(i),
    }
    for fate in FATES:
        rows[p + fate] = lambda m, i, fate=fate: Exactly(m.of_pool(i)[fate])
    return rows


def summary_rows(prefix: str) -> dict[str, Row]:
    """``Summary`` of the API."""
    p = prefix
    rows: dict[str, Row] = {
        p + "version": TEXT,
        p + "state": lambda m: Exactly("paused"),
        p + "detail": lambda m: Exactly("paused over HTTP"),
        p + "devices_mining": lambda m: Exactly(0),
        p + "devices_total": lambda m: Exactly(len(m.miner.devices)),
        p + "started_at": lambda m: Within(m.miner.program.started_unix, m.first_seen_unix + 0.1),
        p + "elapsed_s": lambda m: Within(*m.elapsed),
        p + "frozen_s": lambda m: Exactly(0),
        p + "sample_age_s": NOT_ON_THE_WIRE,
        p + "work_units": NOT_ON_THE_WIRE,
        p + "hash_rate": lambda m: Within(*m.average()),
        p + "hash_rate_5s": lambda m: Within(*m.window(5)),
        p + "hash_rate_1m": lambda m: Within(*m.window(60)),
        p + "hash_rate_5m": lambda m: Within(*m.window(300)),
        p + "hash_rate_15m": lambda m: Within(*m.window(900)),
        p + "implied_hash_rate / value": lambda m: Within(*m.implied()),
        p + "implied_hash_rate / low": lambda m: Within(*m.implied(garwood(len(m.accepted))[0])),
        p + "implied_hash_rate / high": lambda m: Within(*m.implied(garwood(len(m.accepted))[1])),
        p + "implied_hash_rate": lambda m: Exactly(None),
        p + "shares / found": lambda m: Exactly(m.found),
        p + "shares / open": lambda m: Exactly(m.fates["open"]),
        p + "reasons": lambda m: Exactly(m.reasons(fate_too=True)),
        p + "blocks_accepted": lambda m: Exactly(len(m.blocks)),
        p + "best_share": lambda m: Exactly(m.best),
        p + "last_share_age_s": lambda m: _age(m, last.settled if (last := _last(m.accepted)) else None),
        p + "share_every_s": lambda m: m.share_every(),
        p + "work_utility": lambda m: Within(*(m.per_minute(m.difficulties(m.shares)["accepted"]))),
        p + "luck / found": lambda m: Exactly(m.found),
        p + "luck / expected": lambda m: Within(*m.expected()),
        p + "luck / ratio": lambda m: m.luck(m.found),
        p + "luck / low": lambda m: m.luck(garwood(m.found)[0]),
        p + "luck / high": lambda m: m.luck(garwood(m.found)[1]),
        p + "problems / #": lambda m: Exactly(len(m.problems)),
        p + "problems / * / advice": TEXT,
        p + "problems / * / since_s": lambda m, i: Within(0.0, m.elapsed[1]),
        p + "hardware_errors": lambda m: m.hardware_errors(),
        p + "below_target": lambda m: Exactly(0),
        p + "withheld": lambda m: Exactly(0),
        p + "height": lambda m: OneOf(tuple(job.height for job in m.jobs)),
        p + "network_difficulty": lambda m: OneOf(tuple(job.network_difficulty for job in m.jobs)),
        p + "job / job_id": lambda m: OneOf(tuple(job.identifier for job in m.jobs)),
        p + "job / age_s": lambda m: m.job_age(),
        p + "job / previous_hash": lambda m: OneOf(tuple(bitcoin.shown(job.previous) for job in m.jobs)),
        p + "job / share_difficulty": lambda m: OneOf(tuple(float(job.difficulty) for job in m.jobs)),
        p + "job / network_difficulty": lambda m: OneOf(tuple(job.network_difficulty for job in m.jobs)),
        p + "job / version_mask": lambda m: OneOf(tuple(m.masks())),
        p + "job / version": lambda m: OneOf(tuple(job.version for job in m.jobs)),
        p + "blocks_seen": lambda m: m.blocks_seen(),
        p + "block_at": lambda m: m.block_moment(),
        p + "last_job_at": lambda m: m.last_job(),
        p + "pool": lambda m: m.mined_on(),
        p + "worker_name": lambda m: Exactly(m.miner.worker),
        p + "power_w": Exempt("measured by the device, which the audit cannot; None on a computer"),
        p + "power_is_partial": lambda m: Exactly(False),
        p + "joules_per_terahash": Exempt("of the power, which the audit cannot measure"),
        p + "economics": Exempt("of prices that the user gives; tests/economics hold it"),
    }
    for key in ("severity", "kind", "text", "device_id", "pool_id"):
        rows[p + f"problems / * / {key}"] = lambda m, i, key=key: m.problem(i, key)
    for fate in FATES:
        rows[p + f"shares / {fate}"] = lambda m, fate=fate: Exactly(m.fates[fate])
        rows[p + f"all_runs / {fate}"] = lambda m, fate=fate: Exactly(m.all_runs[fate])
        rows[p + f"difficulties / {fate}"] = lambda m, fate=fate: Exactly(m.difficulties(m.shares)[fate])
    return rows


def pool_view_rows(prefix: str) -> dict[str, Row]:
    """``PoolView`` of the API."""
    p = prefix + " / * / "
    rows = pool_rows(prefix)
    rows |= {
        p + "id": lambda m, i: Exactly(i),
        p + "priority": lambda m, i: Exactly(i),
        p + "worker_name": lambda m, i: Exactly(m.miner.worker),
        p + "connection": TEXT,
        p + "version_mask": lambda m, i: Exactly(m.mask(i)),
        p + "best_share": lambda m, i: Exactly(m.best_of_pool(i)),
        p + "last_share_at": lambda m, i: _exact_moment(m.last_accepted(pool=i)),
        p + "last_share_difficulty": lambda m, i: Exactly(_asked(m.last_accepted(pool=i))),
        p + "answers / counts / #": lambda m, i: Exactly(len(BUCKETS) + 1),
        p + "answers / counts / *": _answers_in_bucket,
        p + "answers / total_s": _answered_in,
        p + "job_switches / counts / #": lambda m, i: Exactly(len(BUCKETS) + 1),
        p + "job_switches / counts / *": NOT_ON_THE_WIRE,
        p + "job_switches / total_s": NOT_ON_THE_WIRE,
        p + "job_switch_p50_ms": NOT_ON_THE_WIRE,
        p + "work_units": NOT_ON_THE_WIRE,
        p + "job_switch_p99_ms": NOT_ON_THE_WIRE,
        p + "bound / #": lambda m, i: Exactly(0),
        p + "workers / #": lambda m, i: Exactly(len(m.worker_names())),
        p + "workers / * / name": lambda m, i, j: Exactly(m.worker_names()[j]),
        p + "workers / * / refusal": lambda m, i, j: Exactly(""),
        **{
            p + f"workers / * / {fate}": (lambda m, i, j, fate=fate: worker_counts(m, i, j, fate))
            for fate in ("accepted", "rejected", "stale")
        },
    }
    for what in ("answers", "job_switches"):
        rows[p + what + " / bounds_s / #"] = lambda m, i: Exactly(len(BUCKETS))
        rows[p + what + " / bounds_s / *"] = lambda m, i, j: Exactly(BUCKETS[j])
    for fate in FATES:
        rows[p + f"difficulties / {fate}"] = lambda m, i, fate=fate: Exactly(m.difficulties(m.by_pool[i])[fate])
    return rows


def device_rows(prefix: str) -> dict[str, Row]:
    """``DeviceView`` of the API."""
    p = prefix + " / * / "
    hardware = Exempt("a sensor or a setting of a machine, which the audit cannot read by itself")
    rows: dict[str, Row] = {
        prefix + " / #": lambda m: Exactly(len(m.miner.devices)),
        p + "id": lambda m, i: Exactly(i),
        p + "backend": lambda m, i: Exactly(m.device(i).backend),
        p + "name": lambda m, i: m.device_name(i),
        p + "detail": TEXT,
        p + "mines": lambda m, i: Exactly(False),
        p + "state": lambda m, i: Exactly("idle"),
        p + "reason": lambda m, i: Exactly("paused"),
        p + "hash_rate": lambda m, i: m.device_rate(i, 5),
        p + "hash_rate_1m": lambda m, i: m.device_rate(i, 60),
        p + "hash_rate_5m": lambda m, i: m.device_rate(i, 300),
        p + "hash_rate_10m": lambda m, i: m.device_rate(i, 600),
        p + "hash_rate_15m": lambda m, i: m.device_rate(i, 900),
        p + "hash_rate_1h": lambda m, i: m.device_rate(i, 3600),
        p + "expected_hash_rate": hardware,
        p + "bound_to": lambda m, i: Exactly(""),
        p + "frozen_s": lambda m, i: Exactly(0.0),
        p + "reasons": lambda m, i: Exactly(m.device_reasons(i)),
        p + "best_share": lambda m, i: Exactly(m.best_of_device(i)),
        p + "came_at": lambda m, i: m.device_came(),
        p + "last_share_at": lambda m, i: _exact_moment(m.last_accepted(device=i)),
        p + "last_share_pool_id": lambda m, i: m.last_pool(i, None),
        p + "last_share_difficulty": lambda m, i: Exactly(_asked(m.last_accepted(device=i))),
        p + "unwell_at": lambda m, i: Exactly(None),
        p + "unwell_reason": lambda m, i: Exactly(""),
        p + "spells": lambda m, i: Exactly({}),
        p + "blocks_accepted": lambda m, i: Exactly(m.blocks_of_device(i)),
        p + "is_overheated": lambda m, i: Exactly(False),
        p + "hashes": lambda m, i: m.device_hashes(i),
        p + "nonces_found": lambda m, i: m.nonces(i),
        p + "accepted": lambda m, i: Exactly(m.of_device(i)["accepted"]),
        p + "refused": lambda m, i: Exactly(m.of_device(i)["rejected"] + m.of_device(i)["stale"]),
        p + "hardware_errors": lambda m, i: m.hardware_errors(i),
        p + "last_nonce_age_s": lambda m, i: m.nonce_age(i),
        p + "joules_per_terahash": Exempt("of the power, which the audit cannot measure"),
        p + "duplicate_nonces": lambda m, i: m.duplicate_nonces(i),
        p + "stale_nonces": lambda m, i: m.stale_nonces(i),
        p + "crc_errors": lambda m, i: Exactly(0),
        p + "restarts": lambda m, i: Exactly(0),
        p + "trips": lambda m, i: Exactly(0),
        p + "chips": lambda m, i: m.chips(i),
    }
    for name in (
        "product", "chip", "frequency_mhz", "chip_temperature_c", "regulator_temperature_c", "core_voltage_v",
        "core_voltage_asked_v", "input_voltage_v", "power_w", "fan_rpm", "fan_percent",
    ):  # fmt: skip
        rows[p + name] = hardware
    for fate in FATES:
        rows[p + f"difficulties / {fate}"] = lambda m, i, fate=fate: Exactly(
            m.difficulties(m.shares_of(m.device(i)))[fate]
        )
    return rows


def _share_row(value: Callable[[M, Share], Expectation]) -> Check:
    def row(m: M, place: int) -> Expectation:
        share = m.share_told(place)
        return Exactly("a share of the wire") if share is None else value(m, share)

    return row


def share_rows(prefix: str) -> dict[str, Row]:
    """``ShareView`` of the API."""
    p = prefix + " / * / "
    return {
        prefix + " / #": lambda m: Exactly(m.shown_shares),
        p + "at": _share_row(lambda m, s: Within(s.settled_unix or 0.0, (s.settled_unix or 0.0) + LAG_S)),
        p + "device": _share_row(lambda m, s: m.name_of_device(s)),
        p + "backend": _share_row(lambda m, s: m.backend_of(s)),
        p + "device_id": _share_row(lambda m, s: m.id_of_device(s)),
        p + "pool": _share_row(lambda m, s: Exactly(m.miner.pools[m.pool_of(s)].title)),
        p + "pool_id": _share_row(lambda m, s: Exactly(m.pool_of(s))),
        p + "job_id": _share_row(lambda m, s: Exactly(s.first.job and s.first.job.identifier)),
        p + "difficulty": _share_row(lambda m, s: Exactly(float(s.first.value))),
        p + "share_difficulty": _share_row(lambda m, s: Exactly(s.first.job and float(s.first.job.difficulty))),
        p + "fate": _share_row(lambda m, s: Exactly(s.fate)),
        p + "reason": Exempt("the pool's own words; the cause is in reasons"),
        p + "latency_ms": _share_row(lambda m, s: Exactly(None) if s.latency is None else spread(m.latency(s), 1000)),
        p + "block": _share_row(lambda m, s: Exactly(_hash(s) if s.first.is_block else None)),
    }


def _hash(share: Share) -> str:
    return bitcoin.shown(share.first.digest or b"")


def _block_row(value: Callable[[M, Share], Expectation]) -> Check:
    return lambda m, place: value(m, m.blocks[place])


def block_rows(prefix: str) -> dict[str, Row]:
    """``BlockView`` of the API."""
    p = prefix + " / * / "
    return {
        prefix + " / #": lambda m: Exactly(len(m.blocks)),
        p + "at": _block_row(lambda m, s: Within(s.settled_unix or 0.0, (s.settled_unix or 0.0) + LAG_S)),
        p + "height": _block_row(lambda m, s: Exactly(s.first.job and s.first.job.height)),
        p + "hash": _block_row(lambda m, s: Exactly(_hash(s))),
        p + "pool": _block_row(lambda m, s: Exactly(m.miner.pools[m.pool_of(s)].title)),
        p + "pool_id": _block_row(lambda m, s: Exactly(m.pool_of(s))),
        p + "difficulty": _block_row(lambda m, s: Exactly(float(s.first.value))),
    }


def history_rows(prefix: str) -> dict[str, Row]:
    """``Point`` of the API."""
    p = prefix + " / * / "
    rows: dict[str, Row] = {
        prefix + " / #": lambda m: Within(1, m.elapsed[1] / 2 + 2),
        p + "at": lambda m, i: Within(m.miner.program.started_unix, m.reading.answered_unix),
        p + "hash_rate": lambda m, i: m.point_rate(i),
        p + "latency_ms": lambda m, i: m.point_latency(i),
        p + "temperature_c": Exempt("a sensor"),
        p + "power_w": Exempt("a sensor"),
    }
    for fate in FATES:
        rows[p + fate] = lambda m, i, fate=fate: m.at_point(i, fate)
    return rows


# ---- the surfaces of mine --------------------------------------------------------------------------------------------

EVENTS = Exempt("the log: its share events are counted below, its sentences are held by tests/monitoring")


VIEW: dict[str, Row] = {
    "at": lambda m: Within(m.reading.asked_unix, m.reading.answered_unix),
    "events": EVENTS,
    **summary_rows("summary / "),
    **pool_view_rows("pools"),
    **device_rows("devices"),
    **share_rows("shares"),
    **block_rows("blocks"),
    **history_rows("history"),
}


def _fold_events(value: list[dict[str, Any]]) -> dict[str, Any]:
    """Share events, counted, where none can have been dropped."""
    if value and value[0]["number"] > 1:
        return {}
    names = Counter(event["name"] for event in value)
    return {fate: names["share_" + fate] for fate in FATES}


FATE_ROWS: dict[str, Row] = {fate: (lambda m, fate=fate: Exactly(m.fates[fate])) for fate in FATES}

METRICS: dict[str, Row] = {
    "build_info / *": TEXT,
    "state / state=*": lambda m, s: Exactly(float(s == "paused")),
    "devices_mining / ": VIEW["summary / devices_mining"],
    "devices / ": VIEW["summary / devices_total"],
    "problems / kind=*": lambda m, kind: Exactly(float(sum(item["kind"] == kind for item in m.problems))),
    "start_time_seconds / ": VIEW["summary / started_at"],
    "frozen_seconds_total / ": lambda m: Exactly(0.0),
    "hash_rate / window=5s": lambda m: Within(*m.window(5)),
    "hash_rate / window=1m": lambda m: Within(*m.window(60)),
    "hash_rate / window=5m": lambda m: Within(*m.window(300)),
    "hash_rate / window=15m": lambda m: Within(*m.window(900)),
    "hash_rate / window=start": lambda m: Within(*m.average()),
    "shares_total / fate=*": lambda m, fate: Exactly(float(m.fates[fate])),
    "shares_open / ": lambda m: Exactly(float(m.fates["open"])),
    "blocks_accepted_total / ": lambda m: Exactly(float(len(m.blocks))),
    "hardware_errors_total / ": lambda m: m.hardware_errors(),
    "best_share_difficulty / ": lambda m: Exactly(m.best),
    "expected_shares / ": lambda m: Within(*m.expected()),
    "luck_ratio / ": lambda m: m.luck(m.found, told_by="expected_shares"),
    "share_difficulty / ": VIEW["summary / job / share_difficulty"],
    "job_age_seconds / ": VIEW["summary / job / age_s"],
    "network_difficulty / ": VIEW["summary / network_difficulty"],
    "block_height / ": VIEW["summary / height"],
    "power_watts / ": VIEW["summary / power_w"],
    "joules_per_terahash / ": VIEW["summary / joules_per_terahash"],
    "pool_active / pool=*": lambda m, name: m.number(m.is_active(m.pool_named(name))),
    "pool_up / pool=*": lambda m, name: m.is_up(m.pool_named(name)),
    "pool_enabled / pool=*": lambda m, name: Exactly(1.0),
    "pool_shares_total / *": lambda m, labels: Exactly(
        float(m.of_pool(m.pool_named(m.label(labels, "pool")))[m.label(labels, "fate")])
    ),
    "pool_jobs_total / pool=*": lambda m, name: Exactly(float(len(m.stories[m.pool_named(name)].jobs))),
    "pool_connects_total / pool=*": lambda m, name: Exactly(float(len(m.stories[m.pool_named(name)].connections))),
    "pool_received_bytes_total / pool=*": lambda m, name: m.received(m.pool_named(name)),
    "pool_sent_bytes_total / pool=*": lambda m, name: m.sent(m.pool_named(name)),
    "pool_answer_seconds_bucket / *": lambda m, labels: _answers_within(
        m, m.pool_named(m.label(labels, "pool")), m.label(labels, "le")
    ),
    "pool_answer_seconds_count / pool=*": lambda m, name: Exactly(float(len(m.latencies(m.pool_named(name))))),
    "pool_answer_seconds_sum / pool=*": lambda m, name: _answered_in(m, m.pool_named(name)),
    **{f"pool_job_switch_seconds_{part} / *": NOT_ON_THE_WIRE for part in ("bucket", "count", "sum")},
    "device_hashes_total / *": lambda m, labels: m.device_hashes(m.device_labelled(labels)),
    "device_hash_rate / *": lambda m, labels: m.device_rate(m.device_labelled(labels), 60),
    "device_expected_hash_rate / *": Exempt("a sensor or a setting of a machine"),
    "device_nonces_total / *": lambda m, labels: m.nonces(m.device_labelled(labels)),
    "device_hardware_errors_total / *": lambda m, labels: m.hardware_errors(m.device_labelled(labels)),
    "device_mining / *": lambda m, labels: Exactly(0.0),
    "device_restarts_total / *": lambda m, labels: Exactly(0.0),
    "device_temperature_celsius / *": Exempt("a sensor"),
    "device_power_watts / *": Exempt("a sensor"),
    "device_frequency_hertz / *": Exempt("a setting of a machine"),
    "device_core_volts / *": Exempt("a sensor"),
    "device_fan_rpm / *": Exempt("a sensor"),
}
METRICS = {"stratum_miner_" + pattern: row for pattern, row in METRICS.items()}

PROBES: dict[str, Row] = {
    "health / status": lambda m: Exactly(200),
    "health / word": lambda m: m.words_of_health(),
    "ready / status": lambda m: Exactly(200),
    "ready / word": lambda m: m.words_of_health(),
}
HEALTH: dict[str, Row] = {
    "plain / exit_code": lambda m: Exactly(11),
    "ready / exit_code": lambda m: Exactly(0),
    **{f"{name} / word": (lambda m: m.words_of_health()) for name in ("plain", "ready")},
}

CG_SUMMARY: dict[str, Row] = {
    "Elapsed": lambda m: m.nearest(m.elapsed),
    "MHS av": lambda m: spread(m.average(), 1e-6, 2),
    "MHS 5s": lambda m: spread(m.window(5), 1e-6, 2),
    "MHS 1m": lambda m: spread(m.window(60), 1e-6, 2),
    "MHS 5m": lambda m: spread(m.window(300), 1e-6, 2),
    "MHS 15m": lambda m: spread(m.window(900), 1e-6, 2),
    "GHS 5s": lambda m: spread(m.window(5), 1e-9, 6),
    "GHS av": lambda m: spread(m.average(), 1e-9, 6),
    "Found Blocks": lambda m: Exactly(len(m.blocks)),
    "Getworks": lambda m: Exactly(sum(len(story.jobs) for story in m.stories)),
    "Accepted": lambda m: Exactly(m.fates["accepted"]),
    "Rejected": lambda m: Exactly(m.fates["rejected"]),
    "Hardware Errors": lambda m: m.hardware_errors(),
    "Utility": lambda m: spread(m.per_minute(m.fates["accepted"]), 1, 2),
    "Discarded": _always(0),
    "Stale": lambda m: Exactly(m.fates["stale"]),
    "Get Failures": _always(0),
    "Local Work": NOT_ON_THE_WIRE,
    "Remote Failures": lambda m: Exactly(m.fates["lost"]),
    "Network Blocks": lambda m: m.blocks_seen(),
    "Total MH": lambda m: spread(m.hashes_by_rate(), 1e-6, 4),
    "Work Utility": lambda m: m.work_per_minute(),
    "Difficulty Accepted": lambda m: rounded(m.difficulties(m.shares)["accepted"], 8),
    "Difficulty Rejected": lambda m: rounded(m.difficulties(m.shares)["rejected"], 8),
    "Difficulty Stale": lambda m: rounded(m.difficulties(m.shares)["stale"], 8),
    "Best Share": lambda m: Exactly(int(m.best)),
    "Device Hardware%": lambda m: m.hardware_percent(),
    "Device Rejected%": lambda m: m.refused_of_work(),
    "Pool Rejected%": lambda m: m.worth_percent("rejected"),
    "Pool Stale%": lambda m: m.worth_percent("stale"),
    "Last getwork": lambda m: m.job_moment(),
}

CG_POOL: dict[str, Row] = {
    "POOL": lambda m, i: Exactly(i),
    "URL": lambda m, i: Exactly(m.miner.pools[i].url),
    "Status": lambda m, i: OneOf(("Alive",)) if m.stories[i].jobs else OneOf(("Alive", "Dead")),
    "Priority": lambda m, i: Exactly(i),
    "Quota": lambda m, i: Exactly(1 if (quota := m.miner.pools[i].quota) is None else quota),
    "Long Poll": _always("N"),
    "Getworks": lambda m, i: Exactly(len(m.stories[i].jobs)),
    "Accepted": lambda m, i: Exactly(m.of_pool(i)["accepted"]),
    "Rejected": lambda m, i: Exactly(m.of_pool(i)["rejected"]),
    "Works": NOT_ON_THE_WIRE,
    "Discarded": _always(0),
    "Stale": lambda m, i: Exactly(m.of_pool(i)["stale"]),
    "Get Failures": _always(0),
    "Remote Failures": lambda m, i: Exactly(m.of_pool(i)["lost"]),
    "User": lambda m, i: Exactly(m.miner.worker),
    "Last Share Time": lambda m, i: _moment(m.last_accepted(pool=i)),
    "Diff1 Shares": lambda m, i: Exactly(int(sum(m.difficulties(m.by_pool[i]).values()))),
    "Proxy Type": _always(""),
    "Proxy": _always(""),
    "Difficulty Accepted": lambda m, i: rounded(m.difficulties(m.by_pool[i])["accepted"], 8),
    "Difficulty Rejected": lambda m, i: rounded(m.difficulties(m.by_pool[i])["rejected"], 8),
    "Difficulty Stale": lambda m, i: rounded(m.difficulties(m.by_pool[i])["stale"], 8),
    "Last Share Difficulty": lambda m, i: rounded(_asked(m.last_accepted(pool=i)), 8),
    "Work Difficulty": lambda m, i: rounded(float(job.difficulty) if (job := m.job(i)) else 0.0, 8),
    "Has Stratum": _always(True),
    "Stratum Active": lambda m, i: m.is_active(i),
    "Stratum URL": lambda m, i: m.if_active(i, "127.0.0.1", ""),
    "Stratum Difficulty": lambda m, i: m.if_active(i, float(job.difficulty) if (job := m.job(i)) else 0.0, 0.0),
    "Has Vmask": lambda m, i: Exactly(m.mask(i) != "00000000"),
    "Has GBT": _always(False),
    "Best Share": lambda m, i: Exactly(int(m.best_of_pool(i))),
    "Pool Rejected%": lambda m, i: m.worth_percent("rejected", i),
    "Pool Stale%": lambda m, i: m.worth_percent("stale", i),
    "Bad Work": _always(0),
    # of the block that the job is built upon, as cgminer has it
    "Current Block Height": lambda m, i: m.if_active(i, job.height - 1 if (job := m.job(i)) else 0, 0),
    "Current Block Version": lambda m, i: m.if_active(i, job.version if (job := m.job(i)) else 0, 0),
}


CG_DEVICE: dict[str, Row] = {
    "ASC": lambda m, i: Exactly(i),
    "Name": lambda m, i: Exactly(m.device(i).backend),
    "ID": lambda m, i: Exactly(i),
    "Enabled": lambda m, i: Exactly("Y"),
    "Status": lambda m, i: Exactly("Alive"),
    "Temperature": Exempt("a sensor"),
    "MHS av": lambda m, i: m.device_average(i),
    "MHS 5s": lambda m, i: m.device_rate(i, 5, 1e-6, 2),
    "MHS 1m": lambda m, i: m.device_rate(i, 60, 1e-6, 2),
    "MHS 5m": lambda m, i: m.device_rate(i, 300, 1e-6, 2),
    "MHS 15m": lambda m, i: m.device_rate(i, 900, 1e-6, 2),
    "Accepted": lambda m, i: Exactly(m.of_device(i)["accepted"]),
    "Rejected": lambda m, i: Exactly(m.of_device(i)["rejected"] + m.of_device(i)["stale"]),
    "Hardware Errors": lambda m, i: m.hardware_errors(i),
    "Utility": lambda m, i: spread(m.per_minute(m.of_device(i)["accepted"], m.device_elapsed), 1, 2),
    "Last Share Pool": lambda m, i: m.last_pool(i, -1),
    "Last Share Time": lambda m, i: _moment(m.last_accepted(device=i)),
    "Total MH": lambda m, i: m.device_hashes(i, 1e-6, 4),
    "Diff1 Work": lambda m, i: m.diff1(i),
    "Difficulty Accepted": lambda m, i: rounded(m.difficulties(m.shares_of(m.device(i)))["accepted"], 8),
    "Difficulty Rejected": lambda m, i: rounded(m.refused_worth(m.shares_of(m.device(i))), 8),
    "Last Share Difficulty": lambda m, i: rounded(_asked(m.last_accepted(device=i)), 8),
    "No Device": lambda m, i: Exactly(False),
    "Last Valid Work": lambda m, i: m.nonce_moment(i),
    "Device Hardware%": lambda m, i: m.hardware_percent(i),
    "Device Rejected%": lambda m, i: m.refused_of_work(i),
    "Device Elapsed": lambda m, i: m.nearest(m.device_elapsed),
}

WITHOUT_COUNTERPART = (
    "Calls", "Wait", "Max", "Pool Calls", "Pool Attempts", "Pool Wait", "Pool Max", "Pool Av", "Work Roll Time",
    "Min Diff", "Max Diff", "Min Diff Count", "Max Diff Count", "Times Sent", "Times Recv",
)  # fmt: skip
"""Fields of stats for which there is nothing here."""

CG_STATS: dict[str, Row] = {
    "STATS / #": lambda m: Exactly(len(m.miner.devices) + len(m.stories)),
    "STATS / * / STATS": lambda m, i: Exactly(i),
    "STATS / * / ID": lambda m, i: Exactly(m.stat_name(i)),
    "STATS / * / Elapsed": lambda m, i: m.nearest(m.elapsed),
    **{f"STATS / * / {name}": _always(0) for name in WITHOUT_COUNTERPART},
    **{f"STATS / * / {name}": _always(99999999.0) for name in ("Min", "Pool Min")},
    **{f"STATS / * / {name}": _always(False) for name in ("Work Had Roll Time", "Work Can Roll", "Work Had Expire")},
    **{
        f"STATS / * / {name}": Exempt("a sensor or a setting of a machine")
        for name in ("temp", "temp_vr", "voltage", "power", "frequency", "fan1")
    },
    "STATS / * / Work Diff": lambda m, i: rounded(float(job.difficulty) if (job := m.job(m.stat(i))) else 0.0, 8),
    "STATS / * / Bytes Sent": lambda m, i: m.sent(m.stat(i)),
    "STATS / * / Bytes Recv": lambda m, i: m.received(m.stat(i)),
    "STATS / * / Net Bytes Sent": lambda m, i: m.sent(m.stat(i)),
    "STATS / * / Net Bytes Recv": lambda m, i: m.received(m.stat(i)),
}

CG_NOTIFY: dict[str, Row] = {
    "NOTIFY / #": lambda m: Exactly(len(m.miner.devices)),
    "NOTIFY / * / NOTIFY": lambda m, i: Exactly(i),
    "NOTIFY / * / Name": lambda m, i: Exactly(m.device(i).backend),
    "NOTIFY / * / ID": lambda m, i: Exactly(i),
    "NOTIFY / * / Last Well": lambda m, i: m.nonce_moment(i),
    "NOTIFY / * / Last Not Well": lambda m, i: Exactly(0),
    "NOTIFY / * / Reason Not Well": lambda m, i: Exactly("None"),
    **{
        f"NOTIFY / * / *{name}": (lambda m, *keys: Exactly(0))
        for name in (
            "Thread Fail Init", "Thread Zero Hash", "Thread Fail Queue", "Dev Sick Idle 60s", "Dev Dead Idle 600s",
            "Dev Nostart", "Dev Over Heat", "Dev Thermal Cutoff", "Dev Comms Error", "Dev Throttle",
        )
    },
}  # fmt: skip

AXEOS: dict[str, Row] = {
    "ASICModel": TEXT,
    "hostname": TEXT,
    "macAddr": TEXT,
    "version": TEXT,
    "axeOSVersion": TEXT,
    "uptimeSeconds": lambda m: m.whole(m.elapsed),
    **{
        name: Exempt("a sensor or a setting of a machine")
        for name in (
            "power", "voltage", "coreVoltage", "coreVoltageActual", "temp", "vrTemp", "fanrpm", "fanspeed",
            "expectedHashrate", "frequency", "actualFrequency", "smallCoreCount",
        )
    },
    **dict.fromkeys(("autofanspeed", "overheat_mode", "temp2", "fan2rpm", "boardVersion"), CONSTANT),
    **dict.fromkeys(("frequencyOptions / #", "voltageOptions / #"), CONSTANT),
    "deviceModel": TEXT,
    "hashRate": lambda m: m.rate_of_devices(60),
    "hashRate_1m": lambda m: m.rate_of_devices(60),
    "hashRate_10m": lambda m: m.rate_of_devices(600),
    "hashRate_1h": lambda m: m.rate_of_devices(3600),
    "errorPercentage": lambda m: m.error_percent(),
    "asicCount": lambda m: Exactly(m.chip_count),
    "bestDiff": lambda m: Exactly(max(map(m.best_of_device, range(len(m.miner.devices))))),
    "bestSessionDiff": lambda m: Exactly(max(map(m.best_of_device, range(len(m.miner.devices))))),
    "poolDifficulty": lambda m: OneOf(tuple(float(job.difficulty) for job in m.jobs)),
    "networkDifficulty": lambda m: OneOf(tuple(job.network_difficulty for job in m.jobs)),
    "blockHeight": lambda m: OneOf(tuple(job.height for job in m.jobs)),
    "blockFound": lambda m: Exactly(len(m.blocks)),
    "sharesAccepted": lambda m: Exactly(m.fates["accepted"]),
    "sharesRejected": lambda m: Exactly(m.fates["rejected"] + m.fates["stale"]),
    "sharesRejectedReasons / #": lambda m: Exactly(len(m.refusals())),
    "sharesRejectedReasons / * / message": lambda m, i: OneOf(tuple(m.refusals())),
    "sharesRejectedReasons / * / count": lambda m, i: Exactly(
        m.refusals().get(m.told["sharesRejectedReasons"][i]["message"])
    ),
    **{
        name: (lambda m, *keys, value=value: Exactly(value))
        for value, names in {
            "127.0.0.1": ("stratumURL", "fallbackStratumURL", "pools / * / stratumURL"),
            "SV1": ("stratumProtocol", "fallbackStratumProtocol", "pools / * / stratumProtocol"),
            0: ("stratumTLS", "fallbackStratumTLS", "pools / * / stratumTLS", "primaryPoolIndex"),
        }.items()
        for name in names
    },
    **{
        name: (lambda m, *keys: Exactly(m.miner.worker))
        for name in ("stratumUser", "fallbackStratumUser", "pools / * / stratumUser")
    },
    "pools / #": lambda m: Exactly(len(m.stories)),
    "pools / * / id": lambda m, i: Exactly(i),
    "pools / * / stratumPort": lambda m, i: Exactly(m.miner.pools[i].relay.port),
    "stratumPort": lambda m: Exactly(m.miner.pools[0].relay.port),
    "fallbackStratumPort": lambda m: Exactly(m.miner.pools[m.told["secondaryPoolIndex"]].relay.port),
    "secondaryPoolIndex": lambda m: m.fallback(),
    "responseTime": lambda m: _latency_of_active(m, 0.5),
    "isUsingFallbackStratum": lambda m: m.on_fallback(),
    "miningPaused": lambda m: Exactly(True),
}  # fmt: skip

MINE_JSON: dict[str, Row] = {
    **{pattern: row for pattern, row in summary_rows("").items() if not pattern.startswith("job / ")},
    **pool_view_rows("pools"),
    **device_rows("devices"),
    **block_rows("blocks"),
    "state": lambda m: Exactly("stopping"),
    "devices / * / reason": lambda m, i: Exactly("stopping"),
    "detail": TEXT,
    "job": lambda m: Exactly(None),
}

MINE_TEXT: dict[str, Row] = {
    "elapsed": lambda m: m.elapsed_text(),
    "hash_rate": lambda m: m.rate_text(),
    "pool": lambda m: m.mined_on(),
    **{fate: (lambda m, fate=fate: Exactly(float(m.fates[fate]))) for fate in FATES},
    "best": lambda m: Exactly(float(f"{m.best:.4g}")),
    "blocks": lambda m: Exactly(float(len(m.blocks))),
    "journal": lambda m: Exactly([m.all_runs[fate] for fate in FATES]),
    "hardware_errors": lambda m: m.hardware_errors(),
    "reasons": lambda m: m.commonest_reasons(),
    "workers": lambda m: Exactly({name: [m.of_worker(name)[fate] for fate in FATES[:3]] for name in m.worker_names()}),
    "other": Exempt("lines of several pools, for people: the same figures as in --json"),
}


_RATES = ("rate_5s", "rate_1m", "rate_15m")


def _fold_journal(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The records by their kind; what they sum up to; each found share with its fate."""
    settled = {row["id"]: row for row in rows if row["event"] == "settled"}
    found = [row for row in rows if row["event"] == "found"]
    return {
        "sums": Counter(row["fate"] for row in settled.values()),
        "found": [{**row, "settled": settled.get(row["id"])} for row in found],
        "ids": len({row["id"] for row in found}),
        "kinds": sorted({row["event"] for row in rows}),
    }


JOURNAL_FIELDS = (
    "event", "id", "time", "pool", "worker", "session_id", "extranonce1", "extranonce2", "job", "ntime", "nonce",
    "version", "difficulty", "share_difficulty", "hash", "block", "settled",
)  # fmt: skip

JOURNAL: dict[str, Row] = {
    "sums": lambda m: Exactly(Counter({k: v for k, v in m.all_runs.items() if v})),
    "ids": lambda m: Exactly(len(m.told["found"])),
    "kinds": Exempt("which kinds of records there are"),
    "found / #": lambda m: Exactly(sum(m.all_runs.values())),
    "found / * / header": lambda m, i: m.header_told(i),
    "found / * / job_fields": Exempt("of a block, the job's fields that its header is made of, which is audited"),
    **{f"found / * / {key}": (lambda m, i, key=key: m.journal_field(i, key)) for key in JOURNAL_FIELDS},
}

STATUS = "status / * / "
MINE_LOG: dict[str, Row] = {
    **FATE_ROWS,
    "blocks": lambda m: Exactly([_hash(share) for share in m.accepted if share.first.is_block]),
    "status / #": lambda m: Within(int(m.elapsed[0] / 30), int(m.elapsed[1] / 30)),
    **{STATUS + fate: (lambda m, i, fate=fate: m.at_status(i, fate)) for fate in FATES},
    STATUS + "difficulty": lambda m, i: OneOf(
        tuple(f"{float(job.difficulty):.4g}" for story in m.stories for job in story.jobs)
    ),
    STATUS + "best": lambda m, i: m.best_at_status(i),
    **{STATUS + name: Exempt("the rate as text; the same figure as in the API") for name in _RATES},
    STATUS + "share_every": Exempt("a time as text, of the rate; the same figure as in the API"),
    **{STATUS + name: TEXT for name in ("event", "level", "timestamp")},
}

EXIT: dict[str, Row] = {"code": lambda m: Exactly(m.miner.expected_exit)}


WINDOWS_S = {"5 s": 5.0, "1 m": 60.0, "5 m": 300.0, "15 m": 900.0}


def _rate_in_words(m: M, window: str) -> Expectation:
    """A hash rate with three digits, in whole H/s where it is small."""
    return shortened(spread(m.average() if window == "all" else m.window(WINDOWS_S[window]), decimals=0), 3)


def _pool_in_words(m: M) -> Expectation:
    """What is mined on, without the scheme that is the usual one."""
    pools = m.miner.pools if m.miner.active is None else [m.miner.pools[m.miner.active]]
    return OneOf(tuple(pool.title.removeprefix("stratum+tcp://") for pool in pools))


TOP_TEXT: dict[str, Row] = {
    **{name: VIEW["summary / " + name] for name in ("state", "detail", "devices_mining", "devices_total")},
    "hash_rate": lambda m: _rate_in_words(m, "1 m"),
    "rates / *": _rate_in_words,
    "elapsed": lambda m: m.elapsed_text(),
    "pool": _pool_in_words,
    "worker": VIEW["summary / worker_name"],
    "shares / *": lambda m, fate: Exactly(m.fates[fate]),
    "hardware_errors": VIEW["summary / hardware_errors"],
    "blocks": VIEW["summary / blocks_accepted"],
    "best_share": lambda m: shortened(Exactly(m.best), 4),
    "problems / #": VIEW["summary / problems / #"],
    "problems / * / severity": VIEW["summary / problems / * / severity"],
    "problems / * / text": VIEW["summary / problems / * / text"],
}


def _prefixed(prefix: str, rows: dict[str, Row]) -> dict[str, Row]:
    return {prefix + pattern: row for pattern, row in rows.items()}


def _table_of(name: str, rows: dict[str, Row], count: Check) -> dict[str, Row]:
    return {f"{name} / #": count, **_prefixed(f"{name} / * / ", rows)}


def _one(name: str, rows: dict[str, Row]) -> dict[str, Row]:
    """A section of cgminer's with one row."""

    def without(row: Row) -> Row:
        return row if isinstance(row, Exempt) else lambda m, _: row(m)

    return {f"{name} / #": lambda m: Exactly(1), **{f"{name} / 0 / {pattern}": row for pattern, row in rows.items()}}


def _devices(m: M) -> Expectation:
    return Exactly(len(m.miner.devices))


@dataclass(frozen=True, slots=True)
class Surface:
    """The rows of a surface; ``fold`` turns what was read into what the rows speak of."""

    rows: dict[str, Row]
    ended: bool = False
    fold: Callable[[Any], Any] = lambda value: value


STREAM_DIGITS = 4
"""How many the numbers in the stream have; docs/reference/http-api.md says so."""


def _shown(row: Row) -> Row:
    """A row for a figure as the stream tells it, with fewer digits."""
    if isinstance(row, Exempt):
        return row
    check: Check = row
    return lambda *arguments: shortened(check(*arguments), STREAM_DIGITS)


def _shown_luck(row: Row) -> Row:
    """The same of what the audit works out of another figure of the stream, which has no more digits."""
    assert not isinstance(row, Exempt)
    check: Check = row

    def shown(*arguments: Any) -> Expectation:
        expected = check(*arguments)
        if isinstance(expected, Exactly) and isinstance(expected.value, float):
            expected = Within(expected.value * (1 - 5e-4), expected.value * (1 + 5e-4))
        return shortened(expected, STREAM_DIGITS)

    return shown


def _unfolded(told: dict[str, Any]) -> dict[str, Any]:
    """The first view of the stream with lists where it has objects by id, or by number."""
    view = dict(told["view"])
    for name in ("pools", "devices", "shares", "blocks"):
        view[name] = [view[name][key] for key in sorted(view[name], key=int)]
    return view


MINER: dict[str, Surface] = {
    "api.view": Surface(VIEW),
    "api.summary": Surface(summary_rows("")),
    "api.pools": Surface({p.removeprefix("pools / "): row for p, row in pool_view_rows("pools").items()}),
    "api.devices": Surface({p.removeprefix("devices / "): row for p, row in device_rows("devices").items()}),
    "api.shares": Surface({p.removeprefix("shares / "): row for p, row in share_rows("shares").items()}),
    "api.blocks": Surface({p.removeprefix("blocks / "): row for p, row in block_rows("blocks").items()}),
    "api.stream": Surface(
        {
            pattern: row
            if pattern.endswith((" / at", "_at")) or pattern == "at"
            else (_shown_luck if pattern.startswith("summary / luck") else _shown)(row)
            for pattern, row in VIEW.items()
            if not pattern.startswith(("events", "history"))
        },
        fold=_unfolded,
    ),
    "api.config": Surface({"*": SETTING}),
    "api.events": Surface(FATE_ROWS, fold=_fold_events),
    "api.history": Surface({p.removeprefix("history / "): row for p, row in history_rows("history").items()}),
    "metrics": Surface(METRICS),
    "probes": Surface(PROBES),
    "health": Surface(HEALTH),
    "top.text": Surface(TOP_TEXT),
    "cgminer.version": Surface({"VERSION": TEXT}),
    "cgminer.summary": Surface(_one("SUMMARY", CG_SUMMARY)),
    "cgminer.pools": Surface(_table_of("POOLS", CG_POOL, lambda m: Exactly(len(m.stories)))),
    "cgminer.devs": Surface(_table_of("DEVS", CG_DEVICE, _devices)),
    "cgminer.edevs": Surface(_table_of("DEVS", CG_DEVICE, _devices)),
    "cgminer.asc": Surface(_table_of("ASCS", CG_DEVICE, _devices)),
    "cgminer.stats": Surface(CG_STATS),
    "cgminer.estats": Surface(CG_STATS),
    "cgminer.notify": Surface(CG_NOTIFY),
    "cgminer.devdetails": Surface({"DEVDETAILS": TEXT}),
    "cgminer.config": Surface(
        _one(
            "CONFIG",
            {
                "ASC Count": _devices,
                "PGA Count": _always(0),
                "Pool Count": lambda m: Exactly(len(m.stories)),
                "Strategy": lambda m: Exactly(
                    "Failover" if all(pool.quota is None for pool in m.miner.pools) else "Load Balance"
                ),
                "Log Interval": _always(5),
                "Device Code": lambda m: Exactly(" ".join(device.backend for device in m.miner.devices)),
                "OS": TEXT,
                "Hotplug": _always("None"),
            },
        )
    ),
    "cgminer.coin": Surface(
        _one(
            "COIN",
            {
                "Hash Method": _always("sha256"),
                "Current Block Time": lambda m: m.block_moment(),
                "Current Block Hash": VIEW["summary / job / previous_hash"],
                "LP": _always(True),
                "Network Difficulty": lambda m: OneOf(tuple(round(job.network_difficulty, 8) for job in m.jobs)),
            },
        )
    ),
    "cgminer.lcd": Surface(
        _one(
            "LCD",
            {
                "Elapsed": lambda m: m.nearest(m.elapsed),
                "GHS av": lambda m: spread(m.average(), 1e-9, 2),
                "GHS 5m": lambda m: spread(m.window(300), 1e-9, 2),
                "GHS 5s": lambda m: spread(m.window(5), 1e-9, 2),
                "Temperature": Exempt("a sensor"),
                "Last Share Difficulty": lambda m: rounded(_asked(m.last_accepted()), 8),
                "Last Share Time": lambda m: _moment(m.last_accepted()),
                "Best Share": lambda m: Exactly(int(m.best)),
                "Last Valid Work": lambda m: m.nonce_moment(None),
                "Found Blocks": lambda m: Exactly(len(m.blocks)),
                "Current Pool": lambda m: m.mined_on(),
                "User": lambda m: Exactly(m.miner.worker),
            },
        )
    ),
    "cgminer.usbstats": Surface({}),
    "cgminer.pgacount": Surface(_one("PGAS", {"Count": lambda m: Exactly(0)})),
    "cgminer.asccount": Surface(_one("ASCS", {"Count": _devices})),
    "axeos.info": Surface(AXEOS),
    "axeos.asic": Surface(
        {
            name: AXEOS[name]
            for name in (
                "ASICModel",
                "deviceModel",
                "asicCount",
                "smallCoreCount",
                "frequency",
                "frequencyOptions / #",
                "voltageOptions / #",
            )
        }
    ),
    "axeos.swarm": Surface({"#": lambda m: Exactly(0)}),
    "mine.json": Surface(MINE_JSON, ended=True),
    "mine.text": Surface(MINE_TEXT, ended=True),
    "mine.log": Surface(MINE_LOG, ended=True),
    "journal": Surface(JOURNAL, ended=True, fold=_fold_journal),
    "exit": Surface(EXIT, ended=True),
}


# ---- the pool --------------------------------------------------------------------------------------------------------

P = PoolTruth


def _pool_block(value: Callable[[P, Offer], Any], *, taken: bool) -> Check:
    return lambda p, place: Exactly(value(p, p.offers(taken=taken)[place]))


POOL_JSON: dict[str, Row] = {
    "elapsed_s": lambda p: Within(*p.elapsed),
    "listen / #": lambda p: Exactly(1),
    "listen / *": lambda p, _: Exactly(f"127.0.0.1:{p.pool.port}"),
    "height": lambda p: p.height(),
    "network_difficulty": lambda p: Exactly(float(bitcoin.difficulty_of(bitcoin.target_of_bits(p.pool.node.bits)))),
    "node_error": lambda p: Exactly(None),
    "template_age_s": lambda p: Within(0.0, p.elapsed[1]),
    "miners": lambda p: Exactly(p.open),
    "hash_rate": lambda p: p.rate(),
    "jobs": lambda p: p.jobs(),
    "shares / accepted": lambda p: Exactly(p.said["accepted"]),
    "shares / rejected": lambda p: Exactly({word: count for word, count in p.said.items() if word != "accepted"}),
    "shares / difficulty": lambda p: Exactly(p.worth),
    "shares / best": lambda p: Exactly(p.best),
    "connections / total": lambda p: Exactly(p.connections),
    "connections / refused": lambda p: Exactly(0),
    "connections / open": lambda p: Exactly(p.open),
    "connections / ended": lambda p: p.endings(),
    "bytes_received": lambda p: p.bytes(up=True),
    "bytes_sent": lambda p: p.bytes(up=False),
    "blocks_found": lambda p: p.found(),
    "blocks / #": lambda p: Exactly(len(p.offers(taken=True))),
    "blocks / * / height": _pool_block(lambda p, offer: offer.height, taken=True),
    "blocks / * / hash": _pool_block(lambda p, offer: offer.hash, taken=True),
    "blocks / * / worker": _pool_block(lambda p, offer: p.finder(offer.hash), taken=True),
    "blocks_refused / #": lambda p: Exactly(len(p.offers(taken=False))),
    "blocks_refused / * / height": _pool_block(lambda p, offer: offer.height, taken=False),
    "blocks_refused / * / hash": _pool_block(lambda p, offer: offer.hash, taken=False),
    "blocks_refused / * / worker": _pool_block(lambda p, offer: p.finder(offer.hash), taken=False),
    "blocks_refused / * / reason": _pool_block(lambda p, offer: offer.verdict, taken=False),
}

POOL_METRICS: dict[str, Row] = {
    "build_info / *": TEXT,
    "start_time_seconds / ": lambda p: Within(p.pool.program.started_unix, p.reading.asked_unix - p.elapsed[0]),
    "node_up / ": lambda p: Exactly(1.0),
    "template_age_seconds / ": POOL_JSON["template_age_s"],
    "block_height / ": POOL_JSON["height"],
    "network_difficulty / ": POOL_JSON["network_difficulty"],
    "jobs_total / ": POOL_JSON["jobs"],
    "miners / ": POOL_JSON["miners"],
    "connections_open / ": POOL_JSON["connections / open"],
    "connections_total / ": POOL_JSON["connections / total"],
    "connections_refused_total / ": POOL_JSON["connections / refused"],
    "connections_ended_total / ending=*": lambda p, word: p.ending(word),
    "received_bytes_total / ": POOL_JSON["bytes_received"],
    "sent_bytes_total / ": POOL_JSON["bytes_sent"],
    "hash_rate / ": POOL_JSON["hash_rate"],
    "share_difficulty / bound=*": lambda p, bound: p.asked_for(),
    "shares_total / *": lambda p, labels: Exactly(
        float(p.said["accepted" if labels == "fate=accepted,reason=" else labels.removeprefix("fate=rejected,reason=")])
    ),
    "accepted_difficulty_total / ": POOL_JSON["shares / difficulty"],
    "best_share_difficulty / ": POOL_JSON["shares / best"],
    "answer_seconds_bucket / le=*": lambda p, bound: p.answers_within(bound),
    "answer_seconds_count / ": lambda p: Exactly(float(sum(p.said.values()))),
    "answer_seconds_sum / ": lambda p: Within(0.0, p.answered_in),
    "blocks_found_total / ": POOL_JSON["blocks_found"],
    "blocks_accepted_total / ": lambda p: Exactly(float(len(p.offers(taken=True)))),
    "blocks_refused_total / ": lambda p: Exactly(float(len(p.offers(taken=False)))),
}
POOL_METRICS = {"stratum_pool_" + pattern: row for pattern, row in POOL_METRICS.items()}

POOL_LOG: dict[str, Row] = {
    "client_connected": lambda p: Exactly(p.connections),
    "block_accepted": lambda p: Exactly(len(p.offers(taken=True))),
    "block_refused": lambda p: Exactly(len(p.offers(taken=False))),
    "left / accepted": lambda p: Exactly(p.said["accepted"]),
    "left / rejected": lambda p: Exactly(sum(p.said.values()) - p.said["accepted"]),
    "status / #": lambda p: Within(int(p.elapsed[0] / 30), int(p.elapsed[1] / 30)),
    STATUS + "accepted": lambda p, i: p.at_status(i),
    STATUS + "rejected": lambda p, i: p.rejected_at_status(i),
    STATUS + "rejected_because": lambda p, i: p.reasons_at_status(i),
    STATUS + "blocks": lambda p, i: p.blocks_at_status(i),
    STATUS + "height": lambda p, i: p.height_at_status(i),
    STATUS + "miners": lambda p, i: p.miners_at_status(i),
    STATUS + "rate": Exempt("the rate of the shares of some minutes, as text"),
    STATUS + "waiting_for": TEXT,
    **{STATUS + name: TEXT for name in ("event", "level", "timestamp")},
}

# ---- solo: a pool and a miner in one process, with no wire between them that could be read --------------------------

SOLO_JSON: dict[str, Row] = {
    **{
        pattern: Exempt("of the miner inside, whose wire is inside too; mine's own are audited")
        for pattern in dict.fromkeys(pattern.partition(" / ")[0] for pattern in MINE_JSON)
        if pattern != "blocks"
    },
    **{pattern: row for pattern, row in POOL_JSON.items() if pattern.startswith(("blocks / ", "blocks_refused"))},
}
for pattern in ("blocks / * / worker", "blocks_refused / * / worker"):
    SOLO_JSON[pattern] = SETTING

POOL: dict[str, Surface] = {
    "solo.json": Surface(SOLO_JSON, ended=True),
    "pool.api": Surface(POOL_JSON),
    "pool.metrics": Surface(POOL_METRICS),
    "pool.json": Surface(POOL_JSON, ended=True),
    "pool.log": Surface(POOL_LOG, ended=True),
    "exit": Surface({"code": lambda p: Exactly(p.pool.expected_exit)}, ended=True),
}
