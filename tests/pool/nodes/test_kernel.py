"""The embedded node on Bitcoin Core's own validation: chains that grow, blocks that are refused, directories."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import structlog
import trio
import trio.testing

from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.installation import MissingExtraError
from stratum_miner.pool.nodes.base import NodeError, NodeStorageError, SubmitResult
from stratum_miner.pool.nodes.kernel import IS_OPEN, LOCK_FILE, KernelNode
from stratum_miner.pool.template import BlockTemplate
from tests.pool.nodes.mined import grow, mine, spoiled

pytest.importorskip("pbk")

SECONDS = 60.0


async def test_a_chain_grows_through_every_form_of_the_height() -> None:
    """1 to 16 are opcodes, from 128 there is a sign byte, at 150 the subsidy halves; hundreds fit into a second."""
    async with KernelNode() as node:
        assert (await node.tip()).height == 0
        hashes = await grow(node, 320)
        tip = await node.tip()
        assert (tip.height, tip.hash) == (320, hashes[-1])
        assert [await node.block_hash(height) for height in range(1, 321)] == hashes
        assert (await node.get_template()).coinbase_value == 12_5000_0000
        for height in (-1, 321):
            with pytest.raises(NodeError, match=f"from 0 to 320, got {height}"):
                await node.block_hash(height)


@pytest.mark.parametrize(
    ("height", "value"), [(149, 50_0000_0000), (150, 25_0000_0000)], ids=["last_full", "first_half"]
)
async def test_the_subsidy_halves_at_150(height: int, value: int) -> None:
    async with KernelNode() as node:
        await grow(node, height - 1)
        template = await node.get_template()
        assert (template.height, template.coinbase_value) == (height, value)
        greedy = await node.submit_block(mine(replace(template, coinbase_value=value + 1)))
        assert greedy.result == "bad-cb-amount"
        assert f"limit={value}" in greedy.explanation
        assert (await node.submit_block(mine(template))).accepted


async def test_times_of_templates() -> None:
    clock = [time.time()]
    async with KernelNode(unix_time=lambda: clock[0]) as node:
        await grow(node, 12)
        template = await node.get_template()
        assert template.mintime <= template.curtime == max(int(clock[0]), template.mintime)
        clock[0] = float(template.mintime - 100)
        assert (await node.get_template()).curtime == template.mintime, "the chain is ahead of the clock"
        clock[0] = float(template.mintime - 7200)
        await node.get_template()
        clock[0] = float(template.mintime - 7201)
        with pytest.raises(NodeError, match="at most 7200 s ahead of the clock, got 7201 s"):
            await node.get_template()


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("high-hash", "above the network target"),
        ("bad-txnmrklroot", "not that of the transactions"),
        ("prev-blk-not-found", "does not know the block"),
        ("bad-diffbits", "not what the block chain requires"),
        ("time-too-old", "median of the last eleven"),
        ("time-too-new", "two hours ahead"),
        ("bad-version(0x00000001)", "version is not allowed"),
        ("bad-version(0xe0000001)", "version is not allowed"),
        ("bad-cb-height", "minimal push of the height"),
        ("bad-cb-amount", "pays more than subsidy and fees"),
        ("bad-cb-length", "shorter than 2 or longer than 100"),
        ("bad-witness-merkle-match", "witness commitment is not that"),
        ("bad-witness-nonce-size", "lacks the 32-byte witness"),
        ("unexpected-witness", "no witness commitment"),
    ],
)
async def test_a_bad_block_is_refused_and_explained(how: str, words: str) -> None:
    async with KernelNode() as node:
        await grow(node, 17)
        before = await node.tip()
        result = await node.submit_block(spoiled(await node.get_template(), how))
        assert not result.accepted
        assert not result.inconclusive
        assert result.result == how
        assert words in result.explanation
        assert await node.tip() == before
        await grow(node, 1)


@pytest.mark.parametrize("raw", [b"", b"junk", bytes(80)])
async def test_what_is_no_block_is_refused(raw: bytes) -> None:
    async with KernelNode() as node:
        result = await node.submit_block(raw)
        assert (result.accepted, result.result) == (False, "block-decode-failed")


async def test_a_known_block_a_known_bad_one_and_a_large_one() -> None:
    async with KernelNode() as node:
        template = await node.get_template()
        block = mine(template, payout=b"\x6a" * 30_000)
        assert (await node.submit_block(block)).accepted, "processed in a thread"
        again = await node.submit_block(block)
        assert (again.accepted, again.result) == (True, "duplicate")
        bad = spoiled(await node.get_template(), "bad-cb-amount")
        assert (await node.submit_block(bad)).result == "bad-cb-amount"
        assert (await node.submit_block(bad)).result == "duplicate-invalid"


async def test_siblings_lose_until_they_are_longer() -> None:
    async with KernelNode() as node:
        template = await node.get_template()
        (winner,) = await grow(node, 1)
        sibling = mine(template, payout=b"\x52")
        result = await node.submit_block(sibling)
        assert (result.accepted, result.result) == (False, "inconclusive")
        again = await node.submit_block(sibling)
        assert (again.accepted, again.result, again.inconclusive) == (False, "duplicate-inconclusive", True)
        assert (await node.tip()).hash == winner
        child = mine(replace(await node.get_template(), previous_hash=sha256d(sibling[:80])))
        assert (await node.submit_block(child)).accepted, "now the other branch is longer"
        assert await node.block_hash(1) == sha256d(sibling[:80])
        late = await node.submit_block(mine(template, payout=b"\x53"))
        assert late.inconclusive


async def test_waiting_ends_with_the_tip_and_with_nothing_else() -> None:
    async with KernelNode() as node:
        template = await node.get_template()
        woken: list[BlockTemplate] = []

        async def wait() -> None:
            woken.append(await node.wait_template(template))

        with trio.fail_after(SECONDS):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                nursery.start_soon(wait)
                await trio.testing.wait_all_tasks_blocked()
                await node.submit_block(spoiled(template, "bad-txnmrklroot"))
                await trio.testing.wait_all_tasks_blocked()
                assert not woken
                (tip,) = await grow(node, 1)
            assert [item.previous_hash for item in woken] == [tip, tip]
            assert (await node.wait_template(template)).previous_hash == tip, "at once when it is old news"


async def test_who_waits_is_told_that_the_node_closed() -> None:
    errors: list[NodeError] = []

    async def wait(node: KernelNode, template: BlockTemplate) -> None:
        try:
            await node.wait_template(template)
        except NodeError as error:
            errors.append(error)

    with trio.fail_after(SECONDS):
        async with trio.open_nursery() as nursery, KernelNode() as node:
            nursery.start_soon(wait, node, await node.get_template())
            await trio.testing.wait_all_tasks_blocked()
    assert "not open" in str(errors[0])
    with pytest.raises(NodeError, match="not open"):
        await node.tip()


# ---- directories -------------------------------------------------------------------------------------------------


async def test_a_directory_keeps_its_chain(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "chain"
    hashes: list[bytes] = []
    for expected in (0, 5, 10):
        async with KernelNode(directory) as node:
            assert (await node.tip()).height == expected
            assert [await node.block_hash(height + 1) for height in range(expected)] == hashes
            hashes += await grow(node, 5)


KILLED = """
import os, signal, sys, trio
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from stratum_miner.pool.nodes.kernel import KernelNode
from test_kernel import grow
async def main():
    async with KernelNode(Path(sys.argv[2])) as node:
        await grow(node, 5)
        os.kill(os.getpid(), signal.SIGKILL)
