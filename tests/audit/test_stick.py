"""The audit's own SHA-256, by which it knows the mistakes of a stick."""

import os
import time
from pathlib import Path

import pytest

from tests.audit import bitcoin, stick
from tests.audit.stick import GOLDEN_WORK, Tap, Work


def test_the_golden_work_hashes_to_the_block_that_it_is_of() -> None:
    state = b"".join(GOLDEN_WORK[at : at + 4] for at in range(28, -4, -4))
    tail = GOLDEN_WORK[60:64] + GOLDEN_WORK[56:60] + GOLDEN_WORK[52:56]
    digest = Work(0.0, state, tail, True).digest(bytes.fromhex("000187a2"))
    assert bitcoin.shown(digest) == "00000000000004b64108a8e4168cfaa890d62b8c061c6b74305b7f6cb2cf9fda"  # 171 874


def test_a_header_hashes_the_same_from_its_state() -> None:
    header, start = os.urandom(80), "6a09e667bb67ae853c6ef372a54ff53a510e527f9b05688c1f83d9ab5be0cd19"
    state = bitcoin.compress(bytes.fromhex(start), header[:64])
    assert bitcoin.sha256d_from(state, header[64:]) == bitcoin.sha256d(header)


def test_a_wrong_nonce_is_kept_apart_from_the_next_where_bytes_across_them_would_solve_the_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two ends of pseudo-terminals: a driver's, and one on which the test is the stick."""
    monkeypatch.setattr(stick, "PAUSE_S", 0.3)
    master, slave = os.openpty()
    with Tap(os.ttyname(slave), tmp_path / "stick", 1e-9) as tap:
        driver = os.open(tap.link, os.O_RDWR | os.O_NOCTTY)
        os.write(driver, bytes(64))
        os.read(master, 64)
        tap.target = 0  # nothing solves anything
        os.write(master, b"abcd")
        assert os.read(driver, 100) == b"abcd"
        tap.target = bitcoin.LARGEST  # everything does, also bytes across two nonces
        before = time.monotonic()
        os.write(master, b"efgh")
        assert os.read(driver, 100) == b"efgh"
        assert time.monotonic() - before > 0.25
        assert [item.work is None for item in tap.nonces] == [True, False]
        os.close(driver)
    os.close(master)
    os.close(slave)
