"""Reads every surface that states a figure, as plain values: no more is known of it here than how it is asked."""

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tests.audit.program import TOKEN

COMMANDS = (
    "version", "summary", "pools", "devs", "edevs", "stats", "estats", "notify", "devdetails", "config", "coin", "lcd",
    "usbstats", "pgacount", "asccount",
)  # fmt: skip
"""Commands of cgminer's API: all that tell figures and take no parameter; ``asc`` is asked for each device."""
SAMPLE = re.compile(r"([a-z_]+)(?:\{(.*)\})? (\S+)")
SI = {"": 1.0, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12}
LABEL = re.compile(r'([a-z]+)="((?:[^"\\]|\\.)*)"')


STREAM_STEP_S = 1.0
"""As old as a view of the stream may be: it looks once a second for all who listen."""


@dataclass(slots=True)
class Reading:
    """What one surface said, and when it was asked and had answered."""

    surface: str
    value: Any
    asked: float
    answered: float
    asked_unix: float
    answered_unix: float


def read(surface: str, look: Callable[[], Any]) -> Reading:
    """Ask now."""
    asked, asked_unix = time.monotonic(), time.time()
    value = look()
    return Reading(surface, value, asked, time.monotonic(), asked_unix, time.time())


def http_get(port: int, path: str) -> tuple[int, bytes]:
    """Status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def http_json(port: int, path: str) -> Any:
    """A body that is JSON."""
    status, body = http_get(port, path)
    assert status == 200, (path, status, body[:200])
    return json.loads(body)


def http_post(port: int, path: str) -> None:
    """A change that is asked for."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, headers={"Authorization": f"Bearer {TOKEN}"})
        answer = connection.getresponse()
        assert answer.status == 200, (path, answer.status, answer.read())
    finally:
        connection.close()


def api(port: int) -> list[Reading]:
    """The miner's HTTP API."""
    paths = ("view", "summary", "pools", "devices", "shares", "blocks", "events?limit=500", "history", "config")
    return [read("api." + path.partition("?")[0], partial(http_json, port, f"/api/v1/{path}")) for path in paths]


def stream(port: int) -> Reading:
    """The first view of the stream: what comes after it is the same again."""

    def look() -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            connection.request("GET", "/api/v1/stream")
            answer = connection.getresponse()
            while not (line := answer.readline()).startswith(b"data: "):
                assert line, "the stream ended without a view"
            return json.loads(line.removeprefix(b"data: "))
        finally:
            connection.close()

    reading = read("api.stream", look)
    reading.asked -= STREAM_STEP_S
    reading.asked_unix -= STREAM_STEP_S
    return reading


def figures(who: str, port: int) -> list[Reading]:
    """What ``pool`` and ``proxy`` tell over HTTP."""
    return [
        read(f"{who}.api", partial(http_json, port, "/api/v1/summary")),
        metrics(port, f"{who}.metrics"),
    ]


def metrics(port: int, surface: str = "metrics") -> Reading:
    """/metrics, as {name: {labels: value}}."""

    def look() -> dict[str, dict[str, float]]:
        found: dict[str, dict[str, float]] = {}
        for line in http_get(port, "/metrics")[1].decode().splitlines():
            if not line.startswith("#"):
                match = SAMPLE.fullmatch(line)
                assert match is not None, line
                labels = ",".join(sorted(f"{name}={text}" for name, text in LABEL.findall(match[2] or "")))
                found.setdefault(match[1], {})[labels] = float(match[3])
        return found

    return read(surface, look)


def ready(port: int) -> Reading:
    """/ready and /health: the status and the word."""

    def look() -> dict[str, Any]:
        told = {path: http_get(port, "/" + path) for path in ("health", "ready")}
        return {path: {"status": status, "word": body.decode().strip()} for path, (status, body) in told.items()}

    return read("probes", look)


def health(port: int) -> Reading:
    """The command ``health``, with --ready, and the quick form of it without: what it prints and its exit code."""
    url = f"http://127.0.0.1:{port}"
    forms = {
        "plain": ("stratum_miner.cli.health", url),
        "ready": ("stratum_miner", "health", "--api", url, "--ready"),
    }

    def look() -> dict[str, Any]:
        told = {}
        for name, arguments in forms.items():
            command = [sys.executable, "-m", *arguments]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            told[name] = {"exit_code": done.returncode, "word": done.stdout.strip()}
        return told

    return read("health", look)


