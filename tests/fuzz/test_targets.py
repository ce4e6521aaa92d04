"""Every committed input, and a short pass of others made of them, through its target. ``make fuzz`` takes longer."""

import random
from itertools import islice

import pytest

from tests.fuzz.judge import CORPORA, NAMES, corpus, judge, load, mutants

ROUNDS = 100
"""Inputs of the short pass; a target whose run takes long has a ROUNDS of its own."""
SEED = 20_261_130
LARGEST_CORPUS = 48 << 10
"""Bytes of all committed inputs of a target."""


@pytest.mark.parametrize("name", NAMES)
def test_every_committed_input(name: str) -> None:
    target = load(name)
    inputs = corpus(name)
    assert inputs
    assert sum(len(data) for _, data in inputs) <= LARGEST_CORPUS
    for file, data in inputs:
        try:
            judge(target, data)
        except Exception as error:
            raise AssertionError(f"{name}: {CORPORA / name / file}") from error


@pytest.mark.parametrize("name", NAMES)
def test_inputs_made_of_them(name: str) -> None:
    target = load(name)
    for data in islice(mutants(name, random.Random(SEED)), getattr(target, "ROUNDS", ROUNDS)):
        try:
            judge(target, data)
        except Exception as error:
            raise AssertionError(f"{name}: {data!r}") from error


def test_each_corpus_has_a_target() -> None:
    assert {path.name for path in CORPORA.iterdir()} == set(NAMES)
