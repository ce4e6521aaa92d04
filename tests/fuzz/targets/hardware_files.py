"""Files for ``profit``: machines and scenarios, read and understood as far as they can be."""

import tempfile
from pathlib import Path

from stratum_miner.economics.profit import scenario
from stratum_miner.economics.profit.machines import known_machines
from stratum_miner.economics.profit.terms import TermError
from tests.fuzz.judge import check_shown

FILE = Path(tempfile.mkdtemp(prefix="fuzz-profit-")) / "farm.toml"
KNOWN = known_machines()
LATE = {"difficulty": "1e14", "electricity": "0.1", "hash_rate": "1TH", "power": "10W"}
"""What is said where a file does not."""


def run(data: bytes) -> None:
    FILE.write_bytes(data)
    try:
        machines = known_machines(FILE)
    except TermError as error:
        check_shown(str(error), 10 * len(data) + 1000)
    else:
        assert set(KNOWN) <= set(machines)
        assert all(machine.hash_rate > 0 for machine in machines.values())
    try:
        found = scenario.from_file(FILE, KNOWN)
    except TermError as error:
        check_shown(str(error), 10 * len(data) + 1000)
        return
    for raw in found:
        missing = {name: text for name, text in LATE.items() if not (raw.machines and name in ("hash_rate", "power"))}
        try:
            whole = scenario.complete_scenario(scenario.merged([raw, scenario.from_answers(missing, "fuzz")], raw.name))
        except TermError as error:
            check_shown(str(error), 10 * len(data) + 1000)
            continue
        assert whole.operation.hash_rate > 0
        str(whole.warnings)
        str(whole.payback)
