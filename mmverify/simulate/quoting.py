"""The prices that the bot quotes, after Avellaneda and Stoikov: around the fair price, shifted against the inventory.

Avellaneda, Stoikov (2008), "High-frequency trading in a limit order book": with inventory q, variance v of the price to
the horizon, risk aversion g and fill decay k, the reservation price is fair - q g v, the half-spread
g v / 2 + ln(1 + g / k) / g. Limits of the bot's own are laid over both.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from math import log1p, sqrt

from mmverify.simulate.markets import Market
from mmverify.simulate.policy import HORIZON_S, MAX_SKEW_BPS, MIN_EDGE_BPS, MIN_SPREAD_BPS, VOL_MULTIPLIER

DIGITS = Decimal("1e-4")  # of fair value, skew and half-spread
FORGET = 1 / 30  # of the mean squared return, a second
CALM = 3e-5  # return of a second to begin with, and never below a third of it
ADVERSE = 1.6  # times the usual variance
WIDER = Decimal("1.4")  # in adverse times
LEVEL_STEP = Decimal("0.6")  # by which the next level's half-spread is wider


class Variance:
    """Running mean of squared returns, one of the last half minute and one of the last ten."""

    def __init__(self) -> None:
        self._fast = self._slow = CALM**2
        self._last: Decimal | None = None

    def see(self, mid: Decimal) -> None:
        """Take in the mid of the next second."""
        if self._last is not None:
            square = float(mid / self._last - 1) ** 2
            self._fast += FORGET * (square - self._fast)
            self._slow += FORGET / 20 * (square - self._slow)
        self._last = mid

    @property
    def volatility(self) -> Decimal:
        """Standard deviation of the return to the horizon, as a fraction."""
        return Decimal(f"{sqrt(max(self._fast, CALM**2 / 9) * HORIZON_S):.8f}")

    @property
    def is_adverse(self) -> bool:
        """Whether prices move much more than they usually do."""
        return self._fast > ADVERSE * self._slow


@dataclass(frozen=True)
class Quote:
    """A decision for one level; a price of None is a side that is not quoted. Prices in ticks."""

    level: int
    fair: Decimal
    skew: Decimal
    half_spread: Decimal
    volatility: Decimal
    state: str
    bid: int
    ask: int


def quotes(
    market: Market, *, mid: Decimal, best: tuple[Decimal, Decimal], imbalance: Decimal, inventory: Decimal,
    variance: Variance, risk_aversion: Decimal, fill_decay: Decimal, alpha: Decimal, levels: int,
) -> list[Quote]:  # fmt: skip
    """Decide bid and ask of each level.

    Parameters
    ----------
    mid, best, imbalance
        Of the book that the decision is based on.
    inventory : Decimal
        The signed position, in orders.
    risk_aversion, fill_decay, alpha : Decimal
        g and k of the formula [1/USD], and what an imbalance of 1 adds to the fair price [USD].
    """
    volatility, is_adverse = variance.volatility, variance.is_adverse
    fair = (mid + imbalance * alpha).quantize(DIGITS, ROUND_HALF_EVEN)
    to_horizon = (volatility * fair) ** 2
    most = fair * MAX_SKEW_BPS / 10_000
    skew = min(max(-inventory * risk_aversion * to_horizon, -most), most).quantize(DIGITS, ROUND_DOWN)
    if inventory * skew > 0 or not inventory:
        skew = Decimal(0)
    arrival = Decimal(f"{log1p(float(risk_aversion / fill_decay)):.8f}") / risk_aversion
    edge_bps = 2 * market.maker_fee * 10_000 + MIN_EDGE_BPS
    least = max(fair, best[1]) * max(MIN_SPREAD_BPS, edge_bps) / 20_000
    half = max(risk_aversion * to_horizon / 2 + arrival, VOL_MULTIPLIER * volatility * max(fair, best[1]) / 2, least)
    half *= WIDER if is_adverse else 1
    tick = market.tick_size
    decided = []
    for level in range(levels):
        wide = (half * (1 + LEVEL_STEP * level)).quantize(DIGITS, ROUND_CEILING)
        bid = ((fair + skew - wide) / tick).to_integral_value(ROUND_FLOOR)
        ask = ((fair + skew + wide) / tick).to_integral_value(ROUND_CEILING)
        bid, ask = min(bid, best[1] / tick - 1), max(ask, best[0] / tick + 1)
        state = "adverse" if is_adverse else "normal"
        decided.append(Quote(level, fair, skew, wide, volatility, state, int(bid), int(ask)))
    return decided
