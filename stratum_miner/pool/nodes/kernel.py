"""An embedded regtest node: one chain without peers, judged by Bitcoin Core's own validation in this process.

It must not know who mines. The validation library is an alpha, so everything said to it is in this module.

Theory of operation: the library calls back while it processes a block and says whether the block is valid, and which
kind of rule it breaks; the rule itself ("bad-cb-amount") it tells its log only, so the log is listened to during the
call. Measured on blocks as this node makes them: 0.1 ms to process one, 0.1 ms for a template, so both happen in
place; opening and closing take 10 to 20 ms and happen in a thread.
"""

import fcntl
import os
import re
import shutil
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

import structlog
import trio

from stratum_miner.bitcoin.address import Network
from stratum_miner.bitcoin.coinbase import block_subsidy, witness_commitment_script
from stratum_miner.bitcoin.header import HEADER_SIZE, MAX_TIME_AHEAD
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.pool.nodes.base import (
    REGTEST_HALVING_INTERVAL,
    MissingExtraError,
    Node,
    NodeError,
    NodeStorageError,
    SubmitResult,
    Tip,
)
from stratum_miner.pool.nodes.block_files import read_blocks
from stratum_miner.pool.template import BlockTemplate

_log = structlog.get_logger(__name__)

NBITS: Final = 0x207FFFFF
"""Regtest never retargets: every second hash is a block."""
VERSION: Final = 0x20000000
MEDIAN_BLOCKS: Final = 11
SMALL_BLOCK: Final = 20_000
"""Bytes up to which a block is processed in place; larger ones take milliseconds and go to a thread."""
LOG_LINES: Final = 50
"""Lines of the library's log kept while a block is processed; a refusal writes up to seven."""

IN_USE: Final = "another process is using it"
LOCK_FILE: Final = ".stratum_miner.lock"
"""In a data directory. The library's own lock belongs to the process: a second opening in the same process fails, as
it should, but gives the first one's lock away, and another process then damages the chain. This one cannot be lost."""

IS_OPEN: Final = b"open\n"
"""In the lock file from the opening of a directory until its chain was written."""
MIN_ROOM: Final = 80 << 20
"""Bytes. The library writes nothing when less than 50 MiB would be left, and takes 16 MiB at a time for blocks."""

_NOT_WRITTEN = re.compile(r"((?:Failed to (?:force )?flush|Disk space is too low|No space left|.*[Ww]rite.*failed).*)")
_REFUSED = re.compile(r"AcceptBlock FAILED \((.*)\)\s*$")
_NOT_OPENED = re.compile(r"\[error\] (?:Failed to create chainstate manager: )?(.*\S)")
_NOT_CONNECTED = re.compile(r"(?:Block validation error:|ConnectBlock [0-9a-f]{64} failed,) (.*\S)")


