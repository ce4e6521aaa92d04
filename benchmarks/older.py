"""What the benchmarks use of the measured code and older commits have elsewhere: each is looked for where it was."""

import time
from collections.abc import Awaitable, Callable, Sequence
from importlib import import_module
from typing import Any

import trio

from stratum_miner.backends.cpu import kernels
from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.miner import Miner

ALL_VERSIONS = 0x1FFFE000
"""The version bits that BIP 320 leaves to miners."""
FIRST_SLICE = 1 << 12

Connect = Callable[[PoolUrl, float], Awaitable[trio.abc.Stream]]


def named(*places: str) -> Any:
    """Return what the first of the places ``MODULE:NAME`` has that exists. Raises ImportError if there is none."""
    for place in places:
        module, _, name = place.partition(":")
        try:
            return getattr(import_module(module), name)
        except (ImportError, AttributeError):
            continue
    raise ImportError(f"none of {', '.join(places)}")


def dialer() -> Connect:
    """Return the function that connects to a pool."""
    found: Connect = named("stratum_miner.client.dialing.dialer:Dialer", "stratum_miner.client.dialer:Dialer")()
    return found


def miner_with(settings: PoolSettings, backends: Sequence[Any], connect: Connect) -> Miner:
    """Return a miner that connects with this function."""
    try:
        options = named("stratum_miner.client:ClientOptions")(connect=connect)
    except ImportError:
        return Miner(settings, backends, connect=connect)  # type: ignore[call-arg]  # of an older commit
    return Miner(settings, backends, options=options)


def opened_proxy(settings: PoolSettings, listeners: Sequence[trio.SocketListener]) -> Any:
    """Return the context of a proxy that serves these listeners."""
    open_proxy, config = named("stratum_miner.proxy:open_proxy"), named("stratum_miner.proxy:ProxyConfig")()
    try:
        return open_proxy([settings], config, listeners=listeners)
    except TypeError:  # an older commit
        return open_proxy(named("stratum_miner.proxy:Proxy")([settings], config), listeners)


def speed(kernel: kernels.Kernel, seconds: float, *, rolling: bool = False) -> tuple[float, float]:
    """Search on this thread for about so many seconds of processor time. Return the hashes per second of wall-clock
    time and of processor time."""
    search = kernels.Search(kernel)
    points = search.load(bytes(80), 0, version_mask=ALL_VERSIONS if rolling else 0)
    count, done, wall, used = FIRST_SLICE, 0, time.perf_counter(), time.thread_time()
    while (spent := time.thread_time() - used) < seconds * 0.7 or not done:
        if spent > 0 and done:
            count = max(FIRST_SLICE, int(done / spent * (seconds - spent)))
        done += search.run(done % points, min(count, points - done % points)).done
    return done / (time.perf_counter() - wall), done / (time.thread_time() - used)
