"""The rows of a proxy's surfaces; patterns are explained in ``table``."""

from tests.audit.expect import Exactly, OneOf, Within
from tests.audit.proxy_truth import ProxyTruth
from tests.audit.table import EXIT, METRICS, TEXT, Row, Surface, pool_view_rows, worker_counts
from tests.audit.truth import FATES

X = ProxyTruth
ENDS = ("accepted", "stale", "lost", "kept", "open")
SWITCHES = ("job_switch_p50_ms", "job_switch_p99_ms")


def _shares(prefix: str) -> dict[str, Row]:
    """Shares from below; of one miner where the pattern has a place."""
    rows: dict[str, Row] = {
        prefix + "received": lambda x, *place: Exactly(sum(x.ends(*place).values())),
        prefix + "rejected": lambda x, *place: Exactly(x.why("rejected", *place)),
        prefix + "refused": lambda x, *place: Exactly(x.why("refused", *place)),
        prefix + "difficulty": lambda x, *place: x.worth_below(*place),
        prefix + "best": lambda x, *place: x.best_below(*place),
    }
    for end in ENDS:
        rows[prefix + end] = lambda x, *place, end=end: Exactly(x.count(end, *place))
    return rows


PROXY_JSON: dict[str, Row] = {
    "elapsed_s": lambda x: Within(*x.elapsed),
    "listen / #": lambda x: Exactly(1),
    "listen / *": lambda x, _: Exactly(f"127.0.0.1:{x.proxy.port}"),
    "has_work": lambda x: Exactly(x.has_work),
    "extranonce / prefix_bytes": lambda x: Exactly(x.sizes()[0]),
    "extranonce / miner_bytes": lambda x: Exactly(x.sizes()[1]),
    "extranonce / room": lambda x: Exactly(x.room()),
    "upstreams": lambda x: Exactly(x.connections_up()),
    "difficulty": lambda x: x.asked(),
    "hash_rate": lambda x: x.rate_below(),
    **_shares("shares / "),
    "shares / answered_late": lambda x: Exactly(x.late),
    "connections / total": lambda x: Exactly(len(x.talks)),
    "connections / refused": lambda x: Exactly(0),
    "connections / open": lambda x: Exactly(x.open),
    "connections / ended": lambda x: x.endings(),
    "bytes_received": lambda x: x.bytes_below(up=True),
    "bytes_sent": lambda x: x.bytes_below(up=False),
    "miners / #": lambda x: Exactly(len(x.shown)),
    "miners / * / session": lambda x, i: Exactly(x.talks.index(x.talk(i)) + 1),
    "miners / * / connected": lambda x, i: x.of(i, x.is_connected),
    "miners / * / address": lambda x, i: OneOf(tuple(map(x.address, x.shown))),
    "miners / * / user_agent": lambda x, i: x.of(i, lambda talk: talk.user_agent),
    "miners / * / workers": lambda x, i: x.of(i, lambda talk: [name for name, taken in talk.workers.items() if taken]),
    "miners / * / version_mask": lambda x, i: x.of(i, lambda talk: f"{talk.mask:08x}"),
    "miners / * / extranonce1": lambda x, i: x.of(
        i, lambda talk: talk.extranonce1.hex() if x.is_connected(talk) and talk.subscribed_at else None
    ),
    "miners / * / difficulty": lambda x, i: x.of(i, lambda talk: float(talk.difficulty) if talk.jobs else 0.0),
    "miners / * / hash_rate": lambda x, i: x.rate_below(i),
    **_shares("miners / * / shares / "),
    "miners / * / last_share_age_s": lambda x, i: x.last_age(i),
    "miners / * / connected_at": lambda x, i: x.opened(i),
    "miners / * / bytes_received": lambda x, i: x.bytes_of(i, up=True),
    "miners / * / bytes_sent": lambda x, i: x.bytes_of(i, up=False),
    **pool_view_rows("pools"),
    "pools / * / reasons": lambda x, i: x.reasons_above(i),
    # a proxy does not search
    **{f"pools / * / {name}": (lambda x, i: Exactly(None)) for name in ("work_share", *SWITCHES)},
    "pools / * / bound / #": lambda x, i: Exactly(0),
    "pools / * / workers / #": lambda x, i: Exactly(1),
    "pools / * / workers / * / name": lambda x, i, j: Exactly(x.worker_names()[j]),
    "pools / * / workers / * / refusal": lambda x, i, j: Exactly(""),
    **{
        f"pools / * / workers / * / {fate}": (lambda x, i, j, fate=fate: worker_counts(x, i, j, fate))
        for fate in ("accepted", "rejected", "stale")
    },
}

