"""What each chip family decodes from its own reply, with the vectors of docs/reference/asic.md#test-vectors: from wire
bytes to the verified share."""

from dataclasses import replace

import pytest

from stratum_miner.backends.asic.boards import board_of
from stratum_miner.backends.asic.chain import ChainSettings, ChipChain
from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.backends.asic.chips.registers import midstate_versions, ticket_mask
from stratum_miner.backends.asic.frames.replies import NonceReply
from stratum_miner.backends.asic.work_history import VerifiedNonce
from stratum_miner.bitcoin.header import display_hash
from stratum_miner.bitcoin.target import MAX_TARGET, target_from_difficulty
from stratum_miner.work.example import unit_of
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.unit import WorkUnit
from tests.backends.asic.memory_port import MemoryPort
from tests.backends.asic.vectors import VECTORS, header_a, header_d, unhex

A, D, F, J = (VECTORS[name] for name in "ADFJ")


def chain_of(kind: str, **settings: object) -> ChipChain:
    board = board_of(kind)
    frequency = board.frequency.default if board.frequency else None
    options = {"chips": board.chips, "frequency": frequency, **settings}
    return CHAINS[board.chip](MemoryPort(), board, ChainSettings(**options))  # type: ignore[arg-type]


def unit_with(header: bytes, version_mask: int = 0x1FFFE000) -> WorkUnit:
    return replace(
        unit_of(1, target=MAX_TARGET, first_nonce=0, nonce_count=1 << 32),
        header=header,
        version=int.from_bytes(header[:4], "little"),
        version_mask=version_mask,
    )


def heard(chain: ChipChain, frame: str) -> VerifiedNonce:
    """Through the decoder, the family's reading and the proof."""
    [reply] = chain.wire.decoder.receive(unhex(frame)) or chain.wire.decoder.idle()
    assert isinstance(reply, NonceReply)
    proven = chain.history.verify(chain.reported_nonce(reply))
    assert proven is not None
    return proven


@pytest.mark.parametrize(
    ("kind", "job_id", "result"),
    [
        ("bitaxe-gamma", 0x68, A["result"]),
        ("bitaxe-ultra", 0x10, A["sealed_here"][0]["result"]),
        ("bitaxe-supra", 0x18, A["sealed_here"][1]["result"]),
    ],
)
def test_the_captured_share_from_each_family(kind: str, job_id: int, result: str) -> None:
    chain = chain_of(kind)
    work = chain.history.add(job_id, unit_with(header_a(A["branches"], A["extranonce2"], A["ntime"])), [0x20000000])
    if kind == "bitaxe-gamma":
        assert chain.job_frame(work) == unhex(A["job_frame"])
    assert job_id in chain.job_ids
    proven = heard(chain, result)
    assert proven.work is work
    assert display_hash(proven.hash_value.to_bytes(32, "little")) == A["hash"]
    header = proven.version.to_bytes(4, "little") + work.unit.header[4:76] + proven.nonce.to_bytes(4, "little")
    assert header == unhex(A["header"])


def test_the_solved_block_from_a_bm1366() -> None:
    chain = chain_of("bitaxe-ultra")
    work = chain.history.add(8, unit_with(header_d()), [0x20000000])
    assert chain.job_frame(work) == unhex(D["job_frame_08"])
    proven = heard(chain, D["result_row_1"])
    assert display_hash(proven.hash_value.to_bytes(32, "little")) == D["rows"][0]["hash"]


@pytest.mark.parametrize(
    ("kind", "job_id", "job", "result"),
    [
        ("newpac", 0x10, J["bm1387_job"], J["bm1387_result"]),
        ("compac-f", 0x04, J["bm1397_job"], J["bm1397_result"]),
        ("erupter", 0, J["units"][1]["frame"], "0faed942"),
        ("compac", 0x10, None, "0faed94290"),
        ("antminer-u1", 3, None, "0faed94283"),
    ],
)
def test_the_difficulty_1_corpus_from_each_family(kind: str, job_id: int, job: str | None, result: str) -> None:
    chain = chain_of(kind)
    work = chain.history.add(job_id, unit_with(header_a([], "02000000", J["ntime"]), 0), [0x20000000])
    if job is not None:
        assert chain.job_frame(work) == unhex(job)
    assert heard(chain, result).nonce == int.from_bytes(unhex("0faed942"), "little")


def test_the_work_frame_of_a_2pac_says_each_chips_share() -> None:
    chain = chain_of("2pac")
    work = chain.history.add(0x11, unit_with(header_a([], "02000000", J["ntime"]), 0), [0x20000000])
    icarus = unhex(J["units"][1]["frame"])
    assert chain.job_frame(work) == icarus[:39] + b"\0" + unhex("7fffffff") + bytes(7) + b"\x11" + icarus[52:]


def test_the_id_identifies_the_midstate() -> None:
    """Vector F: job 18, midstate 2. Only the framing can be checked: its other header words are not known."""
    chain = chain_of("compac-f")
    [reply] = chain.wire.decoder.receive(unhex(F["result"]))
    assert isinstance(reply, NonceReply)
    assert chain.reported_nonce(reply).candidates == ((0x18, 2),)
    newpac = chain_of("newpac")
    assert newpac.reported_nonce(NonceReply(bytes(4), b"\0\x12")).candidates == (
        (0x12, 0),
        (0x11, 1),
        (0x10, 2),
        (0x0F, 3),
    )


