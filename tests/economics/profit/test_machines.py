"""Machines by name: the devices of ``--device`` with sourced figures, and the names that people type."""

from decimal import Decimal
from pathlib import Path

import pytest

from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.economics.profit.machines import Machine, known_machines, machine_named
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


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_adds_machines_and_replaces_known_ones(tmp_path: Path) -> None:
    path = write(
        tmp_path / "own.toml",
        '[machines.attic-rig]\nhash_rate = "14TH"\npower = "1.4kW"\ncapex = 50\nsource = "scales"\ndate = 2026-01-15\n'
        '[machines.bitaxe-gamma]\nhash_rate = "1.5TH"\npower = 20\n',
    )
    known = known_machines(path)
    assert known["attic-rig"] == Machine(
        name="attic-rig", hash_rate=14e12, power=Decimal(1400), capex=Decimal(50), source="scales", date="2026-01-15"
    )
    assert known["bitaxe-gamma"] == Machine(name="bitaxe-gamma", hash_rate=1.5e12, power=Decimal(20))
    assert (known["bitaxe-gamma"].count, known["bitaxe-gamma"].capex) == (1, None)
    assert known.keys() == KNOWN.keys() | {"attic-rig"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[machine.x]", "own.toml: unknown key 'machine': did you mean 'machines'?"),
        ("machines = 3", "own.toml: machines: expected a table, got 3"),
        ("[machines]\nx = 3", "own.toml: x: expected a table, got 3"),
        (
            '[machines.x]\nhashrate = "1TH"',
            "own.toml: machines.x: unknown key 'hashrate': did you mean 'hash_rate'?",
        ),
        ('[machines.x]\npower = "1W"', "own.toml: machines.x: expected the key hash_rate, but it is missing"),
        ('[machines.x]\nhash_rate = "1TH"', "own.toml: machines.x: expected the key power, but it is missing"),
        (
            "[machines.x]\nhash_rate = 1\npower = 1",
            "own.toml: machines.x: hash_rate: expected a hash rate with its unit",
        ),
        ('[machines.x]\nhash_rate = "1TH"\npower = "1V"', "own.toml: machines.x: power: expected a power such as 17W"),
        (
            '[machines.x]\nhash_rate = "1TH"\npower = 1\ncapex = "9 EUR"',
            "own.toml: machines.x: capex: expected a number without a currency, which --currency names, got EUR",
        ),
        (
            '[machines.x]\nhash_rate = "1TH"\npower = 1\ndate = "now"',
            "own.toml: machines.x: date: expected a date such as 2026-11-01, got 'now'",
        ),
    ],
)
def test_mistakes_in_a_file_name_the_file_and_the_key(text: str, words: str, tmp_path: Path) -> None:
    path = write(tmp_path / "own.toml", text)
    with pytest.raises(TermError) as caught:
        known_machines(path)
    assert str(caught.value).startswith(f"{tmp_path}/{words}")


def test_a_file_that_is_missing_names_its_option(tmp_path: Path) -> None:
    with pytest.raises(TermError, match=r"^--hardware: cannot read '.*/none.toml': No such file or directory$"):
        known_machines(tmp_path / "none.toml")


def test_the_exact_name_goes_before_names_that_end_alike() -> None:
    """``s19`` is a machine of its own, although ``antminer-s19`` ends with it."""
    known = {
        name: Machine(name=name, hash_rate=1e12, power=Decimal(1)) for name in ("antminer-s19", "s19", "x-y", "big-x-y")
    }
    assert machine_named("s19", known, "it").name == "s19"
    assert machine_named("S19", known, "it").name == "s19"
    assert machine_named("x y", known, "it").name == "x-y"
    assert machine_named("y", known, "it").name == "big-x-y"  # the longest of those that end with the other


def test_of_two_names_that_differ_in_their_case_the_exact_one_is_meant() -> None:
    known = {name: Machine(name=name, hash_rate=1e12, power=Decimal(1)) for name in ("rig", "Rig")}
    assert [machine_named(name, known, "it").name for name in ("rig", "Rig")] == ["rig", "Rig"]
    with pytest.raises(TermError, match="it: expected one machine, got 'RIG', which may be rig or Rig"):
        machine_named("RIG", known, "it")


def test_a_name_that_ends_as_typed_goes_before_one_that_is_the_end_of_it() -> None:
    known = {name: Machine(name=name, hash_rate=1e12, power=Decimal(1)) for name in ("f", "gekko-compac-f")}
    assert machine_named("compac-f", known, "it").name == "gekko-compac-f"
    assert machine_named("my-own-f", known, "it").name == "f"
