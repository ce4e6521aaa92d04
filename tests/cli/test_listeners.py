"""Every listener of every command is on loopback by default, and no change works without the API token."""

import http.client
import ipaddress
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

import stratum_miner
from stratum_miner.app.options.proxy import ProxyOptions
from stratum_miner.cli import main
from stratum_miner.monitoring.http.endpoints import ENDPOINTS, PREFIX
from stratum_miner.pool import PoolConfig

from .test_process import ADDRESS, started

MINE = ("mine", "--no-config", "-o", "127.0.0.1:1", "-u", "w", "--backend", "simulated")
PROXY = ("proxy", "--no-config", "-o", "127.0.0.1:1", "-u", "w")
POOL = ("pool", "--network-difficulty", "1", "--address", ADDRESS)
RECORD = '{"kind":"capture","format":1}\n' + "".join(
    f'{{"kind":"open","t":0.1,"conn":{number}}}\n'
    f'{{"kind":"line","t":0.1,"conn":{number},"from":"miner","text":"{{}}"}}\n'
    for number in range(1, 20)
)
"""A recording of more connections than ever come, so that it goes on."""

COMMANDS: dict[str, tuple[tuple[str, ...], int]] = {
    "mine": ((*MINE, "--http", "localhost:0", "--cgminer-api", "localhost:0", "--axeos-api", "localhost:0"), 3),
    "proxy": ((*PROXY, "--listen", "0", "--http", "localhost:0"), 2),
    "pool": ((*POOL, "--listen", ":0", "--http", "localhost:0"), 2),
    "tap": (("tap", "0", "127.0.0.1:1"), 1),
    "replay": (("replay", "RECORD", "--listen", "0"), 1),
}
"""Every command that listens, told no host, and how many addresses it then has."""
OPENERS = {
    "app/options/listen_address.py": "what pool, proxy, tap and replay listen with",
    "app/doctor/setup.py": "an address is tried and left again",
    "app/daemon/stats_api.py": "--http of pool and proxy",
    "app/daemon/pool_run.py": "pool, and solo on a port of loopback",
    "cli/pool.py": "looks whether the address is free, before there is a pool",
    "cli/proxy.py": "proxy",
    "cli/replay.py": "replay",
    "cli/tap.py": "tap",
    "app/daemon/services.py": "the three APIs of mine",
    "downstream/connections.py": "a pool or a proxy inside another program, at the address of its config",
    "monitoring/listening.py": "makes the sockets of the APIs",
    "network/accepting.py": "opens the listeners of a pool or a proxy inside another program",
    "testing/lab.py": "the pytest plugin, on loopback",
}
"""Every file that opens a listener: a new one wants a row here, and a command of its own in the table above."""
CHANGES = [(item.method, re.sub(r"{\w+}", "1", PREFIX + item.path)) for item in ENDPOINTS if item.method != "GET"]
AXEOS = [("POST", f"/api/system/{word}") for word in ("pause", "resume", "restart")] + [("PATCH", "/api/system")]


@dataclass(frozen=True)
class Running:
    """A command that has opened all its addresses."""

    process: subprocess.Popen[str]
    expected: int

    @cached_property
    def addresses(self) -> list[tuple[str, int]]:
        """Where it listens, once these are as many as expected; nothing is there that is not expected to be."""
        while len(found := listening(self.process.pid)) < self.expected:
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)
        return found


def listening(pid: int) -> list[tuple[str, int]]:
    """Return the addresses and ports of the listening sockets of a process, as the kernel reports them."""
    own = set()
    for file in Path(f"/proc/{pid}/fd").glob("*"):
        with suppress(FileNotFoundError):  # closed since
            own.add(os.readlink(file))
    found = []
    for table in ("tcp", "tcp6"):
        for row in Path(f"/proc/net/{table}").read_text(encoding="ascii").splitlines()[1:]:
            _, local, _, state, *_, inode = row.split()[:10]
            if state == "0A" and f"socket:[{inode}]" in own:
                host, _, port = local.partition(":")
                words = bytes.fromhex(host)
                packed = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
                found.append((str(ipaddress.ip_address(packed)), int(port, 16)))
    return found


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """Run all commands at the same time, because each takes a second to start."""
    directory = tmp_path_factory.mktemp("listeners")
    record = directory / "record"
    record.write_text(RECORD, encoding="utf-8")
    environment = {"STRATUM_MINER_HTTP_TOKEN": "", "XDG_STATE_HOME": str(directory)}
    with ExitStack() as stack:
        yield {
            name: Running(
                stack.enter_context(
                    started(*(str(record) if word == "RECORD" else word for word in words), environment=environment)
                ),
                count,
            )
            for name, (words, count) in COMMANDS.items()
        }


@pytest.mark.parametrize("name", COMMANDS)
def test_who_names_no_host_listens_on_loopback(name: str, running: dict[str, Running]) -> None:
    addresses = running[name].addresses
    assert len(addresses) == COMMANDS[name][1]
    assert all(ipaddress.ip_address(host).is_loopback for host, _ in addresses), addresses


def test_default_addresses_are_of_this_machine() -> None:
    assert PoolConfig(payout_script=b"\x51").host == "127.0.0.1"
    assert ProxyOptions().listen == "127.0.0.1:3333"


@pytest.mark.parametrize(
    ("command", "permission"),
    [
        ((*MINE, "--http", "0.0.0.0:0"), "--http-network"),
        ((*MINE, "--http", "[::]:0"), "--http-network"),
        ((*MINE, "--cgminer-api", "0.0.0.0:0"), "--api-allow"),
        ((*PROXY, "--listen", "0", "--http", "0.0.0.0:0"), "--http-network"),
        ((*POOL, "--listen", "0", "--http", "0.0.0.0:0"), "--http-network"),
    ],
)
def test_an_api_on_the_network_takes_a_second_word(
    command: tuple[str, ...], permission: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.run(command) == 2
    assert permission in capsys.readouterr().err


@pytest.mark.parametrize("name", ["mine", "proxy", "pool"])
def test_nobody_changes_anything_without_the_token(name: str, running: dict[str, Running]) -> None:
    ports = [port for _, port in running[name].addresses]
    spoken = set(ports)
    for port in ports:
        for method, path in [*CHANGES, *AXEOS]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            try:
                connection.request(method, path, headers={"Authorization": "Bearer"})
                status = connection.getresponse().status
            except (OSError, http.client.HTTPException):  # a port that speaks something else
                spoken.discard(port)
                break
            finally:
                connection.close()
            assert status in (401, 404, 405), (method, path, status)
    assert len(spoken) == (2 if name == "mine" else 1)


def test_every_file_that_opens_a_listener_is_in_the_table() -> None:
    package = Path(stratum_miner.__file__).parent
    names = ("open_listeners", "listening_socket", "open_tcp_listeners", "serve_tcp", "create_server", "bound.listen")
    opens = re.compile(rf"\b({'|'.join(map(re.escape, names))})\(")
    found = set()
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if any(name in text for name in names) and opens.search(text):  # the expression alone is slow
            found.add(str(path.relative_to(package)))
    assert found == set(OPENERS)
