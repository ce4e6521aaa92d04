"""``stratum-miner conformance``: checks whether a pool implements Stratum V1 as miners need it."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Annotated, TypeAlias

import trio
from cyclopts import Parameter
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from stratum_miner.app.config.durations import duration_option
from stratum_miner.app.options import common, node_access, ownership, pool_access
from stratum_miner.app.process import logs, output_files, printing, secrets, signals
from stratum_miner.app.process.exit_codes import CommandFailed, ExitCode, UsageError
from stratum_miner.app.process.live_display import can_redraw
from stratum_miner.client import PoolUnreachable, PoolUrl
from stratum_miner.client.dialing.tls import TlsSettings, secure
from stratum_miner.conformance import (
    ALL,
    Case,
    Chain,
    ChainError,
    ChainTip,
    Hasher,
    PoolDeath,
    PoolUnderTest,
    Result,
    SelectionError,
    Tally,
    Unreachable,
    Verdict,
    select,
    tcp_dialer,
    verify,
)
from stratum_miner.conformance.deviations import gone as gone_deviations
from stratum_miner.conformance.deviations import mark_known, read_deviations
from stratum_miner.conformance.pool_under_test import OpenPoolStream
from stratum_miner.conformance.report import as_object, junit
from stratum_miner.pool.nodes.base import Node, NodeError
from stratum_miner.reports.conformance_page import page
from stratum_miner.reports.conformance_text import show
from stratum_miner.user_files import UserFileError

DEFAULT_USER = "stratum-miner.conformance"
MAX_WORK_SECONDS = 86_400.0
Patterns: TypeAlias = Annotated[
    list[str] | None,
    Parameter(
        name="--only",
        help="Run only these checks. Give an id, a topic, a level, or a glob pattern such as 'VD-*'. Repeatable.",
        group="Checks",
        negative=(),
    ),
]


def conformance(
    url: Annotated[
        str,
        Parameter(
            help="Pool to check: stratum+tcp://HOST:PORT, or with TLS stratum+ssl://HOST:PORT.", show_default=False
        ),
    ] = "",
    /,
    *checks: Annotated[
        str,
        Parameter(
            help="Checks to run, as with --only. Give a path (TOPIC/ID), an id, a topic or a glob pattern, as in "
            "shares/ERR-07, framing or 'VD-*'."
        ),
    ],
    user: pool_access.WorkerName = DEFAULT_USER,
    password: pool_access.Password = None,
    pass_file: pool_access.PasswordFile = None,
    tls_ca: pool_access.TlsCa = None,
    tls_fingerprint: pool_access.TlsFingerprint = None,
    tls_cert: pool_access.TlsCertificate = None,
    tls_key: pool_access.TlsKey = None,
    owned: Annotated[
        bool,
        Parameter(
            name="--i-own-this-pool",
            help="Confirm that the pool is yours. The pool may then be on another computer, and checks that send "
            "malformed input, floods or many connections are not skipped.",
            negative=(),
            show_default=False,
            group="Pool",
        ),
    ] = False,
    node: Annotated[
        str | None,
        Parameter(
            name="--node",
            env_var="STRATUM_MINER_NODE",
            help="JSON-RPC of the pool's Bitcoin node, http://USER:PASS@HOST:PORT, for the checks that need the block "
            "chain.",
            group="Pool",
        ),
    ] = None,
    node_cookie: node_access.NodeCookie = None,
    node_password_file: node_access.NodePasswordFile = None,
    retarget_seconds: Annotated[
        float | None,
        duration_option(
            "--retarget-seconds",
            "Time after which the pool adjusts a share difficulty, in seconds or with a unit, from 1s to 1h. Without "
            "this option, checks that wait for an adjustment are skipped.",
            "Pool",
        ),
    ] = None,
    only: Patterns = None,
    skip: Annotated[
        list[str] | None,
        Parameter(
            name="--skip",
            help="Do not run these checks. Give an id, a topic, a level, or a glob pattern. Repeatable.",
            group="Checks",
            negative=(),
        ),
    ] = None,
    strict: Annotated[
        bool,
        Parameter(
            name="--strict",
            help="Exit with code 6 if a SHOULD check failed or a known deviation is gone, and no MUST check failed.",
            negative=(),
            show_default=False,
            group="Checks",
        ),
    ] = False,
    known_deviations: Annotated[
        Path | None,
        Parameter(
            name="--known-deviations",
            help='Checks that the pool is known to fail do not count. The TOML file has a table [checks."ID"] with a '
            "reason for each. A known deviation that is gone is reported.",
            group="Checks",
            negative=(),
        ),
    ] = None,
    max_seconds_of_work: Annotated[
        float,
        duration_option(
            "--max-seconds-of-work",
            "Longest time that one check may search for shares, in seconds or with a unit. A check that needs more "
            "time is skipped.",
            "Checks",
        ),
    ] = 60.0,
    list_checks: Annotated[
        bool,
        Parameter(
            name="--list",
            help="List the checks instead of running them.",
            negative=(),
            show_default=False,
            group="Checks",
        ),
    ] = False,
    json: common.Json = False,
    junit_file: Annotated[
        Path | None,
        Parameter(name="--junit", help="Write a report in JUnit's XML to this file.", group="Output", negative=()),
    ] = None,
    html: Annotated[
        Path | None,
        Parameter(name="--html", help="Write an HTML page with the report to this file.", group="Output", negative=()),
    ] = None,
) -> int:
    """Check whether a pool implements Stratum V1 as miners need it.

    A pool that fails a MUST check breaks miners or wastes work. A SHOULD check is a recommendation.

    Exit code 0: no MUST check failed. 1: a MUST check failed. 4: the pool could not be reached. 6: with --strict, a
    SHOULD check failed or a known deviation is gone. 7: every check was skipped. 13: the pool died during the run, and
    no MUST check failed.
    """
    logs.configure(level="warning")
    if list_checks and url and ":" not in url:  # no pool is needed for a list, so the first argument is a check
        checks = (url, *checks)
    try:
        cases = select(ALL, common.listed([*checks, *(only or [])]), common.listed(skip or []))
    except SelectionError as error:
        raise UsageError(str(error)) from None
    if list_checks:
        _show_list(cases, as_json=json)
        return ExitCode.OK
    if not url:
        raise UsageError(
            "expected the URL of a pool, as in stratum-miner conformance stratum+tcp://127.0.0.1:3333, got none"
        )
    common.check_time("--max-seconds-of-work", max_seconds_of_work, 0, MAX_WORK_SECONDS)
    common.check_time("--retarget-seconds", retarget_seconds, 1, 3600)
    deviations = _deviations(known_deviations)
    output_files.check_writable(junit_file, "--junit")
    output_files.check_writable(html, "--html")
    pool_url, worker_name, secret = pool_access.login(url, user, _password(password, pass_file), default=DEFAULT_USER)
    ownership.check(pool_url.host, owned, "checks cost a pool work and connections")
    tls = pool_access.tls_settings(tls_ca, tls_fingerprint, tls_cert, tls_key, urls=[pool_url])
    dial_raw = tcp_dialer(pool_url.host, pool_url.port)
    results: list[Result] = []
    seconds = 0.0
    complete = False
    death: PoolDeath | None = None

    async def main(stop: signals.Stop) -> None:
        nonlocal seconds, complete, death
        async with _chain(node, node_cookie, node_password_file) as chain:
            target = PoolUnderTest(
                name=str(pool_url),
                dial=_tls_dialer(dial_raw, pool_url, tls) if pool_url.tls else dial_raw,
                dial_raw=dial_raw if pool_url.tls else None,
                tls=pool_url.tls,
                worker=worker_name,
                password=secret,
                owned=owned,
                chain=chain,
                work_seconds=max_seconds_of_work,
                retarget_seconds=retarget_seconds,
            )
            started = trio.current_time()
            with trio.CancelScope() as scope, stop.calling(scope.cancel):
                death = await _run(target, cases, results)
                complete = True
            seconds = trio.current_time() - started

    signals.run(main)
    results = [_without_secrets(result) for result in sorted(results, key=lambda result: cases.index(result.case))]
    results, gone = mark_known(results, deviations), gone_deviations(results, deviations)
    if junit_file is not None:
        output_files.write(junit_file, junit(str(pool_url), results, strict=strict, death=death, gone=gone), "--junit")
    if html is not None:
        output_files.write(html, page(str(pool_url), results, seconds, death=death, gone=gone), "--html")
    if json:
        printing.print_json(as_object(str(pool_url), results, seconds, death=death, gone=gone))
    else:
        show(str(pool_url), results, seconds, printing.console(highlight=False), death=death, gone=gone)
    if not complete:
        printing.say(f"stratum-miner: interrupted after {len(results)} of {len(cases)} checks", stderr=True)
        return signals.INTERRUPTED
    return exit_code(Tally.of(results), strict, died=death is not None, gone=bool(gone))


def exit_code(tally: Tally, strict: bool, *, died: bool = False, gone: bool = False) -> ExitCode:
    """Return the exit code of a run. Scripts rely on these codes, so their meaning must not change."""
    if tally.failed_must:
        return ExitCode.FAILED
    if died:
        return ExitCode.POOL_DIED
    if (tally.failed_should or gone) and strict:
        return ExitCode.SHOULD_FAILED
    if not tally.passed and not tally.failed_should and not tally.known and not tally.observed:
        return ExitCode.NOTHING_JUDGED
    return ExitCode.OK


class NodeChain:
    """Gives the checks access to the Bitcoin node on which the pool runs."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def tip(self) -> ChainTip:
        """Return the last block of the best chain. Raises ChainError if the node does not answer."""
        try:
            tip = await self._node.tip()
        except NodeError as error:
            raise ChainError(str(error)) from None
        return ChainTip(tip.height, tip.hash)

    async def time(self) -> int:
        """Return the time of a block template. Raises ChainError if the node does not answer."""
        try:
            return (await self._node.get_template()).curtime
        except NodeError as error:
            raise ChainError(str(error)) from None

    async def submit(self, block: bytes) -> str:
        """Submit a block and return why the node rejects it; empty if the node accepts it.

        Raises ChainError if the node does not answer.
        """
        try:
            result = await self._node.submit_block(block)
        except NodeError as error:
            raise ChainError(str(error)) from None
        return "" if result.accepted else result.result


