"""Machines by name: the devices of ``--device`` with sourced figures, and the names that people type."""

import pytest

from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.economics.profit import terms
from stratum_miner.economics.profit.machines import known_machines, machine_named
from stratum_miner.economics.profit.terms import TermError

KNOWN = known_machines()


@pytest.mark.parametrize("kind", BOARDS)
def test_every_kind_of_device_is_a_machine(kind: str) -> None:
    expected = 1.2e12 if kind == "bitaxe-gamma" else BOARDS[kind].hash_rate()  # its source measured a higher frequency
    assert KNOWN[kind].hash_rate == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("name", KNOWN)
def test_every_figure_has_a_source_and_a_date(name: str) -> None:
    machine = KNOWN[name]
    assert machine.source
    assert machine.date
    assert 9 < float(machine.power) / machine.hash_rate * 1e12 < 60_000  # J/TH


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("bitaxe-gamma", "bitaxe-gamma"), ("Bitaxe Gamma", "bitaxe-gamma"), ("bitaxe_supra", "bitaxe-supra"),
        ("bitaxegamma", "bitaxe-gamma"), ("supra", "bitaxe-supra"), ("ULTRA", "bitaxe-ultra"), ("r606", "r606"),
        ("R606", "r606"), ("compacf", "compac-f"), ("Compac F", "compac-f"), ("compac", "compac"), ("2pac", "2pac"),
        ("erupter", "erupter"), ("block-erupter", "erupter"), ("u2", "antminer-u2"), ("a1", "compac-a1"),
        ("s19pro", "antminer-s19-pro"), ("S21 Pro", "antminer-s21-pro"), ("Bitaxe Gamma 601", "bitaxe-gamma"),
        ("block erupter usb", "erupter"), ("Compac F stick", "compac-f"),
        ("GekkoScience Compac F", "compac-f"), ("s21", "antminer-s21"), ("s21-pro", "antminer-s21-pro"),
    ],
)  # fmt: skip
def test_a_name_that_people_type(typed: str, name: str) -> None:
    assert machine_named(typed, KNOWN, "--machine").name == name


@pytest.mark.parametrize(
    ("typed", "needle"),
    [
        ("bitaxe", "expected one machine, got 'bitaxe', which may be bitaxe-gamma or bitaxe-supra or bitaxe-ultra or"),
        ("pro", "which may be antminer-s21-pro or antminer-s19-pro"),
        ("s19", "unknown machine 's19': did you mean 'antminer-s19-pro'?"),
        ("bitaxe-gama", "unknown machine 'bitaxe-gama': did you mean 'bitaxe-gamma'?"),
        ("Antminer S9", "unknown machine 'Antminer S9'; known machines: .*Give --hash-rate and --power for any other"),
        ("S21 XP", "unknown machine 'S21 XP'; known"),
        ("toaster", "unknown machine 'toaster'; known machines: 2pac, antminer-s19-pro,"),
    ],
)
def test_a_name_that_fits_none_or_several(typed: str, needle: str) -> None:
    with pytest.raises(TermError, match=rf"^--machine: .*{needle}".replace("?", r"\?")):
        machine_named(typed, KNOWN, "--machine")


@pytest.mark.parametrize(
    ("text", "count", "name"),
    [
        ("gamma", 1, "gamma"), ("3xgamma", 3, "gamma"), ("3 x gamma", 3, "gamma"), ("3×gamma", 3, "gamma"),
        ("3*gamma", 3, "gamma"), ("3 gamma", 3, "gamma"), ("2pac", 1, "2pac"), ("3x2pac", 3, "2pac"),
        ("2 Compac F", 2, "Compac F"), ("1,000,000xr606", 1_000_000, "r606"),
    ],
)  # fmt: skip
def test_machines_and_their_number(text: str, count: int, name: str) -> None:
    assert terms.machine_and_count("--machine", text) == (count, name)


@pytest.mark.parametrize("text", ["0xgamma", "1,000xgamma", "xx?", ""])
def test_a_wrong_number_of_machines(text: str) -> None:
    with pytest.raises(TermError, match=r"^--machine: expected "):
        terms.machine_and_count("--machine", text)
