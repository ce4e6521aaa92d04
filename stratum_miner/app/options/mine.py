"""Every option of ``mine``, each declared once.

To add an option, add a field to ``MineOptions``. Its value is then in ``settings.options``. Only an option that
describes a pool or a backend needs more code: ``app.settings`` creates pools and backends from such options.

The ``Parameter`` of a field makes the field an option. The long name of the option, such as ``--until-shares``, also
makes it a key of the configuration file (``until_shares``) and an environment variable
(``STRATUM_MINER_UNTIL_SHARES``). A value of the wrong type is an error, no matter from which of the three it comes.

Code that checks more than the type raises ``UsageError("--until-shares: expected ...")``. If the value came from the
file or the variable, ``app.settings.mine.naming_source`` changes the error, so that it names this source and not the
option.

An option that is either on or off has the type ``bool``. The option's name says what happens if it is on; the parser
adds the option ``--no-NAME``, which turns it off. ``SECRET`` marks a value that is never shown. ``LIVE`` marks a value
that a reload can change while mining. A test compares ``docs/reference/configuration.md`` with this class.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.app.config.keys import LIVE, NUMERIC, SECRET
from stratum_miner.app.options import backend_choice, common, goal, http_access
from stratum_miner.app.options.pools import PoolOptions
from stratum_miner.app.process.log_file import KEPT, MAX_BYTES
from stratum_miner.economics import mainnet

OTHER_VARIABLES = frozenset(
    {"STRATUM_MINER_CONFIG", "STRATUM_MINER_NODE", "STRATUM_MINER_CPU_DISABLE", "STRATUM_MINER_HTTP_TOKEN"}
    | {f"STRATUM_MINER_{name}" for name in ("LISTEN", "MAX_MINERS", "WORKER_NAMES", "VARDIFF")}  # options of ``proxy``
)
"""Environment variables of the program that do not belong to a field of ``MineOptions``. A variable STRATUM_MINER_...
that belongs to no field and is not in this set is probably misspelt."""
NETWORK_PERMISSIONS = {"--http": "--http-network", "--cgminer-api": "--api-allow", "--axeos-api": "--axeos-api"}
"""Maps each option that starts a server to the option that permits this server to listen at addresses other than
loopback.

