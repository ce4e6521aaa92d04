"""A fault is one function and its row: a copy of the package is given one of a pool, of a device and of miners."""

import json
from pathlib import Path

import pytest

from tests.package_copy import add_line, copied, said

POOL_FAULT = """
def _capitals(state: FaultState, line: ProtocolLine) -> Iterable[FilterAction] | None:
    return _instead(line.data.upper()) if line.sender is Side.POOL else None


"""
SHARE_FAULT = """
def _zero_nonce(good: GoodShare, rng: Random) -> Submit:
    return replace(good.submit, nonce=0)


"""
WIRE_FAULT = """
def backwards(lines: Sequence[bytes], rng: Random) -> list[bytes]:
    return [line[::-1] for line in lines]


"""
CONDUCT = """
async def _farewell(plan: RawMinerPlan, rng: Random) -> FaultOutcome:
    return FaultOutcome("farewell", FaultVerdict.SERVED, "said goodbye")


"""
ADDITIONS = [
    (
        "pool_faults",
        "# ---- jobs ",
        POOL_FAULT,
        '        PoolFault("capitals", "sends everything in capitals", _capitals),',
    ),
    (
        "share_faults",
        "def _stale(",
        SHARE_FAULT,
        '        ShareFault("zero-nonce", "its nonce is zero", frozenset({ErrorReason.LOW_DIFFICULTY}), _zero_nonce),',
    ),
    (
        "wire_faults",
        "def garbage_line(",
        WIRE_FAULT,
        '        WireFault("backwards", "turns lines", backwards, False),',
    ),
    ("conduct", "async def _slow_reader(", CONDUCT, '        Conduct("farewell", "says goodbye", _farewell),'),
]
"""A file, what the function is put before, the function, and its row in the table of the file."""
PROGRAM = """
from random import Random
import trio
from stratum_miner.capture.record import Side
from stratum_miner.capture.filter import Send
from stratum_miner.faults.fault_filter import filter_of, parse
from stratum_miner.faults.misbehaving_miner import misbehave
from stratum_miner.faults.raw_miner import RawMinerPlan
from stratum_miner.loadtest.plan import LoadPlan

assert list(filter_of([parse("capitals")], "0").line(Side.POOL, b"{}x\\n")) == [Send(Side.MINER, b"{}X\\n")]
LoadPlan(host="127.0.0.1", port=1, miners=1, ramp=0, duration=1, bad={"zero-nonce": 0.5})
print(trio.run(misbehave, RawMinerPlan(dial=trio.sleep_forever, worker_name="x"), "farewell").answer)
"""


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = copied(tmp_path_factory.mktemp("added"))
    for file, before, function, row in ADDITIONS:
        path = copy / "faults" / f"{file}.py"
        head, found, rest = path.read_text(encoding="utf-8").partition(before)
        assert found
        path.write_text(head + function + found + rest, encoding="utf-8")
        table = "    for conduct in (\n" if file == "conduct" else "    for fault in (\n"
        add_line(path, table, row)
    add_line(copy / "emulators" / "faults.py", "] = {\n", '    "mute": FaultKind("it says nothing of nonces", 1.0),')
    dropped = '        if faults.damages("dropped-nonces", age):\n            return\n'
    struck = '        if faults.damages("mute", age):\n            return'
    add_line(copy / "emulators" / "model.py", dropped, struck)
    return copy


def test_the_commands_name_them(added: Path) -> None:
    assert "capitals" in said(added, "-m", "stratum_miner", "pool", "--help-all")
    shown = said(added, "-m", "stratum_miner", "misbehave", "--help-all")
    assert [name for name in ("zero-nonce", "backwards", "farewell") if name not in shown] == []


def test_an_emulated_device_has_it(added: Path) -> None:
    assert "mute" in said(added, "-m", "stratum_miner", "emulate", "--help")
    emulate = ("emulate", "erupter", "--fault", "mute", "--time-limit", "0.1", "--json")
    assert json.loads(said(added, "-m", "stratum_miner", *emulate).splitlines()[-1])


def test_they_are_committed(added: Path) -> None:
    assert said(added, "-c", PROGRAM) == "said goodbye\n"