def cgminer(port: int) -> list[Reading]:
    """All commands that tell figures; ``asc`` for each device."""
    readings = [read(f"cgminer.{name}", partial(ask_cgminer, port, name)) for name in COMMANDS]
    devices = next(item for item in readings if item.surface == "cgminer.asccount").value["ASCS"][0]["Count"]
    return [
        *readings,
        read("cgminer.asc", lambda: {"ASCS": [ask_cgminer(port, "asc", str(i))["ASC"][0] for i in range(devices)]}),
    ]


def ask_cgminer(port: int, command: str, parameter: str = "") -> Any:
    """One command, in JSON."""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(json.dumps({"command": command, "parameter": parameter}).encode())
        body = b""
        while chunk := connection.recv(1 << 16):
            body += chunk
    told = json.loads(body.rstrip(b"\0"))
    return {name: value for name, value in told.items() if name not in ("STATUS", "id")}


def axeos(port: int) -> list[Reading]:
    """What AxeOS's clients read."""
    paths = {"info": "/api/system/info", "asic": "/api/system/asic", "swarm": "/api/swarm/info"}
    return [read(f"axeos.{name}", partial(http_json, port, path)) for name, path in paths.items()]


def journal(path: Path) -> Reading:
    """The journal's records after the end, the older files first."""

    def look() -> list[dict[str, Any]]:
        files = sorted(path.parent.glob(path.name + ".*"), key=lambda item: -int(item.suffix[1:]))
        return [json.loads(line) for file in [*files, path] for line in file.read_text().splitlines()]

    return read("journal", look)


def top_text(port: int) -> Reading:
    """What ``top --once`` says of a miner. Counts that it prints only where there are some are 0 otherwise."""
    command = (sys.executable, "-m", "stratum_miner", "top", "--once", "--api", f"http://127.0.0.1:{port}")
    environment = {**os.environ, "COLUMNS": "200", "NO_COLOR": "1", "PYTHONUTF8": "1"}

    def look() -> dict[str, Any]:
        done = subprocess.run(command, capture_output=True, encoding="utf-8", check=True, timeout=60, env=environment)
        text = re.sub(r"\n {12}(?=\S)", " ", done.stdout)  # lines that continue the one above
        head = re.match(
            r"(.+?) · (\S+) (\w?)H/s(?: · \S.* W)? · (\d+) of (\d+) devices mine  .* up (\S+)\n(.*)\n", text
        )
        pool = re.search(r"^pool {8}(\S+) · worker (\S+)", text, re.MULTILINE)
        shares = re.search(r"^shares {6}.*(?:\nerrors .*)?", text, re.MULTILINE)
        assert head is not None, text
        assert pool is not None, text
        assert shares is not None, text
        counts = {name: int(count.replace(",", "")) for count, name in re.findall(r"([\d,]+) (\w+)", shares[0])}
        best = re.search(r"best share (\S+)", shares[0])
        rates = re.search(r"^rate {8}(.*)", text, re.MULTILINE)
        problems = re.findall(r"^(critical|warning) +(.*?\.)(?: .*)? \(for \S+\)$", text, re.MULTILINE)
        return {
            "state": head[1],
            "detail": head[7],
            "hash_rate": float(head[2]) * SI[head[3]],
            "devices_mining": int(head[4]),
            "devices_total": int(head[5]),
            "elapsed": head[6],
            "pool": pool[1],
            "worker": pool[2],
            "shares": {name: counts.get(name, 0) for name in ("accepted", "rejected", "stale", "lost", "open")},
            "hardware_errors": counts.get("wrong", 0),
            "blocks": counts.get("blocks", counts.get("block", 0)),
            "best_share": float(best[1]) if best else 0.0,
            "rates": {
                name: float(number) * SI[unit]
                for name, number, unit in re.findall(r"(\d+ s|\d+ m|all) (\S+) (\w?)H/s", rates[1] if rates else "")
            },
            "problems": [{"severity": severity, "text": sentence} for severity, sentence in problems],
        }

    return read("top.text", look)


