"""What a miner says to our pool: ``stratum.server_connection`` under ``pool.judging``, on real jobs.

The first byte chooses: with its lowest bit the miner is logged in before, the next bit gives it an easy pool, whose
shares are accepted and may be blocks; its upper half cuts the rest into pieces.
"""

import json

from stratum_miner.downstream.events import AnsweredWithError, SessionEvent, ShareToForward, SubscribePending
from stratum_miner.downstream.extranonces import ExtranonceRegistry
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.validator import ShareValidator
from stratum_miner.downstream.vardiff import VardiffConfig
from stratum_miner.pool.config import PoolConfig
from stratum_miner.pool.job_factory import JobFactory, PoolJob
from stratum_miner.pool.judging import JudgingPolicy, block_of
from stratum_miner.stratum.errors import RemoteProtocolError
from stratum_miner.stratum.server_connection import MAX_LINE_AUTHORIZED
from stratum_miner.testing.scripted_node import EASY_BITS, HARD_BITS, make_template
from tests.fuzz.judge import check_shown

LOGIN = (
    b'{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}\n'
    b'{"id":2,"method":"mining.subscribe","params":["cgminer/4.13"]}\n'
    b'{"id":3,"method":"mining.authorize","params":["w","x"]}\n'
)
UNIX_TIME = 1_700_000_010.0


def run(data: bytes) -> None:
    mode, body = data[:1] or b"\0", data[1:]
    policy = _policy(easy=bool(mode[0] & 2))
    session = MinerSession(policy, DownstreamShareCounts(), 100.0)
    size = max(1, len(body) // (1 + (mode[0] >> 4)))
    pieces = [LOGIN] if mode[0] & 1 else []
    pieces += [body[start : start + size] for start in range(0, len(body), size)]
    now = 100.0
    try:
        for piece in pieces:
            session.receive_data(piece)
            while (event := session.next_event(now, UNIX_TIME)) is not None:
                if isinstance(event, SubscribePending):
                    session.subscribe(event, policy, now)
                else:
                    _take(session, event)
            assert len(session.connection._decoder._buffer) <= MAX_LINE_AUTHORIZED
            for line in session.data_to_send().splitlines():
                assert isinstance(json.loads(line), dict)
            now += 5.0
            session.tick(now)
            session.take_events()
    except RemoteProtocolError as error:
        check_shown(str(error))
        assert session.connection._decoder.pending == b""
    assert session.hash_rate(now) >= 0
    assert session.user_agent.isprintable()
    session.close(now)


def _policy(*, easy: bool) -> JudgingPolicy:
    config = PoolConfig(payout_script=b"\x51", difficulty=1e-9 if easy else 1.0, vardiff=VardiffConfig())
    factory = JobFactory(
        payout_script=config.payout_script,
        version_mask=config.version_mask,
        extranonce_size=4 + config.extranonce2_size,
    )
    template = make_template(nbits=EASY_BITS if easy else HARD_BITS)
    factory.publish(template, 100.0)
    validator = ShareValidator(extranonce2_size=config.extranonce2_size, ntime_ahead=config.ntime_ahead)
    validator.set_tip(template.previous_hash)
    return JudgingPolicy(config, factory, validator, ExtranonceRegistry(first=7))


def _take(session: MinerSession[PoolJob], event: SessionEvent[PoolJob]) -> None:
    match event:
        case ShareToForward():
            assert len(block_of(event.solution)) > 80
            session.answer(event, None if event.stale else event.refusal, 100.0)
        case AnsweredWithError(message=message):
            check_shown(message)
        case _:
            repr(event)
