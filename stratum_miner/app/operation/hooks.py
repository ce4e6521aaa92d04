"""Hooks of ``--on-event``: a hook is a command to run, or a URL to post to (a web hook), when an event happens.

Hooks do not delay mining: events wait for them in a bounded queue, and each call of a hook has a time limit. A failed
call is logged. A failed post is first tried again.

A command gets the event as JSON on its standard input, and in variables ``STRATUM_MINER_...`` of its environment. If
the miner's own environment has variables with this prefix, the command does not get them, because they may contain
passwords. The output of the command is discarded.
"""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import msgspec
import structlog
import trio

from stratum_miner.app.process import secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.monitoring.events import EventLog
from stratum_miner.monitoring.sentences import SENTENCES
from stratum_miner.monitoring.view import EventView
from stratum_miner.network import child
from stratum_miner.network.child import ChildError
from stratum_miner.network.fetch import Fetcher, FetchError, HttpTarget
from stratum_miner.spelling import did_you_mean

log = structlog.get_logger("stratum_miner")

COMMAND_S = 30.0
"""Seconds that the command of a hook may run."""
POST_S = 10.0
"""Time limit of one post in seconds, from the name lookup to the last byte of the response."""
MAX_ANSWER = 1 << 16
"""Largest size of the response to a post in bytes, including the HTTP head. The content is ignored."""
POST_TRIES = 3
"""Number of attempts to post one event."""
WAITING = 100
"""Largest number of hook calls that may wait while other hooks run. Further calls are dropped."""
AT_ONCE = 4
"""Largest number of hooks that run at the same time."""
FAREWELL_S = 3.0
"""When the program stops, the hooks that are running, and those that still wait for their turn, get this many seconds
to finish."""
SHORTEST_TOKEN = 12
"""A part of a URL path with at least this many characters is hidden, because it may be a token. Tokens of chat services
have at least 24 characters."""
KINDS: Mapping[str, frozenset[str]] = {
    "block": frozenset({"share_accepted"}),
    "block-lost": frozenset({"block_lost"}),
    "pool-down": frozenset({"no_pool", "pool_unreachable", "connection_ended"}),
    "pool-up": frozenset({"mining"}),
    "device-sick": frozenset({"device_sick", "device_gone", "device_off", "device_tripped", "device_hot"}),
    "device-well": frozenset({"device_mining"}),
    "paused": frozenset({"paused"}),
    "resumed": frozenset({"resumed"}),
}
"""The kinds of events that --on-event accepts, each with the names of its events. --on-event also accepts the name of a
single event."""
_OWN = frozenset({"hook_failed", "hooks_too_slow"})
"""Events about hooks. No hook is called for them: otherwise, a hook that fails would be called for its own failure
again and again."""


@dataclass(frozen=True, slots=True)
class Hook:
    """A kind of event, and the command or web hook to call for it."""

    kind: str
    target: str
    """A command for the shell, or the URL of a web hook."""

    @classmethod
    def parse(cls, text: str) -> "Hook":
        """Parse ``KIND=COMMAND`` or ``KIND=https://...``. Raises UsageError for another form or an unknown kind."""
        kind, equals, target = text.partition("=")
        if not equals or not target.strip() or not re.fullmatch(r"[\w-]+|\*", kind):
            raise UsageError(
                "--on-event: expected KIND=COMMAND or KIND=https://..., got a value without a valid KIND= "
                "(not shown, because it may contain a secret)"
            )
        known = (*KINDS, *SENTENCES, "*")
        if kind not in known and not re.fullmatch(r"device_\w+", kind):
            hint = did_you_mean(kind, known, f"; kinds are {', '.join(KINDS)}")
            raise UsageError(f"--on-event: no event is called {kind!r}{hint}")
        if target.startswith(("http:", "https:")):
            try:
                HttpTarget.parse(target)
            except ValueError:
                raise UsageError(f"--on-event: expected a URL with a host after {kind}=, got another URL") from None
            for secret in _secrets_of(target):
                secrets.register(secret)
        return cls(kind, target)

    @property
    def is_web(self) -> bool:
        """Whether ``target`` is a URL to post to, not a command."""
        return self.target.startswith(("http:", "https:"))

    def wants(self, event: EventView) -> bool:
        """Return whether this hook is to be called for the event."""
        if event.name in _OWN:
            return False
        if self.kind in ("*", event.name):
            return True
        return event.name in KINDS.get(self.kind, ()) and (self.kind != "block" or "block" in event.fields)


