"""A Stratum client on asyncio: it connects to a pool, waits for a job, and submits one share.

``ClientConnection`` knows the protocol and does no input or output. This program moves its bytes over asyncio streams,
and searches the share in Python, which is enough for a tiny difficulty. To try it, start a pool and run the program:

    stratum-miner pool --node kernel --address bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080 \\
        --listen 127.0.0.1:3333 --difficulty 1e-6
    python client_on_asyncio.py 127.0.0.1 3333
"""

import asyncio
import sys

from stratum_miner.bitcoin import BlockHeader, difficulty_from_target, display_hash, fold_branch, hash_value, sha256d
from stratum_miner.stratum import (
    AuthorizeRefused,
    ClientConnection,
    JobAnnounced,
    RemoteProtocolError,
    Submit,
    SubmitAnswered,
    Subscribed,
    WorkerAuthorized,
)

WORKER = "alice.asyncio"
MAX_HASHES = 1_000_000


def search(job: JobAnnounced, extranonce2: bytes) -> int:
    """Return the first nonce whose header has a hash that is at most the share target."""
    notify = job.notify
    coinbase = notify.coinbase_prefix + job.extranonce1 + extranonce2 + notify.coinbase_suffix
    merkle_root = fold_branch(sha256d(coinbase), notify.merkle_branch)
    for nonce in range(MAX_HASHES):
        header = BlockHeader(notify.version, notify.previous_hash, merkle_root, notify.ntime, notify.nbits, nonce)
        if hash_value(header.digest()) <= job.share_target:
            print(f"found nonce {nonce:08x}, hash {display_hash(header.digest())}")
            return nonce
    raise SystemExit(f"no share in {MAX_HASHES} hashes: expected a pool of a smaller difficulty")


async def mine_one_share(host: str, port: int) -> bool:
    """Return whether the pool accepted the share."""
    reader, writer = await asyncio.open_connection(host, port)
    client = ClientConnection("client_on_asyncio/1.0")
    client.subscribe()
    client.authorize(WORKER, "x")
    job: JobAnnounced | None = None
    is_authorized = has_submitted = False
    while True:
        writer.write(client.data_to_send())
        await writer.drain()
        data = await reader.read(65536)
        if not data:
            client.receive_eof()
            raise SystemExit("the pool closed the connection")
        client.receive_data(data)
        while (event := client.next_event()) is not None:
            match event:
                case Subscribed(result=result):
                    print(f"subscribed: extranonce1 {result.extranonce1.hex()}")
                case WorkerAuthorized(worker_name=name):
                    print(f"authorized: {name}")
                    is_authorized = True
                case AuthorizeRefused(error=error):
                    raise SystemExit(f"the pool refused the worker name: {error}")
                case JobAnnounced():
                    difficulty = difficulty_from_target(event.share_target)
                    print(f"job {event.notify.job_id}: share difficulty {difficulty:.3g}")
                    job = event
                case SubmitAnswered(error=error):
                    print("share accepted" if error is None else f"share rejected: {error}")
                    writer.close()
                    return error is None
        if job is not None and is_authorized and not has_submitted:
            extranonce2 = bytes(job.extranonce2_size)
            nonce = search(job, extranonce2)
            client.submit(Submit(WORKER, job.notify.job_id, extranonce2, job.notify.ntime, nonce))
            has_submitted = True


if __name__ == "__main__":
    if len(sys.argv) != 3 or not sys.argv[2].isdecimal():
        raise SystemExit(f"usage: {sys.argv[0]} HOST PORT")
    try:
        accepted = asyncio.run(mine_one_share(sys.argv[1], int(sys.argv[2])))
    except (OSError, OverflowError, RemoteProtocolError) as error:
        raise SystemExit(f"the connection failed: {error}") from None
    raise SystemExit(0 if accepted else 1)
