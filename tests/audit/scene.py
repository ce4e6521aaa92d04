"""A scenario's cast: node, pools, relays, proxies, miners; and what was read of each once traffic was at rest."""

import contextlib
import json as json_module
import math
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from tests.audit import surfaces
from tests.audit.node import ChainOnDisk, Node
from tests.audit.program import Program, Programs, programs, until
from tests.audit.relay import Relay
from tests.audit.scripted_pool import ScriptedPool
from tests.audit.stick import Tap
from tests.audit.surfaces import Reading
from tests.audit.witness import Story, answers_on, tell

ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
HASH_RATE = 500e3
"""H/s of one simulated device: little work for this machine, and half of the slowest kernel."""
DIFFICULTY = 6e-6
"""Twenty shares a second at that rate."""
REST_S = 0.7
"""Nothing on any wire for so long is rest; a reply on loopback takes a thousandth of that."""
SEEN_S = 0.2
"""After the end of a program the relays hear of it."""
READ_TRIES = 12
"""To read everything while nothing moves: a pool sends a job now and then, and a busy machine reads slowly."""


@dataclass(slots=True)
class PoolOf:
    """A pool as one program is configured to use it."""

    relay: Relay
    quota: int | None = None
    name: str | None = None

    @property
    def url(self) -> str:
        """As it is given, and as it is shown."""
        return f"stratum+tcp://127.0.0.1:{self.relay.port}"

    @property
    def title(self) -> str:
        """What the program calls it."""
        return self.name or self.url


@dataclass(slots=True)
class Device:
    """A simulated backend: what it was told to be."""

    backend: str
    worker: str
    hash_rate: float
    name: str = "sim0"


@dataclass(slots=True)
class MinerAtRest:
    """A run of ``mine`` with everything that was read of it."""

    program: Program
    pools: list[PoolOf]
    worker: str
    devices: list[Device]
    journal: Path | None
    ports: dict[str, int]
    stick: Tap | None = None
    """Its only device, where it has one."""
    readings: list[Reading] = field(default_factory=list)
    paused: float | None = None
    kept_waiting: float = 0.0
    """Seconds for which the machine had kept it from its work when it was paused."""
    exit_code: int | None = None
    active: int | None = 0
    """Which pool is mined on at rest; None where quotas decide."""
    conditions: dict[int, tuple[str, ...]] = field(default_factory=dict)
    """Conditions that pools may be in which need not be up at rest."""
    cuts: bool = False
    """Whether connections were cut, so that bytes on the way were lost."""
    runs_before: Counter[str] = field(default_factory=Counter)
    """What the journal had before."""
    expected_exit: int = 0
    problems: tuple[str, ...] = ()
    """Lasting ones that it has at rest, in its words."""
    stories: list[Story] = field(default_factory=list)
    """What its pools saw, in their order, told at rest."""
    final: list[Story] = field(default_factory=list)
    """The same after the end."""


@dataclass(slots=True)
class ProxyAtRest:
    """A run of ``proxy``."""

    program: Program
    pools: list[PoolOf]
    port: int
    below: list[Relay]
    """Whoever connects to it comes through one of these."""
    ready: float = 0.0
    worker: str = ADDRESS
    active: int | None = 0
    conditions: dict[int, tuple[str, ...]] = field(default_factory=dict)
    cuts: bool = False
    readings: list[Reading] = field(default_factory=list)
    exit_code: int | None = None
    expected_exit: int = 0
    paused: float | None = None
    kept_waiting: float = 0.0
    devices: list[Device] = field(default_factory=list)
    stories: list[Story] = field(default_factory=list)
    final: list[Story] = field(default_factory=list)
    stories_below: list[Story] = field(default_factory=list)
    final_below: list[Story] = field(default_factory=list)


@dataclass(slots=True)
class PoolAtRest:
    """A run of ``pool``."""

    program: Program
    port: int
    below: list[Relay]
    node: Node | ChainOnDisk
    ready: float = 0.0
    readings: list[Reading] = field(default_factory=list)
    exit_code: int | None = None
    expected_exit: int = 0
    stories_below: list[Story] = field(default_factory=list)
    final_below: list[Story] = field(default_factory=list)


