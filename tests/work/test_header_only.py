"""Jobs of which the pool shows a merkle root and no coinbase: the whole way from the job to the share."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio

from stratum_miner.backends.cpu.kernels import Kernel, Search, available_kernels
from stratum_miner.backends.reference import ReferenceBackend
from stratum_miner.bitcoin.header import BlockHeader
from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.miner.scheduler import Scheduler
from stratum_miner.work.job import HeaderBody, Job, Origin, PoolKey
from stratum_miner.work.share import Share, verify
from stratum_miner.work.space import MAX_NTIME_ROLL, SearchSpace
from stratum_miner.work.unit import NonceFound, WorkUnit
from stratum_miner.work.versions import ALL_BITS
from tests.work.jobs import make_job

VECTORS: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "stratum.json").read_text())
by_name = pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
KERNELS = available_kernels()
each_kernel = pytest.mark.parametrize("kernel", KERNELS, ids=[kernel.name for kernel in KERNELS])


def header_job(vector: dict[str, Any], **changes: Any) -> Job:
    """The captured job as a pool would tell it that shows the root alone, where only these version bits may be set."""
    header = BlockHeader.from_bytes(bytes.fromhex(vector["expect"]["header"]))
    values: dict[str, Any] = {
        "origin": Origin(PoolKey("pool"), "worker", 1),
        "job_id": "7",
        "previous_hash": header.previous_hash,
        "body": HeaderBody(header.merkle_root),
        "version": int(vector["notify_params"][5], 16),
        "nbits": header.nbits,
        "ntime": header.ntime,
        "clean_jobs": True,
        "share_target": target_from_difficulty(vector["expect"]["share_difficulty"] / 2),
        "version_mask": int(vector["version_bits"] or "0", 16),
        "version_rolling": vector["version_bits"] is not None,
    }
    return Job(**values | changes)


def units_of(space: SearchSpace, now: float, rollable: int = 0) -> list[WorkUnit]:
    units = list[WorkUnit]()
    while (unit := space.next_unit(now, rollable)) is not None:
        units.append(unit)
    return units


@each_kernel
@by_name
def test_from_the_root_to_the_captured_share(vector: dict[str, Any], kernel: Kernel) -> None:
    job, nonce = header_job(vector), int(vector["nonce"], 16)
    space = SearchSpace()
    space.set_job(job)
    [unit] = units_of(space, 0.0, ALL_BITS)
    unit = replace(unit, first_nonce=nonce - 20, nonce_count=40)
    search = Search(kernel)
    points = search.load(
        unit.header, unit.target, first_nonce=unit.first_nonce, nonce_count=40, version_mask=unit.version_mask
    )
    hits, position = list[Share](), 0
    while position < points:
        result = search.run(position, points - position)
        position += result.done
        for hit in result.hits:
            verdict = verify(NonceFound(unit, hit.nonce, hit.version))
            assert isinstance(verdict, Share)
            hits.append(verdict)
    share = next(share for share in hits if share.header.hex() == vector["expect"]["header"])
    assert share.digest[::-1].hex() == vector["expect"]["hash"]
    assert share.is_block is vector["expect"]["meets_network_target"]
    assert (share.extranonce2, share.job.height) == (b"", None)


async def test_a_backend_finds_shares_of_it() -> None:
    vector = next(item for item in VECTORS if item["name"] == "V10-regtest-141")
    job = header_job(vector, share_target=target_from_difficulty(1e-9))
    scheduler = Scheduler(weak_blocks=False)
    scheduler.set_job(job)
    send, receive = trio.open_memory_channel[NonceFound](8)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(ReferenceBackend().run, scheduler, send)
        for _ in range(3):
            share = verify(await receive.receive())
            assert isinstance(share, Share)
            assert share.header[36:68] == bytes.fromhex(vector["expect"]["header"])[36:68]
        nursery.cancel_scope.cancel()


def test_it_is_one_row_of_versions_and_then_of_times() -> None:
    space, job = SearchSpace(), replace(header_job(VECTORS[1]), version_mask=0x00006000, received_at=50.0)
    space.set_job(job)
    first = [(unit.version, unit.ntime, unit.extranonce2) for unit in units_of(space, 50.0)]
    assert first == [(job.version | bits, job.ntime, b"") for bits in (0, 0x2000, 0x4000, 0x6000)]
    later = units_of(space, 50.0 + 10 * MAX_NTIME_ROLL)
    assert [unit.ntime for unit in later[::4]] == [job.ntime + second for second in range(1, MAX_NTIME_ROLL + 1)]
    assert len({unit.header for unit in later}) == 4 * MAX_NTIME_ROLL, "no header twice"


def test_the_same_root_is_the_same_work_and_another_is_not() -> None:
    space, job = SearchSpace(), header_job(VECTORS[1])
    space.set_job(job)
    assert len(units_of(space, 0.0)) == 1
    space.set_job(replace(job, job_id="8", share_target=job.share_target // 2))
    assert units_of(space, 0.0) == []
    space.set_job(replace(job, body=HeaderBody(bytes(32))))
    assert len(units_of(space, 0.0)) == 1


def test_a_root_and_a_coinbase_never_have_a_name_in_common() -> None:
    coinbase = make_job(prefix=b"", suffix=b"", extranonce1=b"", extranonce2_size=0)
    assert coinbase.content_hash() != replace(coinbase, body=HeaderBody(coinbase.merkle_root(b""))).content_hash()


def test_a_root_has_a_size_and_no_extranonce() -> None:
    with pytest.raises(ValueError, match="merkle root of 32 bytes, got 31"):
        HeaderBody(bytes(31))
    with pytest.raises(ValueError, match="extranonce2: expected 0 bytes, got 1"):
        HeaderBody(bytes(32)).merkle_root(b"\x00")
