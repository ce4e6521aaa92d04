"""Which version bits each family of chips is given to roll."""

import pytest

from stratum_miner.backends.asic.chips import CHAINS
from stratum_miner.work.space import SearchSpace
from stratum_miner.work.versions import lowest_bits
from tests.work.jobs import make_job


@pytest.mark.parametrize("mask", [0, 0x1FFFE000, 0x1FFFFFE0, 0x00003FE0])
@pytest.mark.parametrize("family", CHAINS)
def test_a_chip_gets_all_the_bits_that_it_rolls_and_that_are_granted(family: str, mask: int) -> None:
    """Also where a pool grants more than chips roll (BIP 323): those are counted, from one unit to the next."""
    rollable, at_once = CHAINS[family].rolls
    space, now = SearchSpace(), 0.0
    space.set_job(make_job(version_mask=mask))
    units = [unit for unit in (space.next_unit(now, rollable, at_once) for _ in range(100)) if unit is not None]
    assert {unit.version_mask for unit in units} == {lowest_bits(mask & rollable, at_once)}
    assert len({(unit.extranonce2, unit.version) for unit in units}) == 100
