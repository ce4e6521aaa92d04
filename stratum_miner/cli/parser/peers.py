"""Tables of the options and commands of other programs. They say how to get the same result with this program.

The options of miners are those of cpuminer, cpuminer-opt, cgminer, bfgminer and xmrig. Some commands, such as ``load``,
``ping`` and ``pool``, have tables of their own, with the options of h2spec, pytest, locust, k6, wrk, hey, vegeta,
mitmproxy, socat, tcpreplay, ping and pool servers. An option of this program with the same name and the same meaning
needs no entry. If an option is a letter that means different things in these programs, the advice in its entry names
the meanings.
"""

from collections.abc import Mapping
from dataclasses import dataclass

ALGORITHMS = frozenset({"sha256d", "sha-256d", "sha256", "sha-256", "bitcoin", "btc"})
"""Names of the algorithm of Bitcoin. --algo accepts these, and no other algorithm can be mined here."""


@dataclass(frozen=True, slots=True)
class Renamed:
    """An option that has another name here, with the same meaning and the same values."""

    to: str


@dataclass(frozen=True, slots=True)
class Way:
    """An option that has no counterpart of the same meaning, with a sentence that says what to do instead."""

    advice: str
    takes_value: bool = False
    """Whether the word after the option belongs to the option in the other miner."""


@dataclass(frozen=True, slots=True)
class Algorithm:
    """The option that chooses the algorithm."""


_GPU = Way("stratum-miner mines with CPUs and ASIC devices, not with GPUs")
_GETWORK = Way("this belongs to getwork and long polling, and Stratum has no such setting; leave it out", True)
_ONLY_STRATUM = Way("stratum-miner uses only Stratum; leave it out")
_SERVICE = Way("the service manager does this; 'stratum-miner service' prints a systemd unit")
_SOLO = Way("to mine on your own node, use 'stratum-miner solo --node URL --address ADDRESS'", True)
_STRATEGY = Way("the strategies here are failover and quota; use --strategy quota with a --quota for each pool")
_DEVICE = Way(
    "the settings of a device follow its name, as in --device compac:/dev/ttyUSB0,frequency=150; "
    "'stratum-miner devices' lists the devices",
    True,
)
_API = Way("to serve cgminer's API, use --cgminer-api 127.0.0.1:4028; --api-allow says who else may use it")
_API_PORT = Way("the port follows the address, as in --cgminer-api 127.0.0.1:4028", True)
_MULTICAST = Way("this API is not announced to the network; leave it out", True)
_HTTP = Way("the page and the API are served at one address, as in --http 127.0.0.1:7780", True)
_LOG = Way("use --log-file FILE to write the log to a file", True)
_PRIORITY = Way("search threads have a low priority; use --backend-option priority=normal to raise it", True)
_RANDOMX = Way("this belongs to other algorithms than sha256d; leave it out", True)
_ALGORITHM_VARIANT = Way("use --kernel KERNEL; 'stratum-miner bench' lists the kernels of this computer", True)
_BENCH = Way("to measure the hash rate without a pool, use 'stratum-miner bench'")
_IP_VERSION = Way("the miner tries all addresses of a host; to use one, give the pool as -o ADDRESS:PORT")
_STALE = Way("stale shares are not submitted, unless they solve a block; leave it out")
_CPU = Way("the CPU mines unless --device is given; leave it out")
_CHAIN = Way("the pool decides which chain is mined; leave it out. 'stratum-miner demo' mines regtest without a pool")
_COMMAND = Way("to run a command at an event, use --on-event KIND=COMMAND, as in --on-event device-sick=COMMAND", True)

