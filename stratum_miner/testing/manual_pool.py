"""A pool that sends only what a test tells it to send, for tests of miners and pool clients.

It has one method for each kind of message, and no state besides its stream, which may be a memory stream or a socket.
It shares no code with ``stratum_miner.pool``.
"""

import json
from typing import Any

import trio

REGTEST_JOB: tuple[Any, ...] = (
    "1",
    "9df53442fbb2527337028ab3c051bedf4b27f3d62b340f5f130d26b351bc3768",
    "02000000010000000000000000000000000000000000000000000000000000000000000000ffffffff1c028d0008",
    "0f2f7374726174756d5f6d696e65722fffffffff02a078072a01000000160014751e76e8199196d454941c45d1b3a323f1433bd6"
    "0000000000000000266a24aa21a9ed4577a0b09a782f522ed8c7f7fd642a0e8029702737e443fd9b4e892fb5210c7200000000",
    [
        "d5a882a506f3c19df6ecf732e27fc24ebe7161df91fb627a01e222e5d552faf6",
        "42c330f1e80e35c1717656694f5ac0d31536a4ae830710bb02f218bc0d89ab14",
        "1154d693e5f480d9f537d8d5ce486d5930ae2f02fbc2bbec39a40a1e5e174978",
    ],
    "20000000",
    "207fffff",
    "6b0424dc",
    True,
)
"""Parameters of a mining.notify for block 141 of a regtest chain, with four transactions. A regtest node accepted a
block for this job. Every second hash meets its network target."""


class ManualPool:
    """The pool's end of one connection. It sends only what a test tells it to send."""

    def __init__(self, stream: trio.abc.Stream) -> None:
        self.stream = stream
        self._buffer = b""

    async def request(self, method: str | None = None) -> dict[str, Any]:
        """Wait for the next line of the client, and return the message in it.

        Raises AssertionError if the client closes the connection, or if ``method`` is given and the message has another
        method.
        """
        while b"\n" not in self._buffer:
            data = await self.stream.receive_some(65536)
            if not data:
                raise AssertionError(f"expected {method or 'a request'}, the client closed the connection")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        value: dict[str, Any] = json.loads(line)
        if method is not None and value.get("method") != method:
            raise AssertionError(f"expected {method}, got {value}")
        return value

    async def send(self, *messages: dict[str, Any]) -> None:
        """Send all the messages in a single write. Each message is one line."""
        await self.stream.send_all(b"".join(json.dumps(message).encode() + b"\n" for message in messages))

    async def reply(self, request: dict[str, Any], result: Any, error: Any = None) -> None:
        """Send the reply to a request of the miner. The parameter ``request`` is the message that the method
        ``request`` returned."""
        await self.send({"id": request["id"], "result": result, "error": error})

    async def notify(self, job_id: str = "1", *, previous: str | None = None, clean: bool = True) -> None:
        """Send REGTEST_JOB as a mining.notify, with this job id and ``clean_jobs``.

        ``previous`` replaces the previous block hash of the job, in hex and in the byte order of mining.notify.
        REGTEST_JOB is the test vector V10 of docs/reference/stratum.md#test-vectors.
        """
        params: list[Any] = list(REGTEST_JOB)
        params[0], params[8] = job_id, clean
        if previous is not None:
            params[1] = previous
        await self.send({"id": None, "method": "mining.notify", "params": params})

    async def send_call(self, method: str, *params: Any) -> None:
        """Send a notification, such as ``send_call("mining.set_difficulty", 1)``."""
        await self.send({"id": None, "method": method, "params": list(params)})

    async def accept(
        self,
        *,
        extranonce1: str = "a1b2c3d4",
        extranonce2_size: int = 4,
        session: str = "s1",
        mask: str | None = "1fffe000",
        xnsub: bool = True,
        difficulty: float | None = 1e-9,
    ) -> dict[str, Any]:
        """Answer all requests in the handshake of a miner that has one worker name, and return its mining.subscribe.

        ``extranonce1`` and ``mask`` are hex digits, ``extranonce2_size`` is in bytes. If ``mask`` is None, no
        mining.configure is expected; if ``xnsub`` is false, no mining.extranonce.subscribe is expected. If
        ``difficulty`` is None, no mining.set_difficulty is sent. Raises AssertionError if the miner sends an unexpected
        request.
        """
        subscribe = await self.accept_subscribe(
            extranonce1=extranonce1, extranonce2_size=extranonce2_size, session=session, mask=mask
        )
        authorize = await self.request("mining.authorize")
        if difficulty is not None:
            await self.send_call("mining.set_difficulty", difficulty)
        await self.reply(authorize, True)
        if xnsub:
            await self.reply(await self.request("mining.extranonce.subscribe"), True)
        return subscribe

    async def accept_subscribe(
        self,
        *,
        extranonce1: str = "a1b2c3d4",
        extranonce2_size: int = 4,
        session: str = "s1",
        mask: str | None = "1fffe000",
    ) -> dict[str, Any]:
        """Answer the first requests of a miner, up to its mining.subscribe, and return the mining.subscribe.

        The test must then answer the next request of the miner, mining.authorize. The parameters are those of
        ``accept``. Raises AssertionError if the miner sends an unexpected request.
        """
        if mask is not None:
            configure = await self.request("mining.configure")
            await self.reply(configure, {"version-rolling": True, "version-rolling.mask": mask})
        subscribe = await self.request("mining.subscribe")
        await self.reply(subscribe, [[["mining.notify", session]], extranonce1, extranonce2_size])
        return subscribe
