"""What a miner says to our proxy: ``proxy.forwarding`` on the jobs of a pool.

The first byte chooses: with its lowest bit the miner is logged in before; the next two bits are the fate of what is
passed on to the pool.
"""

import json

from stratum_miner.bitcoin.target import target_from_difficulty
from stratum_miner.downstream.events import AnsweredWithError, ShareToForward, SubscribePending
from stratum_miner.downstream.miner_session import MinerSession
from stratum_miner.downstream.share_counts import DownstreamShareCounts
from stratum_miner.downstream.validator import Refused
from stratum_miner.loadtest.jobs import MinerJob
from stratum_miner.proxy.config import ProxyConfig
from stratum_miner.proxy.forwarding import ForwardingPolicy, refusal_of, share_of
from stratum_miner.proxy.job_translator import JobTranslator
from stratum_miner.stratum.errors import ErrorReason, RemoteProtocolError
from stratum_miner.stratum.pool_messages import Notify
from stratum_miner.work.job import Job
from stratum_miner.work.share_result import ShareOutcome, ShareResult
from tests.fuzz.judge import check_shown
from tests.proxy.proxy_lab import NOW, job

LOGIN = (
    b'{"id":1,"method":"mining.configure","params":[["version-rolling"],{"version-rolling.mask":"1fffe000"}]}\n'
    b'{"id":2,"method":"mining.subscribe","params":["cgminer/4.13"]}\n'
    b'{"id":3,"method":"mining.authorize","params":["w","x"]}\n'
)
DIFFICULTY = 1e-8
FATES = (ShareOutcome.ACCEPTED, ShareOutcome.REJECTED, ShareOutcome.STALE, ShareOutcome.LOST)


def run(data: bytes) -> None:
    mode, body = data[:1] or b"\0", data[1:]
    translator = JobTranslator(256, ntime_ahead=7000, resume_seconds=600, token=lambda: "s1")
    translator.take(_upstream_job(), 0.0)
    policy = ForwardingPolicy(ProxyConfig(), translator)
    session = MinerSession(policy, DownstreamShareCounts(), 0.0)
    fate = FATES[mode[0] >> 1 & 3]
    session.receive_data((LOGIN if mode[0] & 1 else b"") + body)
    try:
        while (event := session.next_event(0.0, NOW)) is not None:
            match event:
                case SubscribePending():
                    session.subscribe(event, policy, 0.0)
                case ShareToForward(refusal=Refused(ErrorReason.DUPLICATE) as refusal):
                    session.answer(event, refusal, 0.0)
                case ShareToForward() if fate is ShareOutcome.LOST:
                    session.answer_lost(event)
                case ShareToForward():
                    result = ShareResult(share=share_of(event, ""), outcome=fate, text="of the pool")
                    session.answer(event, refusal_of(result), 0.0)
                case AnsweredWithError(message=message):
                    check_shown(message)
    except RemoteProtocolError as error:
        check_shown(str(error))
    for line in session.data_to_send().splitlines():
        assert isinstance(json.loads(line), dict)
    session.tick(10.0)
    assert session.hash_rate(10.0) >= 0
    assert session.user_agent.isprintable()
    session.close(10.0)


def _upstream_job() -> Job:
    notify = Notify.from_params(job())
    return MinerJob(notify, b"\xa1\xb2", 4, DIFFICULTY, target_from_difficulty(DIFFICULTY), 0x1FFFE000, True).job()
