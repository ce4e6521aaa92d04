"""Each option of each command has a test that asserts what the option does: the table names it.

A new option needs a test of its effect and a line here.
"""

import ast
from functools import cache
from pathlib import Path

import cyclopts

from stratum_miner.cli.parser.page import arguments_of, subcommands
from stratum_miner.cli.parser.program import command_line

TESTS = Path(__file__).parents[1]
OTHERS = {"profit", "luck"}
"""Commands for whose options tests/cli/test_options_of_profit.py demands the same."""

MINE = "cli/test_options_of_mine.py::"
TOOLS = "cli/test_options_of_tools.py::"
SERVICES = "cli/test_options_of_services.py::"
CAPTURE = "cli/test_capture_commands.py::"
COMMANDS = "cli/test_command_line.py::"
LOAD = "cli/test_load.py::"
CONFIG = "cli/test_config.py::"
CONFORMANCE = "conformance/test_reports.py::"


def _for(test: str, options: str) -> dict[str, str]:
    return dict.fromkeys(options.split(), test)


REACH = _for(
    f"{TOOLS}test_an_option_says_how_to_reach_the_pool", "--tls-ca --tls-fingerprint --tls-cert --tls-key --proxy"
)
LOGS = _for(f"{SERVICES}test_what_a_command_logs", "--debug --quiet --log-format")
STATISTICS = _for(f"{SERVICES}test_who_may_read_the_statistics", "--http --http-network --http-host --http-token-file")
NODE = _for(f"{TOOLS}test_a_command_logs_in_at_its_node", "--node --node-cookie --node-password-file") | {
    "--data-dir": f"{SERVICES}test_an_embedded_chain_is_kept_in_its_directory"
}
OF_POOLS = _for(
    f"{MINE}test_an_option_of_pools_reaches_the_client",
    "--url --user --pass --userpass --pass-file --quota --strategy --version-rolling --version-mask "
    "--extranonce-subscribe --pool-redirect --fallback-time --retry-pause --suggest-difficulty --user-agent "
    "--tls-ca --tls-fingerprint --tls-cert --tls-key --proxy --protocol-dump --config",
) | {"--no-config": f"{MINE}test_a_file_of_the_environment_is_read_unless_there_is_to_be_none"}
OF_MINE = (
    OF_POOLS
    | _for(
        f"{MINE}test_an_option_of_mine_reaches_the_miner_or_its_services",
        "--retry --retries --threads --backend --kernel --backend-option --device --backend-worker --bind "
        "--electricity --power --price --pool-fee --mainnet-difficulty --until-shares --until-blocks --time-limit "
        "--http --http-network --http-host --http-token-file --cgminer-api --api-allow --api-groups --axeos-api "
        "--axeos-control --sched-start --sched-stop --pause-on-battery --pause-above --on-event",
    )
    | _for(
        f"{MINE}test_what_a_run_writes",
        "--json --debug --quiet --log-format --log-file --journal --record --record-secrets",
    )
    | {
        "--watch-config": f"{MINE}test_the_file_is_watched_only_with_watch_config",
        "--display": f"{MINE}test_the_screen_is_drawn_on_a_terminal_unless_lines_are_wanted",
    }
)
READ = dict.fromkeys(OF_MINE, f"{MINE}test_a_command_that_checks_or_shows_settings_reads_each_option")