trio.run(main)
"""


async def test_a_chain_whose_process_was_killed_goes_on_where_it_was(tmp_path: Path) -> None:
    async with KernelNode(tmp_path) as node:
        await grow(node, 3)
    for _ in range(2):
        killed = await trio.run_process(
            [sys.executable, "-c", KILLED, str(Path(__file__).parent), str(tmp_path)], check=False
        )
        assert killed.returncode == -9
    with structlog.testing.capture_logs() as logged:
        async with KernelNode(tmp_path) as node:
            assert (await node.tip()).height == 13
            await grow(node, 1)
        async with KernelNode(tmp_path) as node:
            assert (await node.tip()).height == 14
    assert [event["event"] for event in logged] == ["blocks_recovered"]
    assert (logged[0]["before"], logged[0]["height"]) == (3, 13)


class CannotWrite:
    """Takes the place of the library's chain when it closes on a full disk: it says so to its log only."""

    def __init__(self, node: KernelNode) -> None:
        self._node = node

    def __del__(self) -> None:
        self._node._note_line("2026-01-01T00:00:00Z [warning] Failed to force flush state (Disk space is too low!)")


async def test_a_chain_that_cannot_be_written_at_the_end_is_told_and_made_again(tmp_path: Path) -> None:
    node = await KernelNode(tmp_path).__aenter__()
    await grow(node, 3)
    node._manager = CannotWrite(node)
    with pytest.raises(NodeStorageError, match=r"cannot write the chain to '.*': Failed to force flush state \(Disk"):
        await node.aclose()
    assert (tmp_path / LOCK_FILE).read_bytes() == IS_OPEN
    with structlog.testing.capture_logs() as logged:
        async with KernelNode(tmp_path) as node:
            assert (await node.tip()).height == 3
    assert (tmp_path / LOCK_FILE).read_bytes() == b""
    assert logged == []  # in this test the real one could write, so nothing is missing


