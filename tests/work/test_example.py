"""The invented work: always the same headers, so that figures of two versions of the program can be compared."""

from stratum_miner.bitcoin.target import difficulty_from_target
from stratum_miner.work.example import unit_of
from stratum_miner.work.job import Origin, PoolKey
from stratum_miner.work.share import InvalidNonce, Share, verify
from stratum_miner.work.unit import NonceFound


def test_the_headers_are_always_the_same() -> None:
    """A header of regtest with the time of block 1, which no change of the program may alter."""
    header = (
        "00000020" + "01" + "00" * 31 + "5e3492300d524568fc79e62422998d53122c145c684af446ce5dc586"
        "909a2858" + "61bc6649" + "ffff7f20" + "00000000"
    )
    unit = unit_of(1)
    assert unit.header.hex() == header
    assert unit_of(2).header.hex() == header.replace("01", "02", 1)
    assert unit.job.origin == Origin(PoolKey("example"), "", 1)
    assert (unit.first_nonce, unit.nonce_count) == (7000, 512)


def test_one_hash_in_32_is_a_share_and_none_is_lost() -> None:
    unit = unit_of(3)
    assert difficulty_from_target(unit.target) * 2**32 == 32 * (1 - 2**-16)
    verdicts = [verify(NonceFound(unit, 7000 + step, unit.version)) for step in range(512)]
    shares = [verdict for verdict in verdicts if isinstance(verdict, Share)]
    assert 0 < len(shares) < 64, "16 on average"
    assert verdicts.count(InvalidNonce.ABOVE_UNIT_TARGET) == 512 - len(shares)


def test_what_a_caller_asks_for_is_in_the_unit() -> None:
    unit = unit_of(4, target=5, first_nonce=6, nonce_count=7)
    assert (unit.target, unit.first_nonce, unit.nonce_count) == (5, 6, 7)
