"""A new check is one function, and a new topic one file and its name: a copy of the package gets both."""

import json
import socket
from pathlib import Path

import pytest

from tests.package_copy import ROOT, add_line, copied, said

CHECK = """

@check("FRM-99", "A pool can be reached.", hurts="All miners cannot mine.", level=MUST, expected="a connection")
async def reachable(probe: Probe) -> CheckOutcome:
    await probe.connect()
    return passed("connected")
"""
TOPIC = '''"""WX: what the weather is like."""

from stratum_miner.conformance.case import INFO, Topic
from stratum_miner.conformance.outcome import CheckOutcome, observed
from stratum_miner.conformance.probe import Probe

check = Topic("weather")


@check("WX-01", "It may rain.", hurts="Nobody gets wet.", level=INFO, expected="recorded: rain or sun")
async def rain(probe: Probe) -> CheckOutcome:
    return observed("sun")
'''


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = copied(tmp_path_factory.mktemp("added"))
    cases = copy / "conformance" / "cases"
    with (cases / "framing.py").open("a", encoding="utf-8") as file:
        file.write(CHECK)
    (cases / "weather.py").write_text(TOPIC, encoding="utf-8")
    add_line(cases / "__init__.py", 'for file in ("framing", ', '"weather", ')
    return copy


def test_they_are_listed_and_made(added: Path) -> None:
    listed = json.loads(said(added, "-m", "stratum_miner", "conformance", "--list", "--json"))
    addresses = [f"{check['topic']}/{check['id']}" for check in listed]
    assert addresses.index("framing/FRM-99") == addresses.index("framing/FRM-22") + 1
    assert addresses.index("weather/WX-01") == addresses.index("framing/FRM-99") + 1
    with socket.create_server(("127.0.0.1", 0)) as pool:  # a listener that sends nothing
        arguments = ("conformance", f"127.0.0.1:{pool.getsockname()[1]}", "FRM-99", "weather", "--json")
        *progress, result = said(added, "-m", "stratum_miner", *arguments).splitlines()
    told = json.loads(result)
    assert len(progress) == len(told["checks"])
    verdicts = [(check["id"], check["verdict"], check["actual"]) for check in told["checks"]]
    assert verdicts == [("FRM-99", "passed", "connected"), ("WX-01", "observed", "sun")]


def test_a_check_that_judges_is_wanted_to_fail_once(added: Path) -> None:
    demand = f"{ROOT}/tests/conformance/test_cases.py::test_every_check_that_judges_is_seen_failing"
    complaint = said(added, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-o", "pythonpath=", demand, fails=True)
    assert "FRM-99" in complaint
    assert "WX-01" not in complaint