OPTIONS: dict[str, dict[str, str]] = {
    "demo": {
        **_for(f"{SERVICES}test_an_option_of_the_demo_reaches_its_parts", "--blocks --difficulty --threads --kernel"),
        "--json": "cli/test_demo.py::test_json_is_nothing_but_json",
        "--debug": LOGS["--debug"],
    },
    "mine": OF_MINE,
    "solo": {
        **NODE,
        **LOGS,
        **_for(
            f"{SERVICES}test_an_option_of_solo_reaches_the_miner",
            "--threads --kernel --backend --backend-option --until-shares --until-blocks --time-limit",
        ),
        **_for(f"{SERVICES}test_the_difficulty_and_the_address_of_solo", "--address --difficulty"),
        "--json": f"{SERVICES}test_solo_prints_one_object",
    },
    "bench": {
        "--kernel": f"{COMMANDS}test_bench_of_one_kernel_as_a_table",
        "--seconds": f"{SERVICES}test_bench_measures_for_as_long_as_it_is_told",
        "--threads": "cli/test_bench.py::test_a_busy_machine_is_told_with_both_rates",
        "--check": f"{COMMANDS}test_bench_checks_kernels_against_each_other",
        "--json": f"{COMMANDS}test_bench_measures_every_kernel",
    },
    "top": {
        "--api": "cli/test_top.py::test_when_piped_it_prints_the_screen_once",
        "--once": "cli/test_top.py::test_on_a_terminal_it_ends_only_with_once",
        "--token-file": f"{SERVICES}test_top_logs_in_with_the_token_of_its_file",
    },
    "health": _for("cli/test_health.py::test_each_state_has_a_code", "--api --ready"),
    "devices": {
        "--all": f"{SERVICES}test_all_serial_devices_are_listed_with_all",
        "--json": "cli/test_devices.py::test_nothing_is_plugged_in",
    },
    "device set": _for(
        f"{SERVICES}test_what_is_to_be_set_reaches_the_device", "--frequency --voltage --allow-out-of-limits"
    ),
    "emulate": {
        **_for(
            f"{SERVICES}test_an_emulated_device_is_as_it_was_ordered",
            "--kind --hash-rate --chips --nonce-difficulty --seed --time-limit --json",
        ),
        **_for(LOGS["--debug"], "--debug --quiet"),
        "--link": "cli/test_emulate.py::test_answers_until_it_is_stopped",
        "--fault": "cli/test_emulate.py::test_tells_everything_as_json",
    },
    "pool": {
        **NODE,
        **LOGS,
        **STATISTICS,
        **_for(f"{SERVICES}test_a_pool_listens_pays_and_prints_as_it_is_told", "--address --listen --json"),
        **_for(f"{SERVICES}test_the_difficulty_of_a_pool", "--difficulty --min-difficulty --max-difficulty"),
        "--vardiff": f"{SERVICES}test_vardiff_aims_at_the_time_that_was_given",
        "--network-difficulty": f"{SERVICES}test_a_pool_serves_a_chain_of_the_difficulty_that_was_asked_for",
        **_for(f"{SERVICES}test_the_seed_of_a_pool_reaches_its_faults", "--fault --seed"),
        **_for(f"{TOOLS}test_a_recording_keeps_secrets_only_if_it_is_to", "--record --record-secrets"),
    },
    "proxy": {
        **OF_POOLS,
        **LOGS,
        **STATISTICS,
        **_for(f"{MINE}test_an_option_of_proxy_reaches_the_proxy", "--max-miners --worker-names --vardiff"),
        **_for(f"{SERVICES}test_a_proxy_listens_and_prints_as_it_is_told", "--listen --time-limit --json"),
    },
    "ping": {
        **REACH,
        **_for(f"{TOOLS}test_ping_logs_in_as_told_and_waits_as_long", "--user --pass --timeout --json"),
        "--submit": "cli/test_process.py::test_ping_measures_each_step_of_several_pools",
    },
    "tap": {
        **REACH,
        **LOGS,
        **_for(f"{TOOLS}test_a_tap_has_the_rules_of_its_file_and_then_those_of_its_line", "--rule --rules"),
        "--seed": f"{TOOLS}test_the_seed_of_a_tap_decides_what_chance_does",
        **_for(f"{TOOLS}test_a_recording_keeps_secrets_only_if_it_is_to", "--record --record-secrets"),
    },
    "replay": {
        **REACH,
        **_for(f"{TOOLS}test_a_replay_logs_in_as_told", "--user --pass"),
        "--i-own-this-pool": f"{TOOLS}test_a_pool_on_another_computer_is_used_only_by_its_owner",
        "--quiet": LOGS["--quiet"],
        "--listen": f"{CAPTURE}test_a_record_is_played_to_a_miner",
        **_for(f"{CAPTURE}test_a_record_is_played_to_a_pool_that_judges_for_itself", "--to --json"),
        **_for(f"{TOOLS}test_a_replay_keeps_the_pace_that_it_is_told", "--pace --ignore"),
    },
    "conformance": {
        **{option: test for option, test in REACH.items() if option != "--proxy"},
        **{option: test for option, test in NODE.items() if option != "--data-dir"},
        **_for(
            f"{TOOLS}test_an_option_of_conformance_is_known_to_the_checks",
            "--user --pass --pass-file --retarget-seconds --max-seconds-of-work",
        ),
        "--i-own-this-pool": f"{TOOLS}test_a_pool_on_another_computer_is_used_only_by_its_owner",
        **_for(f"{TOOLS}test_the_checks_of_conformance_are_chosen", "--only --skip"),
        "--known-deviations": f"{TOOLS}test_a_known_deviation_does_not_count",
        "--strict": f"{TOOLS}test_a_recommendation_that_is_not_followed_fails_a_strict_run",
        **_for(f"{CONFORMANCE}test_the_list_on_the_command_line", "--list --json"),
        **_for(f"{CONFORMANCE}test_writing_files", "--junit --html"),
    },
    "misbehave": {
        **REACH,
        **_for(
            f"{TOOLS}test_an_option_of_misbehave_reaches_each_fault",
            "--fault --user --pass --hold --new-block --seed --json",
        ),
        "--i-own-this-pool": f"{TOOLS}test_a_pool_on_another_computer_is_used_only_by_its_owner",
    },
    "load": {
        **_for(
            f"{TOOLS}test_an_option_of_load_is_in_the_plan",
            "--miners --duration --ramp --share-rate --hash-rate --distribution --profile --seed --storm --churn "
            "--reconnect --pause --slow-readers --version-rolling --bad --user --pass",
        ),
        "--i-own-this-pool": f"{TOOLS}test_a_pool_on_another_computer_is_used_only_by_its_owner",
        "--cluster": f"{TOOLS}test_a_cluster_gets_the_plan",
        "--fail-if": f"{LOAD}test_a_crossed_limit_fails_the_run_and_is_named",
        "--compare": f"{LOAD}test_a_run_beside_an_earlier_one",
        "--html": f"{LOAD}test_the_page_needs_nothing_but_itself",
        "--json": f"{LOAD}test_the_json_is_one_object_with_everything",
        "--quiet": f"{TOOLS}test_a_quiet_load_test_logs_nothing",
    },
    "config init": {"--force": f"{CONFIG}test_init_writes_a_private_file_once"},
    "config check": READ,
    "config show": READ,
    "config import": {
        "--force": f"{CONFIG}test_import_writes_what_mine_understands",
        "--dry-run": f"{CONFIG}test_import_shows_the_new_file_without_writing_it",
    },
    "doctor": {
        **READ,
        "--json": "cli/test_devices.py::test_who_may_not_open_it_gets_the_exact_fix",
        "--udev-rule": "cli/test_devices.py::test_the_rule_is_printed_and_its_installation_checked",
    },
}
"""By command and long name of an option: the test of what the option does."""


