"""Selecting checks, and reporting results: JSON, JUnit XML, the page and the command line."""

import json
import re
import socket
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from stratum_miner.app.process.exit_codes import ExitCode
from stratum_miner.cli import main
from stratum_miner.cli.conformance import exit_code
from stratum_miner.conformance.case import CASES
from stratum_miner.conformance.cases import ALL
from stratum_miner.conformance.outcome import failed, observed, passed, skipped
from stratum_miner.conformance.report import as_object, junit
from stratum_miner.conformance.selection import SelectionError, select
from stratum_miner.conformance.transcript import MAX_ENTRIES, CheckTranscript, without_password
from stratum_miner.conformance.verify import Result, Tally
from stratum_miner.reports.conformance_page import page
from stratum_miner.reports.conformance_text import show

RESULTS = [
    Result(CASES["FRM-01"], passed("7 lines"), 0.5, ("0.0 #1 > {}",)),
    Result(CASES["FRM-20"], failed("no reply <to> & \x00 'it'"), 5.0, ('   0.0000 #1 > {"a": "<b>"}',)),
    Result(CASES["HS-18"], failed("no session"), 1.0, ("a", "b")),
    Result(CASES["SH-12"], skipped("no room"), 0.1),
    Result(CASES["EXT-10"], observed("silence"), 5.0, ("c",)),
]
POOL = "stratum+tcp://127.0.0.1:3333"

# ---- choosing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("only", "skip", "expected"),
    [
        (["shares/ERR-07"], [], ["ERR-07"]),
        (["err-07", "HS-01"], [], ["HS-01", "ERR-07"]),
        (["VD-0[1-3]"], ["VD-02"], ["VD-01", "VD-03"]),
        (["difficulty"], ["OBS", "VD-0[2-9]"], ["VD-01"]),
        (["framing/"], ["FRM-[12]*", "FRM-0[2-9]"], ["FRM-01"]),
    ],
)
def test_choosing(only: list[str], skip: list[str], expected: list[str]) -> None:
    assert [case.id for case in select(ALL, only, skip)] == expected


def test_choosing_nothing_is_choosing_all() -> None:
    assert select(ALL) == list(ALL)
    assert {case.topic for case in select(ALL, ["shares"])} == {"shares"}
    assert [case.id for case in select(ALL, ["shares"])][:2] == ["SH-01", "SH-02"]


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("ERR-7", "did you mean ERR-"),
        ("share/ERR-07", "did you mean shares/ERR-07"),
        ("framming", "did you mean framing"),
    ],
)
def test_a_typo_gets_the_nearest_spelling(pattern: str, hint: str) -> None:
    with pytest.raises(SelectionError, match=hint) as caught:
        select(ALL, [pattern])
    assert "--only" in str(caught.value)
    with pytest.raises(SelectionError, match="--skip: no check"):
        select(ALL, [], [pattern])


def test_every_check_says_what_it_demands_and_expects() -> None:
    assert [case.id for case in ALL if not case.requirement.endswith(".") or not case.expected] == []


# ---- telling ---------------------------------------------------------------------------------------------------------


def test_the_object() -> None:
    value = json.loads(json.dumps(as_object(POOL, RESULTS, 12.34567)))
    assert value["summary"] == {
        "passed": 1,
        "failed_must": 1,
        "failed_should": 1,
        "known_deviations": 0,
        "skipped": 1,
        "observed": 1,
    }
    assert (value["pool"], value["seconds"]) == (POOL, 12.346)
    check = value["checks"][1]
    assert {"id", "level", "class", "verdict", "expected", "actual"} <= set(check)
    assert (check["id"], check["level"], check["class"], check["verdict"]) == ("FRM-20", "SHOULD", "polite", "failed")
    assert check["transcript"]


def test_each_report_says_whom_a_failure_hurts(capsys: pytest.CaptureFixture[str]) -> None:
    hurts = "A miner waits for <ever>."
    result = replace(RESULTS[1], case=replace(RESULTS[1].case, hurts=hurts))
    assert as_object(POOL, [result], 1.0)["checks"][0]["hurts"] == hurts
    show(POOL, [result], 1.0, Console(width=80))
    assert f"hurts:     {hurts}" in capsys.readouterr().out
    parser = Elements()
    parser.feed(page(POOL, [result], 1.0))
    assert f"who is hurt{hurts}" in parser.text