class KernelNode(Node):
    """Opened with ``async with``. Without ``data_dir`` the chain is temporary and gone afterwards.

    ``unix_time`` gives the times of templates; the validation itself always looks at the system's clock.

    With a ``data_dir`` the chain goes on where it ended; only one process can have it open. The library writes the
    blocks at once and everything that makes a chain of them when the node closes. Where it could not, because the
    process was killed or the disk was full, the next opening makes the chain of the blocks again. A disk that is nearly
    full ends the node with NodeStorageError while there is still room to write the chain.
    """

    network = Network.REGTEST

    def __init__(self, data_dir: Path | None = None, *, unix_time: Callable[[], float] = time.time) -> None:
        self._data_dir = None if data_dir is None else data_dir.absolute()
        self._unix_time = unix_time
        self._temporary: Path | None = None
        self._lock: BinaryIO | None = None
        self._kernel: Any = None
        self._manager: Any = None
        self._log: Any = None
        self._lines: deque[str] = deque(maxlen=LOG_LINES)
        self._checked: dict[bytes, tuple[bool, str]] = {}
        self._processing = trio.Lock()
        self._tip_changed = trio.Event()

    def __repr__(self) -> str:
        return f"<KernelNode {self._data_dir or 'temporary'}>"

    async def __aenter__(self) -> Self:
        self._kernel = _import_kernel()
        try:
            await trio.to_thread.run_sync(self._open)
        except BaseException:
            with trio.CancelScope(shield=True):
                await self.aclose()
            raise
        return self

    async def aclose(self) -> None:
        """Write what is in memory and release the directory; a temporary one is removed."""
        with trio.CancelScope(shield=True):
            async with self._processing:  # a block in a thread is finished first
                try:
                    await trio.to_thread.run_sync(self._close)
                finally:
                    self._wake()

    async def get_template(self) -> BlockTemplate:
        """An empty block on the tip. NodeError when the chain has run two hours ahead of the clock."""
        await trio.lowlevel.checkpoint()
        return self._template()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """Returns when the tip is another; there is no mempool, so nothing else ever changes."""
        await trio.lowlevel.checkpoint()
        while self._tip().hash == after.previous_hash:
            await self._tip_changed.wait()
        return self._template()

    async def submit_block(self, block: bytes) -> SubmitResult:
        """Judge a block and add it to the chain. A known or valid block off the best chain is inconclusive."""
        await trio.lowlevel.checkpoint()
        async with self._processing:
            before = self._tip().hash
            if len(block) <= SMALL_BLOCK:
                result = self._process(block)
            else:
                result = await trio.to_thread.run_sync(self._process, block)
            if self._tip().hash != before:
                self._wake()
            return result

    async def tip(self) -> Tip:
        """The last block of the best chain; height 0 is the genesis block."""
        await trio.lowlevel.checkpoint()
        return self._tip()

    async def block_hash(self, height: int) -> bytes:
        """Hash of the block at ``height``. NodeError when the chain is not that long."""
        await trio.lowlevel.checkpoint()
        tip = self._tip()
        if not 0 <= height <= tip.height:
            raise NodeError(f"embedded node: expected a height from 0 to {tip.height}, got {height}")
        return bytes(self._chain().block_tree_entries[height].block_hash)

    # ---- opening and closing, in a thread -------------------------------------------------------------------------

    def _open(self) -> None:
        directory = self._directory()
        self._check_room()
        blocks = self._unwritten(directory)
        kernel = self._kernel
        try:
            self._log = kernel.LoggingConnection(self._hear)
            callbacks = kernel.ValidationInterfaceCallbacks(block_checked=self._note_checked)
            context = kernel.make_context(kernel.ChainType.REGTEST, callbacks)
            options = kernel.ChainstateManagerOptions(context, str(directory), str(directory / "blocks"))
            options.set_worker_threads_num(0)  # its blocks hold one transaction
            if self._temporary is not None:
                options.update_block_tree_db_in_memory(True)
                options.update_chainstate_db_in_memory(True)
            self._manager = kernel.ChainstateManager(options)
        except RuntimeError:
            reason = self._storage_reason(directory)
            raise NodeStorageError(f"embedded node: cannot open {str(directory)!r}: {reason}") from None
        before = self._tip().height
        for block in blocks:
            self._process(block)
        if self._tip().height > before:
            _log.warning("blocks_recovered", directory=str(directory), height=self._tip().height, before=before)

    def _unwritten(self, directory: Path) -> list[bytes]:
        """The blocks of a directory whose last user could not write its chain; from now on it is one."""
        if self._lock is None:
            return []
        try:
            self._lock.seek(0)
            blocks = [*read_blocks(directory / "blocks")] if self._lock.read() == IS_OPEN else []
            self._lock.truncate(0)
            self._lock.write(IS_OPEN)
            self._lock.flush()
        except OSError as error:
            raise NodeStorageError(f"embedded node: cannot open {str(directory)!r}: {error.strerror}") from None
        return blocks

    def _check_room(self) -> None:
        """NodeStorageError while there is still room to write the chain, but hardly more."""
        if self._data_dir is not None and (free := _free(self._data_dir)) < MIN_ROOM:
            raise NodeStorageError(
                f"embedded node: {str(self._data_dir)!r} is full: expected {MIN_ROOM / 1e6:.0f} MB of free space, "
                f"got {free / 1e6:.0f} MB; make room or give another --data-dir"
            )

    def _directory(self) -> Path:
        if self._data_dir is None:
            self._temporary = Path(tempfile.mkdtemp(prefix="stratum_miner-"))
            return self._temporary
        directory = self._data_dir
        try:
            directory.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=directory):
                pass
            self._lock = (directory / LOCK_FILE).open("a+b")
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NodeStorageError(f"embedded node: cannot open {str(directory)!r}: {IN_USE}") from None
        except OSError as error:
            reason = "expected a directory" if isinstance(error, FileExistsError) else error.strerror or error
            raise NodeStorageError(f"embedded node: cannot write to {str(directory)!r}: {reason}") from None
        return directory

    def _storage_reason(self, directory: Path) -> str:
        if _free(directory) < MIN_ROOM:
            return f"expected {MIN_ROOM / 1e6:.0f} MB of free space, got {_free(directory) / 1e6:.0f} MB"
        failures = [match[1] for line in self._lines if (match := _NOT_OPENED.search(line))]
        if any(re.search(r"\block\b.*LOCK", failure) for failure in failures):
            return IN_USE
        return f"is it a regtest data directory? ({failures[-1][:300] if failures else 'no reason given'})"

    def _close(self) -> None:
        self._lines.clear()
        was_open, self._manager = self._manager is not None, None  # the library writes its state, now or never
        self._log = None
        failures = [match[1] for line in self._lines if (match := _NOT_WRITTEN.search(line))]
        if self._lock is not None:
            if was_open and not failures:
                self._lock.truncate(0)
            self._lock.close()
            self._lock = None
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
        elif failures:
            raise NodeStorageError(
                f"embedded node: cannot write the chain to {str(self._data_dir)!r}: {failures[0][:300]}; "
                "make room, and the next start makes the chain again of the blocks that are there"
            )

    # ---- the library's callbacks: during a call, in the calling thread ----------------------------------------------

    def _hear(self, line: str) -> None:
        self._lines.append(line)

    def _note_checked(self, _user_data: object, block: Any, state: Any) -> None:
        valid = state.validation_mode == self._kernel.ValidationMode.VALID
        self._checked[bytes(block.block_hash)] = (valid, state.block_validation_result.name)

    # ---- the chain ------------------------------------------------------------------------------------------------

    def _chain(self) -> Any:
        if self._manager is None:
            raise NodeError("embedded node: it is not open")
        return self._manager.get_active_chain()

    def _tip(self) -> Tip:
        chain = self._chain()
        height = chain.height
        return Tip(height, bytes(chain.block_tree_entries[height].block_hash))

    def _wake(self) -> None:
        self._tip_changed.set()
        self._tip_changed = trio.Event()

    def _template(self) -> BlockTemplate:
        self._check_room()
        tip = self._tip()
        height = tip.height + 1
        mintime = self._median_time_past(tip.height) + 1
        now = int(self._unix_time())
        if mintime > now + MAX_TIME_AHEAD:
            raise NodeError(
                f"embedded node: the chain is {mintime - now} seconds ahead of the clock, the limit is {MAX_TIME_AHEAD}"
            )
        return BlockTemplate(
            height=height,
            previous_hash=tip.hash,
            version=VERSION,
            nbits=NBITS,
            curtime=max(now, mintime),
            mintime=mintime,
            coinbase_value=block_subsidy(height, REGTEST_HALVING_INTERVAL),
            witness_commitment=witness_commitment_script([]),
        )

    def _median_time_past(self, height: int) -> int:
        entries = self._chain().block_tree_entries
        heights = range(max(0, height - MEDIAN_BLOCKS + 1), height + 1)
        return statistics.median_high(
            int.from_bytes(bytes(entries[at].block_header)[68:72], "little") for at in heights
        )

    # ---- judging --------------------------------------------------------------------------------------------------

    def _process(self, raw: bytes) -> SubmitResult:
        chain, kernel = self._chain(), self._kernel
        self._checked.clear()
        self._lines.clear()
        try:
            block = kernel.Block(raw)
        except RuntimeError:
            return SubmitResult.from_text("block-decode-failed")
        try:
            is_new = self._manager.process_block(block)
        except kernel.ProcessBlockException:
            is_new = False
        digest = sha256d(raw[:HEADER_SIZE])
        valid, kind = self._checked.get(digest, (True, ""))
        if not valid:
            return self._refusal(kind)
        if digest not in self._checked and (failed := [line for line in self._lines if _NOT_WRITTEN.search(line)]):
            raise NodeStorageError(f"embedded node: cannot write a block to {str(self._data_dir)!r}: {failed[0]}")
        if self._entry(digest) in chain.block_tree_entries:
            return SubmitResult.from_text(None if is_new else "duplicate")
        return SubmitResult.from_text("inconclusive" if is_new else "duplicate-inconclusive")

    def _entry(self, digest: bytes) -> Any:
        try:
            return self._manager.block_tree_entries[self._kernel.BlockHash(digest)]
        except KeyError:
            return None

    def _refusal(self, kind: str) -> SubmitResult:
        """The rule that was broken, as the log tells it; the kind of rule when the log is silent."""
        for line in self._lines:
            match = _REFUSED.search(line) or _NOT_CONNECTED.search(line)
            if match:
                reason, _, detail = match[1].partition(", ")
                return SubmitResult.from_text(reason, detail)
        return SubmitResult.from_text("rejected", kind.lower().replace("_", " "))


def _free(directory: Path) -> int:
    """Bytes; NodeStorageError when the directory is gone."""
    try:
        status = os.statvfs(directory)
    except OSError as error:
        raise NodeStorageError(f"embedded node: cannot write to {str(directory)!r}: {error.strerror}") from None
    return status.f_bavail * status.f_frsize


def _import_kernel() -> Any:
    try:
        return import_module("pbk")
    except ImportError:
        raise MissingExtraError(
            "the embedded regtest node needs an extra: pip install 'stratum-miner[regtest]'"
        ) from None
