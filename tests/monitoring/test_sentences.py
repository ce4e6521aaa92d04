"""Tests that every event that is logged in the source has a sentence, and all fields that the sentence needs."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import stratum_miner
from stratum_miner.monitoring.sentences import SENTENCES, sentence

SOURCE = Path(stratum_miner.__file__).parent
LOGGERS = ("log", "_log", "logger")
LEVELS = ("debug", "info", "warning", "error", "critical", "exception")
MAY_LOG = re.compile(rf"\b({'|'.join(LOGGERS)})\s*\.\s*({'|'.join(LEVELS)})\b")
READS_WELL = frozenset({"status", "load", "miner", "ended"})
"""Events that are lists of figures and read well without a sentence: "Status: miners 3, rate 2 MH/s"."""
OTHER_FIELDS = frozenset({("cli/emulate.py", "ready")})
"""Calls that log an event with other fields on purpose, so that it is shown without its sentence."""


@dataclass(frozen=True, slots=True)
class Logged:
    """One call of a logger in the source."""

    where: str
    level: str
    name: str
    fields: frozenset[str]
    complete: bool
    """Whether the call names all its fields."""


@cache
def calls() -> tuple[Logged, ...]:
    return tuple(_calls())


def _calls() -> Iterator[Logged]:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text()
        if not MAY_LOG.search(text):  # a syntax tree takes long
            continue
        for node in ast.walk(ast.parse(text)):
            if _is_logging(node):
                assert isinstance(node, ast.Call)
                assert isinstance(node.func, ast.Attribute)
                for name in _names(node.args[0]) if node.args else ():
                    fields = {keyword.arg for keyword in node.keywords}
                    yield Logged(
                        f"{path.relative_to(SOURCE)}:{node.lineno}",
                        node.func.attr,
                        name,
                        frozenset(field for field in fields if field is not None),
                        None not in fields,
                    )


def _is_logging(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in LEVELS
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in LOGGERS
    )


def _names(argument: ast.expr) -> list[str]:
    """Return the names of the event, also of both branches of a condition. The tests of a module cover computed
    names."""
    return [node.value for node in ast.walk(argument) if isinstance(node, ast.Constant) and isinstance(node.value, str)]


FIELD = re.compile(r"\{(\w+)\}")


def said() -> list[Logged]:
    """Return the calls that name all their fields and have a sentence."""
    return [
        call
        for call in calls()
        if call.complete and call.name in SENTENCES and (call.where.partition(":")[0], call.name) not in OTHER_FIELDS
    ]


def needed(call: Logged) -> set[str]:
    """Return the fields that the sentence of the event always needs: those outside of brackets."""
    return set(FIELD.findall(re.sub(r"\[[^\]]*\]", "", SENTENCES[call.name])))


def test_the_source_is_seen() -> None:
    names = {call.name for call in calls()}
    assert {"http", "pool_enabled", "pool_disabled", "new_block", "kernel_chosen", "device_started"} <= names
    assert len(names) > 80
    assert len(said()) > 100
    assert sum(bool(needed(call)) for call in said()) > 90


def test_what_people_see_is_a_sentence() -> None:
    known = {*SENTENCES, *READS_WELL}
    assert [f"{call.where}: {call.name}" for call in calls() if call.level != "debug" and call.name not in known] == []


def test_a_sentence_gets_the_fields_that_it_needs() -> None:
    lacking = [(call.where, call.name, needed(call) - call.fields) for call in said()]
    assert [item for item in lacking if item[2]] == []


def test_a_sentence_says_every_field_that_it_knows_of() -> None:
    for call in said():
        told = sentence(call.name, {field: f"<{field}>" for field in call.fields})
        for field in call.fields & set(FIELD.findall(SENTENCES[call.name])):
            assert f"<{field}>" in told, call.where


def test_a_sentence_begins_like_one_and_ends_like_one() -> None:
    for name, template in SENTENCES.items():
        assert template[0].isupper() or template[0] in "{[", name
        assert template.endswith((".", "}", "]")), name


def test_no_sentence_is_for_nothing() -> None:
    """Each event is logged somewhere, by its name or as the value of a state."""
    text = "".join(path.read_text() for path in SOURCE.rglob("*.py") if path.name != "sentences.py")
    unused = [name for name in SENTENCES if f'"{name}"' not in text and not name.startswith("share_")]
    assert unused == []