def _secrets_of(url: str) -> Iterator[str]:
    """Yield the whole URL, and each part of it that may be secret. A short path such as /pool is not secret."""
    parts = urlsplit(url)
    yield url
    yield parts.password or ""
    yield parts.query
    path = parts.path.strip("/")
    yield from (text for text in (path, *path.split("/")) if len(text) >= SHORTEST_TOKEN)


async def run(hooks: tuple[Hook, ...], events: EventLog) -> None:
    """Call the hooks for new events until cancelled. After that, the hooks that are running, and those that still wait
    for their turn, get ``FAREWELL_S`` seconds to finish."""
    send, receive = trio.open_memory_channel[tuple[Hook, EventView]](WAITING)
    working = trio.CancelScope(shield=True)  # hooks may finish after ``run`` is cancelled
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_work_all, receive, working)
        queue = _HookQueue(hooks, send)
        try:
            while True:
                queue.add(await events.wait(queue.number))
        finally:
            queue.add(events.newest(after=queue.number))
            send.close()
            working.deadline = trio.current_time() + FAREWELL_S


@dataclass(slots=True)
class _HookQueue:
    """Sends each new event into the channel ``send``, once for each hook that wants it. Each copy is one call of a
    hook. If the channel is full, the call is dropped.

    ``number`` is the sequence number of the newest event that was handled.
    """

    hooks: tuple[Hook, ...]
    send: trio.MemorySendChannel[tuple[Hook, EventView]]
    number: int = 0

    def add(self, events: Iterable[EventView]) -> None:
        for event in events:
            self.number = event.number
            for hook in self.hooks:
                if hook.wants(event):
                    try:
                        self.send.send_nowait((hook, event))
                    except trio.WouldBlock:
                        log.warning("hooks_too_slow", dropped=event.name, kind=hook.kind)


async def _work_all(receive: trio.MemoryReceiveChannel[tuple[Hook, EventView]], scope: trio.CancelScope) -> None:
    with scope:
        async with Fetcher() as fetcher, trio.open_nursery() as nursery:
            with receive:
                for _ in range(AT_ONCE):
                    nursery.start_soon(_work, receive.clone(), fetcher)


async def _work(receive: trio.MemoryReceiveChannel[tuple[Hook, EventView]], fetcher: Fetcher) -> None:
    async for hook, event in receive:
        why = await (_post(fetcher, hook.target, event) if hook.is_web else _call(hook.target, event))
        if why:
            log.warning("hook_failed", kind=hook.kind, reason=why)


async def _call(command: str, event: EventView) -> str:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("STRATUM_MINER_")},
        "STRATUM_MINER_EVENT": event.name,
        "STRATUM_MINER_TEXT": event.text,
        **{f"STRATUM_MINER_FIELD_{name.upper()}": str(value) for name, value in event.fields.items()},
    }
    try:
        ended = await child.run(
            ["/bin/sh", "-c", command], seconds=COMMAND_S, max_bytes=None,
            input=msgspec.json.encode(event), environment=environment,
        )  # fmt: skip
    except ChildError as error:
        return str(error)
    return f"the command exited with {ended.exit_code}" if ended.exit_code else ""


async def _post(fetcher: Fetcher, url: str, event: EventView) -> str:
    why = ""
    for attempt in range(POST_TRIES):
        if attempt:
            await trio.sleep(2.0**attempt)
        try:
            answer = await fetcher.fetch(
                HttpTarget.parse(url), method="POST", seconds=POST_S, max_bytes=MAX_ANSWER,
                content=msgspec.json.encode(event), headers={"Content-Type": "application/json"},
            )  # fmt: skip
        except FetchError as error:
            why = f"cannot post: {error.text}"
            continue
        if answer.status < 400:
            return ""
        why = f"the server answered with status {answer.status}"
        if answer.status < 500 and answer.status != 429:
            return why
    return f"{why}, {POST_TRIES} times"
