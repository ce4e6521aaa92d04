"""Settings that are written as TOML are the same when they are read."""

import tomllib
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from stratum_miner.app.config.writing import assignment

VALUES = st.recursive(
    st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(st.text(), VALUES)
def test_one_line_reads_back(key: str, value: object) -> None:
    line = assignment(key, value)
    assert "\n" not in line
    assert tomllib.loads(line) == {key: value}


def test_file_names() -> None:
    assert assignment("journal", Path("/a b")) == 'journal = "/a b"'