OPTIONS: Mapping[str, Renamed | Way | Algorithm] = {
    # these options are accepted: they are replaced or left out without an error
    "-a": Algorithm(),
    "--algo": Algorithm(),
    "-c": Renamed("--config"),
    "-S": Renamed("--device"),
    "--usb": Renamed("--device"),
    "--scan": Renamed("--device"),
    "--scan-serial": Renamed("--device"),
    "--scan-device": Renamed("--device"),
    "--socks-proxy": Renamed("--proxy"),
    "--pool-proxy": Renamed("--proxy"),
    "--suggest-diff": Renamed("--suggest-difficulty"),
    "--request-diff": Renamed("--suggest-difficulty"),
    "--shares": Renamed("--until-shares"),
    "--shares-limit": Renamed("--until-shares"),
    "--cert": Renamed("--tls-ca"),
    "--tls-cert-key": Renamed("--tls-key"),
    "-L": Renamed("--log-file"),
    "--logfile": Renamed("--log-file"),
    "--cpu-threads": Renamed("--threads"),
    "--no-default-config": Renamed("--no-config"),
    "--no-extranonce": Renamed("--no-extranonce-subscribe"),
    "--username": Renamed("--user"),
    "--fingerprint": Renamed("--tls-fingerprint"),
    "--watch": Renamed("--watch-config"),
    "-r": Renamed("--retries"),
    "-R": Renamed("--retry-pause"),
    "--failover-switch-delay": Renamed("--fallback-time"),
    "--no-redirect": Renamed("--no-pool-redirect"),
    "--no-client-reconnect": Renamed("--no-pool-redirect"),
    # pools and connections
    "--coin": Way("stratum-miner mines only Bitcoin; leave it out", True),
    "--scrypt": Way("stratum-miner mines only Bitcoin (sha256d), not scrypt"),
    "--tls": Way("a URL that begins with stratum+ssl:// uses TLS, as in -o stratum+ssl://HOST:PORT"),
    "--ssl": Way("a URL that begins with stratum+ssl:// uses TLS, as in -o stratum+ssl://HOST:PORT"),
    "--host": Way("give the pool as -o HOST:PORT", True),
    "--port": Way("the port follows the host, as in -o HOST:PORT", True),
    "--server": Way("give the pool as -o HOST:PORT", True),
    "--pool": Way("give the pool as -o HOST:PORT", True),
    "--pools": Way("give each pool with its own -o HOST:PORT, the preferred pool first", True),
    "--password": Way("give the password as -p PASSWORD, or keep it out of the shell history with --pass-file", True),
    "--wallet": Way("many pools expect the payout address as the worker name: -u ADDRESS", True),
    "--worker": Way("give the worker name as -u WORKER", True),
    "--rig-id": Way("a name for the device belongs to the worker name, as in -u ADDRESS.rig1", True),
    "--rig-password": Way("give the password as -p PASSWORD", True),
    "-k": Way(
        "in xmrig, this keeps a connection alive: Stratum V1 has no such message; leave it out. In bfgminer, it is the "
        "kernel: use --kernel KERNEL"
    ),
    "--keepalive": Way("Stratum V1 has no such message, and the miner watches its connections; leave it out"),
    "--stratum-keepalive": Way("the miner watches its connections; leave it out"),
    "--nicehash": Way("this belongs to other algorithms than sha256d; leave it out"),
    "--submit-to-origin": Way("Stratum V1 pools choose the block template; leave it out"),
    "--mainnet": _CHAIN,
    "--testnet": _CHAIN,
    "--testnet4": _CHAIN,
    "--signet": _CHAIN,
    "--regtest": _CHAIN,
    "--solo": Way(_SOLO.advice),
    "--daemon": _SOLO,
    "--coinbase-addr": _SOLO,
    "--btc-address": _SOLO,
    "--generate-to": _SOLO,
    "--btc-sig": Way("stratum-miner solo sets the text of the coinbase itself; leave it out", True),
    "--coinbase-sig": Way("stratum-miner solo sets the text of the coinbase itself; leave it out", True),
    "--self-select": Way("Stratum V1 pools choose the block template; leave it out", True),
    "-4": _IP_VERSION,
    "-6": _IP_VERSION,
    "--ipv4": _IP_VERSION,
    "--ipv6": _IP_VERSION,
    "--dns-ipv6": _IP_VERSION,
    "--dns-ttl": Way("a host name is looked up for each connection; leave it out", True),
    "-T": Way(
        "in cpuminer, this is a timeout: the miner uses fixed timeouts; leave it out. In cgminer, it means text only: "
        "use --display lines"
    ),
    "--timeout": Way("the miner uses fixed timeouts; leave it out", True),
    "--failover-only": Way("use --strategy failover, which is the default"),
    "--load-balance": Way("use --strategy quota, with a --quota for each pool"),
    "--balance": _STRATEGY,
    "--round-robin": _STRATEGY,
    "--rotate": Way(_STRATEGY.advice, True),
    "-U": Way("give the quota as --quota N, once for each -o", True),
    "--pool-priority": Way("give the preferred pool first", True),
    "--no-pool-disable": Way(
        "the miner leaves a pool that rejects shares for a while, and then tries it again; leave it out"
    ),
    "--disable-rejecting": Way(
        "the miner leaves a pool that rejects shares for a while, and then tries it again; leave it out"
    ),
    "--skip-security-checks": Way("the checks cannot be left out", True),
    "--submit-stale": _STALE,
    "--no-submit-stale": _STALE,
    "-s": _GETWORK,
    "--scantime": _GETWORK,
    "--scan-time": _GETWORK,
    "-Q": _GETWORK,
    "--queue": _GETWORK,
    "-E": _GETWORK,
    "--expiry": _GETWORK,
    "--expiry-lp": _GETWORK,
    "--no-longpoll": _ONLY_STRATUM,
    "--no-getwork": _ONLY_STRATUM,
    "--no-gbt": _ONLY_STRATUM,
    "--no-stratum": _ONLY_STRATUM,
    "--fix-protocol": _ONLY_STRATUM,
    "--donate-level": Way("there is no donation; leave it out", True),
    "--donate-over-proxy": Way("there is no donation; leave it out", True),
    # the processor
    "--no-cpu": Way("with --device and without --backend, the CPU does not mine"),
    "--cpu": _CPU,
    "--cpu-mining": _CPU,
    "--cpu-affinity": Way(
        "processors are numbers instead of a mask, as in --backend-option affinity=0,1 for 0x3", True
    ),
    "--cpu-priority": _PRIORITY,
    "--cpu-max-threads-hint": Way("give the number of threads as -t N", True),
    "--cpu-no-yield": _PRIORITY,
    "-v": Way(
        "use -D (--debug) for more lines of the log. In xmrig and bfgminer, this letter chooses a variant of the "
        "algorithm: use --kernel KERNEL"
    ),
    "--verbose": Way("use -D (--debug) to log decisions and -P (--protocol-dump) to log the protocol"),
    "--av": _ALGORITHM_VARIANT,
    "--asm": _ALGORITHM_VARIANT,
    "--variant": _ALGORITHM_VARIANT,
    "--max-temp": Way("use --pause-above CELSIUS", True),
    "--resume-temp": Way("mining resumes 5 °C below --pause-above; leave it out", True),
    "--max-rate": Way("there is no such limit; leave it out", True),
    "--max-diff": Way("there is no such limit; leave it out", True),
    "--resume-rate": Way("there is no such limit; leave it out", True),
    "--resume-diff": Way("there is no such limit; leave it out", True),
    "--no-huge-pages": _RANDOMX,
    "--huge-pages": _RANDOMX,
    "--no-msr": _RANDOMX,
    "--wrmsr": _RANDOMX,
    "--no-rdmsr": _RANDOMX,
    "--data-file": _RANDOMX,
    "-N": _RANDOMX,
    "--param-n": _RANDOMX,
    "--param-r": _RANDOMX,
    "-K": _RANDOMX,
    "--param-key": _RANDOMX,
    "-f": Way("shares are counted at the difficulty of the pool; leave it out", True),
    "--diff-factor": Way("shares are counted at the difficulty of the pool; leave it out", True),
    "-m": Way("shares are counted at the difficulty of the pool; leave it out", True),
    "--diff-multiplier": Way("shares are counted at the difficulty of the pool; leave it out", True),
    "--pause-on-active": Way("use --pause-on-battery, --pause-above or --sched-start to pause", True),
    # devices
    "-d": Way("give each device as --device PATH; 'stratum-miner devices' lists the devices", True),
    "--devices": Way("give each device as --device PATH; 'stratum-miner devices' lists the devices", True),
    "-n": Way("to list the devices, use 'stratum-miner devices'"),
    "--ndevs": Way("to list the devices, use 'stratum-miner devices'"),
    "--usb-list-all": Way("to list the devices, use 'stratum-miner devices'"),
    "--usb-dump": Way("to list the devices, use 'stratum-miner devices'", True),
    "--hotplug": Way("devices are found when they are plugged in; leave it out", True),
    "--no-hotplug": Way("give each device as --device PATH to use no other"),
    "--set": _DEVICE,
    "--set-device": _DEVICE,
    "--temp-cutoff": _DEVICE,
    "--temp-overheat": _DEVICE,
    "--temp-target": _DEVICE,
    "--temp-hysteresis": _DEVICE,
    # watching and logs
    "--api-listen": _API,
    "--api-network": Way("use --cgminer-api 0.0.0.0:4028 with --api-allow, which lists the computers that may use it"),
    "--api-host": Way("the address stands before the port, as in --cgminer-api 127.0.0.1:4028", True),
    "--api-port": _API_PORT,
    "--api-bind": Way(
        "this API is another one here: use --http 127.0.0.1:7780 for a page and JSON, or --cgminer-api 127.0.0.1:4028 "
        "for cgminer's API",
        True,
    ),
    "-b": Way("use --http 127.0.0.1:7780 for a page and JSON, or --cgminer-api 127.0.0.1:4028 for cgminer's API", True),
    "--api-remote": Way("use --api-allow W:ADDRESS with --cgminer-api, or --http-network with --http"),
    "--api-description": Way("the API has its own description; leave it out", True),
    "--api-mcast": Way(_MULTICAST.advice),
    "--api-worker-id": Way("the API has no such name; leave it out", True),
    "--api-id": Way("the API has no such name; leave it out", True),
    "--http-port": _HTTP,
    "--http-access-token": Way(
        "give the token in a file with --http-token-file FILE, or in STRATUM_MINER_HTTP_TOKEN", True
    ),
    "--http-no-restricted": Way("the holder of the API token may make changes; leave it out"),
    "--http-enabled": _HTTP,
    "--stratum-port": Way("to serve other miners, use 'stratum-miner proxy --listen HOST:PORT'", True),
    "-l": Way("use --log-file FILE to write the log to a file; a status line is logged every 30 s without an option"),
    "--log": Way("a status line is logged every 30 s; leave it out", True),
    "--print-time": Way("a status line is logged every 30 s; leave it out", True),
    "--statsavg": Way("hash rates over several times are shown; leave it out", True),
    "--hash-meter": Way("each device and its hash rate are shown; leave it out"),
    "--show-diff": Way("the difficulty is always shown; leave it out"),
    "--title": Way("the title of the terminal is left as it is; leave it out", True),
    "--sharelog": Way("use --journal FILE, which has another format", True),
    "--text-only": Way("use --display lines"),
    "--compact": Way("use --display lines"),
    "--real-quiet": Way("use -q (--quiet)"),
    "--per-device-stats": Way("use --http or --cgminer-api, which show each device; leave it out"),
    "--syslog": Way("the service manager keeps the log; use --log-file FILE otherwise"),
    "--no-color": Way("set NO_COLOR=1 in the environment"),
    "--monitor": Way("use --on-event KIND=COMMAND", True),
    "--cmd-idle": _COMMAND,
    "--cmd-sick": _COMMAND,
    "--cmd-dead": _COMMAND,
    # the program
    "-B": _SERVICE,
    "--background": _SERVICE,
    "--daemonize": _SERVICE,
    "--setuid": Way(_SERVICE.advice, True),
    "--chroot-dir": Way(_SERVICE.advice, True),
    "--no-restart": Way(_SERVICE.advice),
    "--default-config": Way("use --config FILE, or write ~/.config/stratum-miner/config.toml", True),
    "--benchmark": _BENCH,
    "--benchmark-intense": _BENCH,
    "--bench": Way(_BENCH.advice, True),
    "--stress": _BENCH,
    "--submit": _BENCH,
    "--seed": Way(_BENCH.advice, True),
    "--benchfile": Way(_BENCH.advice, True),
    "--cputest": Way("to check the kernels against each other, use 'stratum-miner bench --check'"),
    "--unittest": Way("to check the kernels against each other, use 'stratum-miner bench --check'"),
    "--verify": Way("to check the kernels against each other, use 'stratum-miner bench --check'"),
    "--dry-run": Way("to check a configuration without mining, use 'stratum-miner config check'"),
    "--no-dmi": _RANDOMX,
    "-g": Way(_GPU.advice, True),
    "-i": Way(_GPU.advice, True),
    "-I": Way(_GPU.advice, True),
    "--intensity": Way(_GPU.advice, True),
    "-w": Way(_GPU.advice, True),
    "--worksize": Way(_GPU.advice, True),
    "--vectors": Way(_GPU.advice, True),
    "--kernel-path": Way(_GPU.advice, True),
    "--thread-concurrency": Way(_GPU.advice, True),
    "--lookup-gap": Way(_GPU.advice, True),
    "--shaders": Way(_GPU.advice, True),
    "--gpu": _GPU,
    "--print-platforms": _GPU,
    "--health-print-time": Way(_GPU.advice, True),
    "--opencl": _GPU,
    "--cuda": _GPU,
}
"""Options of other miners, by the spelling that their users type."""
FAMILIES: Mapping[str, Way] = {
    "--gpu-": _GPU,
    "--opencl-": _GPU,
    "--cuda-": _GPU,
    "--auto-": _GPU,
    "--randomx-": _RANDOMX,
    "--argon2-": _RANDOMX,
    "--icarus-": _DEVICE,
    "--compac-": _DEVICE,
    "--anu-": _DEVICE,
    "--au3-": _DEVICE,
    "--hfa-": _DEVICE,
    "--klondike-": _DEVICE,
    "--bflsc-": _DEVICE,
    "--bitburner-": _DEVICE,
    "--bab-": _DEVICE,
    "--bxf-": _DEVICE,
    "--bxm-": _DEVICE,
    "--nfu-": _DEVICE,
    "--nf1-": _DEVICE,
    "--rock-": _DEVICE,
    "--osm-": _DEVICE,
    "--minion-": _DEVICE,
    "--drillbit-": _DEVICE,
    "--cointerra-": _DEVICE,
    "--gekko-": _DEVICE,
    "--avalon": _DEVICE,
    "--bitmain-": _DEVICE,
    "--antminer-": _DEVICE,
    "--api-mcast-": _MULTICAST,
    "--daemon-": _SOLO,
    "--tls-": Way("TLS has the options --tls-ca, --tls-fingerprint, --tls-cert and --tls-key here", True),
}
"""Beginnings of option names, such as ``--gpu-``. All options with the same beginning get the same advice."""

