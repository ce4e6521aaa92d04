"""Writes the parts of docs/reference that come from the code: ``python -m tests.reference``.

A generated part of a page stands between the lines ``<!-- NAME -->`` and ``<!-- end -->``; ``PARTS`` has the page and
the function of each name. The rest of a page is written by hand. ``test_reference`` checks that the pages are up to
date. The page on the Python API has a generator of its own, ``tests.test_public_api``.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import cyclopts
from cyclopts import Argument
from prometheus_client.parser import text_string_to_metric_families

from stratum_miner.app.config.keys import keys_of
from stratum_miner.app.config.profiles import BackendProfile, PoolProfile
from stratum_miner.app.config.writing import reference as key_table
from stratum_miner.app.options.mine import MineOptions
from stratum_miner.cli.parser import peers
from stratum_miner.cli.parser.commands import COMMANDS
from stratum_miner.cli.parser.program import command_line
from stratum_miner.conformance import ALL
from stratum_miner.conformance import report as conformance_report
from stratum_miner.emulators import FAULTS
from stratum_miner.faults.misbehaving_miner import MINER_FAULTS
from stratum_miner.faults.pool_faults import POOL_FAULTS
from stratum_miner.faults.share_faults import SHARE_FAULTS
from stratum_miner.monitoring.cgminer import fields
from stratum_miner.monitoring.cgminer.commands import COMMANDS as CGMINER_COMMANDS
from stratum_miner.monitoring.http.endpoints import ENDPOINTS, PREFIX
from stratum_miner.monitoring.http.openapi import document
from tests.monitoring.http.scrapes import of_miner, of_pool, of_proxy
from tests.monitoring.served import full_view

DOCS = Path(__file__).parents[1] / "docs"
COMMAND = "python -m tests.reference"


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a Markdown table."""
    lines = (f"| {' | '.join(cells)} |".replace("|  |", "| |") for cells in (heads, *rows))
    head, *others = lines
    return "\n".join((head, "|---" * len(heads) + "|", *others)) + "\n"


def escaped(text: str) -> str:
    """Return a text as it stands in a cell of a table."""
    return " ".join(text.split()).replace("|", r"\|").replace("<", r"\<").replace("[", r"\[").replace("``", "`")


# ---- commands -------------------------------------------------------------------------------------------------------


def all_commands() -> Iterator[tuple[str, cyclopts.App]]:
    """Yield every command that does something, with its words, in the order of the list of commands."""
    app = command_line()

    def below(app: cyclopts.App, words: str) -> Iterator[tuple[str, cyclopts.App]]:
        if app.default_command is not None:
            yield words, app
        for name in app:
            if not name.startswith("-"):
                yield from below(app[name], f"{words} {name}".strip())

    for name in COMMANDS:
        yield from below(app[name], name)


def commands() -> str:
    """Return a section for each command: what it does, its arguments and its options."""
    return "\n".join(_command(words, app) for words, app in all_commands())


def _command(words: str, app: cyclopts.App) -> str:
    collected = app.assemble_argument_collection(parse_docstring=True)
    arguments = [each for each in collected if each.parameter.show is not False]
    positional = [_in_usage(each) for each in arguments if not each.names[0].startswith("-")]
    usage = " ".join((words, *positional, *(["[OPTIONS]"] if len(arguments) > len(positional) else [])))
    text = [f"## {words}\n", f"`stratum-miner {usage}`\n", *(f"{paragraph}\n" for paragraph in _description(app))]
    groups: dict[str, list[Argument]] = {}
    for argument in arguments:
        groups.setdefault(_group(argument), []).append(argument)
    for group, members in groups.items():
        if len(groups) > 1:
            text.append(f"**{group}**\n")
        first = "argument" if group == "Arguments" else "option"
        text.append(table((first, "takes", "default", "description"), map(_row, members)))
    return "\n".join(text)


def _in_usage(argument: Argument) -> str:
    name = argument.names[0] + ("..." if _is_list(argument.hint) else "")
    return name if argument.required else f"[{name}]"


