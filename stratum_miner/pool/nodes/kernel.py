"""An embedded regtest node: a block chain without peers, validated by Bitcoin Core's own library in this process.

The library (libbitcoinkernel) is an alpha version, so only this module uses it.

While the library processes a block, it calls a function of this module to report whether the block is valid and, if
not, which kind of rule it breaks. The rule itself, such as "bad-cb-amount", appears only in the library's log, so this
module also reads the log. Processing a block with only a coinbase takes 0.1 ms, and so does making a template, so both
run in the trio thread. Opening and closing the node take 10 to 20 ms and run in another thread.
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
from stratum_miner.bitcoin.header import HEADER_SIZE
from stratum_miner.bitcoin.sha256d import sha256d
from stratum_miner.installation import require
from stratum_miner.pool.nodes.base import (
    MEDIAN_BLOCKS,
    Node,
    NodeError,
    NodeStorageError,
    SubmitResult,
    Tip,
    empty_block_template,
)
from stratum_miner.pool.nodes.block_files import read_blocks
from stratum_miner.pool.template import BlockTemplate

_log = structlog.get_logger(__name__)

NBITS: Final = 0x207FFFFF
"""The target of regtest in compact form, which never changes: every second hash is a block."""
SMALL_BLOCK: Final = 20_000
"""Maximum number of bytes of a block that is processed in the trio thread. A larger block takes milliseconds, and is
processed in another thread."""
LOG_LINES: Final = 50
"""Maximum number of log lines of the library that are kept while it processes a block. The library writes up to 7 lines
for a rejected block."""

IN_USE: Final = "another process is using it"
LOCK_FILE: Final = ".stratum_miner.lock"
"""Name of the lock file in a data directory. The library has its own lock, which is not enough: if the process that
holds this lock tries to open the directory a second time, the attempt fails, and the process loses the lock. Another
process could then open the directory and damage the block chain."""

IS_OPEN: Final = b"open\n"
"""Content of the lock file while a process has the directory open. This content is removed when the whole block chain
has been written."""
MIN_FREE_BYTES: Final = 80 << 20
"""Number of bytes that must be free on the disk. The library writes nothing that would leave less than 50 MiB free, and
it reserves space for blocks in steps of 16 MiB."""

_NOT_WRITTEN = re.compile(r"((?:Failed to (?:force )?flush|Disk space is too low|No space left|.*[Ww]rite.*failed).*)")
_REFUSED = re.compile(r"AcceptBlock FAILED \((.*)\)\s*$")
_NOT_OPENED = re.compile(r"\[error\] (?:Failed to create chainstate manager: )?(.*\S)")
_NOT_CONNECTED = re.compile(r"(?:Block validation error:|ConnectBlock [0-9a-f]{64} failed,) (.*\S)")


class KernelNode(Node):
    """The embedded regtest node. ``async with`` opens it.

    Without ``data_dir``, the block chain is temporary and is deleted when the node closes. With ``data_dir``, the block
    chain is kept in this directory and continues when the node is opened again. Only one process at a time can have the
    directory open. ``unix_time`` returns the time for templates. The validation of blocks always uses the system's
    clock.

    The library writes each block to disk at once. It writes the index, which links the blocks to a block chain, only
    when the node closes. If the index could not be written, because the process was killed or the disk was full, the
    node makes it again from the blocks when it is opened next. Methods raise NodeStorageError before the disk is too
    full to write the index.
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
        """Write the block chain to disk and release the directory. A temporary directory is deleted."""
        with trio.CancelScope(shield=True):
            async with self._processing:  # first wait for a block that a thread still processes
                try:
                    await trio.to_thread.run_sync(self._close)
                finally:
                    self._wake()

    async def get_template(self) -> BlockTemplate:
        """Return a template for an empty block on the tip (the last block of the best chain).

        Raises NodeError if the median time past of the tip is more than two hours ahead of the clock. Raises
        NodeStorageError if the disk is nearly full.
        """
        await trio.lowlevel.checkpoint()
        return self._template()

    async def wait_template(self, after: BlockTemplate) -> BlockTemplate:
        """Wait for a new tip (last block of the best chain) and return the new template. No other change of the
        template is worth waiting for, because this node has no mempool."""
        await trio.lowlevel.checkpoint()
        while self._tip().hash == after.previous_hash:
            await self._tip_changed.wait()
        return self._template()

    async def submit_block(self, block: bytes) -> SubmitResult:
        """Validate a block and add it to the block chain. For a valid block that is not in the best chain, the result
        is "inconclusive"."""
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
        """Return the last block of the best chain. Height 0 is the genesis block."""
        await trio.lowlevel.checkpoint()
        return self._tip()

    async def block_hash(self, height: int) -> bytes:
        """Return the hash of the block at ``height``, 32 bytes in internal byte order.

        Raises NodeError if the block chain is not that long.
        """
        await trio.lowlevel.checkpoint()
        tip = self._tip()
        if not 0 <= height <= tip.height:
            raise NodeError(f"embedded node: expected a height from 0 to {tip.height}, got {height}")
        return bytes(self._chain().block_tree_entries[height].block_hash)

    # ---- opening and closing, in a thread -------------------------------------------------------------------------

    def _open(self) -> None:
        directory = self._directory()
        self._check_free_space()
        blocks = self._unwritten(directory)
        kernel = self._kernel
        try:
            self._log = kernel.LoggingConnection(self._note_line)
            callbacks = kernel.ValidationInterfaceCallbacks(block_checked=self._note_checked)
            context = kernel.make_context(kernel.ChainType.REGTEST, callbacks)
            options = kernel.ChainstateManagerOptions(context, str(directory), str(directory / "blocks"))
            options.set_worker_threads_num(0)  # threads do not help: each block holds one transaction
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
        """Mark the directory as open, and return the blocks that its index may lack.

        If the directory was marked already, the process that last opened it could not write the index. The result is
        then all blocks in the files of the directory. Otherwise the result is an empty list. A temporary directory is
        never marked."""
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

    def _check_free_space(self) -> None:
        """Raise NodeStorageError if the disk has little more space than is needed to write the index."""
        if self._data_dir is not None and (free := _free(self._data_dir)) < MIN_FREE_BYTES:
            raise NodeStorageError(
                f"embedded node: {str(self._data_dir)!r} is full: expected {MIN_FREE_BYTES / 1e6:.0f} MB of free "
                f"space, got {free / 1e6:.0f} MB. Free some space, or use another --data-dir"
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
        if _free(directory) < MIN_FREE_BYTES:
            return f"expected {MIN_FREE_BYTES / 1e6:.0f} MB of free space, got {_free(directory) / 1e6:.0f} MB"
        failures = [match[1] for line in self._lines if (match := _NOT_OPENED.search(line))]
        if any(re.search(r"\block\b.*LOCK", failure) for failure in failures):
            return IN_USE
        return f"is it a regtest data directory? ({failures[-1][:300] if failures else 'the library gives no reason'})"

    def _close(self) -> None:
        self._lines.clear()
        was_open = self._manager is not None
        self._manager = None  # the library writes its state when the manager is freed
        self._log = None
        failures = [match[1] for line in self._lines if (match := _NOT_WRITTEN.search(line))]
        if self._lock is not None:
            with self._lock:
                if was_open and not failures:
                    self._lock.truncate(0)
            self._lock = None
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None
        elif failures:
            raise NodeStorageError(
                f"embedded node: cannot write the chain to {str(self._data_dir)!r}: {failures[0][:300]}. "
                "Free some space; the next start restores the chain from the block files"
            )

    # ---- the library's callbacks: during a call, in the calling thread ----------------------------------------------

    def _note_line(self, line: str) -> None:
        self._lines.append(line)

    def _note_checked(self, _user_data: object, block: Any, state: Any) -> None:
        valid = state.validation_mode == self._kernel.ValidationMode.VALID
        self._checked[bytes(block.block_hash)] = (valid, state.block_validation_result.name)

    # ---- the chain ------------------------------------------------------------------------------------------------

    def _chain(self) -> Any:
        if self._manager is None:
            raise NodeError('embedded node: it is not open. Use it inside of "async with"')
        return self._manager.get_active_chain()

    def _tip(self) -> Tip:
        chain = self._chain()
        height = chain.height
        return Tip(height, bytes(chain.block_tree_entries[height].block_hash))

    def _wake(self) -> None:
        self._tip_changed.set()
        self._tip_changed = trio.Event()

    def _template(self) -> BlockTemplate:
        self._check_free_space()
        tip = self._tip()
        return empty_block_template(
            tip, nbits=NBITS, median_time=self._median_time_past(tip.height), unix_time=self._unix_time()
        )

    def _median_time_past(self, height: int) -> int:
        entries = self._chain().block_tree_entries
        heights = range(max(0, height - MEDIAN_BLOCKS + 1), height + 1)
        return statistics.median_high(
            int.from_bytes(bytes(entries[at].block_header)[68:72], "little") for at in heights
        )

    # ---- validation -------------------------------------------------------------------------------------------------

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
        """Return the result for a rejected block. The result names the rule that the block broke, if the library's log
        names this rule. Otherwise the result names only ``kind``, the kind of rule."""
        for line in self._lines:
            match = _REFUSED.search(line) or _NOT_CONNECTED.search(line)
            if match:
                reason, _, detail = match[1].partition(", ")
                return SubmitResult.from_text(reason, detail)
        return SubmitResult.from_text("rejected", kind.lower().replace("_", " "))


def _free(directory: Path) -> int:
    """Return the number of free bytes on the disk of this directory. Raises NodeStorageError if the directory does not
    exist."""
    try:
        status = os.statvfs(directory)
    except OSError as error:
        raise NodeStorageError(f"embedded node: cannot write to {str(directory)!r}: {error.strerror}") from None
    return status.f_bavail * status.f_frsize


def _import_kernel() -> Any:
    require("regtest", "embedded node")
    return import_module("pbk")
