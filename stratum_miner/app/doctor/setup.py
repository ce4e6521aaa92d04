"""Checks of the settings that ``mine`` would use: the configuration file, the pools, the files to write, and the
addresses to listen on."""

import errno
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import trio

from stratum_miner import user_folders
from stratum_miner.app.config.problems import ConfigError
from stratum_miner.app.doctor.devices import device_findings
from stratum_miner.app.doctor.finding import Check, Finding, Severity
from stratum_miner.app.doctor.hooks import hook_findings
from stratum_miner.app.doctor.machine import directory_finding, disk_finding
from stratum_miner.app.doctor.ports import holder_of_port
from stratum_miner.app.operation import host_sensors
from stratum_miner.app.options.mine import NETWORK_PERMISSIONS
from stratum_miner.app.process import output_files, secrets
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.settings import http_token
from stratum_miner.app.settings.http_token import VARIABLE
from stratum_miner.app.settings.mine import READABLE_BY_OTHERS, MineSettings, Sources, default_file, load
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.discovery import discover
from stratum_miner.backends.asic.port_list import list_ports
from stratum_miner.client import PoolSettings
from stratum_miner.client.ping import DEFAULT_USER, PingResult, ping
from stratum_miner.miner.journal_file import examine
from stratum_miner.miner.journal_records import JournalError
from stratum_miner.monitoring.listening import ListenError, listening_socket

PING_S = 10.0
"""Seconds within which a pool must send its first job to pass the check."""
STAND_IN = "stratum+tcp://127.0.0.1:1"
"""URL of the pool that stands in for the pools of the user while only the other settings are checked."""
_OF_FILE = "stratum-miner config init NEW.toml writes a file with all keys; config check checks yours again"
PINGED_AT_ONCE = 8
"""Number of pools that are checked at the same time."""


