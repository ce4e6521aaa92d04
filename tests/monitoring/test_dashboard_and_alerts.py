"""Tests that the dashboard and the alert rules use existing metrics, labels and values, in valid PromQL."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from stratum_miner.monitoring.problems import KINDS

from .http.scrapes import SCRAPES

DIRECTORY = Path(__file__).parents[2] / "docs" / "monitoring"
OF_PROMETHEUS = {"up": {"job", "instance"}}
TARGET = {"job", "instance"}
FUNCTIONS = {"rate", "increase", "delta", "histogram_quantile", "last_over_time"}
AGGREGATIONS = {"sum", "max", "min", "avg", "count"}
OPERATORS = {"+", "-", "*", "/", "==", "!=", ">", "<", ">=", "<=", "and", "or", "unless"}
TOKEN = re.compile(
    r'\s+|(?P<string>"(?:[^"\\]|\\.)*")|(?P<duration>\d+[smhd]|\$__(?:rate_interval|range))|(?P<number>\d+(?:\.\d+)?(?:e\d+)?)'
    r"|(?P<word>[a-zA-Z_:][\w:]*)|(?P<mark>=~|!~|==|!=|>=|<=|[-+*/<>=(){}\[\],])"
)


def known() -> dict[str, dict[str, set[str]]]:
    """Each name of a series that a program has, with the values of each label."""
    found: dict[str, dict[str, set[str]]] = {}
    for scrape in SCRAPES.values():
        for family in text_string_to_metric_families(scrape()):
            for sample in family.samples:
                labels = found.setdefault(sample.name, {})
                for name, value in sample.labels.items():
                    labels.setdefault(name, set()).add(value)
    return found


class Query:
    """Parses the part of PromQL that is used here, and checks names. Raises AssertionError for anything else."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.series = known()
        self._tokens: list[tuple[str, str]] = []
        place = 0
        while place < len(text):
            match = TOKEN.match(text, place)
            assert match is not None, f"no token at {text[place:]!r}"
            place = match.end()
            if match.lastgroup is not None:
                self._tokens.append((match.lastgroup, match.group()))
        self._place = 0
        self.metrics: set[str] = set()
        self._expression()
        assert self._place == len(self._tokens), f"too much: {self._rest()}"

    def _rest(self) -> str:
        return " ".join(text for _, text in self._tokens[self._place :])

    def _peek(self) -> str:
        return self._tokens[self._place][1] if self._place < len(self._tokens) else ""

    def _take(self, *wanted: str, kind: str = "") -> str:
        assert self._place < len(self._tokens), f"{self.text}: ends too early"
        found_kind, text = self._tokens[self._place]
        assert (text in wanted) if wanted else (found_kind == kind), f"{wanted or kind} expected: {self._rest()}"
        self._place += 1
        return text

    def _expression(self) -> None:
        self._operand()
        while self._peek() in OPERATORS:
            self._take(*OPERATORS)
            if self._peek() in ("on", "ignoring"):
                self._take("on", "ignoring")
                self._labels()
            if self._peek() in ("group_left", "group_right"):
                self._take("group_left", "group_right")
            self._operand()

    def _operand(self) -> None:
        kind, text = self._tokens[self._place] if self._place < len(self._tokens) else ("", "")
        if text == "(":
            self._take("(")
            self._expression()
            self._take(")")
        elif kind == "number":
            self._take(kind="number")
        elif text in AGGREGATIONS:
            self._take(text)
            if self._peek() == "by":
                self._take("by")
                self._labels()
            self._arguments()
        elif text in FUNCTIONS:
            self._take(text)
            self._arguments()
        else:
            self._selector(self._take(kind="word"))

    def _arguments(self) -> None:
        self._take("(")
        self._expression()
        while self._peek() == ",":
            self._take(",")
            self._expression()
        self._take(")")

    def _labels(self) -> None:
        self._take("(")
        names = [self._take(kind="word")]
        while self._peek() == ",":
            self._take(",")
            names.append(self._take(kind="word"))
        self._take(")")
        everywhere = {name for labels in self.series.values() for name in labels} | TARGET
        assert set(names) <= everywhere, names

    def _selector(self, name: str) -> None:
        assert name in self.series or name in OF_PROMETHEUS, f"no program tells {name}"
        self.metrics.add(name)
        if self._peek() == "{":
            self._take("{")
            while self._peek() != "}":
                self._matcher(name)
                if self._peek() == ",":
                    self._take(",")
            self._take("}")
        if self._peek() == "[":
            self._take("[")
            self._take(kind="duration")
            self._take("]")

    def _matcher(self, name: str) -> None:
        label = self._take(kind="word")
        operator = self._take("=", "!=", "=~", "!~")
        wanted = json.loads(self._take(kind="string"))
        labels = self.series.get(name, {})
        assert label in labels or label in TARGET, f"{name} has no label {label}"
        if label in labels and label not in ("pool", "device", "backend"):
            for word in wanted.split("|") if operator in ("=~", "!~") else [wanted]:
                assert word in labels[label], f"{name}: no program tells {label}={word}"


