r"""Who started a trade: the tick rule, and Lee and Ready's.

.. math::

    \text{tick rule: } \operatorname{sgn}(p_i - p_{i-1}), \text{ or the sign before where that is 0} \qquad
    \text{Lee-Ready: } \operatorname{sgn}(2 p_i - b - a), \text{ or the tick rule's where that is 0}

+1 is a buyer's trade, -1 a seller's, 0 unknown. The tick rule compares with the last trade at another price; until the
price first changes it has no answer and gives what it is told to. Lee-Ready compares with the mid of the quote in
force, the last one strictly before the trade: a quote of the same instant is the trade's effect. At the mid, and before
the first quote, it takes the tick rule's answer, 0 before the price first changes. There is no lag of five seconds,
which was for hand-entered quotes. A locked or crossed quote has a mid as any other. Comparisons are of integers: a
float counts as the shortest decimal that prints as it.

Undefined, and an error: a price at or below 0, a NaN, lists of unequal length, times of trades or of quotes that fall,
a first sign other than -1, 0, 1. A sign does not depend on anything that comes after its trade, nor on the scale of the
prices.

References
----------
Lee, Ready (1991), "Inferring Trade Direction from Intraday Data", Journal of Finance 46(2).
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from fractions import Fraction
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.compiled import THREADS, compiled
from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational
from mmverify.formulas.rounding import as_printed, integers, scaled_integers
from mmverify.numeric import Ints

_CHUNK = 16384  # trades at a time: what they need stays in the processor's cache
_BLOCK = 2048  # the same in a loop
_HIGHEST = 2**61  # a price in a loop: the sum of two has room


def trade_signs_exact(prices: Sequence[Number], first: int) -> list[int]:
    """Sign trades by the tick rule, one after the other.

    Parameters
    ----------
    prices : Sequence[Number], length n
        Trade prices in order of time, > 0. [quote/base]
    first : {-1, 0, 1}
        Sign of the trades before the price first changes. [1]

    Returns
    -------
    list[int], length n
        +1 for a buyer's trade, -1 for a seller's. [1]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    if first not in (-1, 0, 1):
        raise Undefined(f"first is {first!r}; should be -1, 0 or 1")
    signs: list[int] = []
    sign = first
    before: Fraction | None = None
    for price in map(as_printed, prices):
        if price <= 0:
            raise Undefined(f"the sign of a trade at {price} is not defined")
        if before is not None and price != before:
            sign = 1 if price > before else -1
        signs.append(sign)
        before = price
    return signs


def trade_signs(prices: ArrayLike, first: int) -> NDArray[np.int64]:
    """Sign an array of trades by the tick rule.

    Parameters
    ----------
    prices : array_like of int, shape (n,)
        Trade prices in order of time, > 0. [quote/base, scaled]
    first : {-1, 0, 1}
        Sign of the trades before the price first changes. [1]

    Returns
    -------
    ndarray of int64, shape (n,)
        +1 for a buyer's trade, -1 for a seller's, exact. [1]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    (p,) = scaled_integers(prices, terms=1)
    if p.ndim != 1 or first not in (-1, 0, 1) or not (p > 0).all():
        raise Undefined("the tick rule needs one row of prices above 0, and a first sign of -1, 0 or 1")
    moves = np.full(len(p), first, dtype=np.int64)
    moves[1:] = np.greater(p[1:], p[:-1]).astype(np.int64) - np.less(p[1:], p[:-1]).astype(np.int64)
    newest = np.maximum.accumulate(np.where(moves != 0, np.arange(len(p)), 0))
    return moves[newest]


def lee_ready_exact(
    trade_prices: Sequence[Number],
    trade_ts: Sequence[Number],
    quote_ts: Sequence[Number],
    bids: Sequence[Number],
    asks: Sequence[Number],
) -> list[int]:
    """Sign trades by Lee and Ready's rule, one after the other.

    Parameters
    ----------
    trade_prices : Sequence[Number], length n
        Trade prices, > 0. [quote/base]
    trade_ts : Sequence[Number], length n
        Their times, none before the one in front of it. [ns]
    quote_ts : Sequence[Number], length m
        Times of the quotes, none before the one in front of it; of one time the last is in force. [ns]
    bids, asks : Sequence[Number], length m
        Best prices of the quotes, > 0. [quote/base]

    Returns
    -------
    list[int], length n
        +1 for a buyer's trade, -1 for a seller's, 0 unknown. [1]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    if len(trade_prices) != len(trade_ts) or not len(quote_ts) == len(bids) == len(asks):
        raise Undefined("lists of unequal length have no trade signs")
    times, quoted = [rational(ts) for ts in trade_ts], [rational(ts) for ts in quote_ts]
    if any(later < earlier for row in (times, quoted) for earlier, later in pairwise(row)):
        raise Undefined("trades or quotes out of order have no signs")
    both = [(as_printed(bid), as_printed(ask)) for bid, ask in zip(bids, asks, strict=True)]
    if any(bid <= 0 or ask <= 0 for bid, ask in both):
        raise Undefined("a quote at or below 0 signs no trade")
    signs: list[int] = []
    seen = 0
    by_tick = trade_signs_exact(trade_prices, 0)
    for price, ts, tick_sign in zip(map(as_printed, trade_prices), times, by_tick, strict=True):
        while seen < len(quoted) and quoted[seen] < ts:
            seen += 1
        mid = sum(both[seen - 1]) / 2 if seen else price
        signs.append(1 if price > mid else -1 if price < mid else tick_sign)
    return signs


