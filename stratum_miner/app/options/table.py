"""Makes options of a command from a table of settings.

The command gets only the settings that the command line gave, so that those of the environment and of the file can fill
in the rest. The help shows the defaults of the table.
"""

from collections.abc import Callable
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import Annotated, Any

from cyclopts import Parameter

from stratum_miner.app.config.keys import ConfigKey, keys_of


def takes_options_of(table: type) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return a decorator for a function with ``**given``: each key of a table becomes a keyword, before the function's
    own.
    """

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
    """Return a default of the declared type, which the parser may check. The command never gets it."""
    return key.default if key.wanted is bool else None


def _annotation(key: ConfigKey) -> Any:
    declared = key.parameter
    assert declared is not None
    default = "" if key.default in (None, False) else f" [default: {'true' if key.default is True else key.default}]"
    parameter = Parameter(
        name=declared.name,
        help=(declared.help or "") + default,
        group=declared.group,
        negative=None if key.wanted is bool else (),
        show_default=False,
    )
    wanted = (
        bool if key.wanted is bool else key.wanted | None
    )  # shell completion would expect a value after "bool | None"
    return Annotated[wanted, parameter]