def mine_text(words: list[str]) -> Reading:
    """The summary that ``mine`` prints for people, as numbers where there are some."""

    def look() -> dict[str, Any]:
        told: dict[str, Any] = {"other": []}
        for line in words:
            if match := re.match(r"(.+?) at (\S+ \S+) on (\S+)$", line):
                told |= {"elapsed": match[1], "hash_rate": match[2], "pool": match[3]}
            elif match := re.match(
                r"shares: (\d+) accepted, (\d+) rejected, (\d+) stale, (\d+) lost; best (\S+); blocks (\d+)", line
            ):
                names = ("accepted", "rejected", "stale", "lost", "best", "blocks")
                told |= {name: float(text) for name, text in zip(names, match.groups(), strict=True)}
            elif match := re.match(
                r"share journal, all runs: (\d+) accepted, (\d+) rejected, (\d+) stale, (\d+) lost", line
            ):
                told["journal"] = [int(text) for text in match.groups()]
            elif match := re.match(r"hardware errors: (\d+)", line):
                told["hardware_errors"] = int(match[1])
            elif match := re.match(r"  (\d+) (\w+: .*)", line):
                told.setdefault("reasons", {})[match[2]] = int(match[1])
            elif match := re.match(r"      (\S+): (\d+) accepted, (\d+) rejected, (\d+) stale", line):
                told.setdefault("workers", {})[match[1]] = [int(text) for text in match.groups()[1:]]
            else:
                told["other"].append(line)
        return told

    return read("mine.text", look)


def mine_log(events: list[dict[str, Any]]) -> Reading:
    """What ``mine`` logs: its share events counted, and the lines that state figures every half minute."""
    names = Counter(str(item.get("event")) for item in events)
    told: dict[str, Any] = {fate: names["share_" + fate] for fate in ("accepted", "rejected", "stale", "lost")}
    told["blocks"] = [item["block"] for item in events if item.get("event") == "share_accepted" and "block" in item]
    told["status"] = [item for item in events if item.get("event") == "status"]
    return read("mine.log", lambda: told)


def pool_log(events: list[dict[str, Any]]) -> Reading:
    """The same of ``pool``: who came and left with which counts, what became of blocks."""
    names = Counter(str(item.get("event")) for item in events)
    left = [item for item in events if item.get("event") == "client_left"]
    told: dict[str, Any] = {name: names[name] for name in ("client_connected", "block_accepted", "block_refused")}
    told["left"] = {
        "accepted": sum(item["accepted"] for item in left),
        "rejected": sum(item["rejected"] for item in left),
    }
    told["status"] = [item for item in events if item.get("event") == "status"]
    return read("pool.log", lambda: told)


def proxy_text(words: list[str]) -> Reading:
    """The summary that ``proxy`` prints for people."""

    def look() -> dict[str, Any]:
        told: dict[str, Any] = {"pools": [], "miners": []}
        for line in words:
            if match := re.fullmatch(r"(.+), (\d+) connections", line):
                told |= {"elapsed": match[1], "connections": int(match[2])}
            elif match := re.fullmatch(r"shares: (.*)", line):
                told |= {
                    name: int(text) for text, name in re.findall(r"(\d+) (\w+)", match[1].replace("not sent", "kept"))
                }
            elif match := re.fullmatch(
                r"  ([* ]) (\S+) (\w+)(?: \(.*\))?: (\d+) accepted, (\d+) rejected, (\d+) stale, (\d+) lost"
                r"(?:, (\S+) ms)?",
                line,
            ):
                names = ("accepted", "rejected", "stale", "lost")
                pool = {"active": match[1] == "*", "name": match[2], "condition": match[3]}
                pool |= {name: int(text) for name, text in zip(names, match.groups()[3:7], strict=True)}
                told["pools"].append({**pool, "latency_ms": None if match[8] is None else float(match[8])})
            elif (cells := re.split(r"  +", line.strip()))[0] != "worker" and len(cells) > 4:
                told["miners"].append([int(cells[-4]), int(cells[-3])])
        told["miners"].sort()
        return told

    return read("proxy.text", look)


def proxy_log(events: list[dict[str, Any]]) -> Reading:
    """What a proxy logs of its miners and of shares that went up and were not accepted, counted."""
    names = Counter(item.get("event") for item in events)
    figures = ("session", "address", "accepted", "rejected", "refused", "stale", "lost")
    left = [{name: item[name] for name in figures} for item in events if item.get("event") == "miner_left"]
    counted = ("share_rejected", "share_stale", "share_lost", "share_answered_late")
    told = {"connected": names["miner_connected"], "left": left, **{name: names[name] for name in counted}}
    return read("proxy.log", lambda: told)


def proxy_status(events: list[dict[str, Any]]) -> Reading:
    """The newest status line of a proxy, and the lines of its miners that follow it."""
    place = max(number for number, item in enumerate(events) if item.get("event") == "status")
    figures = ("session", "address", "worker_name", "accepted", "bad")
    miners = [{name: item[name] for name in figures} for item in events[place:] if item.get("event") == "miner"]
    names = ("miners", "accepted", "kept", "rejected", "refused", "stale", "lost", "difficulty", "pool")
    return read("proxy.status", lambda: {**{name: events[place][name] for name in names}, "lines": miners})
