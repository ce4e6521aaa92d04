"""The doctor on what ``mine`` would be told: the configuration, its pools, and the addresses it would listen at."""

import errno
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from stratum_miner import user_folders
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.doctor.finding import Finding, Severity
from stratum_miner.app.doctor.machine import directory_finding
from stratum_miner.app.doctor.ports import holder_of_port
from stratum_miner.app.operation import host_sensors
from stratum_miner.app.options.mine import NETWORK_PERMISSIONS
from stratum_miner.app.process import output_files, secrets
from stratum_miner.app.settings.http_token import VARIABLE
from stratum_miner.app.settings.mine import MineSettings, Sources, default_file, load
from stratum_miner.client import PoolSettings
from stratum_miner.client.ping import DEFAULT_USER, PingResult, ping
from stratum_miner.monitoring import http

PING_S = 10.0
PINGED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Setup:
    """What ``mine`` with the same options would be told; ``settings`` is None where that is not enough to mine."""

    sources: Sources
    settings: MineSettings | None
    problems: tuple[str, ...]

    @classmethod
    def read(cls, sources: Sources) -> "Setup":
        """A pool alone is enough to be looked at: it gets a worker name for that."""
        try:
            return cls(sources, load(sources), ())
        except ConfigError as error:
            problems = tuple(map(str, error.problems))
        given = sources.given
        if given.get("url") and not (given.get("user") or given.get("userpass")):
            try:
                named = replace(sources, given={**given, "user": [DEFAULT_USER]})
                return cls(sources, load(named), ())
            except ConfigError as error:
                problems = tuple(map(str, error.problems))
        return cls(sources, None, problems)

    async def check_configuration(self) -> Sequence[Finding]:
        """Whether it is right, and whether it keeps its passwords."""
        file, subject = self.sources.file, str(self.sources.file or "")
        named = self.sources.given.get("url") or self.sources.environment.get("STRATUM_MINER_URL")
        if file is None and not named:
            fix = "stratum-miner config init"
            text = f"no file {default_file()}, and no pool given; pools and addresses are not looked at"
            return [Finding(topic="configuration", subject="", verdict=Severity.NOTE, text=text, fix=fix)]
        found = [
            Finding(
                topic="configuration",
                subject="",
                verdict=Severity.PROBLEM,
                text=str(secrets.redact(text)),
                fix="docs/configuration.md lists the keys; stratum-miner config check tells when all is right",
            )
            for text in (*self.problems, *map(str, self.sources.misspelt))
        ]
        if self.sources.is_exposed:
            text, fix = "others on this machine can read its passwords", f"chmod 600 {file}"
            found.append(Finding(topic="configuration", subject=subject, verdict=Severity.PROBLEM, text=text, fix=fix))
        if not found:
            pools = len(self.settings.pools) if self.settings else 0
            text = f"good: {pools} {'pool' if pools == 1 else 'pools'}"
            found.append(Finding(topic="configuration", subject=subject, verdict=Severity.GOOD, text=text))
        return found

    async def check_pools(self) -> Sequence[Finding]:
        """Whether each pool can be reached, takes the worker and sends a job within ten seconds."""
        pools = [] if self.settings is None else [*self.settings.pools, *self.settings.bound.values()]
        found: dict[int, Finding] = {}
        limit = trio.CapacityLimiter(PINGED_AT_ONCE)

        async def look(index: int, pool: PoolSettings) -> None:
            async with limit:
                found[index] = pool_finding(await ping(pool, seconds=PING_S))

        async with trio.open_nursery() as nursery:
            for index, pool in enumerate(dict.fromkeys(pools)):
                nursery.start_soon(look, index, pool)
        return [found[index] for index in sorted(found)]

    async def check_addresses(self) -> Sequence[Finding]:
        """Whether the addresses to listen at are free."""
        if self.settings is None:
            return []
        chosen = self.settings.options
        wanted = (
            ("--http", chosen.http, chosen.http_network),
            ("--cgminer-api", chosen.cgminer_api, chosen.api_allow is not None),
            ("--axeos-api", chosen.axeos_api, True),
        )
        return [address_finding(flag, text, network=network) for flag, text, network in wanted if text is not None]

    async def check_files(self) -> Sequence[Finding]:
        """Whether what is to be written can be."""
        if self.settings is None:
            return []
        chosen = self.settings.options
        wanted = (("--journal", chosen.journal), ("--log-file", chosen.log_file), ("--record", chosen.record))
        found = [_file_finding(flag, path) for flag, path in wanted if path is not None]
        makes_token = chosen.http_token_file is None and VARIABLE not in self.sources.environment
        wants_token = [flag for flag, text in (("--http", chosen.http), ("--axeos-api", chosen.axeos_api)) if text]
        if wants_token and makes_token:
            state = user_folders.state()
            found.append(directory_finding("state", state, f"{wants_token[0]} keeps its token there", needed=True))
        return found

    async def check_options(self) -> Sequence[Finding]:
        """Options that give away speed, or that cannot work here."""
        if self.settings is None:
            return []
        found, chosen = [], self.settings.options
        if chosen.kernel is not None:
            text, fix = f"--kernel {chosen.kernel} is forced; the line cpu choice names the fastest", "leave it out"
            found.append(Finding(topic="options", subject="kernel", verdict=Severity.NOTE, text=text, fix=fix))
        if chosen.pause_above is not None and host_sensors.processor_temperature() is None:
            text, fix = f"--pause-above {chosen.pause_above:g} cannot work: no sensor is found", "leave it out"
            found.append(Finding(topic="options", subject="heat", verdict=Severity.PROBLEM, text=text, fix=fix))
        return found


