"""A pool without sockets: sessions of miners under the policy of a pool, and a clock that the test moves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from stratum_miner.downstream.events import (
    SessionEvent,
    SubscribePending,
)
from stratum_miner.downstream.extranonces import ExtranonceRegistry
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.validator import ShareValidator
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.pool.judging import JudgingPolicy
from stratum_miner.pool.template import BlockTemplate
from stratum_miner.testing.scripted_node import make_template
from tests.downstream.wire_miner import WireMiner

SHARE_DIFFICULTY = 1e-8
"""Some 43 hashes a share."""
CONFIG = PoolConfig(payout_script=b"\x51", difficulty=SHARE_DIFFICULTY, max_refused_shares=20)
VARDIFF = replace(CONFIG, vardiff=VardiffConfig(target_seconds=10.0, retarget_seconds=60.0), minimum_difficulty=1e-9)
UNIX_TIME = 1_700_000_010


class SansIoPool:
    """What the sessions of one pool share, and a clock."""

    def __init__(self, config: PoolConfig = CONFIG, template: BlockTemplate | None = None) -> None:
        self.config = config
        self.now = 100.0
        self.unix_time = float(UNIX_TIME)
        self.factory = JobFactory(
            payout_script=config.payout_script,
            version_mask=config.version_mask,
            extranonce_size=4 + config.extranonce2_size,
        )
        self.validator = ShareValidator(extranonce2_size=config.extranonce2_size, ntime_ahead=config.ntime_ahead)
        leases = ExtranonceRegistry[PoolJob](first=7, extranonce2_size=config.extranonce2_size)
        self.policy = JudgingPolicy(config, self.factory, self.validator, leases)
        self.total = DownstreamShareCounts()
        self.connections: list[SansIoMiner] = []
        self.publish(template or make_template())

    def publish(self, template: BlockTemplate) -> None:
        job = self.factory.publish(template, self.now)
        self.validator.set_tip(template.previous_hash)
        self._announce(job)

    def renew(self) -> None:
        self._announce(self.factory.renew(self.now))

    def _announce(self, job: Any) -> None:
        for connection in self.connections:
            connection.session.announce(job, self.now)
            connection.collect()

    def connect(self) -> SansIoMiner:
        self.connections.append(SansIoMiner(self))
        return self.connections[-1]

    def miner(self, mask: str | None = None) -> SansIoMiner:
        """Connected, configured when a mask is given, subscribed, authorized."""
        connection = self.connect()
        if mask is not None:
            connection.say(connection.miner.configure(mask))
        connection.say(connection.miner.login())
        assert connection.miner.jobs
        return connection


class SansIoMiner:
    def __init__(self, pool: SansIoPool) -> None:
        self.pool = pool
        self.miner = WireMiner()
        self.events: list[SessionEvent[PoolJob]] = []
        self.session = MinerSession(pool.policy, pool.total, pool.now)

    def say(self, data: bytes) -> None:
        self.session.receive_data(data)
        try:
            while (event := self.session.next_event(self.pool.now, self.pool.unix_time)) is not None:
                if isinstance(event, SubscribePending):
                    self.session.subscribe(event, self.pool.policy, self.pool.now)
                else:
                    self.events.append(event)
        finally:
            self.collect()

    def collect(self) -> None:
        self.miner.receive(self.session.data_to_send())

    def ask(self, method: str, *params: Any) -> Any:
        self.say(self.miner.request(method, *params))
        return self.miner.reply()

    def submit(self, share: list[Any]) -> int:
        self.say(self.miner.submit(share))
        return self.miner.verdict()

    def seen(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]


def mine(pool: SansIoPool, connection: SansIoMiner, seconds: int, rate: float) -> None:
    """Shares at ``rate`` units of difficulty per second, evenly; the session ticks once a second."""
    work = 0.0
    for _ in range(seconds):
        pool.now += 1.0
        work += rate
        while work >= connection.miner.difficulty:
            work -= connection.miner.difficulty
            assert connection.submit(connection.miner.solve()) == 0
        connection.session.tick(pool.now)
        connection.collect()
