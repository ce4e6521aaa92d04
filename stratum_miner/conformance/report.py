"""Results as data: one object for ``--json``, and JUnit's XML for continuous integration."""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from stratum_miner import __version__
from stratum_miner.conformance.case import Case, Level
from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.verify import Result, Tally


def as_object(pool: str, results: Sequence[Result], seconds: float) -> dict[str, Any]:
    """Everything about a run, as JSON values."""
    tally = Tally.of(results)
    return {
        "pool": pool,
        "version": __version__,
        "seconds": round(seconds, 3),
        "summary": {
            "passed": tally.passed,
            "failed_must": tally.failed_must,
            "failed_should": tally.failed_should,
            "skipped": tally.skipped,
            "observed": tally.observed,
        },
        "checks": [_check(result) for result in results],
    }


def _check(result: Result) -> dict[str, Any]:
    case = result.case
    return {
        "id": case.id,
        "topic": case.topic,
        "level": case.level.value,
        "class": case.kind,
        "requirement": case.requirement,
        "verdict": result.verdict.value,
        "expected": case.expected,
        "actual": result.outcome.actual,
        "seconds": round(result.seconds, 3),
        "transcript": list(result.transcript),
    }


def table(cases: Sequence[Case]) -> str:
    """The checks as a Markdown table, for docs/conformance.md."""
    rows = [
        f"| {case.id} | {case.level.value} | {case.kind} | {case.requirement} | {case.expected} |".replace("||", "|")
        for case in cases
    ]
    return "\n".join(["| check | level | class | the pool | lawful outcomes |", "|---|---|---|---|---|", *rows]) + "\n"


def counts_as_failure(result: Result, strict: bool) -> bool:
    """Whether a result fails the run: a MUST always, a SHOULD when ``strict``."""
    return result.verdict is Verdict.FAILED and (strict or result.case.level is Level.MUST)


def junit(pool: str, results: Sequence[Result], *, strict: bool) -> str:
    """A test suite per topic. A SHOULD that is not met is skipped with its reason, unless ``strict``."""
    root = ElementTree.Element("testsuites", name=f"conformance of {pool}")
    for topic in dict.fromkeys(result.case.topic for result in results):
        own = [result for result in results if result.case.topic == topic]
        failures = [result for result in own if counts_as_failure(result, strict)]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=topic,
            tests=str(len(own)),
            failures=str(len(failures)),
            errors="0",
            skipped=str(sum(_is_skipped(result, strict) for result in own)),
            time=f"{sum(result.seconds for result in own):.3f}",
        )
        for result in own:
            _test_case(suite, result, strict)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _is_skipped(result: Result, strict: bool) -> bool:
    unmet = result.verdict is Verdict.FAILED and not counts_as_failure(result, strict)
    return result.verdict is Verdict.SKIPPED or unmet


def _test_case(suite: ElementTree.Element, result: Result, strict: bool) -> None:
    case = result.case
    element = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"conformance.{case.topic}",
        name=f"{case.id} {case.requirement}",
        time=f"{result.seconds:.3f}",
    )
    if counts_as_failure(result, strict):
        failure = ElementTree.SubElement(
            element,
            "failure",
            type=case.level.value,
            message=_xml(f"expected {case.expected}: {result.outcome.actual}"),
        )
        failure.text = _xml("\n".join(result.transcript))
    elif _is_skipped(result, strict):
        prefix = f"{case.level.value} not met: " if result.verdict is Verdict.FAILED else ""
        ElementTree.SubElement(element, "skipped", message=_xml(prefix + result.outcome.actual))
    else:
        ElementTree.SubElement(element, "system-out").text = _xml(f"{result.verdict.value}: {result.outcome.actual}")


def _xml(text: str) -> str:
    """The text without the characters that XML 1.0 cannot hold."""
    return "".join(
        character if character in "\t\n" or (character >= " " and character not in "\ufffe\uffff") else "\ufffd"
        for character in text
    )
