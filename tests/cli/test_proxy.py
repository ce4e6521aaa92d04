"""``proxy`` as a command: errors in one line, and figures at the end."""

import io
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.daemon.proxy_status import miners_table
from stratum_miner.app.options.mine import OTHER_VARIABLES, MineOptions
from stratum_miner.app.options.proxy import ProxyOptions
from stratum_miner.app.settings.proxy import load, misspelt
from stratum_miner.cli import main
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.proxy import SessionSnapshot
from stratum_miner.stratum.errors import ErrorReason

UPSTREAM = ("-o", "127.0.0.1:1", "-u", "farm")


def start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "stratum_miner", "proxy", "--no-config", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    ("arguments", "needle"),
    [
        ((), "--url: expected a pool, as in -o HOST:PORT"),
        (("-o", "127.0.0.1:1"), "--user: expected a worker name"),
        ((*UPSTREAM, "--listen", "nowhere"), "--listen: expected HOST:PORT, as in 127.0.0.1:3333, got 'nowhere'"),
        ((*UPSTREAM, "--max-miners", "0"), "--max-miners: expected 1 to 10000, got 0"),
        ((*UPSTREAM, "--vardiff", "-1"), "--vardiff: expected a time such as 90s or 1h30m, got '-1'"),
        ((*UPSTREAM, "--time-limit", "0"), "--time-limit: expected a time above 0s and up to 100y, got 0s"),
        ((*UPSTREAM, "--http", "0.0.0.0:80"), "--http: expected a loopback address"),
        ((*UPSTREAM, "--listen", "192.0.2.1:0"), "cannot listen on 192.0.2.1:0"),
        (
            ("-o", "h:1", "-o", "localhost:3388", "-u", "w", "--listen", "3388"),
            "expected the URL of another program",
        ),
        (("-o", "stratun+tcp://h:1", "-u", "farm"), "did you mean stratum+tcp?"),
    ],
)
def test_mistakes_are_told_in_one_line(
    arguments: tuple[str, ...], needle: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(["proxy", "--no-config", *arguments]) in (1, 2)
    told = capsys.readouterr().err
    assert needle in told
    assert told.strip().splitlines()[-1].startswith("stratum-miner: ")


def test_an_interrupt_ends_it_with_its_figures() -> None:
    process = start(*UPSTREAM, "--listen", "127.0.0.1:0", "--json")
    assert process.stderr is not None
    assert any("ready" in line for line in process.stderr)
    process.send_signal(signal.SIGINT)
    printed, rest = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in rest
    figures = json.loads(printed)
    assert figures["shares"]["received"] == 0
    assert figures["miners"] == []
    assert [pool["url"] for pool in figures["pools"]] == ["stratum+tcp://127.0.0.1:1"]


def test_an_address_that_others_reach_is_warned_of() -> None:
    process = start(*UPSTREAM, "--listen", "0.0.0.0:0", "--time-limit", "0.1")
    _, told = process.communicate(timeout=60)
    assert process.returncode == 4, "its time was over before a pool gave a job"
    assert "warning: not_loopback" in told
    _, quiet = start(*UPSTREAM, "--listen", "127.0.0.1:0", "--time-limit", "0.1").communicate(timeout=60)
    assert "not_loopback" not in quiet


def test_the_pools_may_stand_in_the_file_of_mine(tmp_path: Path) -> None:
    file = tmp_path / "miner.toml"
    file.write_text(
        'threads = 3\nuntil_shares = 5\nuser = "farm"\n[backends.cpu]\nthreads = 1\n'
        '[pools.home]\nurl = "h:1"\n[pools.away]\nurl = "stratum+ssl://a:2"\nuser = "other"\n'
    )
    settings = load({}, file, {})
    assert [(str(pool.url), pool.worker_name) for pool in settings.pools] == [
        ("stratum+tcp://h:1", "farm"),
        ("stratum+ssl://a:2", "other"),
    ]
    file.write_text('thread = 3\n[pools.home]\nurl = "h:1"\n')
    with pytest.raises(ConfigError, match="unknown key"):
        load({}, file, {})


def test_a_password_is_in_no_process_list() -> None:
    process = start(*UPSTREAM, "-p", "hunter2secret", "--listen", "127.0.0.1:0")
    assert process.stderr is not None
    assert any("ready" in line for line in process.stderr)
    shown = Path(f"/proc/{process.pid}/cmdline").read_bytes() if os.path.exists("/proc") else b""
    process.terminate()
    _, told = process.communicate(timeout=60)
    assert b"hunter2secret" not in shown
    assert "hunter2secret" not in told


def test_its_variables_are_known_and_others_are_told() -> None:
    environment = {"STRATUM_MINER_LISTEN": "127.0.0.1:0", "STRATUM_MINER_UNTIL_SHARES": "3", "STRATUM_MINER_LISTN": "x"}
    assert [str(problem) for problem in misspelt(environment)] == [
        "STRATUM_MINER_LISTN: unknown variable: did you mean 'STRATUM_MINER_LISTEN'?"
    ]
    assert load({"url": ["h:1"], "user": ["u"]}, None, environment).resolved.values.listen == "127.0.0.1:0"
    known = {key.variable for key in keys_of(ProxyOptions).values()}
    assert known <= OTHER_VARIABLES | {key.variable for key in keys_of(MineOptions).values()}, "mine knows them too"


def shown_table(worker: str) -> str:
    shares = DownstreamShareCounts(received=130_000, accepted=123_456, rejected=Counter({ErrorReason.OTHER: 999}))
    miner = SessionSnapshot(
        session=1, address="[2001:db8::1]:49152", user_agent="bfgminer/5.10.0 and more", workers={worker: shares},
        started=True, extranonce1=b"", version_mask=0, difficulty=123_456.0, hash_rate=123e12, shares=shares,
        last_share_age=4.5, connected_at=0.0, bytes_received=0, bytes_sent=0, bytes_queued=0,
    )  # fmt: skip
    console = Console(width=80, file=io.StringIO())
    with console.capture() as captured:
        console.print(miners_table((miner,)))
    return captured.get()


def test_a_worker_that_a_miner_made_up_does_not_steer_the_terminal() -> None:
    assert "\x1b" not in shown_table("rig\x1b[2J")


def test_long_names_leave_the_figures_whole() -> None:
    shown = shown_table("a" * 60)
    assert "…" in shown
    assert max(map(len, shown.splitlines())) <= 80
    for whole in ("rate", "difficulty", "last", "123 TH/s", "123456", "999", "1.235e+05", "4.5s"):
        assert whole in shown
