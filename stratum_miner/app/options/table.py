"""A table of settings as the options of a command: what the command line says, and no more.

The command is called with the settings that were given and no others, so that what comes from elsewhere can take their
place. The help shows the defaults of the table.
"""

from collections.abc import Callable
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import Annotated, Any

from cyclopts import Parameter

from stratum_miner.app.config.keys import ConfigKey, keys_of


def takes_options_of(table: type) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Give a function that takes ``**given`` one keyword for each key of a table, before its own."""

    def give(command: Callable[..., int]) -> Callable[..., int]:
        own = [item for item in signature(command).parameters.values() if item.kind is Argument.KEYWORD_ONLY]
        arguments = [
            *(
                Argument(key.field, Argument.KEYWORD_ONLY, default=_default(key), annotation=_annotation(key))
                for key in keys_of(table).values()
            ),
            *own,
        ]
        command.__signature__ = Signature(arguments)  # type: ignore[attr-defined]  # ``inspect`` reads it
        command.__annotations__ = {item.name: item.annotation for item in arguments}
        return command

    return give


def _default(key: ConfigKey) -> Any:
    """A default of the declared type, since the parser may check it. What was not given is not passed on anyway."""
    return key.default if key.wanted is bool else None


def _annotation(key: ConfigKey) -> Any:
    declared = key.parameter
    assert declared is not None
    default = "" if key.default in (None, True, False) else f" Default {key.default}."
    parameter = Parameter(
        name=declared.name,
        help=(declared.help or "") + default,
        group=declared.group,
        negative=None if key.wanted is bool else (),
        show_default=False,
    )
    wanted = bool if key.wanted is bool else key.wanted | None  # completions take "bool | None" for one with a value
    return Annotated[wanted, parameter]
