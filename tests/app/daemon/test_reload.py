"""A configuration that is read again while mining: what changes at once, what needs a restart, what is refused."""

import os
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
from structlog.testing import capture_logs
from trio.testing import MockClock

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.daemon.reload import Reloader
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.settings.changes import COMPARED_AS_BACKENDS, COMPARED_AS_POOLS, changes
from stratum_miner.app.settings.mine import MineSettings, Sources, load
from stratum_miner.client import ClientOptions, PoolUrl
from stratum_miner.miner import Assignment, Goals, Miner, StopReason
from stratum_miner.testing.manual_pool import ManualPool

BASE = """\
user = "me"
until_shares = 5

[pools.home]
url = "home.example:1"
pass = "hunter2one"
quota = 3

[pools.away]
url = "away.example:2"

[backends.cpu]
threads = 1

[backends.slow]
backend = "simulated"
pool = "away"
"""
APPLIED_BY_MINE = frozenset(
    ["electricity", "power", "price", "pool_fee", "mainnet_difficulty", "debug", "quiet", "protocol_dump"]
)
APPLIED_BY_MINER = frozenset(["until_shares", "until_blocks", "time_limit"])


class Running:
    """A miner whose pools are never up, and its configuration file."""

    def __init__(self, file: Path, **given: Any) -> None:
        self.file = file
        self.sources = Sources(given, file, {})
        self.taken: list[MineSettings] = []
        self.reloaded = trio.Event()
        settings = load(self.sources)
        self.connected: list[str] = []
        self.miner = Miner(
            settings.pools,
            [
                Assignment(backend=plan.create(), name=plan.name, pool=settings.bound.get(plan.name))
                for plan in settings.backends
            ],
            goals=settings.goals,
            strategy=settings.strategy,
            options=ClientOptions(clock=trio.current_time, connect=self._connect),
        )
        self.reloader = Reloader(self.sources, settings, self.miner, self)

    def take(self, settings: MineSettings) -> None:
        self.taken.append(settings)
        self.reloaded.set()

    def write(self, *changes: tuple[str, str]) -> None:
        text = self.file.read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        self.file.write_text(text)

    @property
    def pools(self) -> list[str]:
        return [pool.name for pool in self.miner.pool_control.pools()]

    async def _connect(self, url: PoolUrl, seconds: float) -> trio.abc.Stream:
        self.connected.append(url.host)
        ours, theirs = trio.testing.memory_stream_pair()
        ManualPool(theirs)
        return ours


RunningFactory = Callable[..., AbstractAsyncContextManager[Running]]


@pytest.fixture
def running(tmp_path: Path) -> RunningFactory:
    @asynccontextmanager
    async def make(text: str = BASE, **given: Any) -> AsyncIterator[Running]:
        file = tmp_path / "miner.toml"
        file.write_text(text)
        yield Running(file, **given)

    return make


def told(items: Any) -> list[str]:
    return [str(item) for item in items]


async def test_what_did_not_change_is_left_alone(running: RunningFactory) -> None:
    async with running() as it:
        before = it.miner.pool_control.settings()
        result = it.reloader.reload()
        assert (result.applied, result.restart, result.refused) == ((), (), ())
        assert it.miner.pool_control.settings() == before


async def test_pools_are_added_removed_reordered_and_changed(running: RunningFactory) -> None:
    async with running() as it:
        it.write(
            (
                '[pools.away]\nurl = "away.example:2"',
                '[pools.away]\nurl = "away.example:2"\npriority = 0\nenabled = false',
            ),
            ("quota = 3", "quota = 4\nsuggest_difficulty = 2"),
            ("hunter2one", "hunter2two"),
            ("[backends.cpu]", '[pools.third]\nurl = "third.example:3"\n\n[backends.cpu]'),
            ('pool = "away"', 'pool = "home"'),
        )
        result = it.reloader.reload()
        assert told(result.applied) == [
            "pools.away.enabled: true -> false",
            "pools.home.pass: *** -> another ***",
            "pools.home.suggest_difficulty: not set -> 2.0",
            "pools.home.quota: 3 -> 4",
            "pools.third: not set -> added",
            "order of pools: home, away -> away, home",
        ]
        assert told(result.restart) == ["backends.slow.pool: away -> home"]
        assert it.pools == ["away", "home", "third"]
        assert [pool.enabled for pool in it.miner.pool_control.pools()] == [False, True, True]
        assert it.miner.pool_control.settings()[1].password == "hunter2two"
        it.write(('[pools.third]\nurl = "third.example:3"\n', ""))
        assert told(it.reloader.reload().applied) == ["pools.third: present -> removed"]
        assert it.pools == ["away", "home"]


async def test_a_change_that_takes_a_restart_is_told_until_then(running: RunningFactory) -> None:
    async with running() as it:
        it.write(("threads = 1", "threads = 2"), ("until_shares = 5", "until_shares = 6\njournal = 'j'"))
        for _ in range(2):
            result = it.reloader.reload()
            assert told(result.restart)[1:] == ["backends.cpu: cpu threads=1 -> cpu threads=2"]
            assert result.restart[0].what == "journal"
        assert result.applied == ()
        assert it.miner.goals == Goals(shares=6)


async def test_a_refused_file_changes_nothing_and_says_why(running: RunningFactory) -> None:
    async with running() as it:
        before = it.miner.pool_control.settings()
        it.write(("quota = 3", "qouta = 3"), ("until_shares = 5", "until_shares = 'many'"), ("away.ex", "other.ex"))
        with capture_logs() as logs:
            result = it.reloader.reload()
        assert result.refused == (
            f"{it.file}:2: until_shares: expected an integer, got 'many'",
            f"{it.file}:7: pools.home.qouta: unknown key: did you mean 'quota'?",
        )
        assert [line["problem"] for line in logs] == list(result.refused)
        assert (result.applied, result.restart) == ((), ())
        assert it.miner.pool_control.settings() == before
        assert it.miner.goals == Goals(shares=5)
        assert not it.taken
        it.file.unlink()
        assert "No such file" in it.reloader.reload().refused[0]