def _description(app: cyclopts.App) -> list[str]:
    text = inspect.cleandoc(app.help).partition("\nParameters\n---")[0]
    return [_escaped_prose(" ".join(paragraph.split())) for paragraph in text.split("\n\n") if paragraph.strip()]


def _escaped_prose(text: str) -> str:
    escaped_text = re.sub(r"([<>*$\[])", r"\\\1", text).replace("``", "`")
    return textwrap.fill(escaped_text, 120, break_long_words=False, break_on_hyphens=False)


def _group(argument: Argument) -> str:
    groups = argument.parameter.group or ()
    names = [group if isinstance(group, str) else group.name for group in groups]  # type: ignore[union-attr]
    return names[0] if names else ("Arguments" if not argument.names[0].startswith("-") else "Options")


DEFAULT = re.compile(r" ?\[default: ([^\[\]]+)\]$")


def _row(argument: Argument) -> tuple[str, ...]:
    text = " ".join((argument.parameter.help or str(argument.field_info.help or "")).split())
    default = DEFAULT.search(text)
    shown = default[1] if default else _default(argument)
    names = " ".join(f"`{name}`" for name in argument.names)
    return names, _takes(argument), escaped(shown), escaped(DEFAULT.sub("", text))


def _default(argument: Argument) -> str:
    if argument.required:
        return "required"
    value = argument.field_info.default
    if value in (None, False, "", argument.field_info.empty) or not argument.show_default:
        return ""
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(getattr(value, "value", value))


def _takes(argument: Argument) -> str:
    choices = argument.get_choices()
    if choices:
        return ", ".join(f"`{choice}`" for choice in choices)
    kinds = {_inner(argument.hint)}
    names = {bool: "", int: "an integer", float: "a number", Path: "a file name"}
    return next((names[kind] for kind in kinds if kind in names), "a string")


def _inner(hint: Any) -> Any:
    """Return the type of one value of an option."""
    if get_origin(hint) in (UnionType, Union):
        return _inner(next(kind for kind in get_args(hint) if kind is not NoneType))
    if get_origin(hint) in (list, tuple):
        return _inner(get_args(hint)[0])
    return hint if get_origin(hint) is not Literal else str


def _is_list(hint: Any) -> bool:
    return get_origin(hint) in (list, tuple) or any(_is_list(each) for each in get_args(hint))


def peers_options() -> str:
    """Return the options of other miners, and what each of them is here."""

    def answer(way: peers.Renamed | peers.Way | peers.Algorithm) -> str:
        match way:
            case peers.Renamed(to=name):
                return f"`{name}`"
            case peers.Way(advice=advice):
                return escaped(advice)
            case peers.Algorithm():
                return "accepted for sha256d, the only algorithm that can be mined here"

    rows: dict[str, list[str]] = {}
    for option, way in (*peers.OPTIONS.items(), *((f"{start}...", way) for start, way in peers.FAMILIES.items())):
        rows.setdefault(answer(way), []).append(f"`{option}`")
    return table(("option there", "here"), ((", ".join(names), text) for text, names in rows.items()))


def tester_options() -> str:
    """Return the options of other test programs after each command, and what each of them is here."""
    rows: dict[tuple[str, str], list[str]] = {}
    for command, ways in peers.OF_COMMANDS.items():
        for option, way in ways.items():
            text = f"`{way.to}`" if isinstance(way, peers.Renamed) else escaped(way.advice)
            rows.setdefault((f"`{command}`", text), []).append(f"`{option}`")
    return table(
        ("command", "option there", "here"),
        ((command, ", ".join(names), text) for (command, text), names in rows.items()),
    )


# ---- configuration --------------------------------------------------------------------------------------------------


def options() -> str:
    """Return the keys that stand above all tables of a configuration file."""
    return key_table(keys_of(MineOptions).values(), options=True) + "\n"


