"""Bring-up of every board, frame by frame, against the tables of docs/reference/asic.md written out in hex."""

import pytest

from stratum_miner.backends.asic.boards import board_of
from stratum_miner.backends.asic.chain import ChainSettings, ChipChain
from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.backends.asic.chips.pll import nearest
from stratum_miner.backends.asic.crc import crc5, put_crc5_in_last_byte
from stratum_miner.backends.asic.errors import DeviceRefused, DeviceSilent, PowerFault, WrongChip
from tests.backends.asic.memory_port import Answer, MemoryPort
from tests.backends.asic.vectors import VECTORS, unhex


def chip_ids(question: str, answer: str, count: int = 1) -> Answer:
    """Answers the chip count, and reads of the clock with what was written."""

    def respond(port: MemoryPort, data: bytes) -> None:
        if data == unhex(question):
            port.say(unhex(answer) * count)

    return respond


def chain_of(kind: str, port: MemoryPort, **changes: object) -> ChipChain:
    board = board_of(kind)
    settings: dict[str, object] = {
        "chips": board.chips,
        "frequency": board.frequency.default if board.frequency else None,
        **changes,
    }
    return CHAINS[board.chip](port, board, ChainSettings(**settings))  # type: ignore[arg-type]


def hexed(text: str) -> list[bytes]:
    return [unhex(line) for line in text.split("\n") if line.strip()]


def preambled(*frames: str) -> list[bytes]:
    return [unhex("55 AA" + frame) for frame in frames]


def sealed(body: str) -> bytes:
    """A frame whose CRC no source prints."""
    return b"\x55\xaa" + unhex(body) + bytes([crc5(unhex(body))])


def esp_ramp(target: float, lowest: int, highest: int) -> list[bytes]:
    """56.25 up in steps of 6.25, then the target."""
    steps = [56.25 + 6.25 * index for index in range(200) if 56.25 + 6.25 * index < target] + [target]
    frames = []
    for frequency in steps:
        body = bytes([0x51, 9, 0, 8]) + nearest(frequency, lowest, highest).word().to_bytes(4, "big")
        frames.append(b"\x55\xaa" + body + bytes([crc5(body)]))
    return frames


