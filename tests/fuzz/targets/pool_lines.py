"""What a pool says to the miner: ``stratum.client_connection``, and the job made of what it announces.

The first byte chooses: with its lowest bit the handshake was made before, its upper half cuts the rest into pieces.
"""

from stratum_miner.loadtest.jobs import MinerJob
from stratum_miner.stratum import client_messages, events
from stratum_miner.stratum.client_connection import ClientConnection, ClientState
from stratum_miner.stratum.errors import ErrorReply, LocalProtocolError, RemoteProtocolError
from tests.fuzz.judge import check_shown

HANDSHAKE = (
    b'{"id":1,"result":{"version-rolling":true,"version-rolling.mask":"1fffe000"},"error":null}\n'
    b'{"id":2,"result":[[["mining.notify","s"]],"deadbeef",4],"error":null}\n'
    b'{"id":3,"result":true,"error":null}\n'
)
MAX_LINE = 20_000


def run(data: bytes) -> None:
    mode, body = data[:1] or b"\0", data[1:]
    connection = ClientConnection("fuzz/1", version_mask=0x1FFFE000, max_line=MAX_LINE)
    connection.configure()
    connection.subscribe()
    connection.authorize("w", "secret password")
    size = max(1, len(body) // (1 + (mode[0] >> 4)))
    pieces = [HANDSHAKE] if mode[0] & 1 else []
    pieces += [body[start : start + size] for start in range(0, len(body), size)]
    try:
        for piece in pieces:
            connection.receive_data(piece)
            while (event := connection.next_event()) is not None:
                _take(connection, event)
            assert len(connection._decoder._buffer) <= MAX_LINE
            connection.data_to_send()
        check_shown(connection.receive_eof())
        while connection.next_event() is not None:
            pass
    except RemoteProtocolError as error:
        check_shown(str(error))
        assert connection._decoder.pending == b""
    if pieces:
        connection.receive_eof()
        assert connection.state is ClientState.CLOSED


def _take(connection: ClientConnection, event: events.ClientConnectionEvent) -> None:
    match event:
        case events.JobAnnounced():
            _check_job(event)
        case events.WorkerAuthorized() if connection.state is ClientState.SUBSCRIBED:
            try:
                connection.submit(client_messages.Submit("w", "j1", bytes(4), 0, 1))
            except LocalProtocolError as error:  # the pool refused the worker in a later line, or has 4096 open
                check_shown(str(error))
        case events.BadLine(text) | events.Ignored(text) | events.MessageReceived(text):
            check_shown(text)
        case events.AuthorizeRefused(error=ErrorReply() as error):
            check_shown(str(error))
        case events.SubmitAnswered(error=ErrorReply() as error) | events.UnpairedReply(error=ErrorReply() as error):
            check_shown(str(error))
        case events.Configured(result=result):
            for name in {} if result is None else result.verdicts:
                check_shown(name)
        case _:
            repr(event)


def _check_job(event: events.JobAnnounced) -> None:
    notify = event.notify
    job = MinerJob(
        notify,
        event.extranonce1,
        event.extranonce2_size,
        1.0,  # of no account: the target decides
        event.share_target,
        event.version_mask,
        event.version_rolling,
    ).job()
    assert job.share_difficulty > 0
    assert 0 <= job.share_chance <= 1
    assert job.network_difficulty >= 0
    assert len(job.header(bytes(job.extranonce2_size), job.ntime, 0, job.version).to_bytes()) == 80
    job.content_hash()
    assert notify.from_params(notify.to_params()) == notify
