"""What the doctor says of kernels, sound, broken and switched off, and of processors."""

import os
from datetime import date

import pytest

from stratum_miner.app.doctor import processor
from stratum_miner.app.doctor.finding import Severity
from stratum_miner.backends.cpu import kernels


def test_every_kernel_is_tested_and_the_choice_is_told() -> None:
    findings = processor.kernel_findings({})
    by_subject = {item.subject: item for item in findings}
    assert by_subject["self-test"].verdict is Severity.GOOD
    assert f"all {len(kernels.available_kernels())} kernels" in by_subject["self-test"].text
    assert by_subject["choice"].text.startswith("fastest kernel: ")
    assert f", measured on {date.today()}: " in by_subject["choice"].text
    assert "MH/s per thread" in by_subject["choice"].text


def test_a_kernel_that_computes_wrongly_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = kernels.available_kernels()[-1]
    sound = kernels.self_test
    monkeypatch.setattr(kernels, "self_test", lambda kernel: kernel != broken and sound(kernel))
    finding = next(item for item in processor.kernel_findings({}) if item.subject == broken.name)
    assert finding.verdict is Severity.PROBLEM
    assert "overclocking" in finding.fix


def test_without_any_sound_kernel_there_is_no_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "self_test", lambda kernel: False)
    findings = processor.kernel_findings({})
    assert "choice" not in [item.subject for item in findings]
    assert sum(item.verdict is Severity.PROBLEM for item in findings) == len(kernels.available_kernels())


def test_a_kernel_that_is_switched_off_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "unusable_names", lambda: ("avx512", "neon"))
    findings = processor.kernel_findings({"STRATUM_MINER_CPU_DISABLE": "sse2, AVX512"})
    [off] = [item for item in findings if item.verdict is Severity.NOTE and item.subject == "kernels"]
    assert "switches off avx512," in off.text
    assert off.fix == "unset STRATUM_MINER_CPU_DISABLE"


def test_an_unknown_feature_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRATUM_MINER_CPU_DISABLE", "avx-512")
    [finding] = processor.kernel_findings(os.environ)
    assert finding.verdict is Severity.PROBLEM
    assert "STRATUM_MINER_CPU_DISABLE: expected names out of sse2, avx2" in finding.text
    assert "got 'avx-512': did you mean 'avx512'?" in finding.text
    assert "unset it" in finding.fix


def test_a_processor_with_nothing_fast_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = tuple(kernel for kernel in kernels.available_kernels() if kernel.name == "scalar")
    monkeypatch.setattr(kernels, "available_kernels", lambda: plain)
    assert any("-cpu host" in item.fix for item in processor.kernel_findings({}))


@pytest.mark.parametrize(
    ("usable", "quota", "installed", "needle"),
    [
        (8, 65536, 8, "one search thread for each of 8"),
        (8, 2, 8, "search threads: 2; the quota of its control group"),
        (3, 65536, 8, "search threads: 3; its CPU affinity"),
    ],
)
def test_threads(usable: int, quota: int, installed: int, needle: str) -> None:
    assert needle in processor.thread_finding(usable, quota, installed).text
