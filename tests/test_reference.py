"""The generated parts of docs/reference are those of the code."""

from collections.abc import Callable

import pytest

from tests import reference


@pytest.mark.parametrize("part", reference.PARTS, ids=lambda part: part.__name__)
def test_a_page_is_what_the_code_makes_of_it(part: Callable[[], str]) -> None:
    page = reference.DOCS / reference.PARTS[part]
    text = page.read_text(encoding="utf-8")
    # as a condition: the difference of two pages takes pytest minutes to show
    assert bool(text == reference.renewed(text, part)), f"docs/{reference.PARTS[part]}: run {reference.COMMAND}"


def test_a_page_without_the_part_is_refused() -> None:
    with pytest.raises(ValueError, match="expected the lines <!-- commands -->"):
        reference.renewed("# Commands\n", reference.commands)
