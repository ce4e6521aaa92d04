"""The requests that a simulated miner sends before it mines, and their ids."""

from stratum_miner import __version__
from stratum_miner.bitcoin.header import GENERAL_PURPOSE_MASK
from stratum_miner.stratum.client_messages import Authorize, Configure, Subscribe
from stratum_miner.stratum.envelope import encode_request
from stratum_miner.stratum.extensions import VersionRolling

USER_AGENT = f"stratum-miner-load/{__version__}"
CONFIGURE_ID, SUBSCRIBE_ID, AUTHORIZE_ID, FIRST_SUBMIT_ID = 1, 2, 3, 4
_CONFIGURE = encode_request(
    CONFIGURE_ID, Configure.method, Configure((VersionRolling(GENERAL_PURPOSE_MASK),)).to_params()
)


def hello(*, rolling: bool, session_id: str | None) -> bytes:
    """Return the first lines that a miner sends: if ``rolling``, mining.configure to ask for version rolling, then
    mining.subscribe. If ``session_id`` is given, mining.subscribe asks to resume this session."""
    subscribe = encode_request(SUBSCRIBE_ID, Subscribe.method, Subscribe(USER_AGENT, session_id).to_params())
    return _CONFIGURE + subscribe if rolling else subscribe


def authorize(worker_name: str, password: str) -> bytes:
    """Return the mining.authorize line, which a miner sends after the reply to mining.subscribe."""
    return encode_request(AUTHORIZE_ID, Authorize.method, [worker_name, password])
