"""What stands behind options on a command line, and in the files that say the same: each text goes to every reader.

A reader returns a value within its bounds, or refuses in the words of its own error.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from stratum_miner import written_numbers
from stratum_miner.app.operation.hooks import Hook
from stratum_miner.app.operation.schedule import Schedule
from stratum_miner.app.options.listen_address import parse_listen
from stratum_miner.app.process.exit_codes import UsageError
from stratum_miner.app.process.secrets import hidden_arguments
from stratum_miner.backends import options as backend_options
from stratum_miner.backends.asic.boards import BOARDS
from stratum_miner.backends.asic.device_spec import DeviceSpec
from stratum_miner.backends.asic.options import DeviceOptions
from stratum_miner.backends.base import BackendOptionError
from stratum_miner.downstream.miner_session import password_difficulty
from stratum_miner.economics.profit import terms
from stratum_miner.loadtest import pacer, spec, thresholds
from stratum_miner.monitoring.cgminer.access import AccessError, AccessList
from tests.fuzz.judge import check_shown

COMMANDS = ("summary", "pools", "switchpool")


def run(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    listen = _read(parse_listen, text)
    assert listen is None or 0 <= listen[1] <= 65535
    for name, parse in terms.PARSERS.items():
        value = _read(parse, name, text)
        assert not isinstance(value, float) or math.isfinite(value)
    _read(terms.machine_and_count, "--machine", text)
    for number in (written_numbers.to_int, written_numbers.to_float):
        with suppress(ValueError):
            assert math.isfinite(number(text))
    assert len(written_numbers.readings(text, point_may_group=True)) <= 2
    _read(Schedule.parse, text, None)
    _read(Hook.parse, text)
    _read(DeviceSpec.parse, text)
    key, _, value = text.partition("=")
    for board in BOARDS.values():
        _read(DeviceOptions.parse, board, {key: value})
    _read(backend_options.integers, {"x": text}, "x")
    _read(backend_options.integer, {"x": text}, "x", 1, 100)
    rate = _read(backend_options.hash_rate, {"x": text}, "x")
    assert rate is None or 0 < rate < 1e21
    access = _read(_access, text)
    assert access is None or access.group_of("203.0.113.1") is None or access.entries
    _read(pacer.LoadProfile.parse, text, 10.0)
    _read(pacer.distribution, text)
    _read(thresholds.Threshold.parse, text)
    _read(spec.fraction, text, "--x")
    difficulty = password_difficulty(text)
    assert difficulty is None or 0 < difficulty < math.inf
    hidden_arguments(text.split())


def _access(text: str) -> AccessList:
    allow, _, groups = text.partition(";")
    return AccessList.parse(allow, groups, reading=COMMANDS[:2], all_commands=COMMANDS)


def _read(parse: Callable[..., Any], *arguments: Any) -> Any:
    """The value; None where it is refused."""
    try:
        return parse(*arguments)
    except (UsageError, terms.TermError, BackendOptionError, AccessError, spec.SpecError) as error:
        check_shown(str(error), 100_000)
        return None