_POOL_ARGUMENT = "give the pool as an argument, as in 'stratum-miner {} 127.0.0.1:3333'"
_POOL_PORT = Way("the port follows the host, as in 127.0.0.1:3333", True)
_TLS = Way("a URL that begins with stratum+ssl:// uses TLS, as in stratum+ssl://127.0.0.1:3334")
_TRUST = Way("use --tls-fingerprint FINGERPRINT to trust one certificate, or --tls-ca FILE to trust an authority")
_NO_TLS = Way("load does not support TLS: test the port of the pool that has no TLS")
_ALL_RATE = Way("use --share-rate for the shares per second of one miner; --miners is the number of miners", True)
_ONE_TIME = Way("a run ends after the time of --duration, not after a number of shares", True)
_MORE_PROCESSES = Way("use --cluster HOST:PORT to simulate the miners in several processes", True)
_LOAD_RESULT = Way("use --json for the result on stdout, or --html FILE for a page", True)
_LIMIT = Way("use --fail-if, as in --fail-if 'submit_p99>50ms'", True)
_REPORT = Way("use --junit FILE, --html FILE or --json", True)
_DETAILS = Way("a report that --html FILE writes has the messages of each failed check")
_TAP_ADDRESSES = Way(
    "give the address to listen at, and then the pool, as in 'stratum-miner tap 127.0.0.1:3334 127.0.0.1:3333'", True
)
_RULE = Way("use --rule to change messages, as in --rule 'delay=100ms method=mining.notify'", True)
_REPLAY = Way("to replay a recording, use 'stratum-miner replay FILE --to 127.0.0.1:3333'", True)
_RECORDING = Way("give the recording as an argument, as in 'stratum-miner replay FILE --to 127.0.0.1:3333'", True)
_PACE = Way("use --pace for the speed: --pace 0.1 sends ten times faster, --pace 0 as fast as possible", True)
_ONCE = Way("a recording is replayed once; leave it out", True)
_PING_ONCE = Way("each pool is measured once; leave it out", True)
_LISTEN_PORT = Way("the port follows the address, as in --listen 127.0.0.1:3333", True)


