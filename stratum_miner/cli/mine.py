"""``stratum-miner mine``: mine on a pool.

Its options are declared in ``app.options.mine``, once for the command line, the environment and the file;
``app.settings.mine`` makes settings of them, and ``app.daemon.mine_run`` a miner of those.
"""

import os
from typing import Any

from stratum_miner.app.options.config_file import Config, NoConfig
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.options.table import takes_options_of
from stratum_miner.app.settings.mine import Sources, find_file, load


@takes_options_of(MineOptions)
def mine(
    *,
    config: Config = None,
    no_config: NoConfig = False,
    **given: Any,
) -> int:
    """Mine on a pool until stopped or until a goal is reached.

    Each option may also stand in a TOML file or, as STRATUM_MINER_NAME, in the environment. The command line comes
    first, then the environment, then the file.
    """
    from stratum_miner.app.daemon import mine_run  # noqa: PLC0415  what only runs is not loaded for the help

    sources = Sources(given, find_file(config, no_config, os.environ))
    return mine_run.mine(sources, load(sources))
