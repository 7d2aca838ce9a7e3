"""The signals that the bot computes from the trades that have reached it: VWAP, volume, EMA, volatility."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise

PRECISION = 50  # digits that recursions, logarithms and roots carry before the claim is rounded
YEAR = 365 * 24 * 3600 * 10**9  # [ns]


@dataclass(frozen=True, order=True)
class Print:
    """A public trade that entered the signals, ordered by the venue's time and then by arrival."""

    ts_exchange: int
    arrival: int
    ts_local: int
    price: Decimal
    qty: Decimal


class Ema:
    """Exponential moving average; each state is (inputs so far, numerator, denominator), its value their quotient.

    Parameters
    ----------
    span : int
        alpha = 2 / (span + 1).
    init : {"first", "sma", "adjusted"}
        Start at the first input, at the mean of the first `span` (no value before), or weigh what there is.
    """

    def __init__(self, *, span: int, init: str) -> None:
        self.span, self.init = span, init

    def step(self, state: tuple[int, Decimal, Decimal], price: Decimal) -> tuple[int, Decimal, Decimal]:
        """One more input."""
        inputs, top, bottom = state[0] + 1, state[1], state[2]
        with localcontext(prec=PRECISION):
            alpha = Decimal(2) / (self.span + 1)
            if self.init == "adjusted":
                return inputs, price + (1 - alpha) * top, 1 + (1 - alpha) * bottom
            if self.init == "sma" and inputs <= self.span:
                return inputs, top + price, Decimal(inputs)
            if inputs == 1:
                return inputs, price, Decimal(1)
            return inputs, alpha * price + (1 - alpha) * (top / bottom), Decimal(1)

    def value(self, state: tuple[int, Decimal, Decimal]) -> Decimal | None:
        """The average, or None where there is none yet."""
        if state[0] < (self.span if self.init == "sma" else 1):
            return None
        with localcontext(prec=PRECISION):
            return state[1] / state[2]

    def of(self, prices: Sequence[Decimal]) -> Decimal | None:
        """The average of a whole series."""
        state = (0, Decimal(0), Decimal(0))
        for price in prices:
            state = self.step(state, price)
        return self.value(state)


class Tape:
    """The trades of one market in the venue's order, and the EMA after each; a late trade reopens what follows it."""

    def __init__(self, ema: Ema) -> None:
        self.prints: list[Print] = []
        self.newest_local = self.newest_exchange = 0
        self._ticks: list[tuple[int, Decimal]] = []
        self._ema = ema
        self._states = [(0, Decimal(0), Decimal(0))]

    def tick(self, ts_exchange: int, price: Decimal) -> str | None:
        """The tick rule's side of a trade: above the last other price before it is a buy; None while there is none."""
        place = bisect_right(self._ticks, ts_exchange, key=lambda tick: tick[0])
        self._ticks.insert(place, (ts_exchange, price))
        while place and self._ticks[place - 1][1] == price:
            place -= 1
        return None if not place else "buy" if price > self._ticks[place - 1][1] else "sell"

    def add(self, *, ts_exchange: int, ts_local: int, price: Decimal, qty: Decimal) -> None:
        """Take in a trade, where it belongs by the venue's time."""
        new = Print(ts_exchange, len(self.prints), ts_local, price, qty)
        del self._states[bisect_right(self.prints, new) + 1 :]
        insort(self.prints, new)
        self.newest_local, self.newest_exchange = ts_local, max(ts_exchange, self.newest_exchange)

    def window(self, start: int, end: int) -> list[Print]:
        """Trades with start <= ts_exchange < end."""
        first = bisect_left(self.prints, start, key=lambda trade: trade.ts_exchange)
        return self.prints[first : bisect_left(self.prints, end, key=lambda trade: trade.ts_exchange)]

    def ema(self) -> Decimal | None:
        """The EMA over all trades."""
        for trade in self.prints[len(self._states) - 1 :]:
            self._states.append(self._ema.step(self._states[-1], trade.price))
        return self._ema.value(self._states[-1])


def vwap(trades: Sequence[Print]) -> Decimal | None:
    """Sum of price x qty over sum of qty; None where nothing traded."""
    with localcontext(prec=PRECISION):
        volume = sum((trade.qty for trade in trades), Decimal(0))
        turnover = sum((trade.price * trade.qty for trade in trades), Decimal(0))
        return turnover / volume if volume else None


def closes(trades: Sequence[Print], *, start: int, period: int, buckets: int) -> list[Decimal | None]:
    """Last price of each bucket of `period` ns from `start` on, None where it is empty."""
    last: list[Decimal | None] = [None] * buckets
    for trade in trades:
        last[(trade.ts_exchange - start) // period] = trade.price
    return last


def volatility(prices: Sequence[Decimal], *, kind: str, ddof: int, periods_per_year: Decimal) -> Decimal:
    """Standard deviation of the log or simple returns between prices, annualized."""
    with localcontext(prec=PRECISION):
        ratios = [after / before for before, after in pairwise(prices)]
        returns = [ratio.ln() if kind == "log" else ratio - 1 for ratio in ratios]
        mean = sum(returns, Decimal(0)) / len(returns)
        variance = sum(((r - mean) ** 2 for r in returns), Decimal(0)) / (len(returns) - ddof)
        return (variance * periods_per_year).sqrt()
