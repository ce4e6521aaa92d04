"""The one thing to tell the plugin: where your pool is."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from toypool import ToyPool


@pytest.fixture
def stratum_url() -> Iterator[str]:
    """Replaces the plugin's fixture of this name: everything now mines on the toy pool, in a thread of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    server = asyncio.run_coroutine_threadsafe(asyncio.start_server(ToyPool().serve, "127.0.0.1", 0), loop).result()
    yield f"stratum+tcp://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def stop() -> None:
        server.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()

    asyncio.run_coroutine_threadsafe(stop(), loop).result()
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