def test_a_failure_of_a_must_comes_first(capsys: pytest.CaptureFixture[str]) -> None:
    results = [*RESULTS[:2], Result(CASES["HS-01"], failed("a MUST"), 1.0, ("x" * 3000,))]
    show(POOL, results, 1.0, Console(width=80, force_terminal=True, no_color=True, highlight=False))
    text = re.sub(r"\x1b\[[\d;]*m", "", capsys.readouterr().out)
    assert text.index("MUST failed") < text.index("HS-01") < text.index("SHOULD failed") < text.index("FRM-01")
    assert "x" * 3000 in text, "a line of the transcript is never cut or divided"
    assert f"{POOL}: failed MUST: HS-01\n{POOL}: failed SHOULD: FRM-20\n" in text
    shown = page(POOL, results, 1.0)
    assert shown.index(">Failed<") < shown.index('id="HS-01"') < shown.index('id="FRM-20"') < shown.index('id="FRM-01"')
    assert "x" * 3000 in shown


def test_how_skipped_checks_would_run(capsys: pytest.CaptureFixture[str]) -> None:
    results = [
        *(Result(CASES[each], skipped("intrusive", "--i-own-this-pool"), 0.0) for each in ("FRM-21", "ERR-23")),
        Result(CASES["SH-11"], skipped("no node", "--node"), 0.0),
        Result(CASES["SH-01"], skipped("no session"), 0.0),
    ]
    show(POOL, results, 1.0, Console(width=100))
    text = capsys.readouterr().out
    notes = [
        "2 checks were skipped because of possible harm to the pool; --i-own-this-pool runs them.",
        "1 check was skipped because the pool's node is not known; --node runs it.",
    ]
    assert text.splitlines()[-2:] == notes
    assert text.index("intrusive:\n    FRM-21, ERR-23\n") < text.index("no session:\n    SH-01")
    assert all(f"<p>{escape(note)}</p>" in page(POOL, results, 1.0) for note in notes)
    options = [check["needs_option"] for check in as_object(POOL, results, 1.0)["checks"]]
    assert options == ["--i-own-this-pool", "--i-own-this-pool", "--node", None]


def test_the_transcript_of_a_check_that_passed_is_cut_on_the_page() -> None:
    text = page(POOL, [Result(CASES["FRM-01"], passed("ok"), 1.0, ("y" * 1000,))], 1.0)
    assert "y" * 240 + "… (760 more characters, see --json)" in text
    assert "y" * 241 not in text
    lines = tuple(f"line {number}." for number in range(100))
    text = page(POOL, [Result(CASES["FRM-01"], passed("ok"), 1.0, lines)], 1.0)
    assert "line 14.\n… (70 more lines, see --json)\nline 85." in text
    text = page(POOL, [Result(CASES["FRM-01"], failed("no"), 1.0, lines)], 1.0)
    assert "\n".join(lines) in text


def test_junit() -> None:
    for strict, failures in ((False, 1), (True, 2)):
        root = ElementTree.fromstring(junit(POOL, RESULTS, strict=strict).encode())
        assert sum(int(suite.attrib["failures"]) for suite in root) == failures
        assert len(root.findall(".//failure")) == failures
        assert sum(int(suite.attrib["tests"]) for suite in root) == len(RESULTS) == len(root.findall(".//testcase"))
        assert [suite.attrib["name"] for suite in root] == ["framing", "handshake", "shares", "extensions"]
        assert sum(int(suite.attrib["skipped"]) for suite in root) == len(root.findall(".//skipped")) == 3 - failures


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page() -> None:
    parser = Elements()
    parser.feed(page(POOL, RESULTS, 12.3))
    assert parser.open == []
    tags = [tag for tag, _ in parser.seen]
    assert not {"script", "link", "img", "iframe"} & set(tags), "it asks for nothing"
    details = {attributes["id"]: attributes for tag, attributes in parser.seen if tag == "details"}
    assert set(details) == {result.case.id for result in RESULTS}
    assert {identifier for identifier, attributes in details.items() if "open" in attributes} == {"FRM-20", "HS-18"}
    assert "no reply <to> &" in parser.text
    assert '{"a": "<b>"}' in parser.text


@pytest.mark.parametrize(
    ("results", "strict", "code"),
    [
        (RESULTS, False, ExitCode.FAILED),
        (RESULTS[:2], False, ExitCode.OK),
        (RESULTS[:2], True, ExitCode.SHOULD_FAILED),
        (RESULTS[:1], True, ExitCode.OK),
        (RESULTS[3:4], False, ExitCode.NOTHING_JUDGED),
        (RESULTS[4:], False, ExitCode.OK),
    ],
)
def test_exit_codes(results: list[Result], strict: bool, code: ExitCode) -> None:
    assert exit_code(Tally.of(results), strict) is code