def pools() -> str:
    """Return the keys of ``[pools.NAME]``."""
    return key_table(keys_of(PoolProfile).values(), options=False) + "\n"


def backends() -> str:
    """Return the keys of ``[backends.NAME]``."""
    return key_table(keys_of(BackendProfile).values(), options=False) + "\n"


# ---- interfaces of a running program --------------------------------------------------------------------------------


def endpoints() -> str:
    """Return the paths of the HTTP API."""

    def with_it(item: Any) -> str:
        if item.body is not None:
            return ", ".join(f"`{name}`" for name in item.body.__struct_fields__)
        return ", ".join(f"`?{name}=`" for name in item.query)

    return table(
        ("", "path", "what", "takes"),
        ((item.method, f"`{PREFIX}{item.path}`", item.summary, with_it(item)) for item in ENDPOINTS),
    )


def schemas() -> str:
    """Return the fields of every object of the HTTP API, from its OpenAPI document."""
    components = document()["components"]["schemas"]
    meanings = dict(_meanings())
    return "\n".join(_schema(name, schema, meanings) for name, schema in components.items())


def _schema(name: str, schema: dict[str, Any], meanings: dict[tuple[str, str], str]) -> str:
    description, fields = schema.get("description", ""), schema["properties"]
    needed = set(schema.get("required", ()))
    rows = (
        (
            f"`{key}`",
            _schema_type(value) + ("" if key in needed else ", may be left out"),
            _in_json(escaped(meanings.get((name, key), ""))),
        )
        for key, value in fields.items()
    )
    heading = f"### {name}\n\n{_in_json(_escaped_prose(' '.join(description.split())))}\n\n"
    return heading + table(("field", "type", "meaning"), rows)


def _in_json(text: str) -> str:
    """Return a sentence about a Python value as a sentence about its JSON."""
    return re.sub(r"\bNone\b", "`null`", text)


def _schema_type(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(map(_schema_type, schema["anyOf"])))
    if schema.get("type") == "array":
        return f"list of {_schema_type(schema['items'])}" if schema.get("items") else "list"
    if schema.get("type") == "object" and isinstance(schema.get("additionalProperties"), dict):
        return (
            f"object of {_schema_type(schema['additionalProperties'])}" if schema["additionalProperties"] else "object"
        )
    return str(schema.get("type", "any"))


def _meanings() -> Iterator[tuple[tuple[str, str], str]]:
    """Yield the docstring of each field of the classes that the HTTP API sends and takes."""
    package = Path(inspect.getfile(document)).parents[1]
    for path in (
        package / "view.py",
        *sorted((package / "http").glob("*.py")),
        package.parent / "work" / "durations.py",
    ):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                for field, text in zip(node.body, node.body[1:], strict=False):
                    if (
                        isinstance(field, ast.AnnAssign)
                        and isinstance(field.target, ast.Name)
                        and isinstance(text, ast.Expr)
                        and isinstance(text.value, ast.Constant)
                    ):
                        yield (node.name, field.target.id), str(text.value.value)


def _families(text: str) -> str:
    def row(family: Any) -> tuple[str, ...]:
        labels = sorted({name for sample in family.samples for name in sample.labels} - {"le"})
        name = family.samples[0].name if family.samples and family.type != "histogram" else family.name
        return f"`{name}`", family.type, ", ".join(f"`{label}`" for label in labels), family.documentation

    return table(("name", "type", "labels", "what"), map(row, text_string_to_metric_families(text)))


def metrics() -> str:
    """Return the metrics of ``mine``."""
    return _families(of_miner())


def pool_metrics() -> str:
    """Return the metrics of ``pool``."""
    return _families(of_pool())


def proxy_metrics() -> str:
    """Return the metrics of ``proxy``."""
    return _families(of_proxy())


def cgminer_commands() -> str:
    """Return the commands of cgminer's API."""

    def row(name: str) -> tuple[str, ...]:
        command = CGMINER_COMMANDS[name]
        return f"`{name}`", "W" if command.writes else "R", "yes" if command.joinable else "no"

    return table(("command", "group", "may be joined"), map(row, CGMINER_COMMANDS))


