"""Each option of ``mine``, given on the command line, reaches the part of the program that acts on it."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.daemon import mine_run, services, status_lines
from stratum_miner.app.daemon.mine_run import MineRun
from stratum_miner.app.operation import hooks
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.settings.mine import Sources
from stratum_miner.cli import main
from stratum_miner.client import PoolSettings
from stratum_miner.client.settings import Strategy
from stratum_miner.miner import Miner, StopReason
from stratum_miner.monitoring import axeos, cgminer, http
from stratum_miner.monitoring.screen import live
from stratum_miner.proxy import Proxy, WorkerNames
from tests.cli.one_command import ReachedError

from . import option_files
from .one_command import run
from .test_process import ADDRESS, SIMULATED, easy_pool

PIN = "ab" * 32
POOL = ("-o", "h:1", "-u", "worker")
TLS_POOL = ("-o", "stratum+ssl://h:1", "-u", "worker")
PRICES = ("--electricity", "0.25", "--power", "60")


@dataclass
class Built:
    """What a command gave to the part that does the work."""

    pools: tuple[PoolSettings, ...]
    options: Mapping[str, Any]
    """The named arguments of the miner or the proxy."""
    assignments: Any = ()
    run: Any = None

    @property
    def pool(self) -> PoolSettings:
        return self.pools[0]

    @property
    def backend(self) -> Any:
        return self.assignments[0].backend

    def service(self, function: Callable[..., Any]) -> Any:
        """Return the arguments with which a service will run beside the miner."""
        return next(each.args for each in self.run.services if getattr(each, "func", None) == function)

    @property
    def pauses(self) -> dict[str, Any]:
        """Return the settings of the automatic pauses."""
        owners = [getattr(each, "__self__", None) for each in self.run.services]
        return next(owner.settings for owner in owners if isinstance(owner, _Pauses))


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Built]:
    """The list of what ``mine`` and ``proxy`` built, neither of which runs."""
    seen: list[Built] = []

    class SeenMiner(Miner):
        def __init__(self, pools: Any, assignments: Any, **options: Any) -> None:
            super().__init__(pools, assignments, **options)
            seen.append(Built(tuple(pools), options, assignments))

    class SeenProxy(Proxy):
        def __init__(self, pools: Any, config: Any, **options: Any) -> None:
            seen.append(Built(tuple(pools), {"config": config, **options}))
            raise ReachedError

    def reached(mining: MineRun) -> int:
        seen[-1].run = mining
        raise ReachedError

    monkeypatch.setattr(mine_run, "Miner", SeenMiner)
    monkeypatch.setattr(MineRun, "run", reached)
    monkeypatch.setattr("stratum_miner.cli.proxy.Proxy", SeenProxy)
    monkeypatch.setattr(services, "AutomaticPauses", _Pauses)
    return seen


class _Pauses:
    def __init__(self, control: object, **settings: Any) -> None:
        self.settings = settings

    async def run(self) -> None:
        raise NotImplementedError


OF_POOLS: dict[str, tuple[tuple[str, ...], Callable[[Built], Any], Any]] = {
    "--url": (("-o", "h:1", "--url", "i:2", "-u", "w"), lambda it: [str(pool.url) for pool in it.pools],
        ["stratum+tcp://h:1", "stratum+tcp://i:2"]),
    "--user": (("-o", "h:1", "--user", "alice"), lambda it: it.pool.worker_name, "alice"),
    "--pass": ((*POOL, "--pass", "hunter22"), lambda it: it.pool.password, "hunter22"),
    "--userpass": (("-o", "h:1", "--userpass", "alice:hunter22"),
        lambda it: (it.pool.worker_name, it.pool.password), ("alice", "hunter22")),
    "--pass-file": ((*POOL, "--pass-file", "PASSWORD"), lambda it: it.pool.password, "hunter22"),
    "--quota": ((*POOL, "-o", "i:2", "--quota", "3", "--quota", "7"), lambda it: [pool.quota for pool in it.pools],
        [3, 7]),
    "--strategy": ((*POOL, "-o", "i:2", "--strategy", "quota"), lambda it: it.options["strategy"], Strategy.QUOTA),
    "--version-rolling": ((*POOL, "--no-version-rolling"), lambda it: it.pool.version_mask, 0),
    "--version-mask": ((*POOL, "--version-mask", "00ffe000"), lambda it: it.pool.version_mask, 0x00FFE000),
    "--extranonce-subscribe": ((*POOL, "--no-extranonce-subscribe"), lambda it: it.pool.extranonce_subscribe, False),
    "--pool-redirect": ((*POOL, "--no-pool-redirect"), lambda it: it.pool.follow_redirects, False),
    "--fallback-time": ((*POOL, "--fallback-time", "7m"), lambda it: it.options["options"].failback, 420.0),
    "--retry-pause": ((*POOL, "--retry-pause", "11"), lambda it: it.options["options"].retry_pause, 11.0),
    "--suggest-difficulty": ((*POOL, "--suggest-difficulty", "64"), lambda it: it.pool.suggest_difficulty, 64.0),
    "--user-agent": ((*POOL, "--user-agent", "cgminer/4.12"), lambda it: it.pool.user_agent, "cgminer/4.12"),
    "--tls-ca": ((*TLS_POOL, "--tls-ca", "CA.PEM"), lambda it: it.pool.tls.ca_file, "CA.PEM"),
    "--tls-fingerprint": ((*TLS_POOL, "--tls-fingerprint", PIN), lambda it: it.pool.tls.fingerprint, PIN),
    "--tls-cert": ((*TLS_POOL, "--tls-cert", "BOTH.PEM"), lambda it: it.pool.tls.certificate, "BOTH.PEM"),
    "--tls-key": ((*TLS_POOL, "--tls-cert", "CERT.PEM", "--tls-key", "KEY.PEM"), lambda it: it.pool.tls.key, "KEY.PEM"),
    "--proxy": ((*POOL, "--proxy", "socks5h://p:9050"), lambda it: str(it.pool.proxy), "socks5h://p:9050"),
    "--protocol-dump": ((*POOL, "--protocol-dump"), lambda it: it.pool.trace, True),
    "--config": (("--config", "MINER.TOML"), lambda it: str(it.pool.url), "stratum+tcp://filed:1"),
}  # fmt: skip
"""Options that ``mine`` and ``proxy`` share: a command line, and what the miner or the proxy gets."""

OF_MINE: dict[str, tuple[tuple[str, ...], Callable[[Built], Any], Any]] = {
    "--retry": (("--no-retry",), lambda it: it.options["options"].retry, False),
    "--retries": (("--retries", "4"), lambda it: it.options["options"].retries, 4),
    "--threads": (("--threads", "3"), lambda it: it.backend.threads, 3),
    "--backend": (("--backend", "simulated"), lambda it: it.backend.name, "simulated"),
    "--kernel": (("--kernel", "scalar", "--threads", "1"), lambda it: it.backend.statistics().detail,
        "scalar, 1 thread"),
    "--backend-option": (("--backend", "simulated", "--backend-option", "hash_rate=5kH"),
        lambda it: it.backend.hash_rate, 5000.0),
    "--device": (("--device", "erupter:/dev/absent"), lambda it: [each.name for each in it.assignments], ["device"]),
    "--backend-worker": (("--backend-worker", "cpu=.garage"), lambda it: it.pool.workers, (("cpu", "worker.garage"),)),
    "--bind": (("-o", "i:2", "--bind", "cpu=2"), lambda it: str(it.assignments[0].pool.url), "stratum+tcp://i:2"),
    "--electricity": (PRICES, lambda it: it.run.tariff().electricity, Decimal("0.25")),
    "--power": (("--electricity", "0.25", "--power", "90"), lambda it: it.run.tariff().power, Decimal(90)),
    "--price": ((*PRICES, "--price", "50000"), lambda it: it.run.tariff().price, Decimal(50_000)),
    "--pool-fee": ((*PRICES, "--pool-fee", "2%"), lambda it: it.run.tariff().pool_fee, Decimal("0.02")),
    "--mainnet-difficulty": ((*PRICES, "--mainnet-difficulty", "1e14"),
        lambda it: it.run.tariff().mainnet_difficulty, 1e14),
    "--until-shares": (("--until-shares", "5"), lambda it: it.options["goals"].shares, 5),
    "--until-blocks": (("--until-blocks", "2"), lambda it: it.options["goals"].blocks, 2),
    "--time-limit": (("--time-limit", "3m"), lambda it: it.options["goals"].time_limit, 180.0),
    "--http": (("--http", "127.0.0.1:0"), lambda it: it.service(http.serve)[0].getsockname()[0], "127.0.0.1"),
    "--http-network": (("--http", "0.0.0.0:0", "--http-network"), lambda it: it.service(http.serve)[2].open_reading,
        False),
    "--http-host": (("--http", "127.0.0.1:0", "--http-host", "rig.lan"),
        lambda it: it.service(http.serve)[2].knows("rig.lan"), True),
    "--http-token-file": (("--http", "127.0.0.1:0", "--http-token-file", "TOKEN"),
        lambda it: it.service(http.serve)[2].token, option_files.TOKEN),
    "--cgminer-api": (("--cgminer-api", "127.0.0.1:0"),
        lambda it: it.service(cgminer.serve)[0].getsockname()[0], "127.0.0.1"),
    "--api-allow": (("--cgminer-api", "127.0.0.1:0", "--api-allow", "W:192.168.0.0/16"),
        lambda it: it.service(cgminer.serve)[3].group_of("192.168.7.8"), "W"),
    "--api-groups": (("--cgminer-api", "127.0.0.1:0", "--api-groups", "P:version:pools"),
        lambda it: it.service(cgminer.serve)[3].groups["P"] >= {"version", "pools"}, True),
    "--axeos-api": (("--axeos-api", "127.0.0.1:0", "--http-token-file", "TOKEN"),
        lambda it: it.service(axeos.serve)[0].getsockname()[0], "127.0.0.1"),
    "--axeos-control": (("--axeos-api", "127.0.0.1:0", "--axeos-control", "10.0.0.0/8", "--http-token-file", "TOKEN"),
        lambda it: [str(each) for each in it.service(axeos.serve)[3].trusted], ["10.0.0.0/8"]),
    "--sched-start": (("--sched-start", "22:00"), lambda it: it.pauses["schedule"].start, time(22)),
    "--sched-stop": (("--sched-stop", "06:30"), lambda it: it.pauses["schedule"].stop, time(6, 30)),
    "--pause-on-battery": (("--pause-on-battery",), lambda it: it.pauses["on_battery"] is not None, True),
    "--pause-above": (("--pause-above", "85"), lambda it: it.pauses["hottest"], 85.0),
    "--on-event": (("--on-event", "block=true"), lambda it: [each.target for each in it.service(hooks.run)[0]],
        ["true"]),
}  # fmt: skip
"""Options of ``mine`` alone, added to a command line with a pool."""


OF_PROXY: dict[str, tuple[tuple[str, ...], Callable[[Built], Any], Any]] = {
    "--max-miners": (("--max-miners", "300"), lambda it: it.options["config"].max_miners, 300),
    "--worker-names": (("--worker-names", "suffix"), lambda it: it.options["config"].worker_names, WorkerNames.SUFFIX),
    "--vardiff": (("--vardiff", "15s"), lambda it: it.options["config"].vardiff.target_seconds, 15.0),
}
"""Options of ``proxy`` alone, added to a command line with a pool."""


OF_OUTPUT: dict[str, tuple[str, ...]] = {
    "--watch-config": ("--watch-config",),
    "--json": ("--json",),
    "--debug": ("--debug",),
    "--journal": ("--journal", "j"),
    "--record": ("--record", "r"),
    "--record-secrets": ("--record-secrets",),
    "--display": ("--display", "lines"),
    "--quiet": ("--quiet",),
    "--log-file": ("--log-file", "l"),
    "--log-format": ("--log-format", "json"),
}
"""The other options of ``mine``, which tests of their own look at below."""
OF_THE_FILE = ("--config", "--no-config")


def _samples() -> dict[str, list[str]]:
    """Each option of ``mine`` with a value and without the other options of its command line."""
    lines = {option: case[0] for option, case in (OF_POOLS | OF_MINE).items()} | OF_OUTPUT
    samples = {}
    for option, words in lines.items():
        at = next(at for at, word in enumerate(words) if word in (option, option.replace("--", "--no-", 1)))
        end = next((end for end in range(at + 1, len(words)) if words[end].startswith("-")), len(words))
        samples[option] = list(words[at:end])
    return {option: sample for option, sample in samples.items() if option not in OF_THE_FILE}


def _check(case: tuple[tuple[str, ...], Callable[[Built], Any], Any], found: Built, files: Mapping[str, str]) -> None:
    _, look, expected = case
    value = look(found)
    wanted = files.get(expected, expected) if isinstance(expected, str) else expected
    assert (str(value) if isinstance(value, Path) else value) == wanted


@pytest.mark.parametrize("command", ["mine", "proxy"])
@pytest.mark.parametrize("option", OF_POOLS)
def test_an_option_of_pools_reaches_the_client(
    option: str, command: str, built: list[Built], files: Mapping[str, str]
) -> None:
    case = OF_POOLS[option]
    with pytest.raises(ReachedError):
        main.run([command, *(files.get(word, word) for word in case[0])])
    _check(case, built[-1], files)


@pytest.mark.parametrize("command", ["mine", "proxy"])
def test_a_file_of_the_environment_is_read_unless_there_is_to_be_none(
    command: str,
    built: list[Built],
    files: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("STRATUM_MINER_CONFIG", files["MINER.TOML"])
    with pytest.raises(ReachedError):
        main.run([command])
    assert str(built[-1].pool.url) == "stratum+tcp://filed:1"
    code, _, err = run(capsys, command, "--no-config")
    assert code == 2
    assert "--url: expected a pool" in err


@pytest.mark.parametrize("option", OF_MINE)
def test_an_option_of_mine_reaches_the_miner_or_its_services(
    option: str, built: list[Built], files: Mapping[str, str]
) -> None:
    case = OF_MINE[option]
    with pytest.raises(ReachedError):
        main.run(["mine", "--no-config", *POOL, *(files.get(word, word) for word in case[0])])
    _check(case, built[-1], files)


@pytest.mark.parametrize("option", OF_PROXY)
def test_an_option_of_proxy_reaches_the_proxy(option: str, built: list[Built], files: Mapping[str, str]) -> None:
    case = OF_PROXY[option]
    with pytest.raises(ReachedError):
        main.run(["proxy", "--no-config", *POOL, *case[0]])
    _check(case, built[-1], files)


def test_the_file_is_watched_only_with_watch_config(built: list[Built], files: Mapping[str, str]) -> None:
    for words, watched in (((), False), (("--watch-config",), True)):
        with pytest.raises(ReachedError):
            main.run(["mine", "--config", files["MINER.TOML"], *words])
        mining = built[-1].run
        on_change = [each for each in mining.services if getattr(each, "func", None) == mining.reloader.on_change]
        assert [each.args for each in on_change] == ([(Path(files["MINER.TOML"]),)] if watched else [])


@pytest.mark.parametrize(("words", "drawn"), [((), True), (("--display", "lines"), False), (("--quiet",), False)])
def test_the_screen_is_drawn_on_a_terminal_unless_lines_are_wanted(
    words: tuple[str, ...], drawn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[object] = []

    async def mine_until_done(*_: object, display: object, **__: object) -> StopReason:
        seen.append(display)
        return StopReason.STOPPED

    monkeypatch.setattr(live, "usable", lambda console: True)
    monkeypatch.setattr(status_lines, "mine_until_done", mine_until_done)
    assert main.run(["mine", "--no-config", *POOL, *words]) == 0
    assert [display is not None for display in seen] == [drawn]


def test_what_a_run_writes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The log on stderr and in a file, the journal, the recording with its secrets, and the summary as JSON."""
    log, journal, record = (tmp_path / name for name in ("log", "journal", "record"))
    with easy_pool() as address:
        code, out, err = run(
            capsys, "mine", "--no-config", "-o", address, "-u", ADDRESS, "--pass", "hunter22", *SIMULATED,
            "--until-shares", "2", "--json", "--debug", "--log-format", "json", "--log-file", str(log),
            "--journal", str(journal), "--record", str(record), "--record-secrets",
        )  # fmt: skip
        assert code == 0, err
        _, _, quiet = run(
            capsys, "mine", "--no-config", "-o", address, "-u", ADDRESS, *SIMULATED, "--until-shares", "1", "--quiet"
        )
    assert json.loads(out.splitlines()[-1])["shares"]["accepted"] >= 2
    lines = [json.loads(line) for line in err.splitlines() if line.startswith("{")]
    assert "share_accepted" in {line["event"] for line in lines}
    assert "debug" in {line["level"] for line in lines}
    assert "share_accepted" in {json.loads(line)["event"] for line in log.read_text().splitlines()}
    assert [json.loads(line)["event"] for line in journal.read_text().splitlines()].count("settled") >= 2
    assert "hunter22" in record.read_text()
    assert "share_accepted" not in quiet


@pytest.mark.parametrize(
    ("command", "where"),
    [
        (["config", "check"], "stratum_miner.cli.config.load"),
        (["config", "show"], "stratum_miner.cli.config.load"),
        (["doctor"], "stratum_miner.app.doctor.setup.load"),
    ],
)
def test_a_command_that_checks_or_shows_settings_reads_each_option(
    command: list[str], where: str, files: Mapping[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Sources] = []

    def load(sources: Sources) -> None:
        seen.append(sources)
        raise ReachedError

    monkeypatch.setattr(where, load)
    samples = _samples()
    with pytest.raises(ReachedError):
        main.run([*command, "--config", files["MINER.TOML"], *(word for words in samples.values() for word in words)])
    with pytest.raises(ReachedError):
        main.run([*command, "--no-config"])
    keys = keys_of(MineOptions)
    assert set(seen[0].given) == {key.field for key in keys.values()}
    named = {option: keys[option.removeprefix("--").replace("-", "_")] for option in samples}
    assert not [option for option, key in named.items() if seen[0].given[key.field] == key.default]
    assert [each.file for each in seen] == [Path(files["MINER.TOML"]), None]
