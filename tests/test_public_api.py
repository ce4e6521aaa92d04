"""The public API of the package: what it exports, that it is complete and documented, and that docs/reference/api.md
lists it.

``PUBLIC`` is the one place that says which packages are public. A package is ready for it once its ``__all__`` has
every name that its users need. A name of a public package is exported on purpose, and so is each public method of its
classes: both stand in a row of docs/reference/api.md.
"""

import ast
import builtins
import dataclasses
import functools
import importlib
import inspect
import re
import textwrap
import typing
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FunctionType
from typing import Any, NamedTuple

import pytest

from tests.test_imports import statements

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "stratum_miner"
API_PAGE = ROOT / "docs" / "reference" / "api.md"
PAGE = API_PAGE.read_text(encoding="utf-8")

PUBLIC = (
    "bitcoin", "stratum", "work", "backends", "client", "miner", "pool", "proxy", "conformance", "emulators", "testing",
)  # fmt: skip
"""The public packages below ``stratum_miner``, in the order of docs/reference/api.md."""

EACH_PACKAGE = pytest.mark.parametrize("package", PUBLIC)


class Member(NamedTuple):
    """One exported name of a public package."""

    name: str
    value: Any

    @property
    def members(self) -> dict[str, Any]:
        """Public methods and properties, those of base classes of this package included."""
        if not inspect.isclass(self.value):
            return {}
        found: dict[str, Any] = {}
        for base in self.value.__mro__:
            if is_ours(base):
                for name, value in vars(base).items():
                    if not name.startswith("_") and is_method(value):
                        found.setdefault(name, value)
        return dict(sorted(found.items()))


def is_ours(value: Any) -> bool:
    """Whether a class or function is defined in stratum_miner."""
    return str(getattr(value, "__module__", "")).startswith("stratum_miner")


def is_method(value: Any) -> bool:
    """Whether an attribute of a class is a method or a property."""
    return isinstance(value, FunctionType | classmethod | staticmethod | property | functools.cached_property)


def functions_of(value: Any) -> list[Callable[..., Any]]:
    """The functions behind a method or a property."""
    match value:
        case property():
            return [each for each in (value.fget, value.fset) if each is not None]
        case functools.cached_property():
            return [value.func]
        case classmethod() | staticmethod():
            return [value.__func__]
        case _:
            return [value]


def exported(package: str) -> list[Member]:
    """The names in ``__all__`` of a package, with what they are."""
    module = importlib.import_module(f"stratum_miner.{package}")
    return [Member(name, getattr(module, name)) for name in module.__all__]


# ---- names ----------------------------------------------------------------------------------------------------------


@EACH_PACKAGE
def test_every_import_of_a_public_package_is_exported(package: str) -> None:
    tree = ast.parse((PACKAGE / package / "__init__.py").read_text(encoding="utf-8"))
    imported = {alias.asname or alias.name for node in ast.walk(tree) for alias in getattr(node, "names", ())}
    ours = {member.name for member in exported(package)}
    assert {name for name in imported if not name.startswith("_")} - ours <= {"TYPE_CHECKING", "import_module", "Any"}


@EACH_PACKAGE
def test_the_names_of_a_package_are_exported_once_and_exist(package: str) -> None:
    names = [member.name for member in exported(package)]
    assert len(names) == len(set(names))


def docstring_of(module: str, name: str) -> str | None:
    """The docstring of a name that a module defines or imports; that of a constant or an alias stands below it."""
    file = PACKAGE.parent / (module.replace(".", "/") + ".py")
    file = file if file.exists() else file.parent / file.stem / "__init__.py"
    body = ast.parse(file.read_text(encoding="utf-8")).body
    for at, node in enumerate(body):
        match node:
            case ast.ClassDef(name=found) | ast.FunctionDef(name=found) | ast.AsyncFunctionDef(name=found):
                if found == name:
                    return ast.get_docstring(node)
            case ast.AnnAssign(target=ast.Name(id=found)) | ast.Assign(targets=[ast.Name(id=found)]):
                if found == name:
                    after = body[at + 1] if at + 1 < len(body) else None
                    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                        return str(after.value.value)
                    return None
            case ast.ImportFrom(module=str(source), names=names):
                for alias in names:
                    if (alias.asname or alias.name) == name:
                        return docstring_of(source, alias.name)
            case ast.If(body=inner):  # names of a package that loads lazily are imported for type checkers only
                for each in inner:
                    if isinstance(each, ast.ImportFrom) and each.module:
                        for alias in each.names:
                            if (alias.asname or alias.name) == name:
                                return docstring_of(each.module, alias.name)
            case _:
                pass
    raise AssertionError(f"{module}.{name}: expected a definition at the top level, found none")


@EACH_PACKAGE
def test_every_exported_name_has_a_docstring(package: str) -> None:
    module = f"stratum_miner.{package}"
    without = [member.name for member in exported(package) if not docstring_of(module, member.name)]
    without += [
        f"{member.name}.{name}"
        for member in exported(package)
        for name, value in member.members.items()
        if not inspect.getdoc(functions_of(value)[0])
    ]
    assert not without, f"write a docstring of {', '.join(without)}"


# ---- types ----------------------------------------------------------------------------------------------------------


