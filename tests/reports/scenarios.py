"""Scenarios for the tests of the profit report."""

from stratum_miner.economics.profit.machines import known_machines
from stratum_miner.economics.profit.scenario import RawScenario, Scenario, complete_scenario, from_flags, merged

ROUND = {
    "hash_rate": f"{2**32 * 10}H", "power": "500W", "electricity": "0.5", "difficulty": "86400", "subsidy": "4",
    "fees": "1", "price": "4",
}  # fmt: skip
"""Ten blocks of 5 coins a day: a revenue of 200, 6 for electricity, and 194 are left."""


def scenario(*machines: str, name: str = "", **changes: str | None) -> Scenario:
    """Return the round scenario with some terms changed, or left out if they are None."""
    given = {**ROUND, **({"hash_rate": None, "power": None} if machines else {}), **changes}
    raw = from_flags(given, machines, known_machines())
    return complete_scenario(merged([raw, RawScenario(name=name, values={})], name))
