"""The doctor on the processor: which kernels it runs, whether they compute rightly, which one mines, and how many."""

import os
from collections.abc import Mapping, Sequence

import trio

from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.backends.base import BackendOptionError, SelfTestError
from stratum_miner.backends.cpu import choice, kernels, processors

TOPIC = "cpu"


async def check_kernels() -> Sequence[Finding]:
    """What can run, what is switched off, whether each computes the known answers, and the choice."""
    return await trio.to_thread.run_sync(kernel_findings, os.environ)


def kernel_findings(environment: Mapping[str, str]) -> list[Finding]:
    """The same, of this environment."""
    try:
        available = kernels.available_kernels()
    except BackendOptionError as error:
        fix = f"correct {kernels.DISABLING}, or unset it"
        return [Finding(topic=TOPIC, subject="kernels", verdict=Severity.PROBLEM, text=str(error), fix=fix)]
    names = [kernel.name for kernel in available]
    findings = [
        Finding(
            topic=TOPIC, subject="", verdict=Severity.GOOD, text=f"{processors.model()}; kernels: {', '.join(names)}"
        )
    ]
    findings += _switched_off(kernels.unusable_names(), environment)
    if all(kernel.is_plain for kernel in available):
        findings.append(
            Finding(
                topic=TOPIC,
                subject="",
                verdict=Severity.NOTE,
                text="it has, or shows us, none of the instructions that make mining fast",
                fix="on a virtual machine: let it see the host's CPU (for KVM: -cpu host)",
            )
        )
    findings += _self_tests(available)
    try:
        chosen = choice.choose()
    except SelfTestError:  # all of them; said above
        return findings
    findings.append(Finding(topic=TOPIC, subject="choice", verdict=Severity.GOOD, text=chosen.reason))
    return findings


async def check_threads() -> Sequence[Finding]:
    """How many search threads it would be, and what limits them."""
    usable, quota = len(processors.usable()), processors.quota()
    return [thread_finding(usable, quota, os.cpu_count() or usable)]


def thread_finding(usable: int, quota: int, installed: int) -> Finding:
    """``usable`` processors by affinity, ``quota`` of them by the control group, of so many there are."""
    threads = max(1, min(usable, quota))
    if threads == installed:
        text = f"a search thread for each of {threads} processors"
        return Finding(topic=TOPIC, subject="threads", verdict=Severity.GOOD, text=text)
    by, fix = (
        ("a quota of its control group", "raise docker's --cpus, CPUQuota= of the unit, or cpu.max of the group")
        if quota < usable
        else ("its affinity", "start it without taskset, or widen AllowedCPUs= of the unit")
    )
    return Finding(
        topic=TOPIC,
        subject="threads",
        verdict=Severity.NOTE,
        text=f"search threads: {threads}; {by} keeps this process from using all of {installed} processors",
        fix=fix,
    )


def _switched_off(unusable: Sequence[str], environment: Mapping[str, str]) -> list[Finding]:
    asked_for = environment.get(kernels.DISABLING, "").lower().replace(",", " ").split()
    disabled = [name for name in unusable if name in asked_for]
    if not disabled:
        return []
    return [
        Finding(
            topic=TOPIC,
            subject="kernels",
            verdict=Severity.NOTE,
            text=f"{kernels.DISABLING} switches off {', '.join(disabled)}, which may be faster",
            fix=f"unset {kernels.DISABLING}",
        )
    ]


def _self_tests(available: Sequence[kernels.Kernel]) -> list[Finding]:
    broken = [kernel for kernel in available if not kernels.self_test(kernel)]
    if not broken:
        text = f"all {len(available)} kernels compute every known answer"
        return [Finding(topic=TOPIC, subject="self-test", verdict=Severity.GOOD, text=text)]
    return [
        Finding(
            topic=TOPIC,
            subject=kernel.name,
            verdict=Severity.PROBLEM,
            text="computes known answers wrongly; it is not used",
            fix="undo overclocking and undervolting; test the memory; then stratum-miner bench --check",
        )
        for kernel in broken
    ]
