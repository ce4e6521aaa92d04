"""Pools that are wrong in one way, each in a way in which a pool in use has been wrong, and the checks that must fail.

The pools run on a chain on which a block is 40 times as hard as a share, so that a share is hardly ever a block.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec

from stratum_miner.bitcoin.target import hash_value
from stratum_miner.downstream import validator
from stratum_miner.downstream.extranonces import ExtranonceRegistry, Lease
from stratum_miner.downstream.jobs import JobContent, JobTable
from stratum_miner.downstream.validator import Refused, ShareValidator, ShareVerdict, Solution
from stratum_miner.pool.job_factory import PoolJob
from stratum_miner.stratum.client_messages import Submit
from stratum_miner.stratum.errors import ErrorReason
from tests.conformance.changed_pool import Change, CloseConnection, Message, RelayedConnection

SHARE_DIFFICULTY = 1e-8
"""A share takes 43 hashes on average."""
NETWORK_DIFFICULTY = 40 * SHARE_DIFFICULTY
"""A block takes 1,700 hashes on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WrongPool:
    """A pool that is correct except for one thing."""

    name: str
    fault: str
    """What the pool does, as a sentence."""
    seen: str
    """Where such a pool was seen, or by whom it was reported."""
    must: frozenset[str] = frozenset()
    """The checks of the level MUST that fail, and no others."""
    should: frozenset[str] = frozenset()
    """The checks of the level SHOULD that fail, and no others."""
    also: frozenset[str] = frozenset()
    """Checks that do not fail but must run, because their exchange makes the pool show its fault."""
    changes: Callable[[], dict[str, Any]] = dict
    """Returns the changes of messages, as keywords of ``open_changed_pool``."""
    patches: dict[str, Any] = field(default_factory=dict)
    """Names inside the package, and the objects that replace what these names stand for."""


# ---- wrong judgements ------------------------------------------------------------------------------------------------


def _accepts_up_to(numerator: int, denominator: int) -> Callable[[Solution[PoolJob]], bool]:
    def meets_target(solution: Solution[PoolJob]) -> bool:
        return hash_value(solution.digest) <= solution.job.target * numerator // denominator

    return meets_target


class EasiestDifficultyValidator(ShareValidator):
    """Judges each share by the easiest difficulty that the session ever had."""

    def judge(self, submit: Submit, jobs: JobTable[PoolJob], unix_time: float) -> ShareVerdict[PoolJob]:  # type: ignore[override]  # this pool has no other jobs
        easiest = max((job.target for job in jobs._jobs.values()), default=0)
        for job_id, job in jobs._jobs.items():
            jobs._jobs[job_id] = msgspec.structs.replace(job, target=easiest)
        return super().judge(submit, jobs, unix_time)


class NewestDifficultyValidator(ShareValidator):
    """Judges each share by the session's newest difficulty, also if the job is older."""

    def judge(self, submit: Submit, jobs: JobTable[PoolJob], unix_time: float) -> ShareVerdict[PoolJob]:  # type: ignore[override]  # this pool has no other jobs
        if jobs._jobs:
            newest = list(jobs._jobs.values())[-1].target
            for job_id, job in jobs._jobs.items():
                jobs._jobs[job_id] = msgspec.structs.replace(job, target=newest)
        return super().judge(submit, jobs, unix_time)


class VersionBlindValidator(ShareValidator):
    """Takes a share for a duplicate if only its version bits differ from those of an earlier share."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._seen: set[tuple[bytes, str, bytes, int, int]] = set()

    def judge(self, submit: Submit, jobs: JobTable[PoolJob], unix_time: float) -> ShareVerdict[PoolJob]:  # type: ignore[override]  # this pool has no other jobs
        job = jobs.get(submit.job_id)
        if job is None:
            return super().judge(submit, jobs, unix_time)
        key = (job.extranonce1, submit.job_id, submit.extranonce2, submit.ntime, submit.nonce)
        if key in self._seen:
            return Refused(ErrorReason.DUPLICATE, "duplicate share")
        verdict = super().judge(submit, jobs, unix_time)
        if not isinstance(verdict, Refused):
            self._seen.add(key)
        return verdict


class ZeroTimeValidator(ShareValidator):
    """Does not check the range of an ntime of 0."""

    def _header_error(self, submit: Submit, job: Any, unix_time: float) -> str | None:
        return super()._header_error(submit, job, unix_time) if submit.ntime else None


_rebuilt = validator._rebuilt


def _xored(submit: Submit, content: Any, extranonce1: bytes, version_mask: int) -> tuple[bytes, bytes]:
    """Rebuild the header as public-pool does: the version is the job's version XOR the version bits of the share."""
    coinbase, header = _rebuilt(submit, content, extranonce1, version_mask)
    version = content.version ^ (submit.version_bits or 0)
    return coinbase, version.to_bytes(4, "little") + header[4:]


