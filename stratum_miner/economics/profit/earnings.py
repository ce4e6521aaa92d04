"""Costs and expected earnings of a running miner: one line for people, and one object for programs.

A miner knows jobs, but not which block chain they belong to. If the network difficulty is so high that only mainnet
reaches it, the chain counts as mainnet. Otherwise it counts as a test chain, whose coins have no price.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from stratum_miner.bitcoin.target import TRIVIAL_TARGET, difficulty_from_target
from stratum_miner.economics import chain, mainnet
from stratum_miner.economics.income import DAY_SECONDS, Operation
from stratum_miner.economics.odds import Luck
from stratum_miner.economics.profit import terms
from stratum_miner.economics.profit.terms import TermError
from stratum_miner.quantities import amount, bitcoin_text, rounded, span_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """The prices, the power and the difficulty that the user gave."""

    electricity: Decimal
    """Price of electricity per kWh, in the user's currency."""
    power: Decimal | None
    """Power in watts; None to use the power that the devices measure."""
    price: Decimal | None = None
    """Price of a bitcoin in the user's currency; None if the user gave no price."""
    pool_fee: Decimal = Decimal(0)
    """Fraction of the income that the pool keeps."""
    mainnet_difficulty: float = float(mainnet.DIFFICULTY.value)
    """Mainnet difficulty. It is used only if the miner works on a test chain: to show what the same hash rate would
    earn on mainnet."""


