"""What people type by habit or by mistake: it is served, or answered in one line with the way here."""

import re
from functools import cache

import pytest

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.process.secrets import hidden_arguments
from stratum_miner.cli.parser import peers
from stratum_miner.cli.parser.arguments import command_of, understood, wants_help
from stratum_miner.cli.parser.page import arguments_of, label_of, subcommands
from stratum_miner.cli.parser.program import command_line
from tests.cli.one_command import run

APP = command_line()


@cache
def of_mine() -> frozenset[str]:
    """Return the names of all options of ``mine``."""
    return frozenset(name for each in arguments_of(APP["mine"]) for name in each.names)


def read(line: str) -> list[str]:
    chain, words = command_of(APP, line.split())
    return [*chain, *understood(APP, chain, words)]


def test_the_arguments_of_a_command_are_made_once() -> None:
    """For a long command, this takes longer than all else before it runs, and the help asks several times."""
    assert arguments_of(APP["mine"]) is arguments_of(command_line()["mine"])
    assert arguments_of(APP["mine"]) != arguments_of(APP["pool"])


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("mine -o h:1 -u x", "mine -o=h:1 -u=x"),
        ("-o h:1 -u x", "mine -o=h:1 -u=x"),
        ("--url=h:1", "mine --url=h:1"),
        ("mine -a sha256d -o h:1", "mine -o=h:1"),
        ("mine --algo=SHA256d -o h:1", "mine -o=h:1"),
        ("-a sha256d -o h:1", "mine -o=h:1"),
        ("mine -c miner.toml", "mine --config=miner.toml"),
        ("-c miner.toml", "mine --config=miner.toml"),
        ("mine -S erupter:all --usb auto", "mine --device=erupter:all --device=auto"),
        ("mine --scan=auto", "mine --device=auto"),
        ("mine --socks-proxy h:1", "mine --proxy=h:1"),
        ("mine --no-extranonce", "mine --no-extranonce-subscribe"),
        ("mine -r 5 -R 10", "mine --retries=5 --retry-pause=10"),
        ("mine --failover-switch-delay 5m", "mine --fallback-time=5m"),
        ("mine --no-redirect", "mine --no-pool-redirect"),
        ("mine -t4 -qD", "mine -t=4 -q -D"),
        ("mine -p=-secret", "mine -p=-secret"),
        ("profit --difficulty-growth -1%", "profit --difficulty-growth=-1%"),
        ("mine --until_shares 3 --log_file=x", "mine --until-shares=3 --log-file=x"),
        ("--until_shares=3", "mine --until-shares=3"),
        ("ping a:1 b:2 --submit", "ping a:1 b:2 --submit"),
        ("conformance h:1 -- -x", "conformance h:1 -- -x"),
        ("device set /dev/x --frequency .5", "device set /dev/x --frequency=.5"),
        ("emulate --kind erupter", "emulate --kind=erupter"),
        ("emulate erupter --fault a=1 b --seed 3", "emulate erupter --fault=a=1 --fault=b --seed=3"),
    ],
)
def test_what_is_understood(typed: str, taken: str) -> None:
    assert read(typed) == taken.split()


