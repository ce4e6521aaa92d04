"""``stratum-miner tap``: records the messages between miners and a pool, and changes messages by rules."""

from pathlib import Path
from random import Random
from typing import Annotated

import structlog
import trio
from cyclopts import Parameter

from stratum_miner.app.options import capture, common, listen_address, ownership, pool_access
from stratum_miner.app.options.listen_address import failing_with_listeners, parse_listen
from stratum_miner.app.process import secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.capture import rules as tap_rules
from stratum_miner.capture.methods import nearest_method
from stratum_miner.capture.rules import Rule, RuleError, RuleFilter
from stratum_miner.capture.tap import Tap
from stratum_miner.client import PoolUnreachable
from stratum_miner.client.dialing.url import PoolLogin

log = structlog.get_logger("stratum_miner")


def tap(
    listen: Annotated[
        str,
        Parameter(help="HOST:PORT at which the tap accepts miners. A port alone accepts only miners on this computer."),
    ],
    upstream: Annotated[
        str, Parameter(help="Pool of the miners: stratum+tcp://HOST:PORT, or with TLS stratum+ssl://HOST:PORT.")
    ],
    /,
    *,
    rule: Annotated[
        list[str] | None,
        Parameter(
            name="--rule",
            help="ACTION[=VALUE] [from=miner|pool] [method=NAME] [nth=N[-M]|every=N] [match=TEXT] [chance=P]: do this "
            "to the messages that meet all conditions. Actions are drop, delay, duplicate, reorder, replace, split and "
            "close. from is the sender. nth and every count the messages that meet from, method and match. A * in TEXT "
            "stands for any characters. P is a probability from 0 to 1. Rules apply in the given order. Repeatable.",
            group="Faults",
            negative=(),
        ),
    ] = None,
    rules: Annotated[
        Path | None,
        Parameter(
            name="--rules",
            help="TOML file with [[rule]] tables, which apply before the rules of --rule.",
            group="Faults",
        ),
    ] = None,
    seed: capture.Seed = 0,
    record: capture.RecordOption = None,
    record_secrets: capture.RecordSecrets = False,
    tls_ca: pool_access.TlsCa = None,
    tls_fingerprint: pool_access.TlsFingerprint = None,
    tls_cert: pool_access.TlsCertificate = None,
    tls_key: pool_access.TlsKey = None,
    proxy: pool_access.ProxyOption = None,
    debug: common.Debug = False,
    quiet: common.Quiet = False,
    log_format: common.LogFormatOption = "plain",
) -> int:
    """Forward messages between miners and a pool, and record, delay, drop, reorder or rewrite them.

    Exit code 1: the tap can no longer accept miners or record.
    """
    common.set_up_logging(debug=debug, quiet=quiet, log_format=log_format)
    host, port = parse_listen(listen, "LISTEN")
    secrets.register_credentials(upstream)
    login = PoolLogin.parse(upstream)
    if login.worker_name is not None:
        raise UsageError("UPSTREAM: expected no user in the URL, because each miner sends its own, got one")

    url = login.url
    pool_access.note_http([url] if login.is_http else [])
    ownership.check_other(url, host, port, "UPSTREAM")
    chosen = _rules(rules, rule or [])
    for each in chosen:
        nearest = nearest_method(each.method)
        if nearest is not None:
            log.warning("unknown_method", method=each.method, hint=f"did you mean {nearest}?", rule=str(each))
    dial = pool_access.dial(url, tls_ca, tls_fingerprint, tls_cert, tls_key, proxy=proxy)

    with capture.recording(record, f"tap {url}", secrets=record_secrets) as recorder:
        tapped = Tap(
            dial,
            lambda number: RuleFilter(chosen, Random(f"{seed}/{number}")),
            unreachable=PoolUnreachable,
            recorder=recorder,
        )

        async def serve(stop: signals.Stop) -> None:
            listeners = await listen_address.open_listeners(host, port)
            with failing_with_listeners(), trio.CancelScope() as scope, stop.calling(scope.cancel):
                if recorder is not None:
                    recorder.on_error = lambda _: scope.cancel()
                log.info("ready", url=listen_address.listening(listeners), upstream=str(url), rules=len(chosen))
                await tapped.serve(listeners)

        signals.run(serve)
        if recorder is not None:
            if recorder.error is not None:
                raise CommandFailed(recorder.error)
            log.info("recorded", file=str(record), lines=recorder.lines, connections=tapped.connections)
    return ExitCode.OK


def _rules(path: Path | None, texts: list[str]) -> list[Rule]:
    try:
        found = [] if path is None else tap_rules.read(path)
        found += [tap_rules.parse(text) for text in texts]
    except RuleError as error:
        raise UsageError(str(error)) from None
    return found