async def test_a_disk_that_is_nearly_full_ends_the_node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = r"'.*' is full: expected 84 MB of free space, got 5 MB. Free some space"
    async with KernelNode(tmp_path) as node:
        await grow(node, 3)
        with monkeypatch.context() as patch:
            patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=5000, f_frsize=1000))
            with pytest.raises(NodeStorageError, match=text):
                await node.get_template()
    with monkeypatch.context() as patch:
        patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=5000, f_frsize=1000))
        with pytest.raises(NodeStorageError, match=text):
            async with KernelNode(tmp_path):
                pass
        async with KernelNode() as node:  # a temporary chain is not to be kept
            await grow(node, 1)
    async with KernelNode(tmp_path) as node:
        assert (await node.tip()).height == 3


async def test_a_directory_that_is_removed_meanwhile_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "chain"
    node = await KernelNode(directory).__aenter__()
    await grow(node, 1)
    shutil.rmtree(directory)
    with pytest.raises(NodeStorageError, match=r"cannot write to '.*': No such file or directory"):
        await node.get_template()
    with suppress(NodeStorageError):
        await node.aclose()


async def test_closing_waits_for_a_block_in_a_thread(tmp_path: Path) -> None:
    results: list[SubmitResult] = []

    async def submit(node: KernelNode, block: bytes) -> None:
        results.append(await node.submit_block(block))

    with trio.fail_after(SECONDS):
        async with trio.open_nursery() as nursery, KernelNode(tmp_path) as node:
            block = mine(await node.get_template(), payout=b"\x6a" * 900_000)
            nursery.start_soon(submit, node, block)
            await trio.testing.wait_all_tasks_blocked()  # until the block is in the thread
    assert results == [SubmitResult.from_text(None)]
    async with KernelNode(tmp_path) as node:
        assert (await node.tip()).hash == sha256d(block[:80])


async def test_a_temporary_chain_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    async with KernelNode() as node:
        await grow(node, 1)
        (name,) = os.listdir(tmp_path)
        directory = tmp_path / name
        assert not any((directory / part).exists() for part in ("chainstate", "blocks/index")), "they are in memory"
    assert os.listdir(tmp_path) == []


async def test_a_directory_in_use_is_one_clear_error(tmp_path: Path) -> None:
    async with KernelNode(tmp_path) as node:
        await grow(node, 1)
        with pytest.raises(NodeStorageError, match=r"cannot open .*: another process is using it") as caught:
            async with KernelNode(tmp_path):
                pass
        assert "\n" not in str(caught.value)
        await grow(node, 1)
    async with KernelNode(tmp_path) as node:
        assert (await node.tip()).height == 2


OPEN = """
import sys, trio
from pathlib import Path
from stratum_miner.pool.nodes.kernel import KernelNode
async def main():
    async with KernelNode(Path(sys.argv[1])):
        pass
trio.run(main)
"""