class Scene:
    """Starts the cast; ``rest`` reads everything."""

    def __init__(self, running: Programs, stack: ExitStack) -> None:
        self.programs = running
        self.directory = running.directory
        self._stack = stack
        self.relays: list[Relay] = []
        self.miners: list[MinerAtRest] = []
        self.proxies: list[ProxyAtRest] = []
        self.pools: list[PoolAtRest] = []

    # ---- the cast -------------------------------------------------------------------------------------------------

    def node(self, **options: Any) -> Node:
        """A scripted node."""
        return self._stack.enter_context(Node(**options))

    def relay(self, name: str, target: int) -> Relay:
        """A relay in front of a port."""
        relay = self._stack.enter_context(Relay(name, target))
        self.relays.append(relay)
        return relay

    def relay_to(self, below: "PoolAtRest | ProxyAtRest") -> Relay:
        """A relay in front of a pool or a proxy of the scene."""
        relay = self.relay(below.program.name, below.port)
        below.below.append(relay)
        return relay

    def scripted_pool(self, *, difficulty: float = DIFFICULTY, **options: Any) -> tuple[ScriptedPool, Relay]:
        """A scripted pool behind a relay."""
        pool = self._stack.enter_context(ScriptedPool(difficulty=difficulty, **options))
        return pool, self.relay("scripted", pool.port)

    def pool(self, node: Node | ChainOnDisk, *options: str) -> PoolAtRest:
        """Our pool on a node, or with the embedded one, once it listens."""
        where = ("kernel", "--data-dir", str(node.directory)) if isinstance(node, ChainOnDisk) else (node.url,)
        program = self.programs.start(
            "pool",
            *("pool", "--node", *where, "--address", ADDRESS, "--listen", "127.0.0.1:0"),
            *("--difficulty", f"{DIFFICULTY!r}", "--json", "--log-format", "json", "--debug"),
            *("--http", "127.0.0.1:0", *options),
        )
        pool = PoolAtRest(program, program.address("ready", "url"), [], node, ready=time.monotonic())
        self.pools.append(pool)
        return pool

    def solo(self, node: Node, *options: str) -> PoolAtRest:
        """``solo`` on a node, until it ends by itself."""
        program = self.programs.start(
            "solo",
            *("solo", "--node", node.url, "--address", ADDRESS, "--difficulty", f"{DIFFICULTY!r}", "--json"),
            *("--backend", "simulated", "--backend-option", f"hash_rate={HASH_RATE:.0f}H", "--log-format", "json"),
            *options,
        )
        solo = PoolAtRest(program, 0, [], node)
        solo.exit_code = program.wait()
        solo.readings.append(surfaces.read("solo.json", partial(_object, program)))
        self.pools.append(solo)
        return solo

    def proxy(self, pools: list[PoolOf], *options: str, json: bool = True, port: int = 0) -> ProxyAtRest:
        """A proxy, once it listens."""
        program = self.programs.start(
            "proxy",
            *("proxy", "--no-config", *_upstream(pools), "-u", ADDRESS, "-p", "x", "--listen", f"127.0.0.1:{port}"),
            *("--http", "127.0.0.1:0", "--log-format", "json", *(("--json",) if json else ()), *options),
        )
        proxy = ProxyAtRest(program, pools, program.address("ready", "url"), [], ready=time.monotonic())
        self.proxies.append(proxy)
        return proxy

    def miner(
        self,
        pools: list[PoolOf],
        *options: str,
        rates: tuple[float, ...] = (HASH_RATE,),
        seed: int = 1,
        journal: Path | None = None,
        json: bool = True,
        stick: Tap | None = None,
    ) -> MinerAtRest:
        """A miner with a stick, or with simulated devices: of several each has a worker name of its own."""
        number = len(self.miners)
        user = f"{ADDRESS}.rig{number}"
        devices, arguments = [], []
        if stick is not None:
            devices.append(Device("device", user, HASH_RATE, f"erupter-{stick.link.name}"))
            settings = f"nonce-difficulty={DIFFICULTY!r},hash-rate={HASH_RATE:.0f}H,idle-off=never"
            arguments += ["--device", f"erupter:{stick.link},{settings}"]
        for index, rate in enumerate(() if stick is not None else rates):
            name = "simulated" if index == 0 else f"simulated{index + 1}"
            several = len(rates) > 1
            devices.append(Device(name, f"{user}{index}" if several else user, rate))
            arguments += ["--backend", "simulated"]
            arguments += ["--backend-option", f"{name}.hash_rate={rate:.0f}H"]
            arguments += ["--backend-option", f"{name}.seed={seed + index}"]
            if several:
                arguments += ["--backend-worker", f"{name}={user}{index}"]
        journal = journal or self.directory / f"journal-{number}"
        program = self.programs.start(
            f"mine{number}",
            *("mine", "--no-config", *_upstream(pools), "-u", user, "-p", "x", *arguments),
            *("--http", "127.0.0.1:0", "--cgminer-api", "127.0.0.1:0", "--axeos-api", "127.0.0.1:0"),
            *("--journal", str(journal), "--log-format", "json", *(("--json",) if json else ()), *options),
        )
        ports = {name: program.address(name, "address") for name in ("http", "cgminer_api", "axeos_api")}
        miner = MinerAtRest(program, pools, user, devices, journal, ports, stick=stick)
        self.miners.append(miner)
        return miner

    def end(self, who: PoolAtRest | ProxyAtRest, *, kill: bool = False) -> None:
        """Ctrl-C, or SIGKILL, which leaves no last word; nobody can connect to it until ``bring_back``."""
        if isinstance(who, ProxyAtRest):
            self._end_proxy(who, kill=kill)
        else:
            self._end_pool(who, kill=kill)
        for relay in who.below:
            relay.stop()

    def bring_back(self, ended: PoolAtRest | ProxyAtRest, again: PoolAtRest | ProxyAtRest) -> None:
        """Another run takes the place of one that is over."""
        for relay in ended.below:
            relay.target = again.port
            relay.restart()
            again.below.append(relay)

    def stick(self, *faults: str) -> Tap:
        """An emulated Block Erupter behind a tap; every nonce that it reports is a share."""
        program = self.programs.start(
            "stick",
            *("emulate", "erupter", "--link", str(self.directory / "emulated"), "--hash-rate", f"{HASH_RATE:.0f}H/s"),
            *("--nonce-difficulty", f"{DIFFICULTY!r}", "--seed", "7", "--json"),
            *(text for fault in faults for text in ("--fault", fault)),
        )
        until(lambda: '"ready"' in program.out, "the stick is there", program)
        return self._stack.enter_context(Tap(str(self.directory / "emulated"), self.directory / "stick", DIFFICULTY))

    # ---- rest -----------------------------------------------------------------------------------------------------

    def wait_for(self, relay: Relay, *, blocks: int = 0, **counts: int) -> None:
        """Until so many shares had these fates on a wire, and so many of the accepted ones were blocks."""

        def enough() -> bool:
            story = tell(relay.wire)
            fates = story.fates()
            solved = {
                share.first.job.previous
                for share in story.shares
                if share.fate == "accepted" and share.first.is_block and share.first.job is not None
            }
            return len(solved) >= blocks and all(fates[fate] >= count for fate, count in counts.items())

        what = f"{relay.wire.name} has {counts} and {blocks} blocks"
        until(enough, what, self.miners[-1].program if self.miners else None)

    def pause(self) -> None:
        """No miner searches any more, and no wire has moved for a while."""
        for tap in [miner.stick for miner in self.miners if miner.stick is not None]:
            tap.muted = True  # a stick goes on with its last work, which nobody wants any more
        for miner in self.miners:
            self.pause_one(miner)
        until(lambda: all(relay.quiet_for > REST_S for relay in self.relays), "the wires are quiet")

    def pause_one(self, miner: MinerAtRest) -> None:
        """It searches no more."""
        if miner.paused is None and miner.program.process.poll() is None:
            miner.kept_waiting = miner.program.kept_waiting()
            surfaces.http_post(miner.ports["http"], "/api/v1/pause")
            miner.paused = time.monotonic()

    def rest(self) -> None:
        """Pause, read what everybody says, end everybody from the miners upwards, and read what they leave."""
        self.pause()
        for _ in range(READ_TRIES):
            begin = time.monotonic()
            self._read()
            if all(relay.last < begin for relay in self.relays):
                break  # else a job came in between, and nobody can say who knew it
        else:
            raise AssertionError(f"a wire moved during each of {READ_TRIES} readings: nothing can be held against it")
        for miner in self.miners:
            miner.exit_code = miner.program.interrupt()
            miner.final = [tell(pool.relay.wire) for pool in miner.pools]
            miner.readings += read_end(miner)
        for proxy in self._from_below():
            self._end_proxy(proxy)
        for pool in self.pools:
            if pool.exit_code is None:
                self._end_pool(pool)

    def _from_below(self) -> list[ProxyAtRest]:
        """The proxies that run, those that stand on others before these."""
        left = [proxy for proxy in self.proxies if proxy.exit_code is None]
        ordered: list[ProxyAtRest] = []
        while left:
            used = {pool.relay.target for proxy in left for pool in proxy.pools}
            ordered += [proxy for proxy in left if proxy.port not in used]
            left = [proxy for proxy in left if proxy.port in used]
        return ordered

    def _read(self) -> None:
        for miner in self.miners:
            miner.stories = [tell(pool.relay.wire) for pool in miner.pools]
            miner.readings = read_miner(miner)
        for proxy in self.proxies:
            if proxy.exit_code is None:
                port = proxy.program.address("http", "address")
                proxy.stories, proxy.stories_below = self._told(proxy.program, proxy.pools, proxy.below)
                proxy.readings = surfaces.figures("proxy", port)
        for pool in self.pools:
            if pool.exit_code is None:
                _, pool.stories_below = self._told(pool.program, [], pool.below)
                pool.readings = surfaces.figures("pool", pool.program.address("http", "address"))

    def _end_proxy(self, proxy: ProxyAtRest, *, kill: bool = False) -> None:
        proxy.exit_code = _end(proxy.program, kill=kill)
        time.sleep(SEEN_S)  # until the relays have seen it
        proxy.final, proxy.final_below = self._told(proxy.program, proxy.pools, proxy.below)
        if kill:
            return
        if "--json" in proxy.program.arguments:
            proxy.readings.append(_summary("proxy.json", proxy.program))
        else:
            proxy.readings.append(surfaces.proxy_text(proxy.program.words))
        proxy.readings.append(surfaces.read("proxy.wire", lambda: {"answers": answers_on(proxy.final_below)}))
        proxy.readings.append(surfaces.proxy_log(proxy.program.events))
        proxy.readings.append(surfaces.read("exit", lambda: {"code": proxy.exit_code}))

    def _end_pool(self, pool: PoolAtRest, *, kill: bool = False) -> None:
        pool.exit_code = _end(pool.program, kill=kill)
        time.sleep(SEEN_S)  # until the relays have seen it
        _, pool.final_below = self._told(pool.program, [], pool.below)
        if not kill:
            pool.readings.append(_summary("pool.json", pool.program))
            pool.readings.append(surfaces.pool_log(pool.program.events))
            pool.readings.append(surfaces.read("exit", lambda: {"code": pool.exit_code}))

    def _told(self, program: Program, above: list[PoolOf], below: list[Relay]) -> tuple[list[Story], list[Story]]:
        """What happened above and below during one run of a program that others may follow in its place."""
        span = (program.started, math.inf if program.ended is None else program.ended)
        return [tell(pool.relay.wire, *span) for pool in above], [tell(relay.wire, *span) for relay in below]


