"""Examples of each command, and the options that a beginner needs. A test reads every example as a command line."""

from collections.abc import Mapping

_ADDRESS = "bcrt1qw508d6qejxtdg4y5r3zarvary0c5xw7kygt080"
EXAMPLES: Mapping[str, tuple[str, ...]] = {
    "demo": ("stratum-miner demo", "stratum-miner demo --blocks 5 --json"),
    "mine": (
        "stratum-miner mine -o stratum+tcp://127.0.0.1:3333 -u worker",
        "stratum-miner mine -o stratum+ssl://pool.example:3334 -u worker -t 2",
        "stratum-miner mine -o 127.0.0.1:3333 -o backup.example:3333 -u worker",
        "stratum-miner mine -o 127.0.0.1:3333 -u worker --device auto",
        "stratum-miner mine --config miner.toml --http 127.0.0.1:7780",
    ),
    "solo": (f"stratum-miner solo --node kernel --address {_ADDRESS}",),
    "bench": ("stratum-miner bench", "stratum-miner bench --check"),
    "top": ("stratum-miner top", "stratum-miner top --once --api http://127.0.0.1:7780"),
    "health": ("stratum-miner health", "stratum-miner health --ready --api http://127.0.0.1:7780"),
    "devices": ("stratum-miner devices", "stratum-miner devices --all"),
    "device set": ("stratum-miner device set compac:/dev/ttyUSB0 --frequency 150",),
    "device reset": ("stratum-miner device reset erupter:/dev/ttyUSB0",),
    "device identify": ("stratum-miner device identify bitaxe-gamma:/dev/ttyACM0",),
    "emulate": ("stratum-miner emulate erupter --link ./stick --nonce-difficulty 1e-5",),
    "pool": (
        f"stratum-miner pool --address {_ADDRESS}",
        f"stratum-miner pool --address {_ADDRESS} --fault stuck-job",
    ),
    "proxy": ("stratum-miner proxy --listen 0.0.0.0:3333 -o pool.example:3333 -u worker",),
    "ping": (
        "stratum-miner ping 127.0.0.1:3333",
        "stratum-miner ping 127.0.0.1:3333 stratum+ssl://pool.example:3334 --submit",
    ),
    "tap": (
        "stratum-miner tap 127.0.0.1:3334 127.0.0.1:3333 --record session.jsonl",
        "stratum-miner tap 127.0.0.1:3334 127.0.0.1:3333 --rule 'drop from=pool'",
    ),
    "replay": (
        "stratum-miner replay session.jsonl --to 127.0.0.1:3333",
        "stratum-miner replay session.jsonl --listen 127.0.0.1:3334",
    ),
    "conformance": (
        "stratum-miner conformance 127.0.0.1:3333",
        "stratum-miner conformance --list",
        "stratum-miner conformance 127.0.0.1:3333 --only handshake --junit report.xml",
    ),
    "misbehave": ("stratum-miner misbehave 127.0.0.1:3333 --fault stale",),
    "load": (
        "stratum-miner load 127.0.0.1:3333 --miners 100 --duration 30",
        "stratum-miner load 127.0.0.1:3333 --fail-if 'submit_p99>50ms'",
    ),
    "profit": (
        "stratum-miner profit --machine bitaxe-gamma --electricity 0.30",
        "stratum-miner profit --hash-rate 1.2TH --power 17W --electricity 0.30",
        "stratum-miner profit --machines",
    ),
    "luck": (
        "stratum-miner luck --found 3 --expected 7",
        "stratum-miner luck --blocks 10 --times 1.5",
        "stratum-miner luck --hash-rate 20MH --difficulty 1",
    ),
    "config init": ("stratum-miner config init miner.toml",),
    "config check": ("stratum-miner config check --config miner.toml",),
    "config show": ("stratum-miner config show --config miner.toml --until-shares 3",),
    "config import": ("stratum-miner config import cgminer.conf miner.toml",),
    "doctor": ("stratum-miner doctor", "stratum-miner doctor --config miner.toml"),
    "service unit": ("stratum-miner service unit > stratum-miner.service",),
    "service udev-rule": ("stratum-miner service udev-rule > 60-stratum-miner.rules",),
    "service steps": ("stratum-miner service steps",),
    "completion": (
        "stratum-miner completion bash > ~/.local/share/bash-completion/completions/stratum-miner",
        "stratum-miner completion zsh > _stratum-miner",
        "stratum-miner completion fish > ~/.config/fish/completions/stratum-miner.fish",
    ),
    "man": ("stratum-miner man > ~/.local/share/man/man1/stratum-miner.1",),
}
_OF_MINE = ("--url", "--user", "--pass", "--device", "--threads", "--http")
_OF_A_FILE = ("--config", "--url", "--user")
BEGINNERS: Mapping[str, tuple[str, ...]] = {
    "mine": _OF_MINE,
    "doctor": (*_OF_A_FILE, "--device"),
    "config check": _OF_A_FILE,
    "config show": _OF_A_FILE,
    "solo": ("--address", "--node", "--node-cookie", "--threads", "--until-blocks", "--time-limit"),
    "pool": ("--address", "--listen", "--node", "--network-difficulty", "--difficulty", "--vardiff", "--fault"),
    "proxy": ("--listen", "--url", "--user", "--pass", "--worker-names", "--vardiff"),
    "tap": ("--record", "--rule"),
    "replay": ("--to", "--listen", "--pace", "--user"),
    "conformance": ("--user", "--only", "--strict", "--list", "--json", "--html"),
    "misbehave": ("--fault", "--user", "--json"),
    "load": ("--miners", "--duration", "--share-rate", "--fail-if", "--html", "--i-own-this-pool"),
    "profit": ("--machine", "--hash-rate", "--power", "--electricity", "--price", "--machines"),
}
"""For each command with many options, the options that its ``--help`` shows. ``--help-all`` shows all options."""
