"""Quotas, topologies and names as different systems show them."""

from pathlib import Path

import pytest

from stratum_miner.backends.cpu import processors

UNLIMITED = 1 << 16


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


@pytest.mark.parametrize(
    ("text", "threads"), [("max 100000", UNLIMITED), ("150000 100000", 2), ("10000 100000", 1), ("junk", UNLIMITED)]
)
def test_container_quota(tmp_path: Path, text: str, threads: int) -> None:
    write(tmp_path / "cpu.max", text)
    absent = tmp_path / "absent"
    assert processors.quota(tmp_path, absent) == threads
    assert processors.default_threads(tmp_path, absent) == min(threads, len(processors.usable()))
    assert processors.most_threads(tmp_path, absent) == 8 * processors.default_threads(tmp_path, absent)
    assert processors.quota(absent, absent) == UNLIMITED


def test_the_tightest_of_nested_groups_counts(tmp_path: Path) -> None:
    own = tmp_path / "cgroup"
    own.write_text("1:name=systemd:/x\n0::/user.slice/session.scope\n")
    write(tmp_path / "user.slice" / "cpu.max", "200000 100000\n")
    write(tmp_path / "user.slice" / "session.scope" / "cpu.max", "400000 100000\n")
    assert processors.quota(tmp_path, own) == 2
    write(tmp_path / "user.slice" / "session.scope" / "cpu.max", "100000 100000\n")
    assert processors.quota(tmp_path, own) == 1


def test_whole_fast_cores_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "usable", lambda: (0, 1, 2, 3, 4, 5))
    for processor, siblings, speed in ((0, "0-1", 5000), (1, "0-1", 5000), (2, "2-3", 5000), (3, "2-3", 5000)):
        write(tmp_path / f"cpu{processor}" / "topology" / "thread_siblings_list", siblings)
        write(tmp_path / f"cpu{processor}" / "cpufreq" / "cpuinfo_max_freq", str(speed))
    for processor in (4, 5):
        write(tmp_path / f"cpu{processor}" / "topology" / "thread_siblings_list", str(processor))
        write(tmp_path / f"cpu{processor}" / "cpufreq" / "cpuinfo_max_freq", "3800")
    assert processors.by_preference(tmp_path) == (0, 2, 4, 5, 1, 3)


def test_arm_names_its_kinds_of_cores_by_capacity(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processors, "usable", lambda: (0, 1))
    write(tmp_path / "cpu0" / "cpu_capacity", "446")
    write(tmp_path / "cpu1" / "cpu_capacity", "1024")
    assert processors.by_preference(tmp_path) == (1, 0)


def test_a_system_that_tells_nothing_keeps_its_order(tmp_path: Path) -> None:
    assert processors.by_preference(tmp_path) == processors.usable()


X86 = "processor : 0\nmodel name\t: Some CPU @ 3 GHz\n\nprocessor : 1\nmodel name\t: Some CPU @ 3 GHz\n"
ARM = "CPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\nCPU implementer\t: 0x41\nCPU part\t: 0xd05\n"


@pytest.mark.parametrize(("text", "name"), [(X86, "Some CPU @ 3 GHz"), (ARM, "0x41 0xd05 0xd0b")])
def test_model(tmp_path: Path, text: str, name: str) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(text)
    assert processors.model(file) == name
    assert processors.model(tmp_path / "absent")