def pool_finding(result: PingResult) -> Finding:
    """In words."""
    if result.error is None:
        steps = (result.connect_ms, result.tls_ms, result.configure_ms, result.subscribe_ms, result.authorize_ms)
        spent = sum(step or 0.0 for step in (result.resolve_ms, *steps, result.first_job_ms))
        text = f"a job of difficulty {result.difficulty:,.10g} after {spent:,.0f} ms"
        return Finding(topic="pool", subject=result.url, verdict=Severity.GOOD, text=text)
    why = str(secrets.redact(result.error)).removeprefix(f"{result.url}: ")
    if result.authorize_ms is not None:
        text = "it takes the worker and has sent no job yet; some pools keep the first one back for a minute"
        fix = f"stratum-miner ping {result.url}"
        return Finding(topic="pool", subject=result.url, verdict=Severity.NOTE, text=text, fix=fix)
    return Finding(topic="pool", subject=result.url, verdict=Severity.PROBLEM, text=why, fix=_pool_fix(result))


def _pool_fix(result: PingResult) -> str:
    if result.subscribe_ms is not None:
        return "check the worker name and password at the pool; many want a bitcoin address as the name"
    if result.connect_ms is not None:
        return "check that this is the pool's Stratum port, and with or without TLS as the pool says"
    if result.resolve_ms is None:
        return "check the spelling of the host, and this machine's DNS: getent hosts NAME; with --proxy, the proxy"
    return "check the port and whether the pool is up; a firewall may keep it from you: try another of its ports"


def address_finding(flag: str, address: str, *, network: bool) -> Finding:
    """Whether it can be listened at; it is, for a moment."""
    subject = f"{flag} {address}"
    try:
        http.listening_socket(address, network=network, permission=NETWORK_PERMISSIONS[flag]).close()
    except http.ListenError as error:
        holder = holder_of_port(address)
        if holder is None:
            return Finding(
                topic="address",
                subject=subject,
                verdict=Severity.PROBLEM,
                text=str(error),
                fix=_address_fix(address, str(error)),
            )
        ours = "stratum-miner" in holder
        text = f"held by {holder}" + (": the miner that runs already" if ours else "")
        verdict = Severity.NOTE if ours else Severity.PROBLEM
        fix = "choose another port, or stop it" if not ours else "a second miner needs another port"
        return Finding(topic="address", subject=subject, verdict=verdict, text=text, fix=fix)
    return Finding(topic="address", subject=subject, verdict=Severity.GOOD, text="free")


def _address_fix(address: str, why: str) -> str:
    port = address.rpartition(":")[2]
    if "HOST:PORT" in why or "loopback" in why or "of this machine" in why:
        return "give it as the message says"
    if why.endswith(os.strerror(errno.EACCES)):
        return f"below 1024: sudo sysctl net.ipv4.ip_unprivileged_port_start={port}, or another port"
    return f"sudo ss -ltnp sport = :{port} tells who has it; or choose another port"


def _file_finding(flag: str, path: Path) -> Finding:
    reason = output_files.obstacle(path)
    if path.exists() or reason:
        text = f"{path} cannot be written: {reason}" if reason else f"{path} can be written to"
        verdict = Severity.PROBLEM if reason else Severity.GOOD
        return Finding(topic="files", subject=flag, verdict=verdict, text=text, fix=_file_fix(path) if reason else "")
    return directory_finding(flag, path.absolute().parent, f"{path} cannot be written", needed=True)


def _file_fix(path: Path) -> str:
    parent = path.absolute().parent
    return "choose another place" if parent.exists() else f"mkdir -p {parent}"
