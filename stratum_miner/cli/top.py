"""``stratum-miner top``: the status screen of running miners, on this computer or on others.

Each miner is queried in a task of its own, so that a miner that is slow or does not answer does not delay the others.
"""

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import msgspec
import trio
from cyclopts import Parameter
from rich.console import Console
from rich.text import Text

from stratum_miner.app.process import printing, secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.app.settings.http_token import VARIABLE
from stratum_miner.foreign_text import sanitize, sanitize_texts
from stratum_miner.monitoring.screen import live, overview
from stratum_miner.monitoring.screen.layout import ScreenState
from stratum_miner.monitoring.screen.overview import WatchedMiner
from stratum_miner.monitoring.view import View
from stratum_miner.network.fetch import ConnectFetchError, Fetcher, FetchError, HttpResponse, HttpTarget, SlowFetchError

DEFAULT_API = "http://127.0.0.1:7780"
POLL_S = 1.0
TIMEOUT_S = 5.0
"""Time limit in seconds for a whole answer, from the lookup of the host name to the last byte."""
MAX_ANSWER = 8 * 1024 * 1024
"""Largest size of an answer in bytes, including its HTTP head."""
MAX_NUMBER = 1e70
"""Largest number that is accepted in an answer. Every number that a miner reports is smaller, even the difficulty of a
hash that is 0."""
FOOT_ONE = ("q quit",)
FOOT_SEVERAL = ("0-9 one miner", "a all", "q quit")
ONCE_HEIGHT = 1000
"""Assumed number of screen lines with --once, so that no line of a miner is left out. Empty lines are not printed."""


def top(
    *,
    api: Annotated[
        list[str] | None,
        Parameter(
            name="--api",
            help=f"URL of the HTTP API of a miner that runs with --http. Repeatable. [default: {DEFAULT_API}]",
            negative=(),
        ),
    ] = None,
    token_file: Annotated[
        Path | None,
        Parameter(
            name="--token-file",
            help="File whose first line is the API token, which miners that run with --http-network require. "
            f"[default: the token in {VARIABLE}]",
            negative=(),
        ),
    ] = None,
    once: Annotated[
        bool,
        Parameter(
            name="--once",
            help="Print the status once and exit. This also happens if the output is not a terminal.",
            negative=(),
            show_default=False,
        ),
    ] = False,
) -> int:
    """Show the status of running miners until you press q or Ctrl-C.

    Exit code 1: with --once, or if the output is not a terminal, no miner answered.
    """
    token = secrets.from_environment(VARIABLE) if token_file is None else secrets.read_secret_file(
        token_file, "--token-file"
    )  # fmt: skip
    miners = [_Remote(number, _checked(url), token) for number, url in enumerate(api or [DEFAULT_API])]
    console = printing.console(highlight=False)
    showing = _Showing(console, miners)
    alone = once or not live.usable(console)

    async def run(stop: signals.Stop) -> None:
        async with trio.open_nursery() as nursery:
            with stop.calling(nursery.cancel_scope.cancel):
                if alone:
                    await showing.ask_once()
                else:
                    await showing.run()
            nursery.cancel_scope.cancel()

    signals.run(run)
    if not alone:
        return ExitCode.OK
    answered = any(miner.view is not None for miner in miners)
    if len(miners) == 1 and not answered:
        raise CommandFailed(f"{miners[0].url}: {miners[0].error}")
    showing.print_once()
    return ExitCode.OK if answered else ExitCode.FAILED


def _checked(url: str) -> str:
    if not _is_address(url):
        raise UsageError(f"--api: expected a URL such as {DEFAULT_API}, got {url.rpartition('@')[2]!r}")
    return url.rstrip("/")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        HttpTarget.parse(url)
    except ValueError:
        return False
    return not (parts.query or parts.fragment or "@" in parts.netloc)


