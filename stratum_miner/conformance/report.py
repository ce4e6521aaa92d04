"""Converts results to JSON and to JUnit XML for continuous integration, and the list of checks to a Markdown table."""

from collections.abc import Sequence
from typing import Any
from xml.etree import ElementTree

from stratum_miner import __version__
from stratum_miner.conformance.case import Case, Level
from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.pool_death import PoolDeath
from stratum_miner.conformance.verify import Result, Tally


def as_object(
    pool: str, results: Sequence[Result], seconds: float, *, death: PoolDeath | None = None
) -> dict[str, Any]:
    """Return the results of a run as one JSON object.

    ``pool`` is the name of the pool, ``seconds`` the duration of the run, and ``death`` what ``verify`` gave to
    ``on_death``.
    """
    tally = Tally.of(results)
    return {
        "pool": pool,
        "version": __version__,
        "seconds": round(seconds, 3),
        "pool_died": None
        if death is None
        else {
            "after": list(death.after),
            "running": list(death.running),
            "reason": death.reason,
            "seconds": round(death.seconds, 3),
        },
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
        "hurts": case.hurts,
        "verdict": result.verdict.value,
        "expected": case.expected,
        "actual": result.outcome.actual,
        "seconds": round(result.seconds, 3),
        "transcript": list(result.transcript),
    }


def table(cases: Sequence[Case]) -> str:
    """Return the checks as a Markdown table, for docs/reference/conformance.md."""
    rows = [
        f"| {case.id} | {case.level.value} | {case.kind} | {case.requirement} | {case.expected} |".replace("||", "|")
        for case in cases
    ]
    return (
        "\n".join(["| check | level | class | requirement | allowed results |", "|---|---|---|---|---|", *rows]) + "\n"
    )


def counts_as_failure(result: Result, strict: bool) -> bool:
    """Return whether a result makes the run fail. A failed check makes the run fail if the level of the check is MUST.
    If ``strict``, every failed check makes the run fail."""
    return result.verdict is Verdict.FAILED and (strict or result.case.level is Level.MUST)


def junit(pool: str, results: Sequence[Result], *, strict: bool, death: PoolDeath | None = None) -> str:
    """Return the results as JUnit XML, with one test suite for each topic.

    If ``strict``, a failed check of the level SHOULD is a failed test. Otherwise such a check is a skipped test, whose
    message says what failed. If the pool has died (``death``), the first test is an error.
    """
    root = ElementTree.Element("testsuites", name=f"conformance of {pool}")
    if death is not None:
        _add_death(root, death)
    for topic in dict.fromkeys(result.case.topic for result in results):
        of_topic = [result for result in results if result.case.topic == topic]
        failures = [result for result in of_topic if counts_as_failure(result, strict)]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=topic,
            tests=str(len(of_topic)),
            failures=str(len(failures)),
            errors="0",
            skipped=str(sum(_is_skipped(result, strict) for result in of_topic)),
            time=f"{sum(result.seconds for result in of_topic):.3f}",
        )
        for result in of_topic:
            _test_case(suite, result, strict)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_death(root: ElementTree.Element, death: PoolDeath) -> None:
    counts = {"tests": "1", "failures": "0", "errors": "1", "skipped": "0", "time": f"{death.seconds:.3f}"}
    suite = ElementTree.SubElement(root, "testsuite", name="pool", attrib=counts)
    test = ElementTree.SubElement(
        suite, "testcase", classname="conformance.pool", name="The pool is alive after the checks.", time=counts["time"]
    )
    ElementTree.SubElement(test, "error", type="PoolDeath", message=_xml(str(death)))


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
            message=_xml(_difference(result)),
        )
        failure.text = _xml("\n".join(result.transcript))
    elif _is_skipped(result, strict):
        unmet = result.verdict is Verdict.FAILED
        message = f"{case.level.value} not met: {_difference(result)}" if unmet else result.outcome.actual
        ElementTree.SubElement(element, "skipped", message=_xml(message))
    else:
        ElementTree.SubElement(element, "system-out").text = _xml(f"{result.verdict.value}: {result.outcome.actual}")


def _difference(result: Result) -> str:
    return f"expected: {result.case.expected}; actual: {result.outcome.actual}"


def _xml(text: str) -> str:
    """Return the text with each character that XML 1.0 does not allow replaced by U+FFFD."""
    return "".join(
        character if character in "\t\n" or (character >= " " and character not in "\ufffe\uffff") else "\ufffd"
        for character in text
    )
