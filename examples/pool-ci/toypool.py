"""A pool of one fixed job, as somebody else might write it: asyncio and hashlib, nothing of stratum_miner."""

import asyncio
import json
import sys
from hashlib import sha256

DIFFICULTY = 1e-6
JOB = [
    "job-1",
    "00" * 32,
    "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff0d0151",
    "ffffffff0100f2052a01000000015100000000",
    [],
    "20000000",
    "1e00ffff",
    "66000000",
    True,
]


def sha256d(data: bytes) -> bytes:
    return sha256(sha256(data).digest()).digest()


class ToyPool:
    def __init__(self) -> None:
        self.difficulty = DIFFICULTY
        self.connections = 0
        self.seen: set[bytes] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        extranonce1 = f"{self.connections:08x}"
        while line := await reader.readline():
            request = json.loads(line)
            method, params = request["method"], request["params"]
            result, error, notifications = True, None, []
            if method == "mining.subscribe":
                result = [[["mining.notify", extranonce1]], extranonce1, 4]
            elif method == "mining.authorize":
                notifications = [("mining.set_difficulty", [self.difficulty]), ("mining.notify", JOB)]
            elif method == "mining.submit":
                error = self.fault_of(extranonce1, params)
                result = None if error else True
            elif method == "mining.suggest_difficulty":
                self.difficulty = float(params[0])
                notifications = [("mining.set_difficulty", params), ("mining.notify", JOB)]
            else:
                result, error = None, [-3, "method not found", None]
            lines = [{"id": request["id"], "result": result, "error": error}]
            lines += [{"id": None, "method": name, "params": values} for name, values in notifications]
            writer.write(b"".join(json.dumps(each).encode() + b"\n" for each in lines))
        writer.close()

    def fault_of(self, extranonce1: str, params: list[str]) -> list[object] | None:
        _, job_id, extranonce2, ntime, nonce = params[:5]
        if job_id != JOB[0]:
            return [21, "job not found", None]
        coinbase = bytes.fromhex(JOB[2] + extranonce1 + extranonce2 + JOB[3])
        words = bytes.fromhex(JOB[1])
        previous = b"".join(words[i : i + 4][::-1] for i in range(0, 32, 4))
        numbers = [int(text, 16).to_bytes(4, "little") for text in (JOB[5], ntime, JOB[6], nonce)]
        digest = sha256d(numbers[0] + previous + sha256d(coinbase) + b"".join(numbers[1:]))
        if int.from_bytes(digest, "little") > (0xFFFF << 208) / self.difficulty:
            return [23, "low difficulty share", None]
        if digest in self.seen:
            return [22, "duplicate share", None]
        self.seen.add(digest)
        return None


async def main(port: int) -> None:
    server = await asyncio.start_server(ToyPool().serve, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
