"""The client removes the password, in any spelling, from all texts of a pool."""

import json

import pytest
import structlog.testing
from trio.testing import MockClock

from stratum_miner.client import PoolSettings, PoolUrl
from stratum_miner.stratum.errors import SHARE_LOST_TEXT
from tests.client.client_lab import lab

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


@pytest.mark.parametrize("password", ["share", "lost", "upstream", "x"])
async def test_what_a_pool_means_does_not_depend_on_the_password(autojump_clock: MockClock, password: str) -> None:
    async with lab(password=password) as it:
        pool = await it.mining()
        for share, error in zip(it.shares(it.recorder.jobs[0], 2), [SHARE_LOST_TEXT, f"bad {password}"], strict=True):
            it.client.submit(share)
            await pool.reply(await pool.request("mining.submit"), None, [20, error, None])
        await it.recorder.until(lambda: len(it.recorder.results) == 2)
        assert it.recorder.fates == ["lost", "rejected"]
        assert it.recorder.results[1].reason == f"20: bad {'x' if password == 'x' else '***'}"


@pytest.mark.parametrize("password", ["later", "again", "overloaded"])
async def test_a_refusal_that_passes_does_so_with_any_password(autojump_clock: MockClock, password: str) -> None:
    async with lab(password=password) as it:
        for _ in range(2):
            pool = await it.connection()
            await pool.accept_subscribe()
            await pool.reply(await pool.request("mining.authorize"), None, [20, "overloaded, try again later", None])
        pool = await it.connection()
        await pool.accept()
        await pool.notify()
        await it.recorder.until(lambda: it.recorder.jobs)


@pytest.mark.parametrize("password", [PASSWORD, "mining", "12345"])
async def test_nothing_that_a_pool_says_is_passed_on_with_the_password(
    autojump_clock: MockClock, password: str
) -> None:
    with structlog.testing.capture_logs() as logged:
        async with lab(password=password) as it:
            pool = await it.mining()
            await pool.send_call("client.show_message", f"your password is {password}")
            await pool.send_call(f"new.{password}.method")
            await pool.send_call("mining.set_difficulty", f"not {password}")
            await pool.send({"id": f"an id {password}", "result": None, "error": [20, f"bad {password}", None]})
            await pool.send({"id": 77, "result": f"a result {password}", "error": None})
            it.client.submit(it.shares(it.recorder.jobs[0], 1)[0])
            await pool.reply(await pool.request("mining.submit"), None, [20, f"bad {password}", None])
            await it.recorder.until(lambda: it.recorder.results)
    told = [str(entry) for entry in logged if entry["event"] != "mining"]
    assert any("your password is ***" in text for text in told)
    assert any("an id ***" in text and "bad ***" in text for text in told)
    spelt = {password, json.dumps(password)[1:-1], repr(password)[1:-1]}
    assert not [text for text in told for spelling in spelt if f" {spelling}" in text.replace("'mining.", "'")]