def lee_ready(
    trade_prices: ArrayLike, trade_ts: ArrayLike, quote_ts: ArrayLike, bids: ArrayLike, asks: ArrayLike
) -> NDArray[np.int64]:
    """Sign an array of trades by Lee and Ready's rule, merging them with the quotes that move the mid.

    Parameters
    ----------
    trade_prices : array_like of int, shape (n,)
        Trade prices at one scale, > 0. [quote/base, scaled]
    trade_ts : array_like of int, shape (n,)
        Their times, none before the one in front of it. [ns]
    quote_ts : array_like of int, shape (m,)
        Times of the quotes, none before the one in front of it; of one time the last is in force. [ns]
    bids, asks : array_like of int, shape (m,)
        Best prices of the quotes at the same scale, > 0. [quote/base, scaled]

    Returns
    -------
    ndarray of int64, shape (n,)
        +1 for a buyer's trade, -1 for a seller's, 0 unknown, exact. [1]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    p, times, quoted, b, a = (integers(each) for each in (trade_prices, trade_ts, quote_ts, bids, asks))
    if p.ndim != 1 or p.shape != times.shape or b.ndim != 1 or not b.shape == a.shape == quoted.shape:
        raise Undefined("trades and quotes need rows of one length each")
    signs = np.empty(len(p), dtype=np.int64)
    loop = compiled(_walk, len(p))
    if loop and len(p) and all(each.dtype == np.int64 for each in (p, times, quoted, b, a)):
        cuts = pairwise([len(p) * part // THREADS for part in range(THREADS + 1)])
        with ThreadPoolExecutor(THREADS) as pool:
            if all(list(pool.map(lambda cut: loop(p, times, quoted, b, a, cut[0], cut[1], signs), cuts))):
                return signs
    stops = np.append(np.arange(_CHUNK, len(p), _CHUNK), len(p))
    ends = np.append(np.searchsorted(quoted, times[stops[:-1] - 1], side="left"), len(quoted))
    start = begin = tick = 0
    for stop, end in zip(stops.tolist(), ends.tolist(), strict=True):
        since, oldest = max(start - 1, 0), max(begin - 1, 0)
        traded, quotes = times[since:stop], quoted[oldest:end]
        if begin > end or (traded[1:] < traded[:-1]).any() or (quotes[1:] < quotes[:-1]).any():
            raise Undefined("trades and quotes need to be in order of time")
        prices, bid, ask = scaled_integers(p[since:stop], b[oldest:end], a[oldest:end], terms=4)
        if not ((prices > 0).all() and (bid > 0).all() and (ask > 0).all()):
            raise Undefined("trades and quotes need prices above 0")
        sides = _sides_of_mid(prices[start - since :], traded[start - since :], quotes, bid + ask)
        moves = _signs_between(prices[1:], prices[:-1])
        if not start:
            moves = np.append(np.int8(0), moves)
        sides = np.where(sides == 0, moves, sides)
        still = np.flatnonzero(sides == 0)
        changes = np.flatnonzero(moves)
        ticks = np.append(np.int8(tick), moves[changes])
        sides[still] = ticks[np.searchsorted(changes, still)]
        signs[start:stop] = sides
        start, begin, tick = stop, end, int(ticks[-1])
    return signs


def _walk(
    p: Ints, times: Ints, quoted: Ints, b: Ints, a: Ints, first: int, last: int, signs: NDArray[np.int64]
) -> bool:  # fmt: skip
    """Fill in the signs of a range of trades; return whether they and as large a share of the quotes can be signed.

    A block of trades is merged with the quotes before any is signed, four quotes at a time: their order is not to be
    foreseen, and a processor that guesses it wrong waits for longer than three comparisons take.
    """
    here = first
    while here > 1 and p[here - 1] == p[here - 2]:
        here -= 1
    tick = 0 if here < 2 else 1 if p[here - 1] > p[here - 2] else -1
    before = p[max(first - 1, 0)]
    newest = np.empty(_BLOCK, dtype=np.int64)
    count, lowest, highest, rises = len(quoted), before, before, True
    seen = int(np.searchsorted(quoted, times[first]))
    for start in range(first, last, _BLOCK):
        stop = min(start + _BLOCK, last)
        for trade in range(start, stop):
            now = times[trade]
            while seen + 4 <= count:
                passed = (
                    int(quoted[seen] < now) + int(quoted[seen + 1] < now) + int(quoted[seen + 2] < now)
                    + int(quoted[seen + 3] < now)
                )  # fmt: skip
                seen += passed
                if passed < 4:
                    break
            while count < seen + 4 and seen < count and quoted[seen] < now:
                seen += 1
            newest[trade - start] = seen - 1
        for trade in range(start, stop):
            price, quote = p[trade], newest[trade - start]
            above = 2 * price - b[quote] - a[quote] if quote >= 0 else 0
            tick = 1 if price > before else -1 if price < before else tick
            signs[trade] = 1 if above > 0 else -1 if above < 0 else tick
            before = price
        low, high = start * count // len(p), stop * count // len(p)
        for prices in (p[start:stop], b[low:high], a[low:high]):
            for each in range(len(prices)):
                lowest, highest = min(lowest, prices[each]), max(highest, prices[each])
        for moments in (times[max(start - 1, 0) : stop], quoted[max(low - 1, 0) : high]):
            for each in range(1, len(moments)):
                rises &= moments[each - 1] <= moments[each]
    return bool(rises) and lowest > 0 and highest < _HIGHEST


def _signs_between(left: Ints, right: Ints) -> NDArray[np.int8]:
    """Return 1 where left is above right, -1 where it is below."""
    return np.greater(left, right).view(np.int8) - np.less(left, right).view(np.int8)


def _sides_of_mid(prices: Ints, times: Ints, quoted: Ints, mids: Ints) -> NDArray[np.int8]:
    """Return on which side of the mid in force each trade is, 0 before the first; `mids` are twice the mids."""
    moved = np.flatnonzero(np.append(True, mids[1:] != mids[:-1])[: len(mids)])
    order = np.concatenate([times, quoted[moved]]).argsort(kind="stable")  # merges two runs; of one time trades first
    newest = np.flatnonzero(order < len(times))
    newest -= np.arange(1, len(times) + 1)
    unknown = int(np.searchsorted(newest, 0))
    sides = np.zeros(len(prices), dtype=np.int8)
    sides[unknown:] = _signs_between(2 * prices[unknown:], mids[moved].take(newest[unknown:]))
    return sides


TRADE_SIGNS = Formula(
    name="trade_signs",
    tex=r"\operatorname{sgn}(p_i - p_{i-1}), \text{ or the sign before where that is 0}",
    units={"prices": "quote/base", "first": "1", "return": "1"},
    exact=trade_signs_exact,
    fast=trade_signs,
    error_bound="none: scaled integers",
    items=("3.2.1",),
    example=Example(
        text="The price falls from 100 to 99, then trades there again.",
        inputs={"prices": [100, 99, 99], "first": 0},
        steps=(
            "first trade: 0, no price before it",
            "second trade: 99 - 100 = -1, a seller's",
            "third trade: 99 - 99 = 0, no change, so the sign before stays: -1",
        ),
        result="-1",
    ),
)

LEE_READY = Formula(
    name="lee_ready",
    tex=r"\operatorname{sgn}(2 p_i - b - a), \text{ or the tick rule's where that is 0}",
    units={
        "trade_prices": "quote/base",
        "trade_ts": "ns",
        "quote_ts": "ns",
        "bids": "quote/base",
        "asks": "quote/base",
        "return": "1",
    },
    exact=lee_ready_exact,
    fast=lee_ready,
    error_bound="none: scaled integers",
    items=("3.2.1",),
    example=Example(
        text="A trade at 5 before any quote, and one at 20 under the quote of 10; the quote of 20 is its effect.",
        inputs={
            "trade_prices": [102, 101],
            "trade_ts": [5, 20],
            "quote_ts": [10, 20],
            "bids": [100, 90],
            "asks": [102, 92],
        },
        steps=(
            "quote in force at 20: the last before it, of 10, 100 bid and 102 asked",
            "2 x price = 2 x 101 = 202 = 100 + 102 = bid + ask, so the trade is at the mid",
            "tick rule: 101 - 102 = -1",
        ),
        result="-1",
    ),
)
