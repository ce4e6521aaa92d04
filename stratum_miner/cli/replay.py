"""``stratum-miner replay``: replays one side of a recording to a live miner or pool."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import structlog
import trio
from cyclopts import Parameter

from stratum_miner.app.options import common, listen_address, ownership, pool_access
from stratum_miner.app.options.listen_address import failing_with_listeners, parse_listen
from stratum_miner.app.process import printing, secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.capture import record as capture_record
from stratum_miner.capture.methods import nearest_method
from stratum_miner.capture.record import RecordingError, Side
from stratum_miner.capture.replay import Replay
from stratum_miner.capture.replay_run import play_miner, play_pool, replays
from stratum_miner.client import PoolUnreachable

log = structlog.get_logger("stratum_miner")

SHOWN = 50
"""Largest number of differences that are printed as text. The output of --json contains more, up to
``capture.replay.MAX_DIFFERENCES``."""


def replay(
    file: Annotated[Path, Parameter(help="Recording of mine --record, pool --record or tap --record.")],
    /,
    *,
    listen: Annotated[
        str | None, Parameter(name="--listen", help="Replay the pool's side to the miners that connect to HOST:PORT.")
    ] = None,
    to: Annotated[str | None, Parameter(name="--to", help="Replay the miner's side to the pool at this URL.")] = None,
    pace: Annotated[
        float,
        Parameter(
            name="--pace",
            help="Factor for the recorded delays: 1 keeps the delays, 0.1 sends ten times faster, 0 sends as fast as "
            "the other side answers.",
        ),
    ] = 1.0,
    ignore: Annotated[
        list[str] | None,
        Parameter(
            name="--ignore",
            help="Method whose messages are not compared with the recording, such as mining.notify. Repeatable.",
            negative=(),
        ),
    ] = None,
    user: Annotated[
        str | None,
        Parameter(name=("--user", "-u"), help="Worker name to send instead of the recorded one.", group="Pool"),
    ] = None,
    password: Annotated[
        str | None,
        Parameter(
            name=("--pass", "-p"),
            help="Used with --user: password to send instead of the recorded one. [default: "
            f"{pool_access.DEFAULT_PASSWORD}]",
            group="Pool",
        ),
    ] = None,
    own: ownership.OwnThisPool = False,
    tls_ca: pool_access.TlsCa = None,
    tls_fingerprint: pool_access.TlsFingerprint = None,
    tls_cert: pool_access.TlsCertificate = None,
    tls_key: pool_access.TlsKey = None,
    proxy: pool_access.ProxyOption = None,
    json: common.Json = False,
    quiet: common.Quiet = False,
) -> int:
    """Replay one side of a recording to a live pool or miner, and print every difference from the recording.

    Exit code 1: there were differences, or the replay did not reach its end. 4: the pool could not be reached.
    """
    common.set_up_logging(quiet=quiet)
    if (listen is None) == (to is None):
        raise UsageError("replay: expected either --listen HOST:PORT or --to URL, got both or none")
    if not 0 <= pace <= 1000:
        raise UsageError(f"--pace: expected a number from 0 to 1000, got {pace:g}")
    url, worker_name, secret = (None, user or "", None if password is None else secrets.register(password))
    if to is not None:
        url, worker_name, secret = pool_access.login(to, worker_name, password, default="")
    if password is not None and not worker_name:
        raise UsageError("--pass needs --user, as in --user WORKER --pass PASSWORD")
    try:
        capture = capture_record.read(file)
    except RecordingError as error:
        raise UsageError(str(error)) from None
    if capture.cut:
        log.warning("capture_cut", file=str(file), reason="its last line is incomplete and is skipped")
    for method in ignore or ():
        nearest = nearest_method(method)
        if nearest is not None:
            raise UsageError(f"--ignore: expected a method, got {method!r}: did you mean {nearest!r}?")
    plays = replays(
        capture,
        Side.POOL if listen is not None else Side.MINER,
        pace=pace,
        ignore=frozenset(ignore or ()),
        worker=(worker_name, secret or pool_access.DEFAULT_PASSWORD) if worker_name else None,
    )
    if not plays:
        raise UsageError(f"recording {str(file)!r}: expected protocol messages of a miner and a pool, found none")
    if url is not None:
        ownership.check(url.host, own, "replaying a recording disturbs a pool")
        _play_miner(plays, pool_access.dial(url, tls_ca, tls_fingerprint, tls_cert, tls_key, proxy=proxy))
    else:
        _play_pool(plays, *parse_listen(listen or ""))
    _tell(plays, file, as_json=json)
    return ExitCode.FAILED if any(play.differences or not play.done for play in plays) else ExitCode.OK


def _play_pool(plays: Sequence[Replay], host: str, port: int) -> None:
    async def serve(stop: signals.Stop) -> None:
        listeners = await listen_address.open_listeners(host, port)
        with failing_with_listeners(), trio.CancelScope() as scope, stop.calling(scope.cancel):
            log.info("ready", url=listen_address.listening(listeners), connections=len(plays))
            await play_pool(plays, listeners)

    signals.run(serve)


def _play_miner(plays: Sequence[Replay], dial: Callable[[], Awaitable[trio.abc.Stream]]) -> None:
    async def play(stop: signals.Stop) -> None:
        with trio.CancelScope() as scope, stop.calling(scope.cancel):
            try:
                await play_miner(plays, dial)
            except* PoolUnreachable as group:
                raise CommandFailed(str(group.exceptions[0]), ExitCode.POOL_UNREACHABLE) from None

    signals.run(play)


def _tell(plays: Sequence[Replay], file: Path, *, as_json: bool) -> None:
    departures = [departure for play in plays for departure in play.differences]
    uncounted = sum(play.differences_not_kept for play in plays)
    played = sum(play.done for play in plays)
    if as_json:
        printing.print_json(
            {
                "file": str(file),
                "connections": len(plays),
                "played": played,
                "said": sum(play.sent for play in plays),
                "heard": sum(play.received for play in plays),
                "shares_recorded": sum(play.shares_recorded for play in plays),
                "shares_received": sum(play.shares_received for play in plays),
                "departures": [asdict(departure) for departure in departures],
                "departures_not_listed": uncounted,
            }
        )
        return
    for departure in departures[:SHOWN]:
        printing.say(str(departure))
    rest = len(departures) - min(SHOWN, len(departures)) + uncounted
    if rest:
        printing.say(f"and {rest} more")
    total = len(departures) + uncounted
    how = f", {total} difference{'s' if total > 1 else ''} from the recording" if total else ""
    printing.say(
        f"{played} of {len(plays)} connections replayed to their end"
        + (how or ", as recorded" * (played == len(plays)))
    )
    recorded, received = sum(play.shares_recorded for play in plays), sum(play.shares_received for play in plays)
    if recorded != received:
        printing.say(f"shares: {recorded} recorded, {received} received; their number is not compared")
