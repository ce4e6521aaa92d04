"""Pools and miners at their worst, from a seed: a share has one fate, none goes up twice, all that go up are good."""

import random
from collections import Counter
from contextlib import suppress
from hashlib import sha256
from typing import Any

import pytest
import trio
import trio.testing

from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.testing.manual_pool import ManualPool
from tests.downstream.wire_client import WireClient
from tests.proxy.proxy_lab import ProxyLab, job, proxy_lab, upstream_header

Clock = trio.testing.MockClock
DIFFICULTIES = (3e-9, 1e-8, 2e-8)
SESSIONS = 25
MINERS = 5
OWN_DIFFICULTIES = VardiffConfig(target_seconds=1, retarget_seconds=5, minimum=1e-9)


class WorstPool:
    """Plays one connection after another and keeps books of what it was sent."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.said: Counter[str] = Counter()
        self.problems: list[str] = []
        self._jobs: dict[str, tuple[list[Any], str, float]] = {}
        """Jobs of the current session by id: the job, its extranonce1 and its difficulty."""
        self._seen: set[bytes] = set()
        self._unanswered: list[dict[str, Any]] = []
        self._number = 0
        self._session = ("", "")

    async def play(self, pool: ManualPool) -> None:
        """One connection, to its bitter end."""
        rng = self.rng
        subscribe = await pool.request()
        if subscribe["method"] == "mining.configure":  # left out once a pool has hung up on it
            await pool.reply(subscribe, self._granted())
            subscribe = await pool.request("mining.subscribe")
        resumed = len(subscribe["params"]) > 1 and subscribe["params"][1] == self._session[0] and rng.random() < 0.5
        if not resumed:
            self._session = (f"s{rng.getrandbits(32):x}", f"{rng.getrandbits(32):08x}")
            self._size = rng.choice((3, 4, 8))
            self._jobs.clear()
            self._seen.clear()
        self._extranonce1 = self._session[1]
        self._unanswered.clear()
        await pool.reply(subscribe, [[["mining.notify", self._session[0]]], self._extranonce1, self._size])
        self._difficulty = rng.choice(DIFFICULTIES)
        await pool.send_call("mining.set_difficulty", self._difficulty)
        await pool.reply(await pool.request("mining.authorize"), True)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen, pool, resumed)
            for _ in range(rng.randrange(1, 12)):
                await rng.choice((self._job, self._job, self._answer, self._answer, self._change))(pool)
                await trio.sleep(rng.choice((0.0, 0.3, 5.0)))
            if rng.random() < 0.3:
                await pool.stream.send_all(b'{"id":null,"method":"mining.not')
            nursery.cancel_scope.cancel()
        await pool.stream.aclose()

    def _granted(self) -> dict[str, Any]:
        if self.rng.random() < 0.2:
            return {"version-rolling": False}
        return {"version-rolling": True, "version-rolling.mask": self.rng.choice(("1fffe000", "0000e000"))}

    async def _listen(self, pool: ManualPool, resumed: bool) -> None:
        while True:
            try:
                request = await pool.request()
            except (AssertionError, trio.BrokenResourceError):
                return
            if request["method"] == "mining.submit":
                self._check(request["params"], resumed)
                self._unanswered.append(request)

    def _check(self, params: list[str], resumed: bool) -> None:
        self.said["received"] += 1
        if params[1] not in self._jobs:
            self.problems.append(f"{params[1]}: a job of another session")
            return
        announced, extranonce1, difficulty = self._jobs[params[1]]
        header = upstream_header(announced, extranonce1, params)
        value = int.from_bytes(sha256(sha256(header).digest()).digest(), "little")
        if value > (0xFFFF << 208) / difficulty * (1 + 1e-9):
            self.problems.append(f"{params[1]}: not good enough for {difficulty}")
        if header in self._seen and not resumed:
            self.problems.append(f"{params[1]}: sent twice")
        self._seen.add(header)

    async def _job(self, pool: ManualPool) -> None:
        self._number += 1
        name = f"{self._number % 40:x}" if self._number % 40 else "zz"
        announced = job(
            name,
            clean=self.rng.random() < 0.5,
            previous=self.rng.choice(("11" * 32, "22" * 32)) if self.rng.random() < 0.2 else "33" * 32,
            coinb1=job()[2][:-4] + f"{self._number & 0xFFFF:04x}",
            version=self.rng.choice(("20000000", "20000000", "20020000")),
        )
        self._jobs[name] = (announced, self._extranonce1, self._difficulty)
        await pool.send_call("mining.notify", *announced)

    async def _answer(self, pool: ManualPool) -> None:
        self.rng.shuffle(self._unanswered)
        for request in self._unanswered:
            verdict = self.rng.choice(("accept", "accept", "refuse", "stale", "silence"))
            self.said[verdict] += 1
            if verdict != "silence":
                error = {"accept": None, "refuse": [20, "no", None], "stale": [21, "late", None]}[verdict]
                await pool.reply(request, True if verdict == "accept" else None, error)
        self._unanswered.clear()

    async def _change(self, pool: ManualPool) -> None:
        match self.rng.randrange(3):
            case 0:
                self._difficulty = self.rng.choice(DIFFICULTIES)
                await pool.send_call("mining.set_difficulty", self._difficulty)
            case 1:
                await pool.send_call("mining.set_version_mask", self.rng.choice(("1fffe000", "00ffe000", "00000000")))
            case 2:
                self._extranonce1 = f"{self.rng.getrandbits(40):010x}"
                await pool.send_call("mining.set_extranonce", self._extranonce1, self._size)
                await self._job(pool)


class WorstMiner:
    """Connects, submits good, old, repeated and senseless shares, leaves without a word, and comes back, sometimes to
    its session, and says its last shares again.
    """

    def __init__(self, lab: ProxyLab, name: str, rng: random.Random) -> None:
        self._lab = lab
        self._name = name
        self._rng = rng
        self.sent = 0
        self.clients: list[WireClient] = []
        self.resumed = 0
        self._last: list[list[Any]] = []

    async def run(self) -> None:
        while True:
            client = self._lab.connect(self._name)
            self.clients.append(client)
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._stay(client)
            await client.stream.aclose()
            await trio.sleep(self._rng.random())

    async def _stay(self, client: WireClient) -> None:
        rng, miner = self._rng, client.miner
        rolls = rng.random() < 0.6
        before = self.clients[-2].miner if len(self.clients) > 1 and rng.random() < 0.6 else None
        agent = (f"rig/{rng.random()}", *([] if before is None else [before.session_id]))
        await client.stream.send_all((miner.configure() if rolls else b"") + miner.login(*agent))
        if before is not None and before.session_id:
            while not (miner.jobs or client.closed):
                await client.read()
            if miner.extranonce1 == before.extranonce1:
                self.resumed += 1
                await client.stream.send_all(b"".join(miner.submit(share) for share in self._last))
                self.sent += len(self._last)
        self._last.clear()
        if rng.random() < 0.5:
            await client.stream.send_all(miner.request("mining.extranonce.subscribe"))
        for _ in range(rng.randrange(1, 15)):
            with trio.move_on_after(rng.choice((0.0, 0.5, 3.0))):
                while not client.closed:
                    await client.read()
            if client.closed:
                return
            if miner.jobs:
                await client.stream.send_all(b"".join(self._shares(client, rolls)))

    def _shares(self, client: WireClient, rolls: bool) -> list[bytes]:
        rng, miner = self._rng, client.miner
        lines = []
        for _ in range(rng.randrange(3)):
            work = rng.choice(miner.jobs[-4:])
            bits = rng.choice((0, 0x2000, 0x00400000)) if rolls else None
            share = miner.solve(work, version_bits=bits, extranonce2=rng.randbytes(miner.extranonce2_size).hex())
            if rng.random() < 0.1:
                share[4] = "ffffffff"
            lines += [miner.submit(share)] * rng.choice((1, 1, 1, 2))
            self._last = [*self._last[-4:], share]
        self.sent += len(lines)
        return lines


@pytest.mark.parametrize(("seed", "vardiff"), [(0, None), (1, None), (2, OWN_DIFFICULTIES), (3, OWN_DIFFICULTIES)])
async def test_pools_and_miners_at_their_worst(autojump_clock: Clock, seed: int, vardiff: VardiffConfig | None) -> None:
    rng = random.Random(seed)
    pool = WorstPool(rng)
    async with proxy_lab(vardiff=vardiff, seed=seed) as lab:
        miners = [WorstMiner(lab, f"rig{number}", random.Random(seed * 100 + number)) for number in range(MINERS)]
        async with trio.open_nursery() as nursery:
            for miner in miners:
                nursery.start_soon(miner.run)
            for _ in range(SESSIONS):
                with suppress(trio.BrokenResourceError):
                    await pool.play(await lab.connection())
            nursery.cancel_scope.cancel()
        await trio.sleep(lab.proxy.config.answer_timeout + 2)
        snapshot = lab.proxy.snapshot()
    shares = snapshot.shares
    assert pool.problems == []
    assert shares.open == 0
    assert shares.received > 100
    assert sum(miner.resumed for miner in miners) > 10
    assert shares.accepted > 10
    assert shares.lost > 0
    assert shares.received <= sum(miner.sent for miner in miners)
    assert pool.said["accept"] - snapshot.answered_late <= shares.accepted <= pool.said["accept"]
    assert sum(shares.rejected.values()) <= pool.said["refuse"]
    for miner in miners:
        for client in miner.clients:
            check_replies(client)


def check_replies(client: WireClient) -> None:
    """No request got two answers but for a line that was sent twice."""
    answers = Counter(message["id"] for message in client.miner.messages if "method" not in message)
    assert all(count <= 2 for count in answers.values()), answers