def types_in(hint: Any) -> Iterator[Any]:
    """The classes of ours that an annotation names, those inside of unions and containers included."""
    origin = typing.get_origin(hint)
    for part in typing.get_args(hint):
        for each in part if isinstance(part, list) else [part]:
            yield from types_in(each)
    named = hint if origin is None else origin
    if isinstance(named, typing.TypeVar):
        for bound in (named.__bound__, *named.__constraints__):
            if bound is not None:
                yield from types_in(bound)
    elif is_ours(named) and (inspect.isclass(named) or isinstance(named, typing.NewType)):
        yield named


def hints_of(value: Any) -> dict[str, Any]:
    """The resolved annotations of a class or function."""
    return typing.get_type_hints(value)


def named_types(member: Member) -> Iterator[tuple[str, Any]]:
    """Where an exported name names a type of ours: parameters, results and public attributes."""
    if not inspect.isclass(member.value):
        hints = hints_of(member.value).values() if inspect.isfunction(member.value) else [member.value]
        yield from ((member.name, each) for hint in hints for each in types_in(hint))
        return
    for name, hint in hints_of(member.value).items():
        if not name.startswith("_"):
            yield from ((f"{member.name}.{name}", each) for each in types_in(hint))
    made = member.value.__init__
    methods = member.members if dataclasses.is_dataclass(member.value) else {**member.members, "__init__": made}
    for name, method in methods.items():
        for function in functions_of(method):
            if is_ours(function):
                for parameter, hint in hints_of(function).items():
                    yield from ((f"{member.name}.{name}: {parameter}", each) for each in types_in(hint))


@EACH_PACKAGE
def test_every_type_that_a_public_name_uses_is_exported(package: str) -> None:
    known = {id(member.value) for each in PUBLIC for member in exported(each)}
    hidden: dict[str, list[str]] = defaultdict(list)
    for member in exported(package):
        for where, named in named_types(member):
            if id(named) not in known:
                hidden[f"{named.__module__}.{named.__name__}"].append(where)
    assert not hidden, "\n".join(f"export {name}, which is in {', '.join(where)}" for name, where in hidden.items())


def test_a_type_name_exists_once_or_is_private() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in statements(tree):
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
        for node in tree.body:
            match node:
                case ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]):
                    if name[0].isupper() and not name.isupper():
                        places[name].append(f"{path.relative_to(ROOT)}:{node.lineno}")
                case _:
                    pass
    assert {name: where for name, where in places.items() if len(where) > 1 and not name.startswith("_")} == {}


# ---- errors ---------------------------------------------------------------------------------------------------------


def raised_in(function: Callable[..., Any]) -> set[str]:
    """The exception classes that the body of a function itself raises and does not catch."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            raised = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            name = raised.attr if isinstance(raised, ast.Attribute) else getattr(raised, "id", "")
            value = inspect.unwrap(function).__globals__.get(name, getattr(builtins, name, None))
            if inspect.isclass(value) and issubclass(value, Exception):
                found.add(name)
    return found - {"NotImplementedError", "AssertionError", "StopAsyncIteration", "StopIteration"}


@EACH_PACKAGE
def test_docstrings_name_the_errors(package: str) -> None:
    silent = set()
    for member in exported(package):
        cases = [(member.name, member.value, inspect.getdoc(member.value) or "")]
        if inspect.isclass(member.value):
            text = inspect.getdoc(member.value) or ""
            cases = [
                (f"{member.name}.{name}", function, inspect.getdoc(function) or "")
                for name, method in member.members.items()
                for function in functions_of(method)
            ]
            for name in ("__init__", "__post_init__"):
                function = getattr(member.value, name, None)
                if inspect.isfunction(function) and is_ours(function):
                    cases.append((f"{member.name}.{name}", function, text + (inspect.getdoc(function) or "")))
        for where, function, text in cases:
            if inspect.isfunction(function) and "<string>" not in function.__code__.co_filename:
                silent |= {(where, error) for error in raised_in(function) if error not in text}
    assert not silent, "\n".join(f"{where}: name {error} in the docstring" for where, error in sorted(silent))


# ---- docs/reference/api.md ------------------------------------------------------------------------------------------


def row_of(package: str, member: Member) -> str:
    """The row of api.md for a name, with the first sentence of its docstring."""
    text = " ".join((docstring_of(f"stratum_miner.{package}", member.name) or "").split())
    first = re.match(r"(.*?\.)(?: |$)", text.replace("``", "`"))
    methods = ", ".join(f"`{name}`" for name in member.members)
    return f"| `{member.name}` | {first[1] if first else text} | {methods} |"


def section_of(package: str) -> str:
    """The section of api.md about a package. Its introduction is kept, its table is made from the docstrings."""
    before = re.search(rf"\n## `stratum_miner\.{package}`\n(.*?)\n\| name ", PAGE, re.DOTALL)
    introduction = before[1].strip("\n") if before else ""
    rows = [row_of(package, member) for member in exported(package)]
    table = "\n".join(["| name | what it is | methods and properties |", "|---|---|---|", *rows])
    return f"\n## `stratum_miner.{package}`\n\n{introduction}{chr(10) * 2 if introduction else ''}{table}\n"


def test_api_page_lists_what_is_exported() -> None:
    """``python -m tests.test_public_api`` writes the tables of the page."""
    assert rendered() == PAGE, "run python -m tests.test_public_api, and read what it changes"


def rendered() -> str:
    """The whole page: the text before the first section, and a section for each public package."""
    return PAGE.partition("\n## `")[0] + "".join(map(section_of, PUBLIC))


if __name__ == "__main__":
    API_PAGE.write_text(rendered(), encoding="utf-8")
