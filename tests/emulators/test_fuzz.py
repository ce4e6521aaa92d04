"""Whatever a host sends, on any port and at any rate, a device neither crashes nor stops answering."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stratum_miner.emulators import FAULTS, KINDS

Plug = Callable[..., Any]
GOLDEN = "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a" + "00" * 20 + "87320b1a1426674f2fa722ce"
QUESTIONS = {
    "icarus": (GOLDEN, "000187a2"),
    "erupter": (GOLDEN, "000187a2"),
    "antminer-u1": (GOLDEN, "000187a280"),
    "compac": ("84000011", "13"),
    "2pac": ("84000011", "13"),
    "newpac": ("5405000019", "1387"),
    "r606": ("5405000019", "1387"),
    "compac-f": ("55aa520500000a", "aa551397"),
    "compac-a1": ("55aa520500000a", "aa551362"),
    "bitaxe-gamma": ("060004000600", "010004"),
    "bitaxe-supra": ("060004000600", "010004"),
    "bitaxe-ultra": ("060004000600", "010004"),
}
"""What each always answers, on its first port: the begin of it."""
FRAME_LIKE = st.sampled_from([b"\x55\xaa", b"\x21\x96", b"\x51\x09", b"\x82", b"\x08\x00\x01\x00\x05\x40", b"V", b"B-"])
PIECES = st.lists(st.tuples(st.binary(max_size=60) | FRAME_LIKE, st.integers(0, 3), st.floats(0, 0.1)), max_size=8)


def test_every_kind_has_a_question() -> None:
    assert set(QUESTIONS) == set(KINDS), "QUESTIONS above: expected what each kind always answers"


@pytest.mark.parametrize("kind", QUESTIONS)
@settings(deadline=None, max_examples=25)
@given(pieces=PIECES)
def test_noise_on_every_port(kind: str, plug: Plug, pieces: list[tuple[bytes, int, float]]) -> None:
    host = plug(kind, hash_rate=1e5)
    ports = host.device.ports
    for data, port, pause in pieces:
        host.send(data, ports[port % len(ports)])
        host.wait(pause)
    host.wait(0.2)
    host.device.power_cycle(host.now)  # noise may have switched it off, or set another speed
    question, answer = QUESTIONS[kind]
    assert host.ask(question, 0.3, ports[0]).startswith(answer)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_all_faults_at_once(kind: str, plug: Plug) -> None:
    lasting = [f"{name}=0.3" if fault.probability is not None else f"{name}@1+1" for name, fault in FAULTS.items()]
    host = plug(kind, hash_rate=1e6, nonce_difficulty=2**-16, faults=lasting, seed=5)
    question, _ = QUESTIONS[kind]
    for _ in range(40):
        host.send(question, host.device.ports[0])
        host.wait(0.1)
    assert host.device.counts.commands + host.device.counts.works > 20
    host.device.faults.faults.clear()
    host.wait(3)
    host.device.power_cycle(host.now)
    question, answer = QUESTIONS[kind]
    assert host.ask(question, 0.3, host.device.ports[0]).startswith(answer)