``--axeos-api`` needs no other option: it permits all addresses by itself, because the AxeOS API is meant for other
computers.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MineOptions(PoolOptions):
    """The settings of ``mine`` and their defaults. The settings of the pools are in the base class ``PoolOptions``."""

    retry: Annotated[
        bool,
        Parameter(
            name="--retry",
            help="Reconnect when the connection to the pool fails. With --no-retry, mining then stops.",
            group="Pool",
        ),
    ] = True
    retries: Annotated[
        int | None,
        Parameter(
            name="--retries",
            help="Number of times that the miner tries again after it failed to connect to the pool. If all these "
            "attempts fail, mining stops. Without this option, or with -1, mining never stops for this reason.",
            group="Pool",
        ),
    ] = None
    threads: backend_choice.Threads = None
    backend: Annotated[
        list[str] | None,
        Parameter(
            name="--backend",
            help=f"Backend to mine with: {backend_choice.BACKENDS}. Repeatable. [default: cpu, unless there is a "
            "--device]",
            group="Backend",
        ),
    ] = None
    kernel: backend_choice.KernelName = None
    backend_option: Annotated[
        list[str] | None,
        Parameter(
            name="--backend-option",
            help="Setting of a backend: KEY=VALUE if there is only one backend, BACKEND.KEY=VALUE if there are "
            "several. Repeatable.",
            group="Backend",
        ),
    ] = None
    device: Annotated[
        list[str] | None,
        Parameter(
            name="--device",
            help="ASIC device to mine with: auto, PATH, KIND:PATH, KIND:auto, or KIND:all for every USB device that "
            "can be of this kind. PATH may be a pattern in quotes, as in 'erupter:/dev/ttyUSB*'. Each setting of the "
            "device follows as ,KEY=VALUE. With --device but without --backend, the CPU does not mine. Repeatable.",
            group="Backend",
        ),
    ] = None
    backend_worker: Annotated[
        list[str] | None,
        Parameter(
            name="--backend-worker",
            help="BACKEND=WORKER: submit the shares of this backend under this worker name. A name that begins with a "
            "dot is appended to --user. Repeatable.",
            group="Backend",
        ),
        LIVE,
    ] = None
    bind: Annotated[
        list[str] | None,
        Parameter(
            name="--bind",
            help="BACKEND=POOL: this backend mines only on this pool. Give the name of the pool, its URL, or its "
            "number (the first pool is 1). Repeatable.",
            group="Backend",
        ),
    ] = None
    electricity: Annotated[
        str | None,
        Parameter(
            name="--electricity",
            help="Price of 1 kWh, such as 0.30, in any currency. With this option, the summary at the end of mining "
            "shows the cost of mining, its luck and the estimated income.",
            group="Economics",
        ),
        LIVE,
        NUMERIC,
    ] = None
    power: Annotated[
        str | None,
        Parameter(
            name="--power",
            help="Power that mining takes from the mains, such as 65W. [default: the power that the devices measure]",
            group="Economics",
        ),
        LIVE,
        NUMERIC,
    ] = None
    price: Annotated[
        str | None,
        Parameter(
            name="--price", help="Price of 1 BTC, in the currency of --electricity, such as 90000.", group="Economics"
        ),
        LIVE,
        NUMERIC,
    ] = None
    pool_fee: Annotated[
        str | None,
        Parameter(
            name="--pool-fee", help="Fee of the pool as a percentage, such as 2%. [default: 0%]", group="Economics"
        ),
        LIVE,
        NUMERIC,
    ] = None
    mainnet_difficulty: Annotated[
        str | None,
        Parameter(
            name="--mainnet-difficulty",
            help="Mainnet difficulty, used to estimate what the same hash rate would earn on mainnet. "
            f"[default: {mainnet.DIFFICULTY.value / 10**12:f}T, of {mainnet.DIFFICULTY.date}]",
            group="Economics",
        ),
        LIVE,
        NUMERIC,
    ] = None
    until_shares: Annotated[goal.UntilShares, LIVE] = None
    until_blocks: Annotated[goal.UntilBlocks, LIVE] = None
    time_limit: Annotated[goal.TimeLimit, LIVE] = None
    watch_config: Annotated[
        bool,
        Parameter(
            name="--watch-config",
            help="Reload the configuration file when it changes. SIGHUP reloads it in any case.",
            group="Configuration",
        ),
    ] = False
    json: common.Json = False
    debug: Annotated[common.Debug, LIVE] = False
    journal: Annotated[
        Path | None,
        Parameter(
            name="--journal",
            help="Share journal: append every share and its result to this file. After a crash, the miner submits a "
            "recent block again if its result is not in the journal.",
            group="Output",
        ),
    ] = None
    record: Annotated[
        Path | None,
        Parameter(
            name="--record",
            help="Record every message between miner and pools in this file, as JSON lines. Without --record-secrets, "
            "`***` replaces passwords.",
            group="Output",
        ),
    ] = None
    record_secrets: Annotated[
        bool,
        Parameter(
            name="--record-secrets",
            help="Used with --record: keep passwords in the recording, for a replay that needs them.",
            group="Output",
        ),
    ] = False
    http: Annotated[
        str | None,
        Parameter(
            name="--http",
            help="Serve a web page, the HTTP API and Prometheus metrics at HOST:PORT of this computer.",
            group="Watching",
        ),
    ] = None
    http_network: http_access.HttpNetwork = False
    http_host: http_access.HttpHost = None
    http_token_file: http_access.HttpTokenFile = None
    cgminer_api: Annotated[
        str | None,
        Parameter(
            name="--cgminer-api",
            help="Serve cgminer's API at HOST:PORT, such as 127.0.0.1:4028, for programs that monitor cgminer.",
            group="Watching",
        ),
    ] = None
    api_allow: Annotated[
        str | None,
        Parameter(
            name="--api-allow",
            help="IP addresses that may use --cgminer-api, in cgminer's notation: R: may read, W: may also make "
            "changes, as in W:127.0.0.1,R:192.168.0/16. With --api-allow, --cgminer-api may be an address that other "
            "computers can reach. [default: this computer may read]",
            group="Watching",
        ),
    ] = None
    api_groups: Annotated[
        str | None,
        Parameter(
            name="--api-groups",
            help="Groups of clients for --api-allow, besides R and W: a letter, and the commands that the group may "
            "use, as in P:switchpool:enablepool:*. The * stands for all commands that only read.",
            group="Watching",
        ),
    ] = None
    axeos_api: Annotated[
        str | None,
        Parameter(
            name="--axeos-api",
            help="Serve the API of AxeOS at HOST:80, for tools that search the local network for AxeOS devices. Every "
            "computer that reaches this address can read data over this API.",
            group="Watching",
        ),
    ] = None
    axeos_control: Annotated[
        list[str] | None,
        Parameter(
            name="--axeos-control",
            help="Used with --axeos-api: network, such as 192.168.1.0/24, whose computers may pause, resume and "
            "restart mining over --axeos-api without the API token. Repeatable.",
            group="Watching",
        ),
    ] = None
    display: Annotated[
        Literal["auto", "lines"],
        Parameter(
            name="--display",
            help="What a terminal shows: auto shows a status screen if the terminal can, lines shows log lines and a "
            "status line.",
            group="Output",
        ),
    ] = "auto"
    quiet: Annotated[common.Quiet, LIVE] = False
    log_file: Annotated[
        Path | None,
        Parameter(
            name="--log-file",
            help="Also write every event to this file, as JSON lines. When the file reaches "
            f"{MAX_BYTES >> 20} MiB, it is renamed and a new file is begun. {KEPT} older files are kept.",
            group="Output",
        ),
    ] = None
    sched_start: Annotated[
        str | None,
        Parameter(
            name="--sched-start",
            help="Time of day (local time) from which on the miner mines, such as 22:30. Use it with --sched-stop for "
            "cheap electricity at night.",
            group="Operation",
        ),
    ] = None
    sched_stop: Annotated[
        str | None,
        Parameter(
            name="--sched-stop",
            help="Time of day (local time) at which mining pauses, such as 06:00. Without --sched-start, the miner "
            "stops for good at this time.",
            group="Operation",
        ),
    ] = None
    pause_on_battery: Annotated[
        bool,
        Parameter(name="--pause-on-battery", help="Pause while this computer runs on its battery.", group="Operation"),
    ] = False
    pause_above: Annotated[
        float | None,
        Parameter(
            name="--pause-above",
            help="Pause while the processor is hotter than this (°C), from 30 to 120. Mining resumes 5 °C below this "
            "limit.",
            group="Operation",
        ),
    ] = None
    on_event: Annotated[
        list[str] | None,
        Parameter(
            name="--on-event",
            help="KIND=COMMAND or KIND=https://...: run this shell command, or post to this URL, at each event of "
            "this kind. Kinds are block, block-lost, pool-down, pool-up, device-sick, device-well, paused, resumed, "
            "and the name of each event in the log, such as new_block. * stands for all events. Repeatable.",
            group="Operation",
        ),
        SECRET,
    ] = None
    log_format: common.LogFormatOption = "auto"
