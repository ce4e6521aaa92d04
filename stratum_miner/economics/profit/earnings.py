"""What mining costs and earns while it runs: one line for people, one object for programs. It promises nothing.

A miner sees jobs, not chains: a network difficulty that only mainnet reaches is taken for mainnet, any other for a test
chain, whose coins have no price.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stratum_miner.bitcoin.target import TRIVIAL_TARGET, difficulty_from_target
from stratum_miner.economics import chain
from stratum_miner.economics.income import DAY_SECONDS, Operation
from stratum_miner.economics.odds import Luck
from stratum_miner.economics.profit import terms
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.quantities import amount, rounded, scaled, span_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What the user said of money and power."""

    electricity: Decimal
    """Per kWh."""
    power: Decimal | None
    """Watts; None for what the devices measure."""
    price: Decimal | None = None
    pool_fee: Decimal = Decimal(0)
    mainnet_difficulty: float = chain.MAINNET_DIFFICULTY


def tariff(
    *,
    electricity: str | None,
    power: str | None,
    price: str | None,
    pool_fee: str | None,
    mainnet_difficulty: str | None,
    may_measure: bool = False,
) -> Tariff | None:
    """From options; None without --electricity. TermError for what is wrong or makes no sense alone.

    ``may_measure``: there may be devices that measure their power, so --power may be left out.
    """
    if electricity is None:
        others = {
            "--power": power,
            "--price": price,
            "--pool-fee": pool_fee,
            "--mainnet-difficulty": mainnet_difficulty,
        }
        for name, value in others.items():
            if value is not None:
                raise TermError(f"{name}: expected it together with --electricity, the price of a kWh")
        return None
    if power is None and not may_measure:
        raise TermError(
            "--electricity: expected it together with --power, as in --power 65W, or with a --device that measures it"
        )
    return Tariff(
        electricity=terms.money("--electricity", electricity),
        power=None if power is None else terms.power("--power", power),
        price=None if price is None else terms.price("--price", price),
        pool_fee=Decimal(0) if pool_fee is None else terms.share("--pool-fee", pool_fee),
        mainnet_difficulty=(
            chain.MAINNET_DIFFICULTY
            if mainnet_difficulty is None
            else terms.difficulty("--mainnet-difficulty", mainnet_difficulty)
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """What a run came to so far; None is what nobody knows."""

    elapsed: float
    """Seconds."""
    hash_rate: float
    """H/s since the start."""
    height: int | None
    """The height of the block being searched for."""
    network_difficulty: float | None
    share_difficulty: float | None
    """The share difficulty of the job being searched."""
    luck: Luck
    power: float | None
    """Watts of everything that mines, where its devices measure that."""


@dataclass(frozen=True, slots=True)
class Earnings:
    """What was measured, in the light of a tariff."""

    measured: MeasuredRun
    tariff: Tariff

    @property
    def power(self) -> Decimal | None:
        """Watts: those of the tariff, else what the devices measure; None where they do not measure all of it."""
        if self.tariff.power is not None:
            return self.tariff.power
        return None if self.measured.power is None else Decimal(repr(self.measured.power))

    @property
    def operation(self) -> Operation | None:
        """At mainnet's difficulty: the job's when it is mainnet, else the tariff's; None before any hash."""
        if self.measured.hash_rate <= 0:
            return None
        height = self.measured.height if self.on_mainnet and self.measured.height is not None else None
        subsidy = chain.subsidy(height if height is not None else 4 * chain.HALVING_INTERVAL)
        return Operation(
            hash_rate=self.measured.hash_rate,
            power=self.power or Decimal(0),
            electricity=self.tariff.electricity,
            difficulty=self.difficulty if self.on_mainnet and self.difficulty else self.tariff.mainnet_difficulty,
            block_reward=Decimal(subsidy) / chain.SATOSHIS,
            price=self.tariff.price or Decimal(0),
            pool_fee=self.tariff.pool_fee,
        )

    @property
    def difficulty(self) -> float | None:
        """The difficulty of the network mined on."""
        return self.measured.network_difficulty

    @property
    def on_mainnet(self) -> bool:
        """As far as the difficulty tells."""
        return self.difficulty is not None and self.difficulty >= chain.LEAST_MAINNET_DIFFICULTY

    @property
    def seconds_per_block(self) -> float | None:
        """Expected on the chain mined on; None while nobody knows. Where every second hash is a block, as on plain
        regtest, only shares are handed in, and a block takes as long as a share.
        """
        difficulty, share_difficulty = self.difficulty, self.measured.share_difficulty
        if difficulty is not None and difficulty <= difficulty_from_target(TRIVIAL_TARGET):
            difficulty = None if share_difficulty is None else max(difficulty, share_difficulty)
        if difficulty is None or self.measured.hash_rate <= 0:
            return None
        return chain.hashes_per_block(difficulty, exact=True) / self.measured.hash_rate

    def line(self) -> str:
        """For people: what it costs, how lucky it was, what to expect."""
        operation, per_day = self.operation, self._per_day
        if operation is None:
            return "no hash yet" if per_day is None else f"costs {amount(per_day)} a day to run; no hash yet"
        parts = [
            "what it costs is not known, because not every device measures its power: --power tells it"
            if per_day is None
            else f"costs {amount(per_day)} a day, {rounded(float(operation.joules_per_terahash))} J/TH",
            self._luck_text(),
            self._income_text(operation),
        ]
        return "; ".join(part for part in parts if part)

    @property
    def _per_day(self) -> float | None:
        """What a day costs at the power of the moment."""
        power = self.power
        return None if power is None else float(power / 1000 * 24 * self.tariff.electricity)

    def _luck_text(self) -> str:
        ratio, interval = self.measured.luck.ratio, self.measured.luck.interval()
        if ratio is None or interval is None:
            return ""
        return f"luck {ratio:.2f} (95 %: {interval.low:.2f} to {interval.high:.2f})"

    def _income_text(self, operation: Operation) -> str:
        wait = DAY_SECONDS / operation.blocks_per_day
        coins = f"{float(operation.btc_per_day_net):.3g} bitcoin a day"
        money = f" ({amount(float(operation.revenue_per_day))})" if self.tariff.price else ""
        if self.on_mainnet:
            return f"earns {coins}{money} on average, a block takes {span_text(wait)}"
        there = (
            f"a mainnet block (difficulty {scaled(self.tariff.mainnet_difficulty).replace(' ', '')}) takes "
            f"{span_text(wait)} on average and mining there would earn {coins}{money}"
        )
        here = self.seconds_per_block
        if here is None:
            return f"at this rate {there}"
        return f"at this rate {there}; on this test chain, whose coins have no price, {span_text(here)}"

    def as_object(self) -> dict[str, Any]:
        """For --json and the API; money in the tariff's own, None for what is not known."""
        operation, interval = self.operation, self.measured.luck.interval()
        power, per_day = self.power, self._per_day
        fixed = self.tariff.power is not None  # what is measured changes, so that of the moment says nothing of before
        found: dict[str, Any] = {
            "power_w": None if power is None else float(power),
            "electricity_per_day": per_day,
            "electricity_so_far": per_day * self.measured.elapsed / DAY_SECONDS
            if per_day is not None and fixed
            else None,
            "joules_per_terahash": float(operation.joules_per_terahash) if operation and power is not None else None,
            "luck": {
                "found": self.measured.luck.found,
                "expected": self.measured.luck.expected,
                "ratio": self.measured.luck.ratio,
                "low": interval.low if interval else None,
                "high": interval.high if interval else None,
            },
            "network_difficulty": self.difficulty,
            "seconds_per_block": self.seconds_per_block,
            "mainnet": self.on_mainnet,
            "mainnet_difficulty": operation.difficulty if operation else self.tariff.mainnet_difficulty,
            "mainnet_seconds_per_block": DAY_SECONDS / operation.blocks_per_day if operation else None,
            "mainnet_btc_per_day": float(operation.btc_per_day_net) if operation else None,
        }
        earns = operation is not None and self.on_mainnet and self.tariff.price is not None
        found["income_per_day"] = float(operation.revenue_per_day) if operation and earns else None
        found["profit_per_day"] = float(operation.profit_per_day) if operation and earns and power is not None else None
        return found
