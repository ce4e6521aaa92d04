"""Known deviations: a file with reasons, what no longer counts, and what is gone."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli import main
from stratum_miner.cli.conformance import exit_code
from stratum_miner.conformance.case import CASES
from stratum_miner.conformance.deviations import gone, mark_known, read_deviations
from stratum_miner.conformance.outcome import failed, passed, skipped
from stratum_miner.conformance.report import as_object, junit
from stratum_miner.conformance.verify import Result, Tally
from stratum_miner.reports.conformance_page import page
from stratum_miner.reports.conformance_text import show
from stratum_miner.user_files import UserFileError

POOL = "stratum+tcp://127.0.0.1:3333"
DEVIATIONS = {"HS-01": "Our miners need <it>.", "FRM-01": "An old line.", "HS-03": "Skipped here."}
FOUND = [
    Result(CASES["FRM-01"], passed("7 lines"), 0.5),
    Result(CASES["FRM-20"], failed("no reply"), 5.0),
    Result(CASES["HS-01"], failed("no size"), 1.0, ("a", "b")),
    Result(CASES["HS-03"], skipped("no session"), 0.1),
]
RESULTS = mark_known(FOUND, DEVIATIONS)
GONE = gone(FOUND, DEVIATIONS)


def test_a_file(tmp_path: Path) -> None:
    file = tmp_path / "known.toml"
    file.write_text('[checks."ERR-01"]\nreason = "Firmware."\n\n[checks.HS-12]\nreason = "Old."\n', encoding="utf-8")
    assert read_deviations(file) == {"ERR-01": "Firmware.", "HS-12": "Old."}
    file.write_text("", encoding="utf-8")
    assert read_deviations(file) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[checks."ERR-1"]\nreason = "x"', 'checks."ERR-1": no check has this id'),
        ("[checks.ERR-01]", 'checks."ERR-01": expected reason = "why the pool deviates"'),
        ('[checks.ERR-01]\nreason = " "', 'checks."ERR-01": expected reason = "why'),
        ("[checks.ERR-01]\nreason = 5", 'checks."ERR-01": expected reason = "why'),
        ('[checks]\nERR-01 = "x"', 'checks."ERR-01": expected reason = "why'),
        ('[checks.ERR-01]\nreason = "x"\nuntil = 2030', "checks.\"ERR-01\": expected only the key reason, got 'until'"),
        (f'[checks.ERR-01]\nreason = "{"x" * 1001}"', "expected a reason of at most 1000 characters, got 1001"),
        ('[checks.HS-07]\nreason = "x"', 'checks."HS-07": this check only records'),
        ('[ERR-01]\nreason = "x"', "expected tables such as [checks.\"ERR-16\"], got the key 'ERR-01'"),
        ('checks = "ERR-01"', 'checks: expected tables such as [checks."ERR-16"], got a string'),
        ("[checks", "expected TOML: "),
    ],
)
def test_a_mistake_in_the_file_is_one_line(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "known.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UserFileError) as caught:
        read_deviations(file)
    assert message in str(caught.value)
    assert main.run(["conformance", "127.0.0.1:1", "--known-deviations", str(file)]) == ExitCode.USAGE
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1
    assert f"--known-deviations: {file}" in shown
    assert message in shown


def test_a_file_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["conformance", "127.0.0.1:1", "--known-deviations", "/nowhere.toml"]) == ExitCode.USAGE
    assert "--known-deviations: cannot read '/nowhere.toml': No such file" in capsys.readouterr().err


def test_what_counts() -> None:
    assert GONE == ["FRM-01"], "a skipped check says nothing"
    tally = Tally.of(RESULTS)
    assert (tally.failed_must, tally.failed_should, tally.known, tally.passed) == (0, 1, 1, 1)
    assert exit_code(tally, strict=False, gone=True) == ExitCode.OK
    assert exit_code(Tally.of(RESULTS[:1]), strict=True, gone=True) == ExitCode.SHOULD_FAILED
    assert exit_code(Tally.of(RESULTS[2:3]), strict=True) == ExitCode.OK
    assert mark_known(RESULTS, {}) == FOUND


def test_json() -> None:
    value = json.loads(json.dumps(as_object(POOL, RESULTS, 1.0, gone=GONE)))
    assert value["gone_deviations"] == ["FRM-01"]
    assert value["summary"]["known_deviations"] == 1
    assert [(check["verdict"], check["known_deviation"]) for check in value["checks"]] == [
        ("passed", None),
        ("failed", None),
        ("failed", "Our miners need <it>."),
        ("skipped", None),
    ]


@pytest.mark.parametrize(("strict", "failures"), [(False, []), (True, ["FRM-01", "FRM-20"])])
def test_junit(strict: bool, failures: list[str]) -> None:
    root = ElementTree.fromstring(junit(POOL, RESULTS, strict=strict, gone=GONE).encode())
    shown = [test.attrib["name"].split()[0] for test in root.iter("testcase") if test.find("failure") is not None]
    assert shown == failures
    assert sum(int(suite.attrib["failures"]) for suite in root) == len(failures)
    [known] = [test for test in root.iter("testcase") if test.attrib["name"].startswith("HS-01")]
    message = known.find("skipped")
    assert message is not None
    assert "known deviation: Our miners need <it>." in message.attrib["message"]


def test_text(capsys: pytest.CaptureFixture[str]) -> None:
    show(POOL, RESULTS, 1.0, Console(width=100), gone=GONE)
    text = capsys.readouterr().out
    assert text.index("FRM-20") < text.index("known deviations") < text.index("HS-01") < text.index("framing")
    assert "reason:    Our miners need <it>." in text
    assert "1 passed, 0 MUST and 1 SHOULD failed, 1 known deviation, 1 skipped, 0 observed" in text
    assert "FRM-01 no longer deviates: delete it from the file of known deviations." in text


def test_page() -> None:
    text = page(POOL, RESULTS, 1.0, gone=GONE)
    assert "<dt>known deviation</dt><dd>Our miners need &lt;it&gt;.</dd>" in text
    assert "FRM-01 no longer deviates" in text
    assert text.index(">Failed<") < text.index(">Known deviations<") < text.index('id="HS-01"')