@asynccontextmanager
async def _chain(spec: str | None, cookie: Path | None, password_file: Path | None) -> AsyncIterator[Chain | None]:
    if spec is None:
        yield None
        return
    if "://" not in spec:
        raise UsageError(
            f"--node: expected the JSON-RPC URL of the pool's Bitcoin node, as in http://HOST:PORT, got {spec!r}"
        )
    async with node_access.opened(spec, cookie=cookie, password_file=password_file) as node:
        chain = NodeChain(node)
        try:
            await chain.tip()
        except ChainError as error:
            raise CommandFailed(str(error)) from None
        yield chain


def _deviations(file: Path | None) -> dict[str, str]:
    if file is None:
        return {}
    try:
        return read_deviations(file)
    except UserFileError as error:
        raise UsageError(f"--known-deviations: {error.where(file)}: {error}") from None
    except OSError as error:
        raise UsageError(f"--known-deviations: cannot read {str(file)!r}: {error.strerror}") from None


def _password(password: str | None, file: Path | None) -> str | None:
    if password is not None and file is not None:
        raise UsageError("--pass, --pass-file: expected one of the two, got both")
    if file is not None:
        return secrets.read_secret_file(file, "--pass-file")
    return password


def _tls_dialer(dial: OpenPoolStream, url: PoolUrl, settings: TlsSettings) -> OpenPoolStream:
    async def secured() -> trio.abc.Stream:
        try:
            return await secure(await dial(), url, settings)
        except PoolUnreachable as error:
            raise OSError(str(error).removeprefix(f"{url}: ")) from None

    return secured