def cgminer_fields() -> str:
    """Return the fields of the answers of cgminer's API, in their order."""
    view = full_view()
    answers: dict[str, list[dict[str, Any]]] = {
        "summary": [fields.summary(view)],
        "pools": fields.pools(view),
        "devs": fields.devices(view),
        "devdetails": fields.details(view),
        "stats": fields.statistics(view),
        "notify": fields.notices(view),
        "config": [fields.configuration(view)],
        "coin": [fields.coin(view)],
        "lcd": [fields.lcd(view)],
    }
    rows = (
        (f"`{command}`", ", ".join(f"`{name}`" for name in dict.fromkeys(name for item in found for name in item)))
        for command, found in answers.items()
    )
    return table(("command", "fields of its answer"), rows)


# ---- faults and checks ----------------------------------------------------------------------------------------------


def pool_faults() -> str:
    """Return the faults of ``pool --fault``."""
    rows = (
        (f"`{fault.name}{'' if fault.default is None else f'={fault.default}'}`", escaped(fault.summary))
        for fault in POOL_FAULTS.values()
    )
    return table(("fault", "the pool"), rows)


def miner_faults() -> str:
    """Return the faults of ``misbehave``."""
    rows = (
        (f"`{fault.name}`", f"{'the share' if fault.name in SHARE_FAULTS else 'the miner'} {escaped(fault.summary)}")
        for fault in MINER_FAULTS.values()
    )
    return table(("fault", "what is wrong"), rows)


def device_faults() -> str:
    """Return the faults of ``emulate --fault``."""

    def default(name: str) -> str:
        fault = FAULTS[name]
        often = "" if fault.probability is None else f"probability {fault.probability:g}"
        start = f"from second {fault.start:g} on" if fault.start else ""
        length = f"for {fault.seconds:g} s" if fault.seconds < float("inf") else ""
        return ", ".join(filter(None, (often, start, length))) or "from the start on"

    return table(
        ("fault", "effect", "default"), ((f"`{name}`", FAULTS[name].meaning, default(name)) for name in FAULTS)
    )


def checks() -> str:
    """Return all conformance checks."""
    return conformance_report.table(ALL)


PARTS: dict[Callable[[], str], str] = {
    commands: "reference/commands.md",
    peers_options: "how-to/move-from-another-miner.md",
    tester_options: "how-to/test-your-pool.md",
    options: "reference/configuration.md",
    pools: "reference/configuration.md",
    backends: "reference/configuration.md",
    endpoints: "reference/http-api.md",
    schemas: "reference/http-api.md",
    metrics: "reference/metrics.md",
    pool_metrics: "reference/metrics.md",
    proxy_metrics: "reference/metrics.md",
    cgminer_commands: "reference/cgminer-api.md",
    cgminer_fields: "reference/cgminer-api.md",
    pool_faults: "reference/faults.md",
    miner_faults: "reference/faults.md",
    device_faults: "reference/faults.md",
    checks: "reference/conformance.md",
}
"""The page of each generated part. The name of the function is the name of the part."""


def renewed(text: str, part: Callable[[], str]) -> str:
    """Return the text of a page with one part generated again. Raises ValueError if the page lacks the part."""
    before, mark, rest = text.partition(f"<!-- {part.__name__} -->\n")
    _, end, after = rest.partition("<!-- end -->")
    if not (mark and end):
        raise ValueError(f"docs/{PARTS[part]}: expected the lines <!-- {part.__name__} --> and <!-- end -->")
    return f"{before}{mark}\n{part()}\n{end}{after}"


def main() -> None:
    """Write all generated parts."""
    for part, name in PARTS.items():
        page = DOCS / name
        page.write_text(renewed(page.read_text(encoding="utf-8"), part), encoding="utf-8")


if __name__ == "__main__":
    main()
