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
"""Work made from the header of Bitcoin block 171874. The nonce of this block is the only one of all 2^32 nonces that a
chip reports (docs/reference/asic.md#golden-work)."""
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
"""Which nonce a device finds first in ``PROBE_WORK`` depends on its number of engines. The keys are these nonces, the
values the numbers of engines."""
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
        """Expected hash rate in H/s. Some boards stop after each nonce and are idle until new work comes; the rate is
        then an average that includes this idle time.
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
        """Decode a reply. A reply has no job id, so its nonce may belong to any remembered work. The most significant
        bits of the nonce are the number of the engine that found it (docs/reference/asic.md#engines-of-an-icarus)."""
        return ReportedNonce(reply.nonce, chip=reply.nonce[0] * self.chips >> 8)

    async def count(self, seconds: float) -> int:
        """Send ``GOLDEN_WORK`` and wait up to ``seconds`` for its nonce. If this nonce comes, return the expected
        number of chips, because an answer does not show how many there are. If no answer comes, return 0. Raises
        WrongChip if an answer without this nonce comes."""
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
        """Perform one step of bring-up. This class performs the step ``CountEngines`` itself. ``ChipChain`` performs
        all other steps."""
        if isinstance(step, CountEngines):
            self.chips = await self.count_engines()
        else:
            await super().perform(step)

    async def count_engines(self) -> int:
        """Send ``PROBE_WORK``, and return how many engines share the nonce range. The number of engines decides which
        nonce comes first: ``PROBE_ANSWERS`` has this nonce for each possible number
        (docs/reference/asic.md#engines-of-an-icarus). If the first nonce is not in ``PROBE_ANSWERS``, log a warning and
        return 1."""
        answer = await self._raw_answer(PROBE_WORK, PROBE_SECONDS)
        if answer[:4] not in PROBE_ANSWERS:
            log.warning("engines_not_told", device=self.path, expected="one of four nonces", got=answer.hex())
            return 1
        return PROBE_ANSWERS[answer[:4]]

    async def identify(self) -> str:
        """Send work, and return what the user should look for: while the device searches the work, its lamp is probably
        off, as on a Block Erupter (docs/reference/asic.md#icarus-and-block-erupter)."""
        await self.wire.send(PROBE_WORK)
        await trio.sleep(IDENTIFY_S)
        return "its lamp changes within the next 15 s: off while busy, on while idle (not tested on a device)"

    async def make_idle(self) -> None:
        """Do nothing: the device becomes idle when it has searched its nonce range."""

    async def _raw_answer(self, frame: bytes, seconds: float) -> bytes:
        """Send a frame of work and return the undecoded answer; empty if none comes within ``seconds``. The decoder
        cannot be used: it checks each nonce against the remembered work, to which this frame does not belong."""
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