def _content_with_bit_28(**fields: Any) -> JobContent:
    return JobContent(**fields | {"version": fields["version"] | 1 << 28})


# ---- wrong sessions --------------------------------------------------------------------------------------------------


def _one_extranonce1(_registry: Any) -> bytes:
    return b"\xaa\xbb\xcc\xdd"


_lease = ExtranonceRegistry.lease


def _lease_of_the_last(registry: Any, now: float, resume: str | None = None) -> Lease[Any]:
    """Give a new session the extranonce1 of the session that ended last."""
    if not registry._retired or (resume and registry.remembers(resume)):
        return _lease(registry, now, resume)
    _, (ended, _) = registry._retired.popitem()
    return Lease(ended.extranonce1, ended.extranonce2_size, registry._token())


def _before_authorize() -> dict[str, Any]:
    """Authorize a worker at mining.subscribe, so that jobs come and shares count before mining.authorize."""

    def to_pool(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        match message.get("method"), message.get("params"):
            case "mining.subscribe", _:
                return [message, {"id": "hidden", "method": "mining.authorize", "params": ["hidden", "x"]}]
            case "mining.authorize", [name, *_]:
                relayed.memory["name"] = name
            case "mining.submit", [str(), *rest] if "name" not in relayed.memory:
                return [message | {"params": ["hidden", *rest]}]
        return None

    def to_client(_relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        return [] if message.get("id") == "hidden" else None

    return {"to_pool": to_pool, "to_client": to_client}


def _any_name() -> dict[str, Any]:
    """Submit every share of an authorized connection under the name that was authorized."""

    def to_pool(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        match message.get("method"), message.get("params"):
            case "mining.authorize", [name, *_]:
                relayed.memory.setdefault("name", name)
            case "mining.submit", [str(), *rest] if "name" in relayed.memory:
                return [message | {"params": [relayed.memory["name"], *rest]}]
        return None

    return {"to_pool": to_pool}


# ---- wrong messages --------------------------------------------------------------------------------------------------


def _submitted(message: Message, index: int) -> str | None:
    """Return the parameter of a mining.submit with this index if it is a string, otherwise None."""
    match message.get("method"), message.get("params"):
        case "mining.submit", [_, _, _, _, _, *_] as params if isinstance(params[index], str):
            return str(params[index])
    return None


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdefABCDEF" for digit in text)


def _ntime_of_letters() -> dict[str, Any]:
    """Read an ntime of eight characters that are not all hex digits as 0."""

    def to_pool(_relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        ntime = _submitted(message, 3)
        if ntime is None or len(ntime) != 8 or _is_hex(ntime):
            return None
        message["params"][3] = "00000000"
        return [message]

    return {"to_pool": to_pool}


def _spoiled_job() -> dict[str, Any]:
    """After an extranonce2 of a wrong length, hash all further shares of the same job wrongly."""

    def to_pool(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        extranonce2 = _submitted(message, 2)
        if extranonce2 is None:
            return None
        job_id, spoiled = message["params"][1], relayed.memory.setdefault("spoiled", set())
        if job_id in spoiled:
            return [_refusal(relayed, message, 23, "Difficulty too low")]
        if len(extranonce2) != 16 or not _is_hex(extranonce2):
            spoiled.add(job_id)
        return None

    def to_client(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        refusal = relayed.memory.get("refusals", {}).pop(message.get("id"), None)
        return None if refusal is None else [message | {"result": None, "error": [*refusal, None]}]

    return {"to_pool": to_pool, "to_client": to_client}


def _refusal(relayed: RelayedConnection, message: Message, code: int, text: str) -> Message:
    """Let the pool answer a request, and remember with which error the answer is to be replaced."""
    relayed.memory.setdefault("refusals", {})[message["id"]] = (code, text)
    return message | {"params": [message["params"][0], "spoiled", *message["params"][2:5]]}


def _replies_to_shares(edit: Callable[[Message], list[Message | bytes] | None]) -> Callable[[], dict[str, Any]]:
    def to_client(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        is_reply = "method" not in message and relayed.methods.get(message.get("id")) == "mining.submit"
        return edit(message) if is_reply else None

    change: Change = to_client
    return lambda: {"to_client": change}


def _code_of(message: Message) -> int | None:
    error = message.get("error")
    return int(error[0]) if error else None


def _text_before_duplicate(message: Message) -> list[Message | bytes] | None:
    return [b"duplicate share!\n", message] if _code_of(message) == 22 else None


def _accepts_stale() -> dict[str, Any]:
    """Accept a share that the pool refuses as stale if the pool has sent its job on the connection."""

    def to_pool(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if _submitted(message, 1) in relayed.memory.get("jobs", ()):
            relayed.memory.setdefault("known", set()).add(message["id"])
        return None

    def to_client(relayed: RelayedConnection, message: Message) -> list[Message | bytes] | None:
        if message.get("method") == "mining.notify":
            relayed.memory.setdefault("jobs", set()).add(message["params"][0])
        is_stale = message.get("id") in relayed.memory.get("known", ()) and _code_of(message) == 21
        return [message | {"result": True, "error": None}] if is_stale else None

    return {"to_pool": to_pool, "to_client": to_client}


def _next_id(message: Message) -> list[Message | bytes] | None:
    return [message | {"id": message["id"] + 1000}] if isinstance(message.get("id"), int) else None


def _true_beside_an_error(message: Message) -> list[Message | bytes] | None:
    return [message | {"result": True}] if message.get("error") else None


def _closes_on_a_blank_line() -> dict[str, Any]:
    def raw(relayed: RelayedConnection, data: bytes) -> bytes:
        end = relayed.memory.get("end", b"")
        if re.search(rb"[^\r\n]\r?\n\r?\n", end + data):
            raise CloseConnection
        relayed.memory["end"] = (end + data)[-3:]
        return data

    return {"raw": raw}


_POOL = "stratum_miner.pool.pool"
_REGISTRY = "stratum_miner.downstream.extranonces.ExtranonceRegistry"
_MEETS_TARGET = "stratum_miner.downstream.validator._meets_target"

WRONG_POOLS = (
    WrongPool(
        name="target_wide_by_a_sixteenth",
        fault="The pool accepts a hash of up to 17/16 of the share target.",
        seen="pools that compute the target from a rounded difficulty",
        must=frozenset({"ERR-27"}),
        patches={_MEETS_TARGET: _accepts_up_to(17, 16)},
    ),
    WrongPool(
        name="target_wide_by_two",
        fault="The pool accepts a hash of up to twice the share target.",
        seen="a pool that compares only the leading zero bits",
        must=frozenset({"ERR-26", "ERR-27"}),
        patches={_MEETS_TARGET: _accepts_up_to(2, 1)},
    ),
    WrongPool(
        name="easiest_difficulty",
        fault="After a rise of the difficulty, the pool accepts shares of the earlier difficulty for ever.",
        seen="node-stratum-pool and foundation-stratum, which keep a previous difficulty",
        must=frozenset({"ERR-11"}),
        patches={f"{_POOL}.ShareValidator": EasiestDifficultyValidator},
    ),
    WrongPool(
        name="difficulty_at_once",
        fault="A rise of the difficulty also applies to the jobs that were sent before it.",
        seen="public-pool, which keeps one difficulty for each session",
        should=frozenset({"ERR-10"}),
        patches={f"{_POOL}.ShareValidator": NewestDifficultyValidator},
    ),
    WrongPool(
        name="any_name",
        fault="The pool accepts shares of names that were not authorized on the connection.",
        seen="datum_gateway, node-stratum-pool, foundation-stratum and public-pool",
        should=frozenset({"ERR-22"}),
        changes=_any_name,
    ),
    WrongPool(
        name="no_authorize",
        fault="The pool sends jobs before mining.authorize, and accepts shares of them.",
        seen="pools that check names only when they pay",
        must=frozenset({"HS-14"}),
        changes=_before_authorize,
    ),
    WrongPool(
        name="ntime_of_letters",
        fault="The pool reads an ntime that is not hex as 0, and does not check the range of this time.",
        seen="node-stratum-pool: NaN passes its range check",
        must=frozenset({"ERR-15"}),
        changes=_ntime_of_letters,
        patches={f"{_POOL}.ShareValidator": ZeroTimeValidator},
    ),
    WrongPool(
        name="text_in_the_session",
        fault="Before it refuses a duplicate share, the pool sends a line of plain text.",
        seen="ckpool, with the line 'Invalid JSON, disconnecting'",
        must=frozenset({"FRM-01"}),
        also=frozenset({"ERR-01"}),
        changes=_replies_to_shares(_text_before_duplicate),
    ),
    WrongPool(
        name="blank_line",
        fault="The pool closes the connection at an empty line, except before the first request.",
        seen="ckpool",
        should=frozenset({"FRM-05"}),
        changes=_closes_on_a_blank_line,
    ),
    WrongPool(
        name="spoiled_job",
        fault="After a share with an extranonce2 of a wrong length, the pool refuses all shares of the same job.",
        seen="public-pool",
        must=frozenset({"ERR-17"}),
        changes=_spoiled_job,
    ),
    WrongPool(
        name="version_blind",
        fault="The pool takes a share for a duplicate if it differs from another only in the version bits.",
        seen="node-stratum-pool",
        should=frozenset({"ERR-30"}),
        patches={f"{_POOL}.ShareValidator": VersionBlindValidator},
    ),
    WrongPool(
        name="one_extranonce1",
        fault="All sessions get the same coinb1, extranonce1 and coinb2, and shares are remembered for all of them.",
        seen="a pool of 84 lines that a newcomer wrote",
        must=frozenset({"HS-04", "HS-19"}),
        should=frozenset({"HS-22", "LD-09"}),
        patches={f"{_REGISTRY}._fresh": _one_extranonce1},
    ),
    WrongPool(
        name="reused_extranonce1",
        fault="A session gets the extranonce1 of the session that ended last, whose shares are still remembered.",
        seen="eloipool and datum_gateway",
        should=frozenset({"HS-22", "LD-09"}),
        patches={f"{_REGISTRY}.lease": _lease_of_the_last},
    ),
    WrongPool(
        name="xored_version",
        fault="The pool applies the version bits with XOR to a version that has bits of the mask.",
        seen="public-pool at the heights 144 to 431 of regtest",
        must=frozenset({"SH-06"}),
        should=frozenset({"JOB-08"}),
        patches={
            "stratum_miner.downstream.validator._rebuilt": _xored,
            "stratum_miner.pool.job_factory.JobContent": _content_with_bit_28,
        },
    ),
    WrongPool(
        name="accepts_stale",
        fault="The pool accepts shares of jobs on an earlier block.",
        seen="pools that forget to drop their jobs at a new block",
        must=frozenset({"ERR-08", "LD-11"}),
        changes=_accepts_stale,
    ),
    WrongPool(
        name="another_id",
        fault="The pool answers shares under another id than that of the request.",
        seen="pools that answer with a counter of their own",
        must=frozenset({"FRM-07"}),
        changes=_replies_to_shares(_next_id),
    ),
    WrongPool(
        name="true_beside_an_error",
        fault="The pool refuses shares with the result true beside the error.",
        seen="foundation-stratum, in the reply to mining.get_transactions",
        should=frozenset({"ERR-24"}),
        changes=_replies_to_shares(_true_beside_an_error),
    ),
)
"""The wrong pools, none of which a test had before this table."""
