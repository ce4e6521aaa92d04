"""Shares, and share journals of them, for tests."""

import json
import os
import shutil
import threading
from collections.abc import Callable, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.client.reconnecting import Destination
from stratum_miner.miner.journal import Journal
from stratum_miner.work.job import Job
from stratum_miner.work.share import Share, verify
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import NonceFound
from tests.work.jobs import make_job

TO = Destination("stratum+tcp://pool.example:3333", "worker", "s1")
JOB = make_job(
    session=1, job_id="j1", previous_hash=bytes(range(32)), prefix=b"\x01" * 40, suffix=b"\x02" * 40,
    branch=(b"\x03" * 32, b"\x04" * 32), version=0x20000000, nbits=0x207FFFFF, ntime=1_700_000_000,
    clean_jobs=True, extranonce1=b"\xa1\xb2", extranonce2_size=4,
    share_target=target_from_difficulty(1e-9), version_mask=0x1FFFE000,
    version_rolling=True,
)  # fmt: skip
WAIT_S = 30.0
"""Seconds to wait for a thread. Only a failing test takes so long."""


class Clock:
    """A clock of Unix time that the test sets."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


CLOCK = Clock()


def shares(count: int, job: Job = JOB, *, block: bool = True) -> list[Share]:
    space = SearchSpace()
    space.set_job(job if block else replace(job, nbits=0x1D00FFFF))
    unit = space.next_unit(0.0)
    assert unit is not None
    found: list[Share] = []
    for nonce in range(100_000):
        verdict = verify(NonceFound(unit, nonce, unit.version))
        if isinstance(verdict, Share) and verdict.is_block is block:
            found.append(verdict)
            if len(found) == count:
                return found
    raise AssertionError("not enough shares")


Opener = Callable[..., Journal]
Events = list[MutableMapping[str, Any]]


def outcome(share: Share, fate: ShareOutcome = ShareOutcome.ACCEPTED, reason: str = "") -> ShareResult:
    return ShareResult(share, fate, reason, latency=0.01)


def records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def events(path: Path) -> list[str]:
    return [record["event"] for record in records(path)]


def as_after_a_crash(it: Journal) -> Path:
    """Copy the file as it is now, as another process would find it after this one was killed."""
    assert it.flush()
    copy = it.path.with_name("copy.jsonl")
    shutil.copy(it.path, copy)
    return copy


class FullDisk:
    """``os.write`` on a full disk. It writes a few bytes of a line first, as file systems do."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = True
        self.tried = threading.Event()
        self.refusals = 0
        self._write = os.write
        self._last = b""
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: bytes) -> int:
        if not self.full:
            return self._write(descriptor, data)
        if len(data) > 40 and data != self._last:
            self._last = data[30:]
            return self._write(descriptor, data[:30])
        self._last = b""
        self.refusals += 1
        self.tried.set()
        raise OSError(28, "No space left on device")