NO_USER = "a long option begins with two hyphens"


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        # commands
        ("mien", "unknown command 'mien': did you mean 'mine'? 'stratum-miner --help' lists the commands"),
        ("user:pw@h:1", "unknown command 'h:1': 'stratum-miner --help' lists the commands"),
        ("man load", "expected only options, got 'load' as well; 'stratum-miner man --help' shows the options"),
        ("-q pool", "expected the command first, as in 'stratum-miner pool --help', got its options first"),
        ("stop", "unknown command 'stop': 'stratum-miner --help' lists the commands"),
        ("earnings", "unknown command 'earnings': did you mean 'profit'?"),
        ("mine —o h:1", "expected a hyphen before an option, got the dash '—': type '-o' instead"),
        ("mine -o h:1 –user=w", "expected a hyphen before an option, got the dash '–': type '--user' instead"),
        ("—help", "expected a hyphen before an option, got the dash '—': type '--help' instead"),
        ("mine -o h:1 --testnet", "--testnet: the pool decides which chain is mined; leave it out."),
        ("mine --solo", "--solo: to mine on your own node, use 'stratum-miner solo --node URL --address ADDRESS'"),
        ("mine --devices=0", "--devices: give each device as --device PATH"),
        ("mine -i 20", "-i: stratum-miner mines with CPUs and ASIC devices, not with GPUs"),
        ("mine --password hunter2", "--password: give the password as -p PASSWORD"),
        ("helpp", "unknown command 'helpp': 'stratum-miner --help' lists the commands"),
        ("help mien", "unknown command 'mien': did you mean 'mine'?"),
        ("benchmark", "did you mean 'bench'?"),
        ("config chek", "unknown command 'chek': did you mean 'check'? 'stratum-miner config --help' lists"),
        ("config --bogus", "--bogus: expected a command first; 'stratum-miner config --help' lists them"),
        ("127.0.0.1:3333", "expected a command, got a pool; to mine on it, use 'stratum-miner mine -o HOST:PORT -u "),
        ("stratum+tcp://a:b@h:1", "expected a command, got a pool; to mine on it, use"),
        ("--verison", "--verison: expected a command or an option of mine: did you mean '--version'?"),
        ("--bogus", "--bogus: expected a command or an option of mine; 'stratum-miner help' lists the commands"),
        # one hyphen
        ("-url h:1", f"-url: {NO_USER}: --url"),
        ("mine -url=h:1", f"-url: {NO_USER}: --url"),
        ("mine -o h:1 -user x", f"-user: {NO_USER}: --user"),
        ("mine -o h:1 -useer x", f"-useer: {NO_USER}: did you mean --user?"),
        ("mine -algo=sha256d", f"-algo: {NO_USER}: --algo"),
        ("mine -api-listen", f"-api-listen: {NO_USER}: --api-listen"),
        ("mine -ualice", "-u: expected a space before its value; a long option begins with two hyphens"),
        ("mine -zzz", "unknown option -zzz; a long option begins with two hyphens"),
        ("pool -address x", f"-address: {NO_USER}: --address"),
        ("ping h:1 -user=x", f"-user: {NO_USER}: --user"),
        # values
        ("mine -u", "-u needs a value: worker name at the pool, often a payout address"),
        ("mine -u -p x", "-u needs a value, got the option -p (write -u=VALUE for such a value): worker name"),
        ("mine -u -algo", "-u needs a value, got the option -algo "),
        ("mine -p -s3cret", "-p needs a value, got a word that begins with a hyphen (write -p=VALUE "),
        ("pool --listen", "--listen needs a value: HOST:PORT at which the pool accepts miners"),
        # arguments
        ("mine h:1 x", "expected -o before the pool and -u before the worker name, got 'h:1' without them"),
        ("mine stratum+tcp://a:pw@h:1", "got 'h:1' without them"),
        ("pool x", "expected only options, got 'x' as well; 'stratum-miner pool --help' shows the options"),
        ("emulate erupter x", "expected KIND, got 'x' as well"),
        ("health h:1", "expected --api before the URL of the miner, got 'h:1' without it"),
        ("top http://h:1", "expected --api before the URL of the miner, got 'http://h:1' without it"),
        ("device set ./x frequency=175", "expected DEVICE, got 'frequency=175' as well; write --frequency=VALUE"),
        # options
        ("mine --thread 2", "unknown option --thread: did you mean '--threads'?"),
        ("mine --bogus", "unknown option --bogus; 'stratum-miner mine --help-all' shows all options"),
        ("mine --passs=hunter2", "unknown option --passs: did you mean '--pass'?"),
        ("pool --api-listen", "unknown option --api-listen; 'stratum-miner pool --help-all' shows all options"),
        ("mine -a scrypt", "-a: stratum-miner mines only Bitcoin's algorithm, sha256d, got 'scrypt'"),
        ("mine -a", "-a: stratum-miner mines only Bitcoin's algorithm, sha256d, got ''"),
        # options of other miners
        ("mine --host h", "--host: give the pool as -o HOST:PORT"),
        ("mine --benchmark", "--benchmark: to measure the hash rate without a pool, use 'stratum-miner bench'"),
        ("--benchmark", "use 'stratum-miner bench'"),
        ("mine --api-listen", "use --cgminer-api 127.0.0.1:4028"),
        ("mine --icarus-options 115200", "as in --device compac:/dev/ttyUSB0,frequency=150"),
        ("mine -B", "the service manager does this"),
        ("mine --tls", "as in -o stratum+ssl://HOST:PORT"),
        ("mine --tls-ciphers=x", "TLS has the options --tls-ca,"),
        ("mine --donate-level 1", "there is no donation; leave it out"),
    ],
)
def test_what_is_answered(typed: str, answer: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(typed)
    assert answer in str(raised.value)
    assert "hunter2" not in str(raised.value)
    assert "pw" not in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_no_mistake_becomes_a_value_of_another_option() -> None:
    """``-url`` was once read as ``-u`` with the worker name ``rl``."""
    for name in of_mine() | set(peers.OPTIONS):
        word = name.removeprefix("-")
        if word.startswith("-"):
            for typed in (word, f"{word}=x"):
                with pytest.raises(UsageError):
                    understood(APP, ["mine"], ["-o", "h:1", typed])


@pytest.mark.parametrize(
    ("words", "answer"),
    [
        (("pool",), "--address is needed: payout address of the blocks"),
        (("completion",), "SHELL is needed: shell to print the script for (bash, zsh or fish)"),
        (("completion", "tcsh"), "SHELL: expected bash, zsh or fish, got 'tcsh'"),
        (
            ("mine", "--strategy", "Quota"),
            "--strategy: expected failover or quota, got 'Quota': did you mean 'quota'?",
        ),
        (("mine", "-t", "two"), "-t: expected an integer, got 'two'"),
        (("mine", "--retry=5"), "--retry: expected true or false, got '5'"),
        (("mine", "--config", "a", "--config", "b"), "--config: expected this option once, got it several times"),
        (("mine", "-t", "two", "--bogus"), "unknown option --bogus; 'stratum-miner mine --help-all' shows all options"),
    ],
)
def test_what_the_option_parser_refuses(
    words: tuple[str, ...], answer: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, *words) == (2, "", f"stratum-miner: {answer}\n")


@pytest.mark.parametrize("command", [
    f"{name} {below}".strip() for name in subcommands(APP) for below in (subcommands(APP[name]) or [""])
])  # fmt: skip
def test_what_is_missing_is_named_with_what_it_is_for(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    app = APP
    for word in command.split():
        app = app[word]
    required = [each for each in arguments_of(app) if each.required]
    if not required:
        return
    code, out, err = run(capsys, *command.split())
    assert (code, out) == (2, "")
    assert re.fullmatch(r"stratum-miner: (--[a-z-]+|[A-Z]+) is needed: \w.+[^.]\n", err), err
    assert err.startswith(f"stratum-miner: {label_of(required[0])} ")


# ---- the table ------------------------------------------------------------------------------------------------------


def test_the_table_has_no_option_of_ours() -> None:
    """An option of ours is never read as one of another miner. The same letter could otherwise mean two things."""
    assert of_mine().isdisjoint(peers.OPTIONS)


def test_no_secret_of_another_miners_option_is_in_the_process_list() -> None:
    """The process list is cleaned before the options are renamed."""
    assert hidden_arguments(["mine", "--socks-proxy", "socks5://a:hunter2@h:1"])[-1] == "socks5://***@h:1"
    assert hidden_arguments(["mine", "--pool-proxy=socks5://a:hunter2@h:1"])[-1] == "--pool-proxy=socks5://***@h:1"
    assert hidden_arguments(["pool", "--daemon=http://a:hunter2@h:1"])[-1] == "--daemon=http://***@h:1"
    secret = {key.flag for key in keys_of(MineOptions).values() if key.secret}
    assert hidden_arguments(["pool", "--daemon", "http://a:hunter2@h:1"])[-1] == "http://***@h:1"
    renamed = {way.to for way in peers.OPTIONS.values() if isinstance(way, peers.Renamed)}
    assert renamed & secret == {"--proxy"}, "only --proxy, whose value is a URL, is renamed"


def test_a_new_name_is_one_of_ours() -> None:
    for option, way in peers.OPTIONS.items():
        if isinstance(way, peers.Renamed):
            assert way.to in of_mine(), option


@pytest.mark.parametrize("option", [*peers.OPTIONS, *(f"{start}x" for start in peers.FAMILIES)])
def test_the_way_here_is_a_way(option: str) -> None:
    """Every option in the table is served or answered by ``mine``, and every command in an answer exists."""
    way = peers.way_of(option)
    if not isinstance(way, peers.Way):
        assert way is not None
        return
    with pytest.raises(UsageError, match=re.escape(f"{option}: {way.advice}")):
        read(f"mine {option}")
    assert not way.advice.endswith(".")
    for line in re.findall(r"'stratum-miner ([^']*)'", way.advice):
        chain, words = command_of(APP, line.split())
        understood(APP, chain, words)
    mentioned = re.findall(r"(?<![\w-])--[a-z][a-z-]*", re.sub(r"'[^']*'", "", way.advice))
    assert set(mentioned) <= of_mine(), mentioned


@pytest.mark.parametrize(
    ("typed", "taken"),
    [
        ("load h:1 --users 50 --run-time=5s", "load h:1 --miners=50 --duration=5s"),
        ("load h:1 -c 20 -d 30s", "load h:1 --miners=20 --duration=30s"),
        ("conformance h:1 -j report.xml -S", "conformance h:1 --junit=report.xml --strict"),
        ("conformance h:1 --dry-run", "conformance h:1 --list"),
        ("tap 3334 h:1 -w run.jsonl", "tap 3334 h:1 --record=run.jsonl"),
        ("replay run.jsonl --client h:1", "replay run.jsonl --to=h:1"),
        ("misbehave h:1 --only stale", "misbehave h:1 --fault=stale"),
        ("ping h:1 -W 5", "ping h:1 --timeout=5"),
        ("ping h:1 --socks-proxy h:2", "ping h:1 --proxy=h:2"),
        ("pool --wallet A --diff 1", "pool --address=A --difficulty=1"),
    ],
)
def test_what_users_of_test_programs_type_is_served(typed: str, taken: str) -> None:
    assert read(typed) == taken.split()


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("load --host h:1", "--host: give the pool as an argument, as in 'stratum-miner load 127.0.0.1:3333'"),
        ("load h:1 -rate=50/s", "-rate: a long option begins with two hyphens: --rate"),
        ("load h:1 --rate 50/s", "--rate: use --share-rate for the shares per second of one miner"),
        ("load h:1 --timeout 3", "--timeout: a miner waits for a reply until the end; use --fail-if"),
        ("load h:1 -w", "unknown option -w; 'stratum-miner load --help-all' shows all options"),
        ("conformance h:1 -k", "-k: in h2spec, this trusts any certificate"),
        ("tap -p 3334 h:1", "-p: in mitmproxy, this is the port to listen at"),
        ("tap 3334 h:1 --latency 100", "--latency: use --rule to change messages, as in --rule 'delay=100ms"),
        ("replay -r run.jsonl", "-r: give the recording as an argument"),
        ("pool --port 3334", "--port: the port follows the address, as in --listen 127.0.0.1:3333"),
    ],
)
def test_what_users_of_test_programs_type_is_answered(typed: str, answer: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(typed)
    assert str(raised.value).startswith(answer)


@pytest.mark.parametrize("command", peers.OF_COMMANDS)
def test_the_table_of_a_command_leads_to_its_options(command: str) -> None:
    """Every option in the table is served or answered by the command, and every command in an answer exists."""
    arguments = arguments_of(APP[command])
    options = {name for each in arguments for name in each.names}
    secret = {"--pass", "--password", "--http-token-file"}
    assert options.isdisjoint(peers.OF_COMMANDS[command])
    for option, way in peers.OF_COMMANDS[command].items():
        if isinstance(way, peers.Renamed):
            assert way.to in options - secret, option
            continue
        with pytest.raises(UsageError, match=re.escape(f"{option}: {way.advice}")):
            read(f"{command} {option}")
        assert not way.advice.endswith(".")
        for line in re.findall(r"'stratum-miner ([^']*)'", way.advice):
            chain, words = command_of(APP, line.split())
            assert wants_help(APP, chain, words) or understood(APP, chain, words)


def test_a_word_for_a_command_leads_to_one() -> None:
    assert set(peers.COMMANDS.values()) - {""} <= set(subcommands(APP))
    assert set(peers.COMMANDS).isdisjoint(subcommands(APP))