def test_passwords_are_replaced_in_any_shape() -> None:
    for params in ('["u", "hunter2"]', '["u", "hunter2", 1]', '{"user": "u", "pass": "hunter2"}', '"hunter2"'):
        line = b'{"id": 1, "method": "mining.authorize", "params": ' + params.encode() + b"}"
        assert b"hunter2" not in without_password(line)
    assert b"hunter2" not in without_password(b'{"method": "mining.authorize", "params": ["u", "hunter2"')
    assert without_password(b'{"method": "mining.submit"}') == b'{"method": "mining.submit"}'
    transcript = CheckTranscript("hunter2")
    transcript.note(0, 1, "<", b'{"error": [20, "no user u with hunter2"]}\n')
    assert "hunter2" not in transcript.lines()[0]


def test_a_transcript_is_bounded() -> None:
    transcript = CheckTranscript()
    for number in range(1000):
        transcript.note(number, 1, "<", f"line {number}")
    lines = transcript.lines()
    assert len(lines) == MAX_ENTRIES + 1
    assert "line 0" in lines[0]
    assert "line 999" in lines[-1]
    assert any("700 entries are left out" in line for line in lines)


# ---- the command line ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["127.0.0.1:1", "FRM-99"], 2, "no check is named 'FRM-99'. --list shows all checks"),
        ([], 2, "expected the URL of a pool"),
        (["192.0.2.1:3333"], 2, "192.0.2.1 is not this computer: checks cost a pool work"),
        (
            ["127.0.0.1:1", "--max-seconds-of-work", "2d"],
            2,
            "--max-seconds-of-work: expected a time from 0s to 1d, got 2d",
        ),
        (["127.0.0.1:1", "--retarget-seconds", "0"], 2, "--retarget-seconds: expected a time from 1s to 1h, got 0s"),
        (["127.0.0.1:1", "--html", "/nowhere/at/all.html"], 2, "cannot write '/nowhere/at/all.html'"),
        (["127.0.0.1:1", "--node", "kernel"], 2, "the JSON-RPC URL of the pool's Bitcoin node"),
        (["127.0.0.1:1", "-p", "a", "--pass-file", "b"], 2, "--pass, --pass-file: expected one of the two"),
        (["127.0.0.1:1"], 4, "stratum-miner: stratum+tcp://127.0.0.1:1: Connection refused\n"),
    ],
)
def test_mistakes_get_one_line(arguments: list[str], code: int, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["conformance", *arguments]) == code
    shown = capsys.readouterr().err
    assert shown.count("\n") == 1, shown
    assert words in shown


def test_a_pool_that_went_away_is_not_one_that_passed(capsys: pytest.CaptureFixture[str]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"

    def serve_once() -> None:
        with listener:
            listener.accept()[0].close()  # the pool accepts a connection when the run begins

    with ThreadPoolExecutor() as pool:
        pool.submit(serve_once)
        assert main.run(["conformance", address, "HS-07"]) == ExitCode.POOL_DIED  # the check only records
    shown = capsys.readouterr().out
    assert f"stratum+tcp://{address}: the pool died 0 s after the start, " in shown
    assert ": Connection refused" in shown


def test_progress_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as pool:  # a listener that sends nothing
        address = f"127.0.0.1:{pool.getsockname()[1]}"
        assert main.run(["conformance", address, "FRM-05,FRM-21", "--json"]) == ExitCode.NOTHING_JUDGED
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["1/2 skipped  FRM-05    0.0 s", "2/2 skipped  FRM-21    0.0 s"]


def test_the_list_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run(["conformance", "--list", "--only", "shares/ERR-07"]) == 0
    requirement = "The pool must reject a share of an unknown job, and must keep the session open."
    assert capsys.readouterr().out.split() == ["shares/ERR-07", "MUST", *requirement.split(), "(intrusive)"]
    assert main.run(["conformance", "--list", "SH-01,FRM-02", "--skip", "SH-01, SH-02"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["framing/FRM-02"]
    assert main.run(["conformance", "--list", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert [item["id"] for item in listed] == [case.id for case in ALL]


def test_writing_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A pool that is not there: nothing is written, and nothing is left half written."""
    files = [tmp_path / "a.xml", tmp_path / "a.html"]
    arguments = ["127.0.0.1:1", "--junit", str(files[0]), "--html", str(files[1])]
    assert main.run(["conformance", *arguments]) == ExitCode.POOL_UNREACHABLE
    assert not any(path.exists() for path in files)
    assert "Connection refused" in capsys.readouterr().err
