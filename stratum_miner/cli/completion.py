"""``stratum-miner completion``: the script with which a shell completes our commands and options."""

import sys
from collections.abc import Callable
from typing import Literal

import cyclopts

from stratum_miner.app.process.exit_codes import ExitCode


def command_for(app: cyclopts.App) -> Callable[[Literal["bash", "zsh", "fish"]], int]:
    """The command that prints the script for an application."""

    def completion(shell: Literal["bash", "zsh", "fish"], /) -> int:
        """Print the completions for SHELL.

        For bash: stratum-miner completion bash > ~/.local/share/bash-completion/completions/stratum-miner
        For zsh, into a directory of $fpath: stratum-miner completion zsh > _stratum-miner
        For fish: stratum-miner completion fish > ~/.config/fish/completions/stratum-miner.fish
        """
        sys.stdout.write(app.generate_completion(shell=shell))
        return ExitCode.OK

    return completion