def _end(program: Program, *, kill: bool) -> int:
    if not kill:
        return program.interrupt()
    program.kill()
    return -9


def read_miner(miner: MinerAtRest) -> list[Reading]:
    """Everything that a miner says while it runs."""
    http, cgminer, axeos = (miner.ports[name] for name in ("http", "cgminer_api", "axeos_api"))
    return [
        *surfaces.api(http),
        surfaces.stream(http),
        surfaces.metrics(http),
        surfaces.ready(http),
        surfaces.health(http),
        surfaces.top_text(http),
        *surfaces.cgminer(cgminer),
        *surfaces.axeos(axeos),
    ]


def read_end(miner: MinerAtRest) -> list[Reading]:
    """What a miner leaves."""
    readings = []
    if "--json" in miner.program.arguments:
        readings.append(_summary("mine.json", miner.program))
    else:
        readings.append(surfaces.mine_text(miner.program.words))
    readings.append(surfaces.mine_log(miner.program.events))
    if miner.journal is not None and miner.journal.is_file():
        readings.append(surfaces.journal(miner.journal))
    readings.append(surfaces.read("exit", lambda: {"code": miner.exit_code}))
    return readings


@contextlib.contextmanager
def scene(directory: Path) -> Iterator[Scene]:
    """A stage that is cleared at the end."""
    with ExitStack() as stack, programs(directory) as running:
        yield Scene(running, stack)


def _upstream(pools: list[PoolOf]) -> list[str]:
    arguments = []
    for pool in pools:
        arguments += ["-o", pool.url]
        if pool.quota is not None:
            arguments += ["--quota", str(pool.quota)]
    return arguments


def _summary(surface: str, program: Program) -> Reading:
    """The figures that a program printed at its end. It took them at some moment after it was interrupted: on a busy
    machine, it ends seconds later.
    """
    reading = surfaces.read(surface, partial(_object, program))
    if program.interrupted is not None:
        late = reading.asked - program.interrupted
        reading.asked -= late
        reading.asked_unix -= late
    return reading


def _object(program: Program) -> Any:
    return json_module.loads(program.out.splitlines()[-1])
