"""The relay writes down the end of a conversation, too."""

import json
import socket
import threading

from tests.audit.program import until
from tests.audit.relay import Relay
from tests.audit.witness import tell

SUBMIT = {"id": 7, "method": "mining.submit", "params": ["rig", "j1", "00", "00", "00"]}


def test_what_the_pool_says_after_the_cut_is_known_and_heard_by_nobody() -> None:
    read, cut, kept = threading.Event(), threading.Event(), []

    def pool(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as lines:
            kept.append(lines.readline())
            read.set()
            assert cut.wait(60)
            lines.write(json.dumps({"id": 7, "result": True, "error": None}).encode() + b"\n")
            lines.flush()
            kept.append(lines.readline())

    with socket.create_server(("127.0.0.1", 0)) as listener, Relay("test", listener.getsockname()[1]) as relay:
        threading.Thread(target=pool, args=(listener,), daemon=True).start()
        with socket.create_connection(("127.0.0.1", relay.port), 60) as miner:
            miner.sendall(json.dumps(SUBMIT).encode() + b"\n")
            assert read.wait(60)
            relay.cut()
            assert miner.recv(4096) == b""
            cut.set()
            until(lambda: relay.wire.connections[0].closed is not None, "the conversation is over")
    assert kept == [json.dumps(SUBMIT).encode() + b"\n", b""], "the pool read all that was passed on, then the end"
    [submit] = tell(relay.wire).submits
    assert submit.arrived
    assert submit.answer is not None
    assert (submit.answer.accepted, submit.answer.heard, submit.heard) == (True, False, None)