@pytest.mark.parametrize("blocks", [0, 3])
async def test_a_directory_in_use_stays_ours_after_a_second_opening_here(tmp_path: Path, blocks: int) -> None:
    """Without our own lock the library's is gone then, and the other process leaves a chain that cannot be opened."""
    async with KernelNode(tmp_path) as node:
        await grow(node, blocks)
        with pytest.raises(NodeStorageError, match="another process is using it"):
            async with KernelNode(tmp_path):
                pass
        other = await trio.run_process(
            [sys.executable, "-c", OPEN, str(tmp_path)], capture_stdout=True, capture_stderr=True, check=False
        )
        assert other.returncode == 1
        assert b"another process is using it" in other.stderr
    async with KernelNode(tmp_path) as node:
        assert (await node.tip()).height == blocks
        await grow(node, 1)


def _a_file(path: Path) -> Path:
    path.write_text("not a directory")
    return path


def _below_a_file(path: Path) -> Path:
    return _a_file(path) / "chain"


def _a_pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("make", [_a_file, _below_a_file, _a_pipe])
async def test_a_directory_that_cannot_be_used(tmp_path: Path, make: Callable[[Path], Path]) -> None:
    with pytest.raises(NodeStorageError, match=r"embedded node: cannot write to .*chain"):
        async with KernelNode(make(tmp_path / "chain")):
            pass


async def test_a_damaged_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with KernelNode(tmp_path) as node:
        await grow(node, 1)
    for path in (tmp_path / "blocks" / "index").iterdir():
        path.write_bytes(b"damage" * 10)
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=80 << 20, f_frsize=1))  # just enough
    with pytest.raises(NodeStorageError, match=r"cannot open .*regtest data directory\? \(.*Corruption"):
        async with KernelNode(tmp_path):
            pass


@pytest.mark.parametrize(
    ("free", "reason"),
    [(5_000_000, "expected 84 MB of free space, got 5 MB"), (80 << 20, "is it a regtest data directory?")],
)
def test_a_temporary_chain_that_cannot_be_opened_may_lack_space(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, reason: str
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=free, f_frsize=1))
    assert KernelNode()._storage_reason(tmp_path).startswith(reason)


def test_a_directory_that_another_program_has_locked_is_in_use(tmp_path: Path) -> None:
    node = KernelNode(tmp_path)
    for reason in ("IO error: lock /chain/LOCK: Resource temporarily unavailable", "Error opening block database"):
        node._note_line(f"2026-12-01T00:00:00Z [error] Failed to create chainstate manager: {reason}\n")
    assert "another" in node._storage_reason(tmp_path)


async def test_a_chainstate_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "chainstate").mkdir()
    (tmp_path / "chainstate" / "CURRENT").write_text("junk")
    with pytest.raises(NodeStorageError, match=r"regtest data directory\? \(.*Error opening coins database\)"):
        async with KernelNode(tmp_path):
            pass


# ---- the library -------------------------------------------------------------------------------------------------


async def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pbk", None)
    with pytest.raises(MissingExtraError, match=r"^embedded node: expected the extra 'regtest' of stratum-miner"):
        async with KernelNode():
            pass


async def test_when_the_log_is_silent_the_kind_of_rule_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(KernelNode, "_note_line", lambda self, line: None)
    async with KernelNode() as node:
        result = await node.submit_block(spoiled(await node.get_template(), "high-hash"))
        assert (result.accepted, result.result) == (False, "rejected")
        assert result.explanation.endswith(": invalid header")


SILENCE = """
import trio
from stratum_miner.pool.nodes.kernel import KernelNode
async def main():
    for _ in range(2):
        async with KernelNode() as node, KernelNode() as other:
            await node.submit_block(b"junk")
            await node.submit_block(bytes(80) + bytes(1))
            print((await other.tip()).height)
trio.run(main)
"""


def test_the_library_prints_nothing() -> None:
    result = subprocess.run(
        [sys.executable, "-c", SILENCE], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "0\n0\n", "")


def test_importing_the_node_does_not_import_the_library() -> None:
    code = "import sys, stratum_miner.pool.nodes.kernel; sys.exit('pbk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=SECONDS, check=False).returncode == 0