PROXY_METRICS: dict[str, Row] = {
    "build_info / *": TEXT,
    "start_time_seconds / ": lambda x: Within(x.proxy.program.started_unix, x.reading.asked_unix - x.elapsed[0] + 0.1),
    "has_work / ": lambda x: Exactly(float(x.has_work)),
    "upstream_connections / ": PROXY_JSON["upstreams"],
    "upstream_room / ": PROXY_JSON["extranonce / room"],
    "miners / ": lambda x: Exactly(sum(bool(talk.jobs) for talk in x.talks if x.is_connected(talk))),
    "connections_open / ": PROXY_JSON["connections / open"],
    "connections_total / ": PROXY_JSON["connections / total"],
    "connections_refused_total / ": PROXY_JSON["connections / refused"],
    "connections_ended_total / ending=*": lambda x, word: x.ending(word),
    "received_bytes_total / ": PROXY_JSON["bytes_received"],
    "sent_bytes_total / ": PROXY_JSON["bytes_sent"],
    "hash_rate / ": lambda x: x.rate_below(),
    "share_difficulty / ": PROXY_JSON["difficulty"],
    "shares_total / *": lambda x, labels: Exactly(float(x.ends()[x.label(labels, "fate"), x.label(labels, "reason")])),
    "shares_open / ": PROXY_JSON["shares / open"],
    "shares_answered_late_total / ": PROXY_JSON["shares / answered_late"],
    "good_difficulty_total / ": PROXY_JSON["shares / difficulty"],
    "best_share_difficulty / ": PROXY_JSON["shares / best"],
    "answer_seconds_bucket / le=*": lambda x, bound: x.answers_within(bound),
    "answer_seconds_count / ": lambda x: x.answered(),
    "answer_seconds_sum / ": lambda x: x.answered_in(),
    **{
        pattern.removeprefix("stratum_miner_"): row
        for pattern, row in METRICS.items()
        if pattern.startswith("stratum_miner_pool_") and "job_switch" not in pattern
    },
}
PROXY_METRICS = {"stratum_proxy_" + pattern: row for pattern, row in PROXY_METRICS.items()}

PROXY_TEXT: dict[str, Row] = {
    "elapsed": lambda x: x.elapsed_text(),
    "connections": lambda x: Exactly(len(x.talks)),
    "received": lambda x: Exactly(sum(x.ends().values())),
    **{end: (lambda x, end=end: Exactly(x.count(end))) for end in ("accepted", "stale", "lost", "kept")},
    **{end: (lambda x, end=end: Exactly(sum(x.why(end).values()))) for end in ("rejected", "refused")},
    "pools / #": lambda x: Exactly(len(x.stories)),
    "pools / * / name": lambda x, i: Exactly(x.proxy.pools[i].title),
    "pools / * / active": lambda x, i: x.is_active(i),
    "pools / * / condition": lambda x, i: x.condition(i),
    "pools / * / latency_ms": lambda x, i: x.latency_shown(i),
    **{f"pools / * / {fate}": (lambda x, i, fate=fate: Exactly(x.of_pool(i)[fate])) for fate in FATES},
    # the table's other columns are rounded or cut for people: the same figures as in --json
    "miners": lambda x: Exactly(sorted([x.counts_of(talk) for talk in x.shown])),
}

PROXY_LOG: dict[str, Row] = {
    "connected": lambda x: Exactly(len(x.talks)),
    "left / #": lambda x: Exactly(len(x.talks)),
    "left / * / session": lambda x, i: x.left_session(i),
    "left / * / address": lambda x, i: OneOf(tuple(map(x.address, x.talks))),
    **{
        f"left / * / {end}": (lambda x, i, end=end: x.left(i, end))
        for end in ("accepted", "rejected", "refused", "stale", "lost")
    },
    "share_rejected": lambda x: Exactly(x.passed_up("rejected")),
    "share_stale": lambda x: Exactly(x.passed_up("stale")),
    "share_lost": lambda x: Exactly(x.passed_up("lost")),
    "share_answered_late": lambda x: Exactly(x.late),
}

# rates and ages of a status line are rounded for people; JSON has the same figures
PROXY_STATUS: dict[str, Row] = {
    "miners": lambda x: Exactly(sum(bool(talk.jobs) for talk in x.talks if x.is_connected(talk))),
    "kept": lambda x: Exactly(x.count("kept") or ""),
    **{end: (lambda x, end=end: Exactly(x.count(end))) for end in ("accepted", "stale", "lost")},
    **{end: (lambda x, end=end: Exactly(sum(x.why(end).values()))) for end in ("rejected", "refused")},
    "difficulty": lambda x: Exactly(f"{x.asked().value:.4g}"),
    "pool": lambda x: Exactly(x.proxy.pools[x.proxy.active].title),
    "lines / #": lambda x: Exactly(sum(map(x.is_connected, x.talks))),
    "lines / * / session": lambda x, i: Exactly(x.talks.index(x.talk(i)) + 1),
    "lines / * / address": lambda x, i: OneOf(tuple(map(x.address, x.talks))),
    "lines / * / worker_name": lambda x, i: x.of(i, lambda talk: ",".join(talk.workers)),
    "lines / * / accepted": lambda x, i: x.of(i, lambda talk: x.counts_of(talk)[0]),
    "lines / * / bad": lambda x, i: x.of(i, lambda talk: x.counts_of(talk)[1]),
}

PROXY: dict[str, Surface] = {
    "proxy.status": Surface(PROXY_STATUS),
    "proxy.api": Surface(PROXY_JSON),
    "proxy.metrics": Surface(PROXY_METRICS),
    "proxy.json": Surface(PROXY_JSON, ended=True),
    "proxy.text": Surface(PROXY_TEXT, ended=True),
    "proxy.wire": Surface({"answers": lambda x: Exactly(x.answers())}, ended=True),
    "proxy.log": Surface(PROXY_LOG, ended=True),
    "exit": Surface(EXIT, ended=True),
}
