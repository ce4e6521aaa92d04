"""Messages of a pool to a simulated miner of a load test (``loadtest.miner``).

If the lowest bit of the first byte is set, the miner has completed the handshake before.
"""

from random import Random

from stratum_miner.loadtest.jobs import NotifyCache
from stratum_miner.loadtest.metrics import Metrics
from stratum_miner.loadtest.miner import MAX_LINE, SimulatedMiner, State
from stratum_miner.loadtest.plan import LoadPlan
from stratum_miner.loadtest.run_state import RunState
from stratum_miner.stratum.envelope import decode
from stratum_miner.stratum.errors import RemoteProtocolError
from tests.fuzz.judge import check_shown

HANDSHAKE = (
    b'{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}\n'
    b'{"id":2,"result":[[["mining.notify","s"]],"0a0b0c0d",8],"error":null}\n'
    b'{"id":3,"result":true,"error":null}\n'
    b'{"id":null,"method":"mining.set_difficulty","params":[1e-8]}\n'
)
PLAN = LoadPlan(host="127.0.0.1", port=1, miners=1, duration=1000.0, share_rate=1.0)
STATE: RunState[SimulatedMiner] = RunState(PLAN, Metrics(PLAN.duration), 0.0, schedule=lambda miner, due: None)
"""State for all inputs, because a new one takes 50 ms to test its kernel."""


def run(data: bytes) -> None:
    mode, body = (data[:1] or b"\0")[0], data[1:]
    STATE.metrics, STATE.notify_cache, STATE.rng, STATE.open_shares = (
        Metrics(PLAN.duration),
        NotifyCache(),
        Random(PLAN.seed),
        0,
    )
    miner = SimulatedMiner(STATE, 0, 1.0)
    miner.connected(0.0, 0.0)
    try:
        miner.receive(HANDSHAKE if mode & 1 else b"", 0.0, 0.0)
        for second, line in enumerate(body.splitlines(keepends=True), 1):
            _check(miner.receive(line, float(second), 0.0))
            assert len(miner.buffer) <= MAX_LINE
            if miner.state is State.MINING and miner.due is not None and miner.due < PLAN.duration:
                _check(miner.due_share(miner.due))
    except RemoteProtocolError as error:
        check_shown(str(error))
    check_shown(miner.close_reason)
    miner.closed("over")


def _check(sent: bytes) -> None:
    for line in sent.splitlines():
        decode(line)
