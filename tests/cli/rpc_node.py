"""A JSON-RPC of a node in a thread, for tests of commands as processes. The test sets its answers."""

import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

TIP = "07" * 32


class RpcError(Exception):
    """An error to answer with."""


class RpcNode:
    """``answers`` maps methods to results, to functions of the parameters, or to (code, message) errors."""

    def __init__(self, chain: str = "regtest") -> None:
        self.chain = {"chain": chain, "blocks": 7, "headers": 7, "bestblockhash": TIP, "initialblockdownload": True}
        self.template: dict[str, Any] = {
            "version": 0x20000000,
            "previousblockhash": TIP,
            "transactions": [],
            "coinbasevalue": 5_000_000_000,
            "bits": "1d00ffff",
            "height": 8,
            "mintime": 1_600_000_000,
        }
        self.answers: dict[str, Any] = {
            "getblockchaininfo": lambda params: self.chain,
            "getblocktemplate": lambda params: {"curtime": int(time.time())} | self.template,
            "getbestblockhash": lambda params: self.template["previousblockhash"],
            "getpeerinfo": [],
        }
        self.status = 200
        self.trouble: tuple[int, str] | None = None
        """What every method is answered with, as by a node that starts."""
        self.asked: list[str] = []
        self.authorization = ""
        """Header of the last request: how the client logged in."""

    def reply(self, request: dict[str, Any]) -> dict[str, Any]:
        method = request["method"]
        self.asked.append(method)
        answer = self.trouble or self.answers.get(method, (-32601, "Method not found"))
        if isinstance(answer, tuple):
            return {"result": None, "error": {"code": answer[0], "message": answer[1]}, "id": request["id"]}
        result = answer(request["params"]) if callable(answer) else answer
        return {"result": result, "error": None, "id": request["id"]}


@contextmanager
def serving(node: RpcNode, port: int = 0) -> Iterator[int]:
    """Yield the port of the node; at the end of the block, the node stops."""
    connections: list[socket.socket] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            connections.append(self.request)
            super().setup()

        def do_POST(self) -> None:
            node.authorization = self.headers.get("Authorization", "")
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps(node.reply(request)).encode() + b"\n" if node.status == 200 else b""  # as Bitcoin Core
            self.send_response(node.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()