@dataclass(frozen=True, slots=True)
class Setup:
    """The settings that ``mine`` would use with the options that were given to ``doctor``.

    ``settings`` is None if these settings are not valid.
    """

    sources: Sources
    settings: MineSettings | None
    problems: tuple[str, ...]

    has_pools: bool = True
    """Whether ``settings`` has the pools of the user. Otherwise another pool stands in for them, so that the other
    settings can be checked."""

    @classmethod
    def read(cls, sources: Sources) -> "Setup":
        """Read the settings. If --url is given without a worker name, use a default name, so that the pool can be
        checked. If the settings are not valid, read them without the devices, without the pools, or without both, so
        that the remaining settings can be checked."""
        try:
            return cls(sources, load(sources), ())
        except ConfigError as error:
            problems = tuple(map(str, error.problems))
        given = sources.given
        if given.get("url") and not (given.get("user") or given.get("userpass")):
            given = {**given, "user": [DEFAULT_USER]}
            try:
                return cls(sources, load(replace(sources, given=given)), ())
            except ConfigError as error:
                problems = tuple(map(str, error.problems))
        is_given = sources.file is not None or _names_pool(sources)
        stand_in = {"url": [STAND_IN], "user": [DEFAULT_USER], "userpass": None, "password": None}
        for change in ({"device": None}, stand_in, {**stand_in, "device": None}):
            try:
                settings = load(replace(sources, given={**given, **change}))
            except ConfigError as error:
                if change is stand_in and not is_given:
                    # Unlike the earlier errors, these do not say that no pool is given.
                    problems = tuple(map(str, error.problems))
                continue
            if change is stand_in and not is_given:
                problems = ()
            return cls(sources, settings, problems, has_pools="url" not in change)
        return cls(sources, None, problems)

    def checks(self) -> tuple[Check, ...]:
        """Return all checks of the set-up, in the order in which their findings are shown."""
        return (
            self.check_configuration,
            self.check_pools,
            self.check_devices,
            self.check_addresses,
            self.check_files,
            self.check_hooks,
            self.check_options,
        )

    async def check_configuration(self) -> Sequence[Finding]:
        """Check whether the configuration is valid, and whether other users can read its passwords."""
        file, subject = self.sources.file, str(self.sources.file or "")
        found = [
            Finding(
                topic="configuration",
                subject="",
                verdict=Severity.PROBLEM,
                text=str(secrets.redact(text)),
                fix=_OF_FILE if file is not None and not text.startswith("-") else "correct it as the message says",
            )
            for text in (*self.problems, *map(str, self.sources.misspelt))
        ]
        if file is None and not _names_pool(self.sources):
            fix = "stratum-miner config init"
            text = f"there is no file {default_file()} and no pool is given, so no pool is checked"
            found.append(Finding(topic="configuration", subject="", verdict=Severity.NOTE, text=text, fix=fix))
        if self.sources.is_exposed:
            text, fix = "other users of this computer can read its passwords", f"chmod 600 {file}"
            found.append(Finding(topic="configuration", subject=subject, verdict=Severity.PROBLEM, text=text, fix=fix))
        if not found:
            pools = len(self.settings.pools) if self.settings else 0
            text = f"good: {pools} {'pool' if pools == 1 else 'pools'}"
            found.append(Finding(topic="configuration", subject=subject, verdict=Severity.GOOD, text=text))
        return found

    async def check_pools(self) -> Sequence[Finding]:
        """Check whether each pool can be reached, accepts the worker name and sends a job within ``PING_S`` seconds."""
        if self.settings is None or not self.has_pools:
            return []
        pools = [*self.settings.pools, *self.settings.bound.values()]
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
        """Check whether the addresses at which the miner would listen are free."""
        if self.settings is None:
            return []
        chosen = self.settings.options
        wanted = (
            ("--http", chosen.http, chosen.http_network),
            ("--cgminer-api", chosen.cgminer_api, chosen.api_allow is not None),
            ("--axeos-api", chosen.axeos_api, True),
        )
        found = [address_finding(flag, text, network=network) for flag, text, network in wanted if text is not None]
        if chosen.http or chosen.axeos_api:
            found += self._token_findings("--http" if chosen.http else "--axeos-api")
        return found

    def _token_findings(self, flag: str) -> list[Finding]:
        """Return the findings about an API token that the user gave. If the user gave none, there is nothing to check,
        because ``mine`` makes a token when it needs one."""
        file = None if self.settings is None else self.settings.options.http_token_file
        if file is None and VARIABLE not in self.sources.environment:
            return []
        try:
            http_token.find(file, flag)
        except UsageError as error:
            fix = "write a token of at least 16 characters into the file, or leave the option out"
            return [Finding(topic="address", subject="token", verdict=Severity.PROBLEM, text=str(error), fix=fix)]
        return _exposed_findings([("the API token", file)]) if file is not None else []

    async def check_devices(self) -> Sequence[Finding]:
        """Check whether the devices of --device and of the file are plugged in and can be opened."""
        plans = [] if self.settings is None else [plan for plan in self.settings.backends if plan.kind == "asic"]
        texts = [text for plan in plans for text in plan.options.get("devices", "auto").split()]
        if not texts:
            return []
        devices = discover(await trio.to_thread.run_sync(list_ports))
        return await trio.to_thread.run_sync(device_findings, list(map(DeviceSpec.parse, texts)), devices)

    async def check_hooks(self) -> Sequence[Finding]:
        """Check whether the commands and web hooks of --on-event can be called. None of them is called."""
        return [] if self.settings is None else await hook_findings(self.settings.hooks)

    async def check_files(self) -> Sequence[Finding]:
        """Check whether the files that the options name can be written."""
        if self.settings is None:
            return []
        chosen = self.settings.options
        wanted = (("--journal", chosen.journal), ("--log-file", chosen.log_file), ("--record", chosen.record))
        found = [_file_finding(flag, path) for flag, path in wanted if path is not None]
        if chosen.journal is not None and found[0].verdict is Severity.GOOD:
            found[0] = await trio.to_thread.run_sync(_journal_finding, chosen.journal, found[0])
        keys = [pool.tls.key for pool in self.settings.pools if pool.tls.key is not None]
        found += _exposed_findings([("the private key of --tls-key", key) for key in dict.fromkeys(keys)])
        if chosen.pass_file is not None:
            found += _exposed_findings([("the password of --pass-file", chosen.pass_file)])
        makes_token = chosen.http_token_file is None and VARIABLE not in self.sources.environment
        wants_token = [flag for flag, text in (("--http", chosen.http), ("--axeos-api", chosen.axeos_api)) if text]
        if wants_token and makes_token:
            state = user_folders.state()
            why = f"{wants_token[0]} stores the API token there"
            found.append(directory_finding("state", state, why, needed=True))
        return found

    async def check_options(self) -> Sequence[Finding]:
        """Check for options that reduce the hash rate, or that have no effect on this computer."""
        if self.settings is None:
            return []
        found, chosen = [], self.settings.options
        if chosen.kernel is not None:
            text = f"--kernel selects {chosen.kernel}; the line 'cpu choice' names the fastest kernel"
            fix = "omit --kernel"
            found.append(Finding(topic="options", subject="kernel", verdict=Severity.NOTE, text=text, fix=fix))
        if chosen.pause_above is not None and host_sensors.processor_temperature() is None:
            text = f"--pause-above {chosen.pause_above:g} has no effect, because there is no sensor of the temperature"
            fix = "omit --pause-above"
            found.append(Finding(topic="options", subject="heat", verdict=Severity.PROBLEM, text=text, fix=fix))
        return found


