"""Work frames byte for byte against captured and exhaustively searched ones (docs/reference/asic.md#test-vectors, A, D,
F, G, J)."""

import pytest

from stratum_miner.backends.asic.crc import crc16
from stratum_miner.backends.asic.frames import jobs
from stratum_miner.backends.asic.frames.commands import PREAMBLE
from stratum_miner.bitcoin.header import BlockHeader, swap_words
from stratum_miner.bitcoin.sha256d import sha256d
from tests.backends.asic.vectors import VECTORS, header_a, header_d, unhex


def test_full_job_is_the_captured_one() -> None:
    a = VECTORS["A"]
    header = header_a(a["branches"], a["extranonce2"], a["ntime"])
    assert header[36:68] == unhex(a["merkle_root"])
    assert jobs.full_job(header, job_id=0x68) == unhex(a["job_frame"])


@pytest.mark.parametrize(("job_id", "crc"), VECTORS["A"]["job_crc16_of_id"].items())
def test_full_job_under_other_ids(job_id: str, crc: str) -> None:
    a = VECTORS["A"]
    header = header_a(a["branches"], a["extranonce2"], a["ntime"])
    assert jobs.full_job(header, job_id=int(job_id, 16))[-2:] == unhex(crc)


def test_full_job_of_the_solved_block() -> None:
    assert jobs.full_job(header_d(), job_id=8) == unhex(VECTORS["D"]["job_frame_08"])


@pytest.mark.parametrize("job", VECTORS["H"]["jobs"], ids=lambda job: job["tag"])
def test_captured_full_jobs_have_the_same_checksum(job: dict[str, str]) -> None:
    frame = unhex(job["frame"])
    # back to a header: the groups of the two hashes are reversed, all else is in place
    merkle, previous = jobs.reverse_words(frame[18:50]), jobs.reverse_words(frame[50:82])
    header = frame[82:86] + previous + merkle + frame[14:18] + frame[10:14] + bytes(4)
    assert jobs.full_job(header, job_id=frame[4], length=frame[3], midstates=frame[5]) == frame


def test_icarus_job_of_the_difficulty_1_corpus() -> None:
    for unit in VECTORS["J"]["units"]:
        header = header_a([], unit["extranonce2"], VECTORS["J"]["ntime"])
        assert jobs.icarus_job(header) == unhex(unit["frame"])
        for nonce in unit["nonces"]:
            assert sha256d(header[:76] + unhex(nonce)).endswith(bytes(4))


def test_midstate_jobs_of_the_difficulty_1_corpus() -> None:
    header = header_a([], "02000000", VECTORS["J"]["ntime"])
    assert jobs.midstate_job(header, job_id=0x10, versions=[0x20000000]) == unhex(VECTORS["J"]["bm1387_job"])
    job = jobs.midstate_job(header, job_id=4, versions=[0x20000000], preamble=PREAMBLE)
    assert job == unhex(VECTORS["J"]["bm1397_job"])


def test_midstate_body_of_the_self_test() -> None:
    f = VECTORS["F"]
    last_words = unhex(f["nbits"] + f["ntime"] + f["merkle4"])
    body = bytearray(jobs.midstate_body(0x18, last_words, [bytes(32), bytes(32), unhex(f["midstate_2"]), bytes(32)]))
    body[4:8] = unhex(f["start_nonce"])  # ours always starts at zero
    assert crc16(bytes(body[:-2])) == int(f["crc16"], 16)
    assert len(body) == 0x96


def test_midstate_of_a_header_from_stratum() -> None:
    g = VECTORS["G"][2]
    header = _header_g(g)
    assert jobs.wire_midstate(header) == unhex(g["wire_midstate"])
    body = jobs.midstate_body(4, jobs.tail(header), [jobs.wire_midstate(header), *[bytes(32)] * 3])
    assert PREAMBLE + body == unhex(g["frame_start"] + g["wire_midstate"] + "00" * 96 + g["crc16"])


@pytest.mark.parametrize("vector", VECTORS["G"][:2])
def test_headers_from_stratum_hash_to_what_they_did(vector: dict[str, str]) -> None:
    header = _header_g(vector)[:76] + unhex(vector["nonce"])[::-1]
    assert sha256d(header)[::-1].hex() == vector["hash"]


def test_open_core_work_of_bm1387() -> None:
    vector = VECTORS["bm1387_open_core"]
    assert jobs.midstate_body(0, b"\xff" * 12, [bytes(32)]) == unhex(vector["job_0"])


def test_several_versions_give_several_midstates() -> None:
    header = header_a([], "02000000", VECTORS["J"]["ntime"])
    versions = [0x20000000, 0x20002000, 0x20004000, 0x20006000]
    frame = jobs.midstate_job(header, job_id=4, versions=versions)
    assert (len(frame), frame[1], frame[3]) == (0x96, 0x96, 4)
    for index, version in enumerate(versions):
        rolled = version.to_bytes(4, "little") + header[4:]
        assert frame[20 + 32 * index :][:32] == jobs.wire_midstate(rolled)


@pytest.mark.parametrize("count", [0, 5])
def test_midstate_jobs_hold_one_to_four(count: int) -> None:
    with pytest.raises(ValueError, match="expected 1 to 4 midstates"):
        jobs.midstate_body(0, bytes(12), [bytes(32)] * count)


def _header_g(vector: dict[str, str]) -> bytes:
    return BlockHeader(
        version=int(vector["version"], 16),
        previous_hash=swap_words(unhex(vector["prevhash"])),
        merkle_root=unhex(vector["merkle"]),
        ntime=int(vector["ntime"], 16),
        nbits=int(vector["nbits"], 16),
        nonce=0,
    ).to_bytes()
