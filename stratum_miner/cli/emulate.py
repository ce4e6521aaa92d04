"""``stratum-miner emulate``: emulates a mining device that really hashes, on a pseudo-terminal that any driver can
open.
"""

from dataclasses import asdict
from math import inf
from pathlib import Path
from typing import Annotated, Any

import structlog
import trio
from cyclopts import Parameter

from stratum_miner.app.options import common, goal
from stratum_miner.app.process import printing, signals
from stratum_miner.app.process.exit_codes import ExitCode, UsageError
from stratum_miner.emulators import FAULTS, KINDS, Emulator, EmulatorError, EmulatorStatistics, FaultError, LinkError
from stratum_miner.emulators.emulator import DEFAULT_HASH_RATE
from stratum_miner.quantities import duration_text, hash_rate_text, parse_hash_rate

log = structlog.get_logger("stratum_miner")

SAMPLED_S = 1.0
"""Seconds between two readings of the counters of injected faults. A count that has changed since the last reading is
reported."""


def emulate(
    kind: Annotated[str, Parameter(help=f"Kind of the device: {', '.join(KINDS)}.")],
    *,
    link: Annotated[
        Path | None,
        Parameter(
            name="--link",
            help="Path at which a driver opens the device. [default: a new path in a temporary directory]",
        ),
    ] = None,
    hash_rate: Annotated[
        str | None,
        Parameter(
            name="--hash-rate",
            help="Hash rate of the device at its usual clock frequency, such as 5MH/s. "
            f"[default: {DEFAULT_HASH_RATE / 1e6:g}MH/s]",
        ),
    ] = None,
    chips: Annotated[
        int | None, Parameter(name="--chips", help="Number of chips. [default: the number in the real product]")
    ] = None,
    fault: Annotated[
        list[str] | None,
        Parameter(
            name="--fault",
            help="NAME[=VALUE][@START[+SECONDS]]: inject this fault from START seconds on, for SECONDS "
            "seconds. Both may have a unit, as in unplug@1m30s+10s. VALUE is a probability from 0 to 1; for dead-chip "
            f"and silent-chip, VALUE is the number of a chip. Faults are {', '.join(FAULTS)}. Repeatable.",
            negative=(),
            consume_multiple=True,
        ),
    ] = None,
    seed: Annotated[
        int,
        Parameter(name="--seed", help="Seed for the random choices of faults. The same seed gives the same choices."),
    ] = 0,
    nonce_difficulty: Annotated[
        float | None,
        Parameter(
            name="--nonce-difficulty",
            help="Lowest difficulty of the nonces that the device reports. Real devices report nonces from difficulty "
            "1 on. [default: 1]",
        ),
    ] = None,
    time_limit: goal.TimeLimit = None,
    json: common.Json = False,
    debug: common.Debug = False,
    quiet: common.Quiet = False,
) -> int:
    """Emulate a mining device: print the path at which a driver can open it, and answer there until interrupted."""
    common.set_up_logging(debug=debug, quiet=quiet)
    goal.goals(shares=None, blocks=None, time_limit=time_limit)
    rate = None if hash_rate is None else _rate(hash_rate)
    try:
        emulator = Emulator(
            kind,
            link=link,
            hash_rate=rate,
            chips=chips,
            faults=fault or (),
            seed=seed,
            nonce_difficulty=nonce_difficulty,
        )
    except (EmulatorError, FaultError) as error:
        raise UsageError(f"emulate: {error}") from None
    ended: list[EmulatorStatistics] = []

    async def live(stop: signals.Stop) -> None:
        try:
            ended.append(await _live(emulator, stop, time_limit, json=json))
        except* LinkError as group:
            raise UsageError(f"emulate: {group.exceptions[0]}") from None

    signals.run(live)
    for statistics in ended:
        _tell_end(statistics, json=json)
    return ExitCode.OK


def _rate(text: str) -> float:
    try:
        return parse_hash_rate(text, unit_needed=True)
    except ValueError as error:
        raise UsageError(f"--hash-rate: {error}") from None


async def _live(emulator: Emulator, stop: signals.Stop, time_limit: float | None, *, json: bool) -> EmulatorStatistics:
    def tell_plug(plugged: bool) -> None:
        _tell(json, "plugged_in" if plugged else "unplugged", path=emulator.path)

    emulator.on_plug = tell_plug
    async with emulator.run():
        with trio.CancelScope() as scope, stop.calling(scope.cancel):
            _tell_start(emulator, json=json)
            with trio.move_on_after(inf if time_limit is None else time_limit):
                await _watch(emulator, json=json)
        return emulator.statistics()


def _tell_start(emulator: Emulator, *, json: bool) -> None:
    settings = emulator.settings
    if json:
        described = {"kind": emulator.kind.name, "path": emulator.path, "ports": dict(emulator.paths)}
        printing.print_json({"event": "ready"} | described | asdict(settings))
        return
    printing.say(emulator.path)
    log.info(
        "ready",
        device=f"{emulator.kind.name}:{emulator.path}",
        product=emulator.kind.product,
        hash_rate=hash_rate_text(settings.hash_rate),
        real=hash_rate_text(emulator.kind.real_hash_rate),
        chips=settings.chips,
        nonce_difficulty=f"{settings.nonce_difficulty:g}",
    )


async def _watch(emulator: Emulator, *, json: bool) -> None:
    """Report injected faults, and that a driver has sent its first bytes."""
    injected: dict[str, int] = {}
    driven = False
    while True:
        await trio.sleep(SAMPLED_S)
        statistics = emulator.statistics()
        for name, count in statistics.faults.items():
            if count != injected.get(name, 0):
                injected[name] = count
                _tell(json, "fault", name=name, count=count)
        if statistics.bytes_received and not driven:
            driven = True
            _tell(json, "driven", bytes_received=statistics.bytes_received)


def _tell(json: bool, event: str, **fields: Any) -> None:
    if json:
        printing.print_json({"event": event, **fields})
    else:
        log.info(event, **fields)


def _tell_end(statistics: EmulatorStatistics, *, json: bool) -> None:
    if json:
        printing.print_json({"event": "end", **asdict(statistics)})
        return
    counts = ("works", "commands", "nonces", "bad_frames", "overruns")
    log.info(
        "ended",
        after=duration_text(statistics.seconds),
        **{name: getattr(statistics, name) for name in counts},
        faults=", ".join(f"{name} {count}" for name, count in statistics.faults.items()) or "none",
    )