@dataclass(slots=True)
class _Remote:
    """One miner, with the last answer of its API."""

    number: int
    url: str
    token: str | None
    view: View | None = None
    error: str = "it has not answered yet"
    seen_at: float = field(default_factory=time.monotonic)

    def seen(self) -> WatchedMiner:
        """Return what the screen shows of this miner."""
        return WatchedMiner(self.number, self.url, self.view, self.error, time.monotonic() - self.seen_at)

    async def ask(self, fetcher: Fetcher) -> None:
        """Query the miner once, and keep its answer, or the reason why there is none."""
        try:
            answer = await self._answer(fetcher)
            if answer.status != 200:
                raise ValueError(_refusal(answer))
            decoded = msgspec.json.decode(answer.body)
            _check_sizes(decoded)
            self.view = msgspec.convert(sanitize_texts(decoded), type=View)
            self.error, self.seen_at = "", time.monotonic()
        except (FetchError, ValueError, RecursionError) as error:
            self.error = _why(error)

    async def _answer(self, fetcher: Fetcher) -> HttpResponse:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        target = HttpTarget.parse(f"{self.url}/api/v1/view")
        return await fetcher.fetch(target, seconds=TIMEOUT_S, max_bytes=MAX_ANSWER, headers=headers)


def _check_sizes(value: Any) -> None:
    """Raise ValueError if the answer of a miner contains a number that no miner can report. Such a number could break
    calculations or the screen."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_sizes(item)
    elif isinstance(value, int | float) and not -MAX_NUMBER <= value <= MAX_NUMBER:
        raise ValueError(f"expected numbers from {-MAX_NUMBER:g} to {MAX_NUMBER:g}, got a number outside this range")


def _refusal(answer: HttpResponse) -> str:
    try:
        reason = sanitize(msgspec.json.decode(answer.body, type=dict[str, str]).get("error", ""))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        reason = "is this a miner with --http?"
    return f"it answered {answer.status}: {reason}"


def _why(error: Exception) -> str:
    if isinstance(error, msgspec.DecodeError | UnicodeDecodeError | RecursionError):
        return "its answer is not the status of a miner; is it another program, or another version of the miner?"
    if isinstance(error, SlowFetchError):
        return f"no complete answer within {error.seconds:g} s"
    if isinstance(error, ConnectFetchError):
        return f"{error.text}; does a miner with --http run there?"
    return error.text if isinstance(error, FetchError) else str(error)


@dataclass(slots=True)
class _Showing:
    console: Console
    miners: list[_Remote]
    chosen: int | None = None
    """Index in ``miners`` of the miner that is shown alone; None while the list of all miners is shown."""

    async def run(self) -> None:
        """Show the screen until the user presses q."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.poll)
            await live.show(self.console, self.drawn, self.press)
            nursery.cancel_scope.cancel()

    async def poll(self) -> None:
        """Query each miner again and again, each in a task of its own."""
        async with Fetcher() as fetcher, trio.open_nursery() as nursery:
            for miner in self.miners:
                nursery.start_soon(_poll, miner, fetcher)

    async def ask_once(self) -> None:
        """Query all miners once, at the same time."""
        async with Fetcher() as fetcher, trio.open_nursery() as nursery:
            for miner in self.miners:
                nursery.start_soon(miner.ask, fetcher)

    def print_once(self) -> None:
        """Print the status once. Call this outside trio: a trio nursery would wrap the error of a closed pipe in an
        exception group."""
        screen = ScreenState(self.console.width, ONCE_HEIGHT, live.is_ascii(self.console))
        for line in self.drawn(screen, keys=False):
            if line.plain.strip():
                self.console.print(line, soft_wrap=True)
        sys.stdout.flush()

    def press(self, key: str) -> bool:
        """Do what a pressed key stands for. Returns whether to exit."""
        if key.isdecimal() and int(key) < len(self.miners):
            self.chosen = int(key)
        elif key == "a":
            self.chosen = None
        return key == "q"

    def drawn(self, screen: ScreenState, *, keys: bool = True) -> list[Text]:
        """Return the lines of the screen, which shows the list of all miners or the view of one miner."""
        if len(self.miners) > 1:
            screen = replace(screen, foot=FOOT_SEVERAL if keys else ())
            if self.chosen is None:
                return overview.draw([miner.seen() for miner in self.miners], screen)
        else:
            screen = replace(screen, foot=FOOT_ONE if keys else ())
        return overview.draw_one(self.miners[self.chosen or 0].seen(), screen)


async def _poll(miner: _Remote, fetcher: Fetcher) -> None:
    while True:
        await miner.ask(fetcher)
        await trio.sleep(POLL_S)