ULTRA = [
    *preambled(*["51 09 00 A4 90 00 FF FF 1C"] * 3, "52 05 00 00 0A", "51 09 00 A8 00 07 00 00 03"),
    *preambled("51 09 00 18 FF 0F C1 00 00", "53 05 00 00 03", "40 05 00 00 1C", "51 09 00 3C 80 00 85 40 0C"),
    *preambled("51 09 00 3C 80 00 80 20 19", "51 09 00 14 00 00 00 FF 08", "51 09 00 54 00 00 00 03 1D"),
    *preambled("51 09 00 58 02 11 11 11 06", "41 09 00 2C 00 7C 00 03 03", "41 09 00 A8 00 07 01 F0 15"),
    *preambled("41 09 00 18 F0 00 C1 00 0C", "41 09 00 3C 80 00 85 40 04", "41 09 00 3C 80 00 80 20 11"),
    *preambled("41 09 00 3C 80 00 82 AA 05"),
    *esp_ramp(485, 144, 235),
    sealed("51 09 00 10 00 0D 32 24"),
    *preambled("51 09 00 A4 90 00 FF FF 1C", "51 09 00 28 11 30 02 00 03"),
]
SUPRA = [
    *preambled(*["51 09 00 A4 90 00 FF FF 1C"] * 4, "52 05 00 00 0A", "53 05 00 00 03", "51 09 00 A8 00 07 00 00 03"),
    *preambled("51 09 00 18 FF 0F C1 00 00", "51 09 00 3C 80 00 8B 00 12", "51 09 00 3C 80 00 80 18 1F"),
    *preambled("51 09 00 14 00 00 00 FF 08", "51 09 00 54 00 00 00 03 1D", "51 09 00 58 02 11 11 11 06"),
    *preambled("40 05 00 00 1C", "41 09 00 A8 00 07 01 F0 15", "41 09 00 18 F0 00 C1 00 0C"),
    *preambled("41 09 00 3C 80 00 8B 00 1A"),
    sealed("41 09 00 3C 80 00 80 18"),
    *preambled("41 09 00 3C 80 00 82 AA 05"),
    *preambled("51 09 00 14 00 00 00 FF 08"),
    *esp_ramp(490, 144, 235),
    sealed("51 09 00 10 00 0D 0F AC"),
    *preambled("51 09 00 A4 90 00 FF FF 1C", "51 09 00 28 11 30 02 00 03"),
]
GAMMA = [
    *preambled(*["51 09 00 A4 90 00 FF FF 1C"] * 3, "52 05 00 00 0A", "51 09 00 A4 90 00 FF FF 1C"),
    *preambled("51 09 00 A8 00 07 00 00 03", "51 09 00 18 F0 00 C1 00 04", "53 05 00 00 03", "40 05 00 00 1C"),
    *preambled("51 09 00 3C 80 00 8B 00 12", "51 09 00 3C 80 00 80 0C 11", "51 09 00 14 00 00 00 FF 08"),
    *preambled("51 09 00 58 00 01 11 11 0D", "41 09 00 A8 00 07 01 F0 15", "41 09 00 18 F0 00 C1 00 0C"),
    *preambled("41 09 00 3C 80 00 8B 00 1A", "41 09 00 3C 80 00 80 0C 19", "41 09 00 3C 80 00 82 AA 05"),
    *preambled("51 09 00 B9 00 00 44 80 0D", "51 09 00 54 00 00 00 02 18", "51 09 00 B9 00 00 44 80 0D"),
    *preambled("51 09 00 3C 80 00 8D EE 1B"),
    *esp_ramp(525, 160, 239),
    sealed("51 09 00 10 00 0C 2F B7"),
    *preambled("51 09 00 28 11 30 02 00 03", "51 09 00 A4 90 00 FF FF 1C"),
]
COMPAC_A1 = [
    *preambled("51 09 00 A4 90 00 FF FF 1C", "52 05 00 00 0A", "53 05 00 00 03", "40 05 00 00 1C"),
    *preambled("51 09 00 3C 80 00 85 40 0C", "51 09 00 3C 80 00 80 08 05"),
    sealed("51 09 00 14 00 00 00 F0"),
    *preambled("51 09 00 54 00 00 00 03 1D", "51 09 00 58 00 01 11 11 0D", "41 09 00 A8 00 00 00 02 03"),
    *preambled("41 09 00 18 B0 00 C1 00 1C", "41 09 00 3C 80 00 85 40 04", "41 09 00 3C 80 00 80 08 0D"),
    *preambled("41 09 00 3C 80 00 82 AA 05", "51 09 00 70 0F 0F 0F 00 19"),
    sealed("51 09 00 08 40 78 02 40"),
    *preambled("51 09 00 10 00 00 12 C9 1E", "51 09 00 A4 90 00 FF FF 1C"),
]
COMPAC_F = [
    *preambled("52 05 00 00 0A", *["53 05 00 00 03"] * 3, "40 05 00 00 1C", "51 09 00 80 00 00 00 00 1C"),
    *preambled("51 09 00 84 00 00 00 00 11", "51 09 00 20 00 00 00 01 02", "51 09 00 3C 80 00 80 74 10"),
    sealed("51 09 00 14 00 00 00 F0"),
    *preambled(*["51 09 00 68 C0 70 01 11 00"] * 2, "51 09 00 28 06 00 00 0F 18"),
    *preambled("51 09 00 18 00 00 61 31 1C", *["51 09 00 70 0F 0F 0F 00 19"] * 2),
    *preambled(*["51 09 00 08 40 A0 02 25 16"] * 2, "52 05 00 08 07"),
]
NEWPAC = [
    *hexed("54 05 00 00 19\n" + "55 05 00 00 10\n" * 3 + "41 05 00 00 15\n41 05 80 00 19"),
    *hexed("58 09 00 1C 00 20 01 00 1B\n58 09 00 1C 40 20 81 80 09"),
    *[unhex(VECTORS["bm1387_open_core"]["job_0"])[:2]] * 116,
    sealed("58 09 00 0C 00 20 02 41")[2:],
    unhex("44 05 00 0C 04"),
    sealed("44 05 80 0C")[2:],
]
COMPAC = [
    *hexed("84 00 00 11\n85 00 00 0F\n01 00 00 19\n82 0B 83 19\n84 00 04 00"),
    *[bytes(51) + bytes([index % 32]) + bytes(12) for index in range(57)],
]
TWO_PAC = [
    *hexed("84 00 00 11\n85 00 00 0F\n01 00 00 19\n01 80 00 16"),
    put_crc5_in_last_byte(unhex("82 07 83 00")),
    *COMPAC[4:],
]
GOLDEN = unhex(VECTORS["icarus"]["golden"])
U1 = [GOLDEN, unhex("82 07 81 06"), GOLDEN]


