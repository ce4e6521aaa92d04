"""The Icarus protocol: 64 bytes of work in, 4 bytes of nonce out (docs/reference/asic.md#icarus-and-block-erupter).

The protocol has no handshake, no checksum and no job id. To find out whether a device uses it, the driver sends work
with a known answer.
"""

import structlog
import trio

from stratum_miner.backends.asic.bringup import BringupStep, CountEngines
from stratum_miner.backends.asic.chain import ChipChain
from stratum_miner.backends.asic.errors import WrongChip
from stratum_miner.backends.asic.frames import jobs
from stratum_miner.backends.asic.frames.replies import FixedLengthDecoder, Judgement, NonceReply, ReplyDecoder
from stratum_miner.backends.asic.work_history import ChipWork, ReportedNonce, hashes_per_nonce

log = structlog.get_logger(__name__)

GOLDEN_WORK = bytes.fromhex(
    "4679ba4ec99876bf4bfe086082b400254df6c356451471139a3afa71e48f544a"
    "0000000000000000000000000000000000000000"
    "87320b1a1426674f2fa722ce"
)
"""Work made from block 171874, whose nonce is known. A chip that searched all 2^32 nonces would report only the nonce
of this block (docs/reference/asic.md#golden-work)."""
GOLDEN_NONCE = bytes.fromhex("000187a2")
PROBE_WORK = bytes.fromhex(
    "2e4c8f91fd595d2d7ea20aaacb64a2a04382860277cf26b6a1ee04c56a5b504a"
    "0000000000000000000000000000000000000000"
    "6461011ac906a951fb9b3c73"
)
PROBE_ANSWERS = {
    bytes.fromhex("04c0fdb4"): 1,
    bytes.fromhex("82540e46"): 2,
    bytes.fromhex("417c0f36"): 4,
    bytes.fromhex("60c994d5"): 8,
}
"""The number of engines of a device, by the nonce that the device finds first in ``PROBE_WORK``."""
IDENTIFY_S = 3.0
PROBE_SECONDS = 1.0
LEFTOVER_SECONDS = 0.02
"""Seconds to wait for a fifth byte, which an Antminer U1 or U2 would send."""


class IcarusChain(ChipChain):
    """An Icarus device. It has one or several engines, each of which searches an equal part of the nonce range."""

    reply_size = 4
    feed_at = 0.95
    """Fraction of the nonce range after which the next work is sent. The hash rate is fixed and known, so this can be
    just before the end of the range. Work that came after the end would cost idle time
    (docs/reference/asic.md#icarus-and-block-erupter)."""
    max_interval = float("inf")

    def _make_decoder(self) -> ReplyDecoder:
        return FixedLengthDecoder(4, self._judge, NonceReply)

    def _judge(self, group: bytes) -> Judgement:
        return Judgement.SURE if self.history.matches(self.reported_nonce(NonceReply(group[:4]))) else Judgement.MAYBE

    @property
    def hash_rate(self) -> float:
        """Expected hash rate in H/s, as an average that includes the idle time of a board that stops after each nonce
        until it gets new work. At real difficulties, this idle time is negligible.
        """
        rate = super().hash_rate
        if not self.board.stops_at_nonce:
            return rate
        idle = self.wire.seconds_of(jobs.ICARUS_SIZE + self.reply_size)
        return rate / (1 + idle * rate / hashes_per_nonce(self.history.bound))

    def job_frame(self, work: ChipWork) -> bytes:
        """See ``jobs.icarus_job``."""
        return jobs.icarus_job(work.unit.header)

    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Decode a reply. It has no job id, so it may belong to any remembered work. The most significant bits of the
        nonce are the number of the engine that found it (docs/reference/asic.md#engines-of-an-icarus)."""
        return ReportedNonce(reply.nonce, chip=reply.nonce[0] * self.chips >> 8)

    async def count(self, seconds: float) -> int:
        """Send ``GOLDEN_WORK``. Return the number of chips that the board should have if the right nonce comes, and 0
        if no answer comes. Raises WrongChip if the answer is wrong."""
        answer = await self._raw_answer(GOLDEN_WORK, seconds)
        if not answer:
            return 0
        if len(answer) != self.reply_size or not answer.startswith(GOLDEN_NONCE):
            raise WrongChip(
                f"{self.path}: golden work: expected {self.reply_size} bytes starting with {GOLDEN_NONCE.hex()}, "
                f"got {answer.hex()}"
            )
        return self.settings.chips

    async def perform(self, step: BringupStep) -> None:
        """Perform ``CountEngines``, and all other steps of a chip chain."""
        if isinstance(step, CountEngines):
            self.chips = await self.count_engines()
        else:
            await super().perform(step)

    async def count_engines(self) -> int:
        """Return how many engines share the nonce range. This function sends work in which the first nonce that a
        device finds depends on its number of engines (docs/reference/asic.md#engines-of-an-icarus). If the answer is
        unknown, it logs a warning and returns 1."""
        answer = await self._raw_answer(PROBE_WORK, PROBE_SECONDS)
        if answer[:4] not in PROBE_ANSWERS:
            log.warning("engines_not_told", device=self.path, expected="one of four nonces", got=answer.hex())
            return 1
        return PROBE_ANSWERS[answer[:4]]

    async def identify(self) -> str:
        """Send work, and return what the user should look for. The device is busy until it has searched this work, and
        the lamp of a Block Erupter probably shows whether it is busy
        (docs/reference/asic.md#icarus-and-block-erupter)."""
        await self.wire.send(PROBE_WORK)
        await trio.sleep(IDENTIFY_S)
        return "its lamp changes within the next 15 s: off while busy, on while idle (not tested on a device)"

    async def make_idle(self) -> None:
        """Do nothing: the device becomes idle when it has searched its nonce range."""

    async def _raw_answer(self, frame: bytes, seconds: float) -> bytes:
        """Send a frame and return the undecoded answer; empty if none comes within ``seconds``. The decoder cannot be
        used, because it checks nonces against remembered work, and this work is not remembered."""
        transport, answer = self.wire.transport, b""
        transport.discard_input()
        await self.wire.send(frame)
        with trio.move_on_after(seconds):
            while len(answer) < self.reply_size:
                answer += await transport.receive(8)
        with trio.move_on_after(LEFTOVER_SECONDS):
            while len(answer) < 8:
                answer += await transport.receive(8)
        return answer
