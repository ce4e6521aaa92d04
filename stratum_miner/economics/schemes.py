"""What pools pay for a share."""

from decimal import Decimal


def pps(share_difficulty: float, network_difficulty: float, subsidy: Decimal, fee: Decimal) -> Decimal:
    """Pay per share: its part of the subsidy, in bitcoin; the fees stay with the pool."""
    return Decimal(share_difficulty) / Decimal(network_difficulty) * subsidy * (1 - fee)


def fpps(share_difficulty: float, network_difficulty: float, subsidy: Decimal, fees: Decimal, fee: Decimal) -> Decimal:
    """Full pay per share: its part of subsidy and fees, in bitcoin."""
    return pps(share_difficulty, network_difficulty, subsidy + fees, fee)