def alerts() -> dict[str, Any]:
    yaml: Any = pytest.importorskip("yaml")
    found: dict[str, Any] = yaml.safe_load((DIRECTORY / "prometheus-alerts.yml").read_text())
    return found


def rules() -> list[dict[str, Any]]:
    return [rule for group in alerts()["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    board = json.loads((DIRECTORY / "grafana-dashboard.json").read_text())
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str, str]]:
    """Yields the place and expression of each query, and the texts that contain labels."""
    for rule in rules():
        yield rule["alert"], rule["expr"], " ".join(rule["annotations"].values())
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], target["expr"], target["legendFormat"]


def test_they_ask_for_what_the_programs_tell() -> None:
    asked: set[str] = set()
    for where, text, words in queries():
        query = Query(text)
        asked |= query.metrics
        labels = TARGET.union(*(query.series.get(name, {}) for name in query.metrics))
        named = set(re.findall(r"\$labels\.(\w+)", words)) | set(re.findall(r"\{\{(\w+)\}\}", words))
        assert named <= labels, (where, named - labels)
    assert {name.split("_")[1] for name in asked if name != "up"} == {"miner", "pool", "proxy"}


def test_every_kind_of_problem_raises_an_alert() -> None:
    texts = [rule["expr"] for rule in rules() if "stratum_miner_problems" in rule["expr"]]
    patterns = [found for text in texts for found in re.findall(r'kind=~"([^"]*)"', text)]
    for kind in KINDS:
        assert any(re.fullmatch(pattern, kind) for pattern in patterns), kind


@pytest.mark.parametrize(
    "text",
    [
        "sum(up", "up ==", "up up", "rate(up[5x])", 'up{instance="a"', "stratum_miner_wonderful",
        'stratum_miner_state{mood="good"}', 'stratum_miner_state{state="happy"}', "sum by (mood) (up)", "wonder(up)",
    ],
)  # fmt: skip
def test_the_reader_of_queries_refuses_what_is_wrong(text: str) -> None:
    with pytest.raises(AssertionError):
        Query(text)


def test_panels_do_not_overlap_and_fit_the_board() -> None:
    board = json.loads((DIRECTORY / "grafana-dashboard.json").read_text())
    identifiers = [panel["id"] for panel in board["panels"]]
    assert len(set(identifiers)) == len(identifiers)
    cells: set[tuple[int, int]] = set()
    for panel in board["panels"]:
        place = panel["gridPos"]
        taken = {(place["x"] + i, place["y"] + j) for i in range(place["w"]) for j in range(place["h"])}
        assert max(x for x, _ in taken) < 24
        assert not taken & cells, panel["title"]
        cells |= taken


def test_promtool_finds_the_rules_good_and_sees_them_fire() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("needs promtool, of the package prometheus")
    for arguments in (("check", "rules", "prometheus-alerts.yml"), ("test", "rules", "prometheus-alerts-test.yml")):
        done = subprocess.run([promtool, *arguments], cwd=DIRECTORY, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
