"""What a pool says with our password in it, in whatever spelling, reaches nobody with it."""

import json

import pytest

from stratum_miner.client import PoolSettings, PoolUrl

PASSWORD = 'hünter"2\\fish'


def settings(password: str) -> PoolSettings:
    return PoolSettings(url=PoolUrl.parse("h:1"), worker_name="w", password=password)


@pytest.mark.parametrize(
    "said",
    [
        PASSWORD,
        json.dumps(PASSWORD),
        json.dumps(PASSWORD, ensure_ascii=False),
        repr(PASSWORD),
        repr(json.dumps(PASSWORD)),
    ],
)
def test_every_spelling_is_hidden(said: str) -> None:
    hidden = settings(PASSWORD).without_password(f"20: bad password {said}")
    assert "fish" not in hidden
    assert hidden.startswith("20: bad password ")


def test_a_conventional_password_leaves_words_alone() -> None:
    assert settings("x").without_password("expected x") == "expected x"