def test_repr_names_the_directory(tmp_path: Any) -> None:
    assert repr(KernelNode()) == "<KernelNode temporary>"
    assert repr(KernelNode(tmp_path)) == f"<KernelNode {tmp_path}>"


# ---- limits ------------------------------------------------------------------------------------------------------


async def test_a_block_may_be_later_than_the_median_of_the_last_eleven() -> None:
    start = int(time.time()) - 50_000
    clock = [float(start)]
    async with KernelNode(unix_time=lambda: clock[0]) as node:
        for blocks in range(1, 14):
            clock[0] = float(start + 1000 * blocks)
            await grow(node, 1)
            if blocks == 2:
                assert (await node.get_template()).mintime == start + 1000 + 1, "of the first block and these two"
        template = await node.get_template()
        assert template.mintime == start + 1000 * 8 + 1, "of 3 to 13, the one in the middle"
        assert (template.version, template.nbits) == (0x20000000, 0x207FFFFF)


@pytest.mark.parametrize(("size", "in_a_thread"), [(20_000, False), (20_001, True)])
async def test_a_large_block_is_processed_in_a_thread(
    monkeypatch: pytest.MonkeyPatch, size: int, in_a_thread: bool
) -> None:
    async with KernelNode() as node:
        template = await node.get_template()
        block = mine(template, payout=b"\x6a" * (size - len(mine(template, payout=b"\x6a" * 1000)) + 1000))
        assert len(block) == size
        threads: list[object] = []

        async def run_sync(function: Callable[..., object], *args: object) -> object:
            threads.append(function)
            return function(*args)

        with monkeypatch.context() as patch:
            patch.setattr(trio.to_thread, "run_sync", run_sync)
            assert (await node.submit_block(block)).accepted
        assert bool(threads) == in_a_thread


@pytest.mark.parametrize(("free", "enough"), [((80 << 20) - 1, False), (80 << 20, True)])
async def test_how_much_of_a_disk_must_be_free(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: int, enough: bool
) -> None:
    async with KernelNode(tmp_path) as node:
        with monkeypatch.context() as patch:
            patch.setattr(os, "statvfs", lambda path: SimpleNamespace(f_bavail=free, f_frsize=1))
            if enough:
                await node.get_template()
            else:
                with pytest.raises(NodeStorageError, match="is full: expected 84 MB of free space"):
                    await node.get_template()


async def test_a_block_that_cannot_be_written_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    line = "[error] No space left on disk"
    monkeypatch.setattr(KernelNode, "_note_checked", lambda *_: None)
    monkeypatch.setattr(KernelNode, "_note_line", lambda self, _: self._lines.append(line))
    async with KernelNode() as node:
        with pytest.raises(NodeStorageError, match=r"cannot write a block to .*: .*No space left on disk"):
            await node.submit_block(mine(await node.get_template()))


async def test_what_was_noted_of_one_block_is_not_kept_for_the_next() -> None:
    async with KernelNode() as node:
        await grow(node, 3)
        assert len(node._checked) == 1
        for number in range(60):
            node._note_line(str(number))
        assert list(node._lines) == [str(number) for number in range(10, 60)], "the last fifty lines are enough"
        await node.submit_block(b"junk")
        assert "59" not in node._lines


async def test_a_directory_is_marked_while_it_is_open(tmp_path: Path) -> None:
    for _ in range(2):
        (tmp_path / LOCK_FILE).write_bytes(IS_OPEN)  # as after a crash
        async with KernelNode(tmp_path):
            assert (tmp_path / LOCK_FILE).read_bytes() == IS_OPEN
        assert (tmp_path / LOCK_FILE).read_bytes() == b""


async def test_a_failure_of_before_is_no_failure_of_closing(tmp_path: Path) -> None:
    async with KernelNode(tmp_path) as node:
        node._note_line("[error] No space left on disk")
    assert (tmp_path / LOCK_FILE).read_bytes() == b""


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="only Linux names its threads there")
async def test_the_library_starts_no_threads_to_check_scripts() -> None:
    async with KernelNode():
        assert not any("script" in name for name in names_of_threads())


def names_of_threads() -> list[str]:
    return [path.read_text() for path in Path("/proc/self/task").glob("*/comm")]
