"""Signals from public trades and quotes. The value at t is made of what is known at t."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from decimal import Decimal, localcontext
from itertools import pairwise

from bot.money import ROUND, WIDE, number, one_of, positive, unsigned


def vwap(prices: Sequence[Decimal], qtys: Sequence[Decimal]) -> Decimal:
    """Give the mean price by volume; there is none without volume."""
    with localcontext(WIDE):
        trades = [(positive(price), unsigned(qty)) for price, qty in zip(prices, qtys, strict=True)]
        volume = sum(qty for _, qty in trades)
        if not volume:
            raise ValueError("no volume, no VWAP")
        return ROUND.plus(sum(price * qty for price, qty in trades) / volume)


def ema(
    values: Sequence[Decimal | None], span: int | None = None, alpha: Decimal | None = None, init: str = "first"
) -> list[Decimal | None]:
    """Give the exponential moving average at each input; a missing one repeats the last average."""
    one_of(init, ("first", "sma", "adjusted"))
    if (alpha is None) == (span is None):
        raise ValueError("either span or alpha")
    if init == "sma" and (span is None or number(span) % 1):
        raise ValueError("sma needs a whole span")
    with localcontext(WIDE):
        weight = positive(alpha) if span is None else 2 / (positive(span) + 1)
        if weight > 1:
            raise ValueError("alpha above 1, or span below 1")
        averages: list[Decimal | None] = []
        average: Decimal | None = None
        seen, total, weights = 0, Decimal(0), Decimal(0)
        for value in values:
            if value is not None and value == value:
                x, seen = number(value), seen + 1
                if init == "adjusted":
                    total, weights = x + (1 - weight) * total, 1 + (1 - weight) * weights
                    average = total / weights
                elif average is not None:
                    average += weight * (x - average)
                else:
                    total += x
                    average = total / seen if init == "first" or seen == span else None
            averages.append(average)
        return [None if each is None else ROUND.plus(each) for each in averages]


def returns(prices: Sequence[Decimal], kind: str = "log") -> list[Decimal]:
    """Give the return of each period."""
    return [ROUND.plus(each) for each in _returns(prices, kind)]


def volatility(prices: Sequence[Decimal], periods_per_year: int, kind: str = "log", ddof: int = 1) -> Decimal:
    """Give the annualized standard deviation of the returns."""
    changes = _returns(prices, kind)
    if unsigned(ddof) >= len(changes):
        raise ValueError("too few returns")
    with localcontext(WIDE):
        mean = sum(changes, Decimal(0)) / len(changes)
        squares = sum(((each - mean) ** 2 for each in changes), Decimal(0))
        return ROUND.plus((squares / (len(changes) - ddof) * positive(periods_per_year)).sqrt())


def _returns(prices: Sequence[Decimal], kind: str) -> list[Decimal]:
    with localcontext(WIDE):
        ratios = [after / before for before, after in pairwise([positive(price) for price in prices])]
        if one_of(kind, ("log", "simple")) == "simple":
            return [ratio - 1 for ratio in ratios]
        return [ratio.ln() for ratio in ratios]


def trade_signs(prices: Sequence[Decimal], first: int = 0) -> list[int]:
    """Sign trades by the tick rule: +1 bought, -1 sold, `first` until the price first changes."""
    if first not in (-1, 0, 1):
        raise ValueError("first should be -1, 0 or 1")
    signs: list[int] = []
    sign, last = int(first), None
    for price in map(positive, prices):
        if last is not None and price != last:
            sign = 1 if price > last else -1
        signs.append(sign)
        last = price
    return signs


def lee_ready(
    trade_prices: Sequence[Decimal],
    trade_ts: Sequence[int],
    quote_ts: Sequence[int],
    bids: Sequence[Decimal],
    asks: Sequence[Decimal],
) -> list[int]:
    """Sign trades by the mid of the quote strictly before them, at that mid by the tick rule."""
    if any(later < earlier for times in (trade_ts, quote_ts) for earlier, later in pairwise(times)):
        raise ValueError("times should not fall")
    with localcontext(WIDE):
        doubled_mids = [positive(bid) + positive(ask) for _, bid, ask in zip(quote_ts, bids, asks, strict=True)]
        signs = trade_signs(trade_prices)
        for place, (price, ts) in enumerate(zip(trade_prices, trade_ts, strict=True)):
            quoted = bisect_left(quote_ts, ts) - 1
            distance = 2 * price - doubled_mids[quoted] if quoted >= 0 else 0
            if distance:
                signs[place] = 1 if distance > 0 else -1
    return signs
