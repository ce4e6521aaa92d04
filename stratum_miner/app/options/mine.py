"""Every option of ``mine``, each declared once.

To add one, add a field here. The program finds its value in ``settings.options``. Only an option that becomes another
value (a pool, a backend) needs code in ``app.settings``, which makes the settings of all options.

The ``Parameter`` of a field makes it an option. The option's long name makes it a key of the configuration file
(``until_shares``) and an environment variable (``STRATUM_MINER_UNTIL_SHARES``). Its type is checked in all three alike.
Any further check raises ``UsageError("--until-shares: expected ...")``, and ``app.settings.mine.telling`` names the
file, variable or option that the value came from. A flag is a positive ``bool`` with its default; the parser adds
``--no-...``. ``SECRET`` keeps a value out of everything that is shown; ``LIVE`` says that it can change while mining. A
test compares ``docs/configuration.md`` with this table.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from stratum_miner.app.config.keys import LIVE, SECRET
from stratum_miner.app.options import backend_choice, common, goal, http_access
from stratum_miner.app.options.pools import PoolOptions

OTHER_VARIABLES = frozenset(
    {"STRATUM_MINER_CONFIG", "STRATUM_MINER_NODE", "STRATUM_MINER_CPU_DISABLE", "STRATUM_MINER_HTTP_TOKEN"}
    | {f"STRATUM_MINER_{name}" for name in ("LISTEN", "MAX_MINERS", "WORKER_NAMES", "VARDIFF")}  # of proxy
)
"""Variables of other commands and of tests. Any further one is probably misspelt."""
NETWORK_PERMISSIONS = {"--http": "--http-network", "--cgminer-api": "--api-allow", "--axeos-api": "--axeos-api"}
"""What says that an address of the network is meant; AxeOS's API is made for one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MineOptions(PoolOptions):
    """The settings of ``mine`` with their defaults; those of its pools are in ``PoolOptions``."""

    retry: Annotated[bool, Parameter(name="--retry", help="Try again when the connection fails.", group="Pool")] = True
    threads: backend_choice.Threads = None
    backend: Annotated[
        list[str] | None,
        Parameter(
            name="--backend",
            help=f"{backend_choice.BACKENDS}; repeatable. Default cpu.",
            group="Backend",
        ),
    ] = None
    kernel: backend_choice.KernelName = None
    backend_option: Annotated[
        list[str] | None,
        Parameter(
            name="--backend-option",
            help="KEY=VALUE for the backend, BACKEND.KEY=VALUE for one of several; repeatable.",
            group="Backend",
        ),
    ] = None
    device: Annotated[
        list[str] | None,
        Parameter(
            name="--device",
            help="ASIC: auto, PATH or KIND:PATH, each with ,KEY=VALUE; repeatable. Alone, or with --backend.",
            group="Backend",
        ),
    ] = None
    backend_worker: Annotated[
        list[str] | None,
        Parameter(
            name="--backend-worker",
            help="BACKEND=WORKER: its shares under this name; .NAME is put behind the user. Repeatable.",
            group="Backend",
        ),
        LIVE,
    ] = None
    bind: Annotated[
        list[str] | None,
        Parameter(
            name="--bind",
            help="BACKEND=POOL: mine there alone; by name, URL or number. Repeatable.",
            group="Backend",
        ),
    ] = None
    electricity: Annotated[
        str | None,
        Parameter(name="--electricity", help="Price of a kWh, to tell cost and luck.", group="Economics"),
        LIVE,
    ] = None
    power: Annotated[
        str | None,
        Parameter(
            name="--power",
            help="Power of this mining at the wall: 65W. Without it, the power that devices measure counts.",
            group="Economics",
        ),
        LIVE,
    ] = None
    price: Annotated[
        str | None, Parameter(name="--price", help="Of a bitcoin, in the money of the kWh.", group="Economics"), LIVE
    ] = None
    pool_fee: Annotated[str | None, Parameter(name="--pool-fee", help="Such as 2%.", group="Economics"), LIVE] = None
    mainnet_difficulty: Annotated[
        str | None,
        Parameter(
            name="--mainnet-difficulty",
            help="To compare a test chain with; 144.40e12 of early 2026 unless given.",
            group="Economics",
        ),
        LIVE,
    ] = None
    until_shares: Annotated[goal.UntilShares, LIVE] = None
    until_blocks: Annotated[goal.UntilBlocks, LIVE] = None
    time_limit: Annotated[goal.TimeLimit, LIVE] = None
    watch_config: Annotated[
        bool,
        Parameter(
            name="--watch-config", help="Reload the file when it changes, not only on SIGHUP.", group="Configuration"
        ),
    ] = False
    json: common.Json = False
    debug: Annotated[common.Debug, LIVE] = False
    journal: Annotated[
        Path | None,
        Parameter(name="--journal", help="Append every share and its fate to this file.", group="Output"),
    ] = None
    record: Annotated[
        Path | None,
        Parameter(name="--record", help="Write what is said to this file, as JSON lines.", group="Output"),
    ] = None
    record_secrets: Annotated[bool, Parameter(name="--record-secrets", help="Passwords too.", group="Output")] = False
    http: Annotated[
        str | None,
        Parameter(name="--http", help="Page, API and metrics at HOST:PORT of this machine.", group="Watching"),
    ] = None
    http_network: http_access.HttpNetwork = False
    http_host: http_access.HttpHost = None
    http_token_file: http_access.HttpTokenFile = None
    cgminer_api: Annotated[
        str | None,
        Parameter(name="--cgminer-api", help="cgminer's API at HOST:PORT, such as 127.0.0.1:4028.", group="Watching"),
    ] = None
    api_allow: Annotated[
        str | None,
        Parameter(
            name="--api-allow",
            help="Who may use it, as cgminer spells it: W:127.0.0.1,R:192.168.0/16. Default this machine, reading.",
            group="Watching",
        ),
    ] = None
    api_groups: Annotated[
        str | None,
        Parameter(name="--api-groups", help="Further groups: P:switchpool:enablepool:*.", group="Watching"),
    ] = None
    axeos_api: Annotated[
        str | None,
        Parameter(
            name="--axeos-api",
            help="AxeOS's API at ADDRESS:80, for tools that look for it; everybody there can read it.",
            group="Watching",
        ),
    ] = None
    axeos_control: Annotated[
        list[str] | None,
        Parameter(
            name="--axeos-control",
            help="A network, such as 192.168.1.0/24, that may pause, resume and restart over AxeOS's API without the "
            "token; repeatable.",
            group="Watching",
        ),
    ] = None
    display: Annotated[
        Literal["auto", "lines"],
        Parameter(name="--display", help="On a terminal: auto a status screen, or lines.", group="Output"),
    ] = "auto"
    quiet: Annotated[common.Quiet, LIVE] = False
    log_file: Annotated[
        Path | None,
        Parameter(name="--log-file", help="Every event as a JSON line here too; rotated at 10 MiB.", group="Output"),
    ] = None
    sched_start: Annotated[
        str | None,
        Parameter(name="--sched-start", help="Mine from this time of day on, such as 22:30.", group="Operation"),
    ] = None
    sched_stop: Annotated[
        str | None,
        Parameter(name="--sched-stop", help="Until this time: pause then, or without a start end.", group="Operation"),
    ] = None
    pause_on_battery: Annotated[
        bool, Parameter(name="--pause-on-battery", help="Pause while there is no mains supply.", group="Operation")
    ] = False
    pause_above: Annotated[
        float | None,
        Parameter(name="--pause-above", help="Pause while the processor is hotter, in degrees C.", group="Operation"),
    ] = None
    on_event: Annotated[
        list[str] | None,
        Parameter(
            name="--on-event",
            help="KIND=COMMAND or KIND=https://...: block, pool-down, device-sick, ...; repeatable.",
            group="Operation",
        ),
        SECRET,
    ] = None
    log_format: common.LogFormatOption = "auto"
