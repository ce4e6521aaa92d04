"""Checks of the processor. They concern its SHA-256d kernels and their self-tests, and the number of search threads."""

import os
from collections.abc import Mapping, Sequence

import trio

from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.backends.base import BackendOptionError, SelfTestError
from stratum_miner.backends.cpu import choice, kernels, processors

TOPIC = "cpu"


async def check_kernels() -> Sequence[Finding]:
    """Check which kernels this processor can run, which are switched off, which compute correctly, and which one the
    miner would use."""
    return await trio.to_thread.run_sync(kernel_findings, os.environ)


def kernel_findings(environment: Mapping[str, str]) -> list[Finding]:
    """Return the findings about kernels. ``environment`` has the environment variables, which can switch kernels
    off."""
    try:
        available = kernels.available_kernels()
    except BackendOptionError as error:
        fix = f"correct the variable {kernels.DISABLING}, or unset it"
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
                text="this processor has none of the instructions that make mining fast, or hides them",
                fix="on a virtual machine: pass the CPU of the host through (for KVM: -cpu host)",
            )
        )
    findings += _self_tests(available)
    try:
        chosen = choice.choose()
    except SelfTestError:  # every kernel failed its self-test, and the findings above report this
        return findings
    findings.append(Finding(topic=TOPIC, subject="choice", verdict=Severity.GOOD, text=chosen.reason))
    return findings


async def check_threads() -> Sequence[Finding]:
    """Check how many search threads the miner would use, and what limits their number."""
    usable, quota = len(processors.usable()), processors.quota()
    return [thread_finding(usable, quota, os.cpu_count() or usable)]


def thread_finding(usable: int, quota: int, installed: int) -> Finding:
    """Return the finding for the number of search threads.

    All arguments are numbers of processors: ``usable`` is how many processors the CPU affinity of this process permits,
    ``quota`` how many its control group permits, and ``installed`` how many the computer has.
    """
    threads = max(1, min(usable, quota))
    if threads == installed:
        text = f"one search thread for each of {threads} processors"
        return Finding(topic=TOPIC, subject="threads", verdict=Severity.GOOD, text=text)
    by, fix = (
        ("the quota of its control group", "raise --cpus of docker, CPUQuota= of the unit, or cpu.max of the group")
        if quota < usable
        else ("its CPU affinity", "start it without taskset, or extend AllowedCPUs= of the unit")
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
        text = f"all {len(available)} kernels compute every known answer correctly"
        return [Finding(topic=TOPIC, subject="self-test", verdict=Severity.GOOD, text=text)]
    return [
        Finding(
            topic=TOPIC,
            subject=kernel.name,
            verdict=Severity.PROBLEM,
            text="the kernel computes known answers wrongly and is not used",
            fix="undo overclocking and undervolting, test the memory, then run stratum-miner bench --check",
        )
        for kernel in broken
    ]