@pytest.mark.parametrize(
    ("kind", "answer", "expected", "bauds"),
    [
        ("bitaxe-ultra", chip_ids("55AA520500000A", VECTORS["chip_ids"]["bm1366"][1]), ULTRA, [1_000_000]),
        ("bitaxe-supra", chip_ids("55AA520500000A", VECTORS["chip_ids"]["bm1368"][1]), SUPRA, [1_000_000]),
        ("bitaxe-gamma", chip_ids("55AA520500000A", VECTORS["chip_ids"]["bm1370"][1]), GAMMA, [1_000_000]),
        ("compac-a1", chip_ids("55AA520500000A", VECTORS["chip_ids"]["bm1362"][1]), COMPAC_A1, []),
        ("compac-f", chip_ids("55AA520500000A", VECTORS["chip_ids"]["bm1397"][0]), COMPAC_F, [1_500_000]),
        ("newpac", chip_ids("5405000019", "13879000000007", 2), NEWPAC, [1_500_000]),
        ("compac", chip_ids("84000011", "1384000013"), COMPAC, []),
        ("2pac", chip_ids("84000011", "1384000013", 2), TWO_PAC, []),
        ("antminer-u1", chip_ids(GOLDEN.hex(), "000187a280"), U1, []),
        ("erupter", chip_ids(GOLDEN.hex(), "000187a2"), [GOLDEN], []),
    ],
)
async def test_frames(
    kind: str, answer: Answer, expected: list[bytes], bauds: list[int], autojump_clock: object
) -> None:
    port = MemoryPort(answer=answer)
    await chain_of(kind, port).bring_up()
    sent = [frame[:2] if frame[:1] == b"\x21" else frame for frame in port.sent]
    assert [frame.hex() for frame in sent] == [frame.hex() for frame in expected]
    assert port.bauds == bauds


async def test_open_core_work_of_a_newpac(autojump_clock: object) -> None:
    port = MemoryPort(answer=chip_ids("5405000019", "13879000000007", 2))
    await chain_of("newpac", port).bring_up()
    jobs = [frame for frame in port.sent if frame[:1] == b"\x21"]
    assert jobs[0] == unhex(VECTORS["bm1387_open_core"]["job_0"])
    assert [job[2] for job in jobs] == list(range(116))


async def test_icarus_finds_out_how_its_engines_share_the_range(autojump_clock: object) -> None:
    answers = {unhex(VECTORS["icarus"]["golden"]): unhex("000187a2")}
    for engines, nonce in VECTORS["icarus"]["probe_replies"].items():
        answers[unhex(VECTORS["icarus"]["probe"])] = unhex(nonce)
        port = MemoryPort(answer=lambda port, data: port.say(answers[data]))
        chain = chain_of("icarus", port)
        await chain.bring_up()
        assert chain.chips == int(engines)


async def test_a_compac_f_ramps_up(autojump_clock: object) -> None:
    port = MemoryPort(answer=chip_ids("55AA520500000A", VECTORS["chip_ids"]["bm1397"][0]))
    chain = chain_of("compac-f", port, frequency=260.0)
    await chain.bring_up()
    clocks = [frame for frame in port.sent if frame[:6] == unhex("55AA51090008")]
    assert len(clocks) == 6  # 225, 250, 260, each twice
    assert chain.frequency == 260


SILENT: Answer = lambda port, data: None  # noqa: E731  a value of the table below


@pytest.mark.parametrize(
    ("kind", "answer", "changes", "error", "message"),
    [
        ("bitaxe-gamma", SILENT, {}, DeviceSilent, "expected 1 bm1370 to answer, got none"),
        ("bitaxe-gamma", SILENT, {"seen_alive": True}, PowerFault, "no chip answered after a reset"),
        (
            "bitaxe-gamma",
            chip_ids("55AA520500000A", VECTORS["chip_ids"]["bm1368"][1]),
            {},
            WrongChip,
            "chip id: expected 1370, got 1368",
        ),
        ("2pac", chip_ids("84000011", "1384000013"), {}, PowerFault, "expected 2 bm1384, 1 answered"),
        ("compac", chip_ids("84000011", "1384000013", 2), {}, WrongChip, "expected 1 bm1384, 2 answered"),
        ("erupter", SILENT, {}, DeviceSilent, "expected 1 icarus to answer"),
        ("erupter", chip_ids(GOLDEN.hex(), "000187a280"), {}, WrongChip, "expected 4 bytes starting with 000187a2"),
        ("erupter", chip_ids(GOLDEN.hex(), "deadbeef"), {}, WrongChip, "got deadbeef"),
        ("antminer-u1", chip_ids(GOLDEN.hex(), "000187a2"), {}, WrongChip, "expected 5 bytes"),
    ],
)
async def test_what_does_not_fit_is_named(
    kind: str, answer: Answer, changes: dict[str, object], error: type, message: str, autojump_clock: object
) -> None:
    with pytest.raises(error, match=message):
        await chain_of(kind, MemoryPort(answer=answer), **changes).bring_up()


