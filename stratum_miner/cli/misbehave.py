"""``stratum-miner misbehave``: behaves like a faulty miner, to test the user's own pool."""

from typing import Annotated

import structlog
import trio
from cyclopts import Parameter

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import capture, common, ownership, pool_access
from stratum_miner.app.process import printing, secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.client import PoolUnreachable
from stratum_miner.faults import misbehaving_miner
from stratum_miner.faults.misbehaving_miner import MINER_FAULTS
from stratum_miner.faults.outcome import FaultOutcome
from stratum_miner.faults.raw_miner import RawMinerPlan
from stratum_miner.spelling import named

log = structlog.get_logger("stratum_miner")

DEFAULT_USER = "stratum-miner.misbehave"
MAX_SECONDS = 3600.0


def misbehave(
    url: Annotated[str, Parameter(help="Pool to test: stratum+tcp://HOST:PORT, or with TLS stratum+ssl://HOST:PORT.")],
    /,
    *,
    fault: Annotated[
        list[str] | None,
        Parameter(
            name="--fault",
            help=f"Fault to commit: {', '.join(MINER_FAULTS)}. Repeatable. [default: all]",
            negative=(),
        ),
    ] = None,
    user: pool_access.WorkerName = DEFAULT_USER,
    password: pool_access.Password = None,
    own: ownership.OwnThisPool = False,
    hold: Annotated[
        float,
        duration_option(
            "--hold",
            "Time for which the faults slow-reader and half-open keep their connection, in seconds or with a unit.",
            "Faults",
        ),
    ] = 10.0,
    new_block: Annotated[
        float,
        duration_option(
            "--new-block",
            "Time to wait for a new block, which the fault stale needs, in seconds or with a unit.",
            "Faults",
        ),
    ] = 30.0,
    seed: capture.Seed = 0,
    tls_ca: pool_access.TlsCa = None,
    tls_fingerprint: pool_access.TlsFingerprint = None,
    tls_cert: pool_access.TlsCertificate = None,
    tls_key: pool_access.TlsKey = None,
    proxy: pool_access.ProxyOption = None,
    json: common.Json = False,
) -> int:
    """Commit faults of miners against a pool of your own, and print how the pool answers each of them.

    Exit code 1: the pool accepted a fault that it should reject, disturbed a connection that had no fault, or did not
    answer. 4: the pool could not be reached. 130: interrupted before the last fault.
    """
    common.set_up_logging(quiet=True)
    target, worker_name, secret = pool_access.login(url, user, password, default=DEFAULT_USER)
    ownership.check(target.host, own, "faults of miners can harm a pool")
    for name, value in (("--hold", hold), ("--new-block", new_block)):
        common.check_time(name, value, 0, MAX_SECONDS, above=True)
    chosen = list(dict.fromkeys(common.listed(fault))) if fault else list(MINER_FAULTS)
    try:
        for name in chosen:
            named(MINER_FAULTS, name, "--fault")
    except ValueError as error:
        raise UsageError(str(error)) from None
    plan = RawMinerPlan(
        dial=pool_access.dial(target, tls_ca, tls_fingerprint, tls_cert, tls_key, proxy=proxy),
        worker_name=worker_name,
        password=secret,
        seed=seed,
        hold=hold,
        new_block=new_block,
    )
    outcomes: list[FaultOutcome] = []

    async def run(stop: signals.Stop) -> None:
        with trio.CancelScope() as scope, stop.calling(scope.cancel):
            for name in chosen:
                try:
                    outcomes.append(await misbehaving_miner.misbehave(plan, name))
                except PoolUnreachable as error:
                    raise CommandFailed(str(error), ExitCode.POOL_UNREACHABLE) from None
                if not json:
                    _show(outcomes[-1])

    signals.run(run)
    interrupted = len(outcomes) < len(chosen)
    if json:
        printing.print_json(
            [
                {
                    "fault": each.fault,
                    "verdict": each.verdict.name.lower(),
                    "answer": secrets.redact_foreign(each.answer),
                }
                for each in outcomes
            ]
        )
    if interrupted:
        printing.say(f"stratum-miner: interrupted after {len(outcomes)} of {len(chosen)} faults", stderr=True)
        return signals.INTERRUPTED
    return ExitCode.OK if all(each.is_good for each in outcomes) else ExitCode.FAILED


def _show(outcome: FaultOutcome) -> None:
    mark = "ok  " if outcome.is_good else "FAIL"
    printing.say(f"{mark} {outcome.fault:<26} {outcome.verdict.value}")
    printing.say(secrets.redact_foreign(outcome.answer), indent=7)
