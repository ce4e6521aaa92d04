"""The table of all chip families, ``CHAINS``. To add a family, write a module for it, and add a row to the table
(docs/reference/asic.md#adding-a-chip-or-a-board).
"""

from collections.abc import Mapping

from stratum_miner.backends.asic.chain import ChipChain
from stratum_miner.backends.asic.chips.bm1362 import Bm1362Chain
from stratum_miner.backends.asic.chips.bm1366 import Bm1366Chain
from stratum_miner.backends.asic.chips.bm1368 import Bm1368Chain
from stratum_miner.backends.asic.chips.bm1370 import Bm1370Chain
from stratum_miner.backends.asic.chips.bm1380 import Bm1380Chain
from stratum_miner.backends.asic.chips.bm1384 import Bm1384Chain
from stratum_miner.backends.asic.chips.bm1387 import Bm1387Chain
from stratum_miner.backends.asic.chips.bm1397 import Bm1397Chain
from stratum_miner.backends.asic.chips.icarus import IcarusChain

CHAINS: Mapping[str, type[ChipChain]] = {
    "bm1370": Bm1370Chain,
    "bm1368": Bm1368Chain,
    "bm1366": Bm1366Chain,
    "bm1397": Bm1397Chain,
    "bm1362": Bm1362Chain,
    "bm1387": Bm1387Chain,
    "bm1384": Bm1384Chain,
    "bm1380": Bm1380Chain,
    "icarus": IcarusChain,
}
"""The class of the chip chain for each family. The keys are the names that ``Board.chip`` uses."""
