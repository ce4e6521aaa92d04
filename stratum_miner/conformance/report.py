"""Converts results to JSON and to JUnit XML for continuous integration, and the list of checks to a Markdown table."""

from collections.abc import Iterable, Sequence
from typing import Any, Final
from xml.etree import ElementTree

from stratum_miner import __version__
from stratum_miner.conformance.case import Case, Level
from stratum_miner.conformance.outcome import Verdict
from stratum_miner.conformance.pool_death import PoolDeath
from stratum_miner.conformance.reproduction import commands
from stratum_miner.conformance.verify import Result, Tally

LACKING: Final = {
    "--i-own-this-pool": "because of possible harm to the pool; --i-own-this-pool runs",
    "--node": "because the pool's node is not known; --node runs",
    "--retarget-seconds": "because the time between two adjustments of the difficulty is not known; "
    "--retarget-seconds runs",
    "--max-seconds-of-work": "because of the limit on work; a higher --max-seconds-of-work runs",
}
"""For each option of ``CheckOutcome.option``, why checks are skipped without it, and what would run them."""


def failures(results: Iterable[Result]) -> list[Result]:
    """Return the failed checks without known deviations: first those of the level MUST, then those of SHOULD."""
    failed = [each for each in results if each.verdict is Verdict.FAILED and not each.known_deviation]
    return sorted(failed, key=lambda each: each.case.level is not Level.MUST)


def by_reason(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Return the skipped checks by the reason for which they were skipped, the most frequent reason first."""
    found: dict[str, list[Result]] = {}
    for result in results:
        if result.verdict is Verdict.SKIPPED:
            found.setdefault(result.outcome.actual, []).append(result)
    return dict(sorted(found.items(), key=lambda item: -len(item[1])))


def skip_notes(results: Iterable[Result]) -> list[str]:
    """Return a sentence for each option that would run skipped checks."""
    options = [each.outcome.option for each in results if each.verdict is Verdict.SKIPPED]
    counts = {option: options.count(option) for option in LACKING}
    return [
        f"{count} check{'s were' if count > 1 else ' was'} skipped {LACKING[option]} {'them' if count > 1 else 'it'}."
        for option, count in counts.items()
        if count
    ]


def as_object(
    pool: str,
    results: Sequence[Result],
    seconds: float,
    *,
    death: PoolDeath | None = None,
    gone: Sequence[str] = (),
) -> dict[str, Any]:
    """Return the results of a run as one JSON object.

    ``pool`` is the URL of the pool, ``seconds`` the duration of the run, and ``death`` what ``verify`` gave to
    ``on_death``. ``gone`` are the ids of the known deviations that are gone.
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
            "known_deviations": tally.known,
            "skipped": tally.skipped,
            "observed": tally.observed,
        },
        "gone_deviations": list(gone),
        "checks": [_check(pool, result) for result in results],
    }


def _check(pool: str, result: Result) -> dict[str, Any]:
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
        "known_deviation": result.known_deviation or None,
        "needs_option": result.outcome.option or None,
        "seconds": round(result.seconds, 3),
        "reproduce": commands(pool, result),
        "transcript": list(result.transcript),
    }


def table(cases: Sequence[Case]) -> str:
    """Return the checks as a Markdown table, for docs/reference/conformance.md."""
    rows = [
        f"| {case.id} | {case.level.value} | {case.kind} | {case.requirement} | {case.expected} | {case.hurts} |"
        for case in cases
    ]
    heads = "| check | level | class | requirement | allowed results | whom a failure hurts |"
    return "\n".join([heads, "|---|---|---|---|---|---|", *rows]) + "\n"


def counts_as_failure(result: Result, strict: bool) -> bool:
    """Return whether a result makes the run fail. A failed check makes the run fail if the level of the check is MUST.
    If ``strict``, every failed check makes the run fail. A known deviation never does."""
    failed = result.verdict is Verdict.FAILED and not result.known_deviation
    return failed and (strict or result.case.level is Level.MUST)


def junit(
    pool: str,
    results: Sequence[Result],
    *,
    strict: bool,
    death: PoolDeath | None = None,
    gone: Sequence[str] = (),
) -> str:
    """Return the results as JUnit XML, with one test suite for each topic.

    If ``strict``, a failed check of the level SHOULD is a failed test. Otherwise such a check is a skipped test, whose
    message says what failed. A known deviation is a skipped test. A known deviation that is gone (``gone``) is a
    failed test if ``strict``. If the pool has died (``death``), the first test is an error.
    """
    root = ElementTree.Element("testsuites", name=f"conformance of {pool}")
    if death is not None:
        _add_death(root, death)
    for topic in dict.fromkeys(result.case.topic for result in results):
        of_topic = [result for result in results if result.case.topic == topic]
        failed = [each for each in of_topic if counts_as_failure(each, strict) or (strict and each.case.id in gone)]
        suite = ElementTree.SubElement(
            root,
            "testsuite",
            name=topic,
            tests=str(len(of_topic)),
            failures=str(len(failed)),
            errors="0",
            skipped=str(sum(_is_skipped(result, strict) for result in of_topic)),
            time=f"{sum(result.seconds for result in of_topic):.3f}",
        )
        for result in of_topic:
            _test_case(suite, pool, result, strict, gone)
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


def _test_case(suite: ElementTree.Element, pool: str, result: Result, strict: bool, gone: Sequence[str]) -> None:
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
        failure.text = _xml("\n".join([case.hurts, *result.transcript, *commands(pool, result)]))
    elif strict and case.id in gone:
        message = "the check passed: delete it from the file of known deviations"
        ElementTree.SubElement(element, "failure", type="known deviation", message=message)
    elif _is_skipped(result, strict):
        message = result.outcome.actual
        if result.verdict is Verdict.FAILED:
            known = f" (known deviation: {result.known_deviation})" if result.known_deviation else ""
            message = f"{case.level.value} not met{known}: {_difference(result)}"
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