def _each(names: str, way: Renamed | Way) -> dict[str, Renamed | Way]:
    return dict.fromkeys(names.split(), way)


def _pool_argument(command: str) -> dict[str, Renamed | Way]:
    return _each("--host -H --target --targets --server --pool --url -o", Way(_POOL_ARGUMENT.format(command), True))


OF_COMMANDS: Mapping[str, Mapping[str, Renamed | Way]] = {
    "load": {
        **_pool_argument("load"),
        **_each("--port -P", _POOL_PORT),
        **_each("--users -c --connections --clients --vus --concurrency", Renamed("--miners")),
        **_each("--run-time --time -t -d -z", Renamed("--duration")),
        **_each("--ramp-up --rampup --ramp-time", Renamed("--ramp")),
        **_each("-r --spawn-rate --hatch-rate", Way("use --ramp TIME, the time over which all miners connect", True)),
        **_each("--rate -R --rps --qps --arrival-rate", _ALL_RATE),
        **_each("--requests --iterations -i --shares", _ONE_TIME),
        **_each("--workers --max-workers --processes --threads --master --worker", _MORE_PROCESSES),
        **_each("--csv --csv-prefix --output --out --report --format --summary-export", _LOAD_RESULT),
        **_each("--threshold --thresholds --assert --exit-code-on-error", _LIMIT),
        **_each("--timeout -T", Way("a miner waits for a reply until the end; use --fail-if to limit latencies", True)),
        **_each("--headless --only-summary", Way("the command opens no page; leave it out")),
        **_each("-f --locustfile --script -s", Way("the miners need no script; leave it out", True)),
        **_each("--latency --print-stats", Way("the table always has the latencies; leave it out")),
        **_each("--tls --ssl --insecure -k --cacert --cert --key", _NO_TLS),
    },
    "conformance": {
        **_pool_argument("conformance"),
        **_each("--port -P", _POOL_PORT),
        **_each("-j --junit-report --junitxml --junit-xml", Renamed("--junit")),
        **_each("-S", Renamed("--strict")),
        **_each("--dryrun --dry-run --collect-only --co -l", Renamed("--list")),
        **_each("--exclude --exclude-cases -e --deselect --ignore", Renamed("--skip")),
        **_each("--include --case --cases --check --test --tests --filter --section --run", Renamed("--only")),
        **_each("-t --tls --ssl", _TLS),
        **_each("--insecure", _TRUST),
        **_each(
            "-k",
            Way(f"in h2spec, this trusts any certificate: {_TRUST.advice}. In pytest, it chooses tests: use --only"),
        ),
        **_each("--timeout", Way("use --max-seconds-of-work TIME to limit the search for shares", True)),
        **_each("--report --output --format --spec", _REPORT),
        **_each("-v --verbose", _DETAILS),
        **_each("-x --exitfirst --fail-fast --maxfail", Way("use --only to run fewer checks; leave it out")),
    },
    "misbehave": {
        **_pool_argument("misbehave"),
        **_each("--port -P", _POOL_PORT),
        **_each("--only --case --check --test --attack --type --kind", Renamed("--fault")),
        **_each("--list -l", Way("'stratum-miner misbehave --help' lists the faults")),
        **_each("--skip --exclude", Way("name each fault that you want with --fault", True)),
        **_each("-t --tls --ssl", _TLS),
        **_each("-k --insecure", _TRUST),
        **_each("--report --output --format --junit --html", Way("use --json for the result", True)),
        **_each("--timeout", Way("use --hold TIME and --new-block TIME, for the faults that wait", True)),
    },
    "tap": {
        **_each(
            "--listen --listen-host --listen-port --bind -l --port --mode -m --reverse --to --upstream --target "
            "--remote --host -o --url --pool",
            _TAP_ADDRESSES,
        ),
        **_each("-p", Way(f"in mitmproxy, this is the port to listen at: {_TAP_ADDRESSES.advice}", True)),
        **_each("-w --save-stream-file --write --output --out --dump --save", Renamed("--record")),
        **_each("-v --verbose", Renamed("--debug")),
        **_each("-s --scripts --script --modify-body -B --modify-headers -H --map-remote -M", _RULE),
        **_each("--delay --latency --drop --loss --jitter --toxic --toxicity --throttle --fault", _RULE),
        **_each("-r --rfile --read -C --client-replay -S --server-replay --replay", _REPLAY),
        **_each("-k --ssl-insecure --insecure", _TRUST),
        **_each("--tls --ssl", _TLS),
    },
    "replay": {
        **_each("-r --rfile --read --file -f -i --input --input-file", _RECORDING),
        **_each("--client --pool --host --server --target --url -o --output-tcp --connect", Renamed("--to")),
        **_each("--bind -l --listen-address", Renamed("--listen")),
        **_each("--port -P", Way("the port follows the host, as in --to 127.0.0.1:3333", True)),
        **_each("-C --client-replay", Way("use --to HOST:PORT to replay the miner's side to a pool", True)),
        **_each("-S --server-replay", Way("use --listen HOST:PORT to replay the pool's side to miners", True)),
        **_each("--speed --multiplier --rate --delay -t --topspeed", _PACE),
        **_each("--loop --repeat --count -n", _ONCE),
        **_each("--tls --ssl", _TLS),
        **_each("-k --insecure", _TRUST),
    },
    "ping": {
        **_pool_argument("ping"),
        **_each("--port -P", _POOL_PORT),
        **_each("-W -w", Renamed("--timeout")),
        **_each("-c -n --count -i --interval", _PING_ONCE),
        **_each("-t --tls --ssl", _TLS),
        **_each("-k --insecure", _TRUST),
    },
    "pool": {
        **_each("--bind --listen-address --stratum", Renamed("--listen")),
        **_each("--port --stratum-port -P", _LISTEN_PORT),
        **_each("--host -H", Way("the address stands before the port, as in --listen 127.0.0.1:3333", True)),
        **_each("--diff --start-diff --startdiff -d", Renamed("--difficulty")),
        **_each("--mindiff --min-diff", Renamed("--min-difficulty")),
        **_each("--maxdiff --max-diff", Renamed("--max-difficulty")),
        **_each("--wallet --payout-address --btcaddress --btc-address --coinbase-addr", Renamed("--address")),
        **_each("--daemon --rpc --rpc-url --bitcoind", Renamed("--node")),
        **_each("--rpccookiefile --cookie", Renamed("--node-cookie")),
        **_each("--rpcuser --rpcpassword", Way("use --node-cookie FILE, or --node http://USER:PASS@HOST:PORT", True)),
        **_each("--datadir", Renamed("--data-dir")),
        **_each("--regtest --chain --network --testnet", Way("the chain is that of --node; kernel is regtest", True)),
        **_each("-c --config", Way("the command reads no configuration file; give options instead", True)),
    },
}
"""Options that users of other programs type after one command. These entries take precedence over those of OPTIONS."""

COMMANDS: Mapping[str, str] = {
    "benchmark": "bench",
    "run": "mine",
    "start": "mine",
    "miner": "mine",
    "stats": "top",
    "status": "top",
    "monitor": "top",
    "check": "doctor",
    "install": "service",
    "setup": "config",
    "import": "config",
    "convert": "config",
    "dashboard": "top",
    "list": "devices",
    "regtest": "demo",
    "calc": "profit",
    "calculator": "profit",
    "earnings": "profit",
    "profitability": "profit",
    "stop": "",
}
"""Words for commands that have another name here. An empty text means that no command is suggested: none does what the
word says, although the name of one is spelled similarly."""


def way_of(option: str, command: str = "mine") -> Renamed | Way | Algorithm | None:
    """Return what the tables have for an option after a command, such as ``--api-listen`` after ``mine``, or None.

    If the command has a table in OF_COMMANDS, options with one dash are looked up only in that table, because the same
    letter means something else in OPTIONS.
    """
    own = OF_COMMANDS.get(command)
    if own is not None and (option in own or not option.startswith("--")):
        return own.get(option)
    found = OPTIONS.get(option)
    if found is None and option.startswith("--"):
        found = next((way for start, way in FAMILIES.items() if option.startswith(start)), None)
    return found