def _spellings() -> dict[tuple[str, str], tuple[str, ...]]:
    """Every option of the program with all its names, by its command and its first long name that says yes."""
    found: dict[tuple[str, str], tuple[str, ...]] = {}

    def walk(app: cyclopts.App, command: str) -> None:
        for argument in arguments_of(app):
            long = [name for name in argument.names if name.startswith("--")]
            if long:
                yes = [name for name in long if not name.startswith("--no-") or name == "--no-config"]
                found[command, (yes or long)[0]] = argument.names
        for name in subcommands(app):
            walk(app[name], f"{command} {name}".strip())

    walk(command_line(), "")
    return found


@cache
def _functions(path: Path) -> frozenset[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return frozenset(each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))


def test_every_option_of_every_command_has_a_test_of_what_it_does() -> None:
    spellings = _spellings()
    options = {key for key in spellings if key[0] not in OTHERS}
    listed = {(command, option) for command, tests in OPTIONS.items() for option in tests}
    assert not options - listed, "give each a test of its effect, and name the test in the table"
    assert not listed - options, "the table names options that the program does not have"
    for command, option in sorted(listed):
        name, _, function = OPTIONS[command][option].partition("::")
        path = TESTS / name
        assert function in _functions(path), f"{command} {option}: there is no {function} in {name}"
        text = path.read_text(encoding="utf-8")
        assert any(f'"{spelling}' in text or f" {spelling} " in text for spelling in spellings[command, option]), (
            f"{command} {option}: {name} does not give this option"
        )