def tariff(
    *,
    electricity: str | None,
    power: str | None,
    price: str | None,
    pool_fee: str | None,
    mainnet_difficulty: str | None,
    may_measure: bool = False,
) -> Tariff | None:
    """Return the tariff from the values of the options --electricity, --power and so on; None without --electricity.

    If ``may_measure`` is true, devices may measure their power, so that --power may be omitted. Raises TermError if an
    option is invalid, or if it needs another option that is missing.
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
                raise TermError(f"{name}: needs --electricity, the price of a kWh, as in --electricity 0.30")
        return None
    if power is None and not may_measure:
        raise TermError(
            "--electricity: needs the power: add --power, as in --power 65W, or a --device that measures its power"
        )
    found = Tariff(
        electricity=terms.money("--electricity", electricity, "electricity"),
        power=None if power is None else terms.power("--power", power),
        price=None if price is None else terms.price("--price", price),
        pool_fee=Decimal(0) if pool_fee is None else terms.share("--pool-fee", pool_fee),
        mainnet_difficulty=(
            float(mainnet.DIFFICULTY.value)
            if mainnet_difficulty is None
            else terms.difficulty("--mainnet-difficulty", mainnet_difficulty)
        ),
    )
    money = {"electricity": ("--electricity", electricity), "price": ("--price", price)}
    terms.check_same_currency({name: (where, text) for name, (where, text) in money.items() if text is not None})
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredRun:
    """The figures of a running miner. A figure that is not known is None."""

    elapsed: float
    """Seconds since the start."""
    hash_rate: float
    """Mean hash rate since the start, in H/s."""
    height: int | None
    """Height of the block that is being searched."""
    network_difficulty: float | None
    """Network difficulty of the current job."""
    share_difficulty: float | None
    """Share difficulty of the current job."""
    luck: Luck
    power: float | None
    """Power of all devices that mine, in watts; None unless all of them measure their power."""


@dataclass(frozen=True, slots=True)
class Earnings:
    """Costs and expected earnings, computed from a miner's figures and the user's tariff (prices, power, fee)."""

    measured: MeasuredRun
    tariff: Tariff

    @property
    def power(self) -> Decimal | None:
        """Return the power in watts: the power that the user gave (in the tariff), otherwise the measured power; None
        if neither is known."""
        if self.tariff.power is not None:
            return self.tariff.power
        return None if self.measured.power is None else Decimal(repr(self.measured.power))

    @property
    def operation(self) -> Operation | None:
        """Return the costs and the income of mining on mainnet at the measured hash rate; None before the first hash.

        They are computed with the network difficulty of the miner's job if that is a mainnet job, and otherwise with
        the mainnet difficulty of the tariff. Transaction fees are not included.
        """
        if self.measured.hash_rate <= 0:
            return None
        height = self.measured.height if self.on_mainnet else None
        subsidy = mainnet.SUBSIDY.value if height is None else Decimal(chain.subsidy(height)) / chain.SATOSHIS
        return Operation(
            hash_rate=self.measured.hash_rate,
            power=self.power or Decimal(0),
            electricity=self.tariff.electricity,
            difficulty=self.difficulty if self.on_mainnet and self.difficulty else self.tariff.mainnet_difficulty,
            block_reward=subsidy + mainnet.FEES.value,
            price=self.tariff.price or Decimal(0),
            pool_fee=self.tariff.pool_fee,
        )

    @property
    def difficulty(self) -> float | None:
        """Return the network difficulty of the current job."""
        return self.measured.network_difficulty

    @property
    def on_mainnet(self) -> bool:
        """Return whether the network difficulty is so high that only mainnet reaches it."""
        return self.difficulty is not None and self.difficulty >= chain.LEAST_MAINNET_DIFFICULTY

    @property
    def seconds_per_block(self) -> float | None:
        """Return the expected seconds per block on the chain that is being mined; None if they are not known.

        On some test chains, such as regtest, about half of all hashes meet the network target. The miner then submits
        only those hashes that also meet the share target, so that a block takes as long as a share.
        """
        difficulty, share_difficulty = self.difficulty, self.measured.share_difficulty
        if difficulty is not None and difficulty <= difficulty_from_target(TRIVIAL_TARGET):
            difficulty = None if share_difficulty is None else max(difficulty, share_difficulty)
        if difficulty is None or self.measured.hash_rate <= 0:
            return None
        return chain.hashes_per_block(difficulty, exact=True) / self.measured.hash_rate

    def line(self) -> str:
        """Return one line for people: first whether mining earns money, then the costs, the luck and the expected
        income."""
        operation, per_day = self.operation, self._per_day
        if operation is None:
            return "no hash yet" if per_day is None else f"costs {amount(per_day)} per day; no hash yet"
        parts = [
            self._verdict(operation),
            "costs not known, because not every device measures its power (give it with --power)"
            if per_day is None
            else f"costs {amount(per_day)} per day, {rounded(float(operation.joules_per_terahash))} J/TH",
            self._luck_text(),
            self._income_text(operation),
        ]
        return "; ".join(part for part in parts if part)

    def _verdict(self, operation: Operation) -> str:
        if not self.on_mainnet:
            return "" if self.difficulty is None else "earns nothing, because the coins of a test chain have no price"
        if self.tariff.price is None or self.power is None:
            return ""
        profit = float(operation.profit_per_day)
        return f"{'earns' if profit >= 0 else 'loses'} {amount(abs(profit))} per day"

    @property
    def _per_day(self) -> float | None:
        """Return the costs of electricity per day at the current power."""
        power = self.power
        return None if power is None else float(power / 1000 * 24 * self.tariff.electricity)

    def _luck_text(self) -> str:
        ratio, interval = self.measured.luck.ratio, self.measured.luck.interval()
        if ratio is None or interval is None:
            return ""
        return f"luck {ratio:.2f} (95 % interval: {interval.low:.2f} to {interval.high:.2f})"

    def _income_text(self, operation: Operation) -> str:
        wait = span_text(DAY_SECONDS / operation.blocks_per_day)
        coins = f"{bitcoin_text(float(operation.btc_per_day_net))} per day"
        money = f" ({amount(float(operation.revenue_per_day))})" if self.tariff.price else ""
        if self.on_mainnet:
            return f"mines {coins}{money} on average; a block takes {wait} on average"
        difficulty = self.tariff.mainnet_difficulty
        date = f" on {mainnet.DIFFICULTY.date}" if difficulty == float(mainnet.DIFFICULTY.value) else ""
        there = (
            f"at this hash rate, mainnet (difficulty {difficulty / 1e12:.4g}T{date}) would pay {coins}{money} on "
            f"average, and a block would take {wait}"
        )
        here = self.seconds_per_block
        return there if here is None else f"a block takes {span_text(here)} on average; {there}"

    def as_object(self) -> dict[str, Any]:
        """Return the figures for --json and the HTTP API. Money is in the user's currency; unknown figures are None."""
        operation, interval = self.operation, self.measured.luck.interval()
        power, per_day = self.power, self._per_day
        # the costs since the start are only known if the user gave the power: a measured power changes
        fixed = self.tariff.power is not None
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