def pool_finding(result: PingResult) -> Finding:
    """Return the finding about a pool. ``result`` says whether a connection succeeded and the pool sent a job."""
    if result.error is None:
        steps = (result.connect_ms, result.tls_ms, result.configure_ms, result.subscribe_ms, result.authorize_ms)
        spent = sum(step or 0.0 for step in (result.resolve_ms, *steps, result.first_job_ms))
        text = f"the pool sent a job of difficulty {result.difficulty:,.10g} after {spent:,.0f} ms"
        return Finding(topic="pool", subject=result.url, verdict=Severity.GOOD, text=text)
    why = str(secrets.redact(result.error)).removeprefix(f"{result.url}: ")
    if result.authorize_ms is not None:
        text = (
            "the pool accepts the worker name, but has sent no job yet; some pools wait a minute before the first job"
        )
        fix = f"stratum-miner ping {result.url}"
        return Finding(topic="pool", subject=result.url, verdict=Severity.NOTE, text=text, fix=fix)
    return Finding(topic="pool", subject=result.url, verdict=Severity.PROBLEM, text=why, fix=_pool_fix(result))


def _pool_fix(result: PingResult) -> str:
    if result.subscribe_ms is not None:
        return "check the worker name and password; many pools require a payout address as the worker name"
    if result.connect_ms is not None:
        return "check that this is the Stratum port of the pool, and whether the pool uses TLS on it"
    if result.resolve_ms is None:
        if "the proxy " in (result.error or ""):
            return "check that the proxy runs, and the address and the kind of --proxy (socks5, socks5h or http)"
        return "check the spelling of the host and the DNS of this computer (getent hosts NAME)"
    return "check the port and whether the pool is up; a firewall may block the port: try another port of the pool"


def address_finding(flag: str, address: str, *, network: bool) -> Finding:
    """Return the finding about whether an address is free. To find out, the check listens at the address for a
    moment."""
    subject = f"{flag} {address}"
    try:
        listening_socket(address, network=network, permission=NETWORK_PERMISSIONS[flag]).close()
    except ListenError as error:
        holder = holder_of_port(address)
        if holder is None:
            return Finding(
                topic="address",
                subject=subject,
                verdict=Severity.PROBLEM,
                text=str(error),
                fix=_address_fix(address, str(error)),
            )
        verdict, text = Severity.PROBLEM, f"in use by {holder}"
        fix = "choose another port, or stop that program"
        if holder.is_miner:
            verdict, text = Severity.NOTE, f"{text}, a miner that is already running"
            fix = "choose another port for a second miner"
        return Finding(topic="address", subject=subject, verdict=verdict, text=text, fix=fix)
    return Finding(topic="address", subject=subject, verdict=Severity.GOOD, text="free")


def _address_fix(address: str, why: str) -> str:
    port = address.rpartition(":")[2]
    if "HOST:PORT" in why or "loopback" in why or "of this machine" in why:
        return "change the address as the message says"
    if why.endswith(os.strerror(errno.EACCES)):
        return f"choose a port of 1024 or above, or: sudo sysctl net.ipv4.ip_unprivileged_port_start={port}"
    return f"find the program with sudo ss -ltnp sport = :{port}, or choose another port"


def _file_finding(flag: str, path: Path) -> Finding:
    reason = output_files.obstacle(path)
    if os.path.exists(path) or reason:  # Path.exists raises PermissionError for a path that this user may not search
        text = f"{path} cannot be written: {reason}" if reason else f"{path} can be written to"
        if not reason and os.path.isfile(path):
            low = disk_finding(flag, path, path.absolute().parent, needed=True)
            if low is not None and low.verdict is Severity.PROBLEM:
                return low
        verdict = Severity.PROBLEM if reason else Severity.GOOD
        return Finding(topic="files", subject=flag, verdict=verdict, text=text, fix=_file_fix(path) if reason else "")
    return directory_finding(flag, path.absolute().parent, f"{path} cannot be written", needed=True)


def _journal_finding(path: Path, good: Finding) -> Finding:
    """Return the finding for a share journal that can be written. ``good`` is the finding if nothing is wrong."""
    try:
        examine(path)
    except FileNotFoundError:
        return good
    except OSError as error:
        text = f"{path} cannot be read: {error.strerror or error}"
        return replace(good, verdict=Severity.PROBLEM, text=text, fix="choose another file")
    except JournalError as error:
        verdict = Severity.NOTE if "another running miner" in str(error) else Severity.PROBLEM
        return replace(good, verdict=verdict, text=str(error), fix="choose another file for this miner")
    return good


def _exposed_findings(files: Sequence[tuple[str, Path]]) -> list[Finding]:
    """Return a problem for each file with a secret that other users of this computer can read."""
    found = []
    for what, path in files:
        with suppress(OSError):
            if path.stat().st_mode & READABLE_BY_OTHERS:
                text, fix = f"other users of this computer can read {what} in {path}", f"chmod 600 {path}"
                found.append(Finding(topic="files", subject=str(path), verdict=Severity.PROBLEM, text=text, fix=fix))
    return found


def _names_pool(sources: Sources) -> bool:
    """Return whether the command line or the environment names a pool."""
    return bool(sources.given.get("url") or sources.environment.get("STRATUM_MINER_URL"))


def _file_fix(path: Path) -> str:
    parent = path.absolute().parent
    return "choose another file" if os.path.exists(parent) else f"mkdir -p {parent}"