async def test_secrets_show_neither_in_the_diff_nor_in_the_log(running: RunningFactory) -> None:
    async with running(BASE.replace("quota = 3", 'quota = 3\nproxy = "socks5://u:hunter2three@p:1"')) as it:
        it.write(("hunter2one", "hunter2four"), ("hunter2three", "hunter2five"))
        with capture_logs() as logs:
            result = it.reloader.reload()
        assert [item.what for item in result.applied] == ["pools.home.pass", "pools.home.proxy"]
        assert "hunter2" not in str(logs) + repr(result)


async def test_what_the_command_line_said_stays(running: RunningFactory) -> None:
    async with running(until_shares=7) as it:
        it.write(("until_shares = 5", "until_shares = 6"))
        assert it.reloader.reload().applied == ()
        assert it.miner.goals == Goals(shares=7)


async def test_pools_added_by_hand_stay_and_what_was_switched_off_by_hand_too(running: RunningFactory) -> None:
    async with running() as it:
        control = it.miner.pool_control
        control.add(replace(control.settings()[0], name="hand", url=PoolUrl("hand.example", 9)), 0)
        control.enable(1, False)
        it.write(("quota = 3", "quota = 9"))
        it.reloader.reload()
        assert it.pools == ["home", "away", "hand"]
        assert not control.pools()[0].enabled


async def test_the_strategy_goes_with_the_file(running: RunningFactory) -> None:
    async with running() as it:
        assert it.miner.pool_control.pools()[0].quota == 3
        it.write(("until_shares = 5", "strategy = 'failover'"))
        assert told(it.reloader.reload().applied) == ["until_shares: 5 -> not set", "strategy: quota -> failover"]
        assert it.miner.pool_control.pools()[0].quota is None


async def test_the_pool_of_a_bound_backend_follows(running: RunningFactory) -> None:
    async with running() as it:
        it.write(("away.example:2", "elsewhere.example:2"))
        result = it.reloader.reload()
        assert [item.what for item in result.applied] == ["pools.away.url", "backends.slow.pool.url"]
        bound = it.miner.bound_control("slow")
        assert bound is not None
        assert bound.settings()[0].url.host == "elsewhere.example"


async def test_where_every_backend_is_bound_other_pools_do_not_matter(running: RunningFactory) -> None:
    async with running(BASE.replace("threads = 1", 'threads = 1\npool = "away"')) as it:
        it.write(("home.example", "elsewhere.example"))
        result = it.reloader.reload()
        assert result.applied == ()
        assert told(result.restart) == [
            "pools.home.url: stratum+tcp://home.example:1 -> stratum+tcp://elsewhere.example:1"
        ]


@pytest.mark.parametrize("name", sorted(keys_of(MineOptions)))
def test_every_option_that_says_it_is_live_is_one_that_somebody_applies(name: str, tmp_path: Path) -> None:
    key = keys_of(MineOptions)[name]
    told_elsewhere = name in COMPARED_AS_POOLS | COMPARED_AS_BACKENDS
    assert told_elsewhere or key.live == (name in APPLIED_BY_MINE | APPLIED_BY_MINER)


def test_an_option_that_differs_is_a_change(tmp_path: Path) -> None:
    file = tmp_path / "miner.toml"
    file.write_text(BASE)
    before = load(Sources({}, file, {}))
    for field, value in (("http", "127.0.0.1:1"), ("debug", True), ("time_limit", 5.0), ("log_format", "json")):
        [item] = changes(before, load(Sources({field: value}, file, {})))
        assert item.what == field
        assert item.live == keys_of(MineOptions)[field].live


async def test_a_changed_file_is_read_when_it_has_come_to_rest(
    running: RunningFactory, autojump_clock: MockClock
) -> None:
    async with running() as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.reloader.on_change, it.file)
        await trio.sleep(10.5)  # it looks at whole seconds
        assert not it.taken
        it.write(("until_shares = 5", "until_shares = 50"))
        await trio.sleep(1)
        it.file.write_text(it.file.read_text() + "# still writing\n")
        await trio.sleep(5)
        assert len(it.taken) == 1
        it.file.unlink()
        await trio.sleep(5)
        it.file.write_text(BASE)
        await trio.sleep(5)
        assert len(it.taken) == 2
        assert it.miner.goals == Goals(shares=5)
        nursery.cancel_scope.cancel()


async def test_sighup_reloads(running: RunningFactory) -> None:
    async with running() as it, trio.open_nursery() as nursery:
        nursery.start_soon(it.reloader.on_hangup)
        await trio.testing.wait_all_tasks_blocked()
        it.write(("until_shares = 5", "until_shares = 50"))
        os.kill(os.getpid(), signal.SIGHUP)
        with trio.fail_after(60):
            await it.reloaded.wait()
        assert it.miner.goals == Goals(shares=50)
        nursery.cancel_scope.cancel()


async def test_a_hangup_of_the_terminal_ends_mining(
    running: RunningFactory, monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with running() as it:
        monkeypatch.setattr(os, "isatty", lambda descriptor: True)
        endings: list[StopReason] = []

        async def mine() -> None:
            endings.append(await it.miner.run())
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(it.reloader.on_hangup)
            nursery.start_soon(mine)
            await trio.sleep(1)
            monkeypatch.setattr(os, "isatty", lambda descriptor: False)
            os.kill(os.getpid(), signal.SIGHUP)
        assert endings == [StopReason.STOPPED]
        assert not it.taken