@pytest.mark.parametrize("item", VECTORS["H"]["results"], ids=lambda item: str(item["frame"]))
def test_captured_results_name_a_job_that_we_could_have_sent(item: dict[str, str]) -> None:
    kinds = {"bm1370": "bitaxe-gamma", "bm1362": "compac-a1", "bm1397": "compac-f"}
    chain = chain_of(kinds[item["chip"]])
    [reply] = chain.wire.decoder.receive(unhex(item["frame"]))
    assert isinstance(reply, NonceReply)
    [(job_id, index)] = chain.reported_nonce(reply).candidates
    assert job_id % (4 if item["chip"] == "bm1397" else 8) == 0
    assert index < 4


def test_job_ids_step_as_the_drivers_do() -> None:
    listed = "18,30,48,60,78,10,28,40,58,70,08,20,38,50,68,00"
    assert chain_of("bitaxe-gamma").job_ids == tuple(int(text, 16) for text in listed.split(","))
    assert chain_of("bitaxe-supra").job_ids == chain_of("bitaxe-gamma").job_ids
    assert chain_of("compac-a1").job_ids == tuple(range(0x10, 0x79, 8))
    assert chain_of("compac").job_ids == tuple(range(0x10, 0x20))


@pytest.mark.parametrize(
    ("bits", "register"), [(0, 0), (2, 0xC0), (4, 0xF0), (8, 0xFF), (9, 0x80FF), (10, 0xC0FF), (13, 0xF8FF)]
)
def test_ticket_masks(bits: int, register: int) -> None:
    assert ticket_mask(bits) == register


@pytest.mark.parametrize(
    ("kind", "difficulty", "bits"),
    [
        ("bitaxe-gamma", 1, 0),
        ("bitaxe-gamma", 3, 1),
        ("bitaxe-gamma", 8192, 8),
        ("compac-f", 1000, 4),
        ("compac", 1000, 0),
    ],
)
def test_the_ticket_follows_the_share_difficulty_and_loses_none(kind: str, difficulty: float, bits: int) -> None:
    chain = chain_of(kind)
    target = target_from_difficulty(difficulty)
    assert chain.ticket_bits_for(replace(unit_of(1), target=target)) == bits
    assert target <= chain.history.bound >> bits


def test_versions_of_midstates_are_all_combinations_of_the_granted_bits() -> None:
    unit = unit_with(header_a([], "02000000", J["ntime"]), 0x00006000)
    assert midstate_versions(unit) == (0x20000000, 0x20002000, 0x20004000, 0x20006000)
    assert midstate_versions(replace(unit, version_mask=0x1000_0000)) == (0x20000000, 0x30000000)
    assert midstate_versions(replace(unit, version_mask=0)) == (0x20000000,)


@pytest.mark.parametrize(
    ("kind", "rolled", "granted"),
    [
        ("bitaxe-gamma", 0x1FFFE000, 0x1FFFFFE0),
        ("bitaxe-gamma", 0x1FFFE000, 0x1FFFE000),
        ("bitaxe-gamma", 0x00006000, 0x00007FE0),
        ("bitaxe-gamma", 0, 0x00001FE0),
        ("compac-a1", 0x1FFFE000, 0x1FFFFFE0),
        ("compac-f", 0x00000060, 0x1FFFFFE0),
        ("newpac", 0x00000020, 0x00000020),
        ("compac", 0, 0x1FFFFFE0),
    ],
)
def test_a_chip_gets_bits_that_it_can_roll_and_units_that_it_can_search(kind: str, rolled: int, granted: int) -> None:
    chain, space, base = chain_of(kind), SearchSpace(), unit_of(1).job
    space.set_job(replace(base, version_mask=granted, version_rolling=True))
    seen = set()
    for _ in range(9):
        unit = space.next_unit(0.0, *chain.rolls)
        assert unit is not None
        assert (unit.version_mask, unit.hashes) == (rolled, 1 << 32 + rolled.bit_count())
        assert len(chain.versions(unit)) in (1, 1 << rolled.bit_count())
        seen.add((unit.extranonce2, unit.version))
    assert len(seen) == 9


async def test_a_smaller_version_mask_is_written_to_the_chips(autojump_clock: object) -> None:
    chain = chain_of("bitaxe-gamma", nonce_difficulty=1.0)
    port = chain.wire.transport
    assert isinstance(port, MemoryPort)
    unit = unit_with(header_a([], "02000000", J["ntime"]), 0x00006000)
    await chain.prepare(unit)
    await chain.prepare(unit)
    assert [frame.hex()[:20] for frame in port.sent] == ["55aa510900a490000003"]


async def test_the_ticket_is_lowered_before_easy_work_and_raised_again(autojump_clock: object) -> None:
    chain = chain_of("bitaxe-gamma")
    chain.ticket_bits = 8
    port = chain.wire.transport
    assert isinstance(port, MemoryPort)
    easy = replace(unit_of(1), target=target_from_difficulty(2), version_mask=0x1FFFE000)
    for unit in (easy, easy, replace(easy, target=target_from_difficulty(1e6))):
        await chain.prepare(unit)

    assert [frame[6:10] for frame in port.sent] == [unhex("00000080"), unhex("000000ff")]
