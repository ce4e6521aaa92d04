"""Makes command-line options from a table of settings, which is an annotated dataclass (see ``config.keys``).

The command gets only the settings that were given on the command line, so that the environment and the file can provide
the others. The help text shows the defaults of the table.
"""

from collections.abc import Callable
from inspect import Parameter as Argument
from inspect import Signature, signature
from typing import Annotated, Any

from cyclopts import Parameter

from stratum_miner.app.config import numbers
from stratum_miner.app.config.keys import ConfigKey, keys_of
from stratum_miner.quantities import duration_spelling


def takes_options_of(table: type) -> Callable[[Callable[..., int]], Callable[..., int]]:
    """Return a decorator for the function of a command. The decorator adds an option for each key of ``table``.

    The function must take ``**given``, which gets the values of these options. In the signature, the added arguments
    come before the keyword arguments that the function itself declares.
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
    """Return a default that fits the type of the key, for the parser of the command line. The parser needs it, but the
    command never gets it."""
    return key.default if key.wanted is bool else None


def _shown_default(key: ConfigKey) -> str:
    if key.is_duration:
        return duration_spelling(key.default)
    return "true" if key.default is True else str(key.default)


def _annotation(key: ConfigKey) -> Any:
    declared = key.parameter
    assert declared is not None
    default = "" if key.default in (None, False) else f" [default: {_shown_default(key)}]"
    parameter = Parameter(
        name=declared.name,
        help=(declared.help or "") + default,
        group=declared.group,
        negative=None if key.wanted is bool else (),
        metavar=declared.metavar,
        converter=declared.converter or numbers.convert,
        show_default=False,
    )
    # A flag keeps the type "bool". With "bool | None", shell completion would expect a value after the flag.
    wanted = bool if key.wanted is bool else key.wanted | None
    return Annotated[wanted, parameter]
