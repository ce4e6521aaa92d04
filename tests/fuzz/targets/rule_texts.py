"""Rules and faults as users write them: of the tap, of the pool that misbehaves, of emulated devices."""

import tomllib
from contextlib import suppress
from random import Random

from stratum_miner.capture import rules
from stratum_miner.capture.record import Side
from stratum_miner.emulators import faults
from stratum_miner.faults import fault_filter
from tests.fuzz.judge import check_shown

LINE = b'{"id":1,"method":"mining.submit","params":["w","j"]}\n'


def run(data: bytes) -> None:
    text = data.decode("utf-8", "replace")
    try:
        rule = rules.parse(text)
    except rules.RuleError as error:
        check_shown(str(error), 20 * len(text) + 1000)
    else:
        if rule.action not in ("duplicate", "split"):
            rules.RuleFilter([rule], Random(1)).line(Side.MINER, LINE)
        str(rule)
    try:
        tables = tomllib.loads(text).get("rule", [])
        for table in tables if isinstance(tables, list) else ():
            if isinstance(table, dict):
                rules.from_table(table, "file")
    except (rules.RuleError, tomllib.TOMLDecodeError, RecursionError, ValueError):
        pass
    with suppress(ValueError):
        str(fault_filter.parse(text))
    try:
        fault = faults.parse_fault(text)
    except faults.FaultError:
        pass
    else:
        assert fault.seconds >= 0
        fault.is_active(1.0)