# ---- running and showing -----------------------------------------------------------------------------------------


async def _run(target: PoolUnderTest, cases: Sequence[Case], results: list[Result]) -> PoolDeath | None:
    """Run the checks and append their results to ``results``. Return how the pool died, or None if it did not."""
    engine = await trio.to_thread.run_sync(Hasher.fastest)
    console = printing.console(stderr=True)
    shown = can_redraw(console)
    progress = Progress(
        BarColumn(20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not shown,
    )
    task = progress.add_task("", total=len(cases))
    running: dict[str, None] = {}
    deaths: list[PoolDeath] = []

    def tell() -> None:
        names = list(running)
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        progress.update(task, description=", ".join(names[:3]) + more, completed=len(results))

    def start(case: Case) -> None:
        running[case.id] = None
        tell()

    def finish(result: Result) -> None:
        running.pop(result.case.id, None)
        results.append(result)
        tell()
        if not shown:
            printing.say(_progress(result, len(results), len(cases)), stderr=True)

    try:
        with progress if shown else nullcontext():
            await verify(target, cases, engine, on_start=start, on_result=finish, on_death=deaths.append)
    except Unreachable as error:
        raise CommandFailed(str(error), ExitCode.POOL_UNREACHABLE) from None
    return deaths[0] if deaths else None


def _progress(result: Result, number: int, total: int) -> str:
    """Return the line that shows that a check has ended, for an output that is no terminal."""
    case = result.case
    failed = f"  {case.level.value}: {case.requirement}" if result.verdict is Verdict.FAILED else ""
    return f"{number}/{total} {result.verdict.value:<8} {case.id:<6} {result.seconds:6.1f} s{failed}"


def _without_secrets(result: Result) -> Result:
    """Return the result without secrets, which its texts may contain because they quote messages of the pool.

    Call this before the result is written as JSON or XML: replacing a secret in the written JSON or XML could make it
    invalid.
    """
    return replace(
        result,
        outcome=replace(result.outcome, actual=secrets.redact(result.outcome.actual)),
        transcript=tuple(map(secrets.redact, result.transcript)),
        sent=tuple(map(_redacted, result.sent)),
    )


def _redacted(data: bytes) -> bytes:
    """Return bytes that a check sent without the secrets in them."""
    return secrets.redact_foreign(data.decode("latin-1")).encode("latin-1", "replace")


def _show_list(cases: Sequence[Case], *, as_json: bool) -> None:
    if as_json:
        printing.print_json(
            [
                {
                    "id": case.id,
                    "topic": case.topic,
                    "level": case.level.value,
                    "class": case.kind,
                    "requirement": case.requirement,
                    "hurts": case.hurts,
                    "expected": case.expected,
                }
                for case in cases
            ]
        )
        return
    console = printing.console(highlight=False, soft_wrap=True)
    for case in cases:
        console.print(Text(f"{case.address:<20}{case.level.value:<7}{case.requirement} ({case.kind})"))
