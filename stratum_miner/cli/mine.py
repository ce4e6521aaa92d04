"""``stratum-miner mine``: mines on pools.

``app.options.mine`` declares its options, which can be given on the command line, in the environment and in the
configuration file. ``app.settings.mine`` turns them into settings, and ``app.daemon.mine_run`` runs a miner with these
settings.
"""

import os
from typing import Any

from stratum_miner.app.options.config_file import Config, NoConfig
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.app.options.table import takes_options_of


@takes_options_of(MineOptions)
def mine(
    *,
    config: Config = None,
    no_config: NoConfig = False,
    **given: Any,
) -> int:
    """Mine on a pool until you stop it or until a goal is reached.

    Each option is also a key of the configuration file and an environment variable: --until-shares, until_shares,
    STRATUM_MINER_UNTIL_SHARES. The command line takes precedence, then the environment, then the file.

    Exit code 1: a goal was not reached before --time-limit, or no device mined. 3: every pool refused the worker name.
    4: no pool gave a job before --time-limit, or with --no-retry or --retries the pool could not be reached. 5: a
    kernel failed its self-test.
    """
    # The help does not need these modules, which load slowly.
    from stratum_miner.app.daemon import mine_run  # noqa: PLC0415  slow to load
    from stratum_miner.app.settings.mine import Sources, find_file, load  # noqa: PLC0415  slow to load

    sources = Sources(given, find_file(config, no_config, os.environ))
    return mine_run.mine(sources, load(sources))
