"""A new backend needs one file and one line in the registry: a copy of the package gets one and mines with it."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import trio

from stratum_miner.testing.manual_pool import REGTEST_JOB, ManualPool
from tests.package_copy import add_line, copied, environment, python, said

ADDED = Path(__file__).parent / "added"


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    package = copied(tmp_path_factory.mktemp("added"))
    shutil.copy(ADDED / "coin.py", package / "backends")
    line = '    "coin": "stratum_miner.backends.coin:CoinBackend",'
    add_line(package / "backends" / "registry.py", "BUILT_IN = {\n", line)
    return package


def test_help_and_errors_name_it(copy: Path) -> None:
    for command in ("mine", "solo"):
        assert "coin," in said(copy, "-m", "stratum_miner", command, "--help-all")
    arguments = ("mine", "--no-config", "-o", "127.0.0.1:1", "-u", "w", "--backend", "coinn")
    assert "did you mean 'coin'" in said(copy, "-m", "stratum_miner", *arguments, fails=True)


def test_the_table_of_the_documentation_names_it(copy: Path) -> None:
    program = (
        "from stratum_miner.app.config.keys import keys_of\n"
        "from stratum_miner.app.options.mine import MineOptions\n"
        "print(keys_of(MineOptions)['backend'].help)"
    )
    assert "coin, " in said(copy, "-c", program)


def test_a_password_like_it_hides_nothing_of_ours(copy: Path) -> None:
    program = (
        "from stratum_miner.app.process import secrets\n"
        "secrets.register('coin')\n"
        "print(secrets.redact('coin: at work'))"
    )
    assert said(copy, "-c", program) == "coin: at work\n"


def test_it_keeps_the_contract(copy: Path) -> None:
    program = (
        "import trio\n"
        "from stratum_miner.backends.registry import load\n"
        "from stratum_miner.testing import check_backend\n"
        "async def check():\n"
        "    await check_backend(lambda: load('coin').from_options({}))\n"
        "trio.run(check)\n"
        "print('kept')"
    )
    assert said(copy, "-c", program) == "kept\n"


async def test_it_mines_and_the_summary_tells_of_its_device(copy: Path) -> None:
    async def serve(stream: trio.SocketStream) -> None:
        pool = ManualPool(stream)
        await pool.accept(difficulty=1e-9)
        await pool.send_call("mining.notify", *REGTEST_JOB)
        with suppress(AssertionError):  # the miner has enough and is gone
            while True:
                await pool.reply(await pool.request("mining.submit"), True)

    async with trio.open_nursery() as nursery:
        [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
        nursery.start_soon(trio.serve_listeners, serve, [listener])
        url = f"127.0.0.1:{listener.socket.getsockname()[1]}"
        mine = ("mine", "--no-config", "-o", url, "-u", "w", "--backend", "coin", "--until-shares", "3", "--json")
        done = await trio.run_process(
            python("-m", "stratum_miner", *mine),
            cwd=copy.parent,
            env=environment(copy),
            capture_stdout=True,
            capture_stderr=True,
        )
        nursery.cancel_scope.cancel()
    result = json.loads(done.stdout)
    assert result["shares"]["accepted"] >= 3
    [device] = result["devices"]
    assert (device["backend"], device["name"], device["detail"]) == ("coin", "coin0", "tossed")
