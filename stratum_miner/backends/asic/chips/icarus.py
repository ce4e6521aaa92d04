"""The Icarus protocol: 64 bytes in, 4 bytes out, and nothing else (docs/reference/asic.md#icarus-and-block-erupter).

No handshake, no checksum, no job id. That something speaks it is told by work whose answer is known.
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
"""Block 171874. Its nonce is the only one of all 2^32 that a chip would report (docs/reference/asic.md#golden-work)."""
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
"""The first nonce that 1, 2, 4 or 8 engines find in it."""
IDENTIFY_S = 3.0
PROBE_SECONDS = 1.0
LEFTOVER_SECONDS = 0.02
"""Seconds to wait for the further byte by which a related device, the Antminer, differs."""


class IcarusChain(ChipChain):
    """One device; its chips split the nonce range without being told."""

    reply_size = 4
    feed_at = 0.95
    """Its rate is fixed and known: early work costs nothing, but missing the end costs idle time
    (docs/reference/asic.md#icarus-and-block-erupter)."""
    max_interval = float("inf")

    def _make_decoder(self) -> ReplyDecoder:
        return FixedLengthDecoder(4, self._judge, NonceReply)

    def _judge(self, group: bytes) -> Judgement:
        return Judgement.SURE if self.history.matches(self.reported_nonce(NonceReply(group[:4]))) else Judgement.MAYBE

    @property
    def hash_rate(self) -> float:
        """Less the time between a nonce and the next work for boards that idle in it: nothing at real difficulties."""
        rate = super().hash_rate
        if not self.board.stops_at_nonce:
            return rate
        idle = self.wire.seconds_of(jobs.ICARUS_SIZE + self.reply_size)
        return rate / (1 + idle * rate / hashes_per_nonce(self.history.bound))

    def job_frame(self, work: ChipWork) -> bytes:
        """See ``jobs.icarus_job``."""
        return jobs.icarus_job(work.unit.header)

    def reported_nonce(self, reply: NonceReply) -> ReportedNonce:
        """Any remembered work may be meant. The leading bits name the engine, most significant first
        (docs/reference/asic.md#engines-of-an-icarus)."""
        return ReportedNonce(reply.nonce, chip=reply.nonce[0] * self.chips >> 8)

    async def count(self, seconds: float) -> int:
        """Golden work. WrongChip for an answer of another size or value."""
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
        """Perform also ``CountEngines``."""
        if isinstance(step, CountEngines):
            self.chips = await self.count_engines()
        else:
            await super().perform(step)

    async def count_engines(self) -> int:
        """How many engines share the range, by work in which each number of them finds another nonce first
        (docs/reference/asic.md#engines-of-an-icarus)."""
        answer = await self._raw_answer(PROBE_WORK, PROBE_SECONDS)
        if answer[:4] not in PROBE_ANSWERS:
            log.warning("engines_not_told", device=self.path, expected="one of four nonces", got=answer.hex())
            return 1
        return PROBE_ANSWERS[answer[:4]]

    async def identify(self) -> str:
        """Busy, then idle: the lamp of a Block Erupter most likely shows the difference
        (docs/reference/asic.md#icarus-and-block-erupter)."""
        await self.wire.send(PROBE_WORK)
        await trio.sleep(IDENTIFY_S)
        return "its lamp changes within the next quarter of a minute: dark while busy, lit while idle (inferred)"

    async def make_idle(self) -> None:
        """It goes idle by itself at the end of its range."""

    async def _raw_answer(self, frame: bytes, seconds: float) -> bytes:
        """What comes back, at most eight bytes, unparsed: the decoder knows nothing of this work."""
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
