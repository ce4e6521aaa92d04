"""``stratum-miner completion``: prints the script with which a shell completes the commands and options."""

import sys
from collections.abc import Callable
from typing import Annotated, Literal

import cyclopts
from cyclopts import Parameter

from stratum_miner.app.process.exit_codes import ExitCode


def command_for(app: cyclopts.App) -> Callable[[Literal["bash", "zsh", "fish"]], int]:
    """Return the command that prints the completion script of an application."""

    def completion(
        shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="Shell to print the script for.")], /
    ) -> int:
        """Print the script that lets a shell complete the commands and options of stratum-miner.

        For bash: stratum-miner completion bash > ~/.local/share/bash-completion/completions/stratum-miner

        For zsh, in a directory of $fpath: stratum-miner completion zsh > _stratum-miner

        For fish: stratum-miner completion fish > ~/.config/fish/completions/stratum-miner.fish
        """
        sys.stdout.write(app.generate_completion(shell=shell))
        return ExitCode.OK

    return completion