@pytest.mark.parametrize("first", [True, False])
async def test_values_that_nobody_asked_for_are_no_answers(first: bool, autojump_clock: object) -> None:
    """While it is counted, a chip sends the value of another register
    (docs/reference/asic.md#unrequested-register-values)."""
    answer = unhex(VECTORS["chip_ids"]["bm1397"][0])
    other = b"\xaa\x55" + put_crc5_in_last_byte(unhex("C1 00 00 00 00 18 00"))
    port = MemoryPort(answer=chip_ids("55AA520500000A", (other + answer if first else answer + other).hex()))
    chain = chain_of("compac-f", port)
    await chain.bring_up()
    assert chain.chips == 1
    alone = MemoryPort(answer=chip_ids("55AA520500000A", other.hex()))
    with pytest.raises(DeviceSilent, match="expected 1 bm1397 to answer, got none"):
        await chain_of("compac-f", alone).bring_up()


@pytest.mark.parametrize("m", ["0F", "16", "18"])
async def test_a_clock_that_is_not_kept_is_refused(m: str, autojump_clock: object) -> None:
    """100 MHz, and one step of 6.25 MHz below and above the 150 MHz that were set."""

    def respond(port: MemoryPort, data: bytes) -> None:
        if data == unhex("84000011"):
            port.say(unhex("1384000013"))
        elif data == unhex("84000400"):
            port.say(put_crc5_in_last_byte(unhex(f"80 {m} 00 03 00")))

    port = MemoryPort(answer=respond)
    with pytest.raises(DeviceRefused, match="do not keep a clock of 150 MHz"):
        await chain_of("compac", port).bring_up()
    assert port.sent.count(unhex("820B8319")) == 4


async def test_a_clock_that_is_kept_is_not_set_again(autojump_clock: object) -> None:
    def respond(port: MemoryPort, data: bytes) -> None:
        if data == unhex("84000011"):
            port.say(unhex("1384000013"))
        elif data == unhex("84000400"):
            port.say(put_crc5_in_last_byte(unhex("80 17 00 03 00")))

    port = MemoryPort(answer=respond)
    await chain_of("compac", port).bring_up()
    assert port.sent.count(unhex("820B8319")) == port.sent.count(unhex("84000400")) == 1


@pytest.mark.parametrize(("word", "is_kept"), [("80200241", True), ("80210241", False)])
async def test_a_clock_read_back_is_compared_with_the_one_that_was_set(
    word: str, is_kept: bool, autojump_clock: object
) -> None:

    def respond(port: MemoryPort, data: bytes) -> None:
        if data == unhex("5405000019"):
            port.say(unhex("13879000000007") * 2)
        elif data[:2] == b"\x44\x05":
            port.say(put_crc5_in_last_byte(unhex(word) + bytes(3)))

    port = MemoryPort(answer=respond)
    chain = chain_of("newpac", port)
    if is_kept:
        await chain.bring_up()
        assert [data[:4].hex() for data in port.sent if data[:1] == b"\x44"] == ["4405000c", "4405800c"]
    else:
        with pytest.raises(DeviceRefused, match="do not keep a clock of 100 MHz"):
            await chain.bring_up()


async def test_reset_comes_first_where_there_is_a_line(autojump_clock: object) -> None:
    port = MemoryPort(answer=chip_ids("5405000019", "13879000000007", 2))
    port.has_reset = True
    await chain_of("newpac", port).bring_up()
    assert port.resets == [True, False]


@pytest.mark.parametrize(
    ("kind", "question", "answer", "back"),
    [
        ("newpac", "5405000019", "13879000000007", "5809001c00201a00"),
        ("compac-f", "55AA520500000A", VECTORS["chip_ids"]["bm1397"][0], "55aa5109001800007a31"),
    ],
)
async def test_chips_left_at_a_fast_rate_are_called_back(
    kind: str, question: str, answer: str, back: str, autojump_clock: object
) -> None:
    """A run that crashed left them there, and there is no reset line."""
    state = {"fast": True}

    def respond(port: MemoryPort, data: bytes) -> None:
        heard = (port.bauds[-1:] == [1_500_000]) is state["fast"]
        if heard and data.hex().startswith(back):
            state["fast"] = False
        elif heard and data == unhex(question):
            port.say(unhex(answer) * board_of(kind).chips)

    port = MemoryPort(answer=respond)
    chain = chain_of(kind, port)
    await chain.bring_up()
    assert port.bauds == [1_500_000, 115_200, 1_500_000]
    await chain.make_idle()
    assert port.sent[-1].hex().startswith(back)  # so that the next run finds them at the first rate
