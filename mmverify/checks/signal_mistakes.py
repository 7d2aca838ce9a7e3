"""What may have made a signal wrong: every known mistake as the values that a claim would have had under it.

A diagnosis is named when one of these reproduces every wrong claim to its last digit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal

import numpy as np

from mmverify.checks.known import Rows
from mmverify.checks.signals import (
    YEAR_NS,
    Annual,
    Claim,
    Smoothing,
    Value,
    Values,
    annual,
    ema_inputs,
    emas,
    smoothing,
    volatilities,
    vwaps,
)
from mmverify.checks.tape import Tape, tape
from mmverify.formulas.ema import ema_last

Suspects = Iterator[tuple[str, Values]]
Change = Callable[[Claim, Annual], Annual]

_LATER = 2**62  # ns; everything has arrived by then


def of_vwap(first: Claim) -> Suspects:
    """Yield what may have made claims of VWAP wrong; `first` is one of them."""

    def shifted(start: int, end: int) -> Values:
        return lambda claim: vwaps(replace(claim, start=(claim.start or 0) + start, end=(claim.end or 0) + end))

    def by_arrival(claim: Claim) -> list[Value]:
        low, high = np.searchsorted(claim.tape.arrived.times, [claim.start or 0, claim.end or 0], side="left")
        inside = (claim.tape.rank >= low) & (claim.tape.rank < min(high, claim.cuts[0]))
        return [_ratio(claim.tape, np.flatnonzero(inside))]

    def mean(claim: Claim) -> list[Value]:
        seen = [claim.tape.prices[claim.tape.places(*claim.window, cut)].tolist() for cut in claim.cuts]
        return [Fraction(sum(prices), len(prices) * 10**claim.tape.price_scale) for prices in seen if prices]

    def one_a_time(claim: Claim) -> list[Value]:
        seen = [claim.tape.places(*claim.window, cut) for cut in claim.cuts]
        return [_ratio(claim.tape, places[np.append(np.diff(claim.tape.times[places]) != 0, True)])
                for places in seen if places.size]  # fmt: skip

    yield "prices were averaged without their quantities", mean
    yield "the window was cut by ts_local", by_arrival
    yield "the window's end was counted in", shifted(0, 1)
    yield "the window's start was left out", shifted(1, 0)
    yield "of trades with the same timestamp only the last was taken", one_a_time
    yield from _of_any(first, vwaps)


def of_ema(first: Claim) -> Suspects:
    """Yield what may have made claims of an EMA wrong; `first` is one of them."""

    def under(change: Callable[[Claim, Smoothing], Smoothing]) -> Values:
        def values(claim: Claim) -> list[Value]:
            how = smoothing(claim)
            return emas(claim, change(claim, how)) if how else []

        return values

    def over_span(weight: int) -> Callable[[Claim, Smoothing], Smoothing]:
        return lambda claim, how: replace(how, alpha=weight / claim.params.get("span", 1))

    def to_sma(claim: Claim, how: Smoothing) -> Smoothing:
        n = claim.params.get("n") or claim.params.get("span") or round(2 / how.alpha - 1)
        return replace(how, init="sma", n=max(1, int(n)))

    def by_arrival(claim: Claim) -> list[Value]:
        how, places = smoothing(claim), claim.tape.places(*claim.window, claim.cuts[0])
        if how is None or not places.size or "period_ns" in claim.params:
            return []
        prices = claim.tape.floats(places[np.argsort(claim.tape.rank[places])])
        return [ema_last(prices, alpha=how.alpha, init=how.init, n=how.n)]

    def early(claim: Claim) -> list[Value]:
        how = smoothing(claim)
        n = how.n if how and how.n else 0
        return [float(inputs.mean()) for inputs in ema_inputs(claim, claim.cuts[0]) if 0 < inputs.size < n]

    inits: dict[str, tuple[str, Callable[[Claim, Smoothing], Smoothing]]] = {
        "first": ("it was started from the first value", lambda claim, how: replace(how, init="first", n=None)),
        "sma": ("it was started from the mean of the first n values", to_sma),
        "adjusted": ("its weights were normalised over what there was (pandas adjust=True)",
                     lambda claim, how: replace(how, init="adjusted", n=None)),
    }  # fmt: skip
    for init, (words, change) in inits.items():
        if init != first.session.convention("ema_init"):
            yield words, under(change)
    if "span" in first.params:
        yield "it was smoothed by 1 / span (Wilder's)", under(over_span(1))
        yield "it was smoothed by 2 / span", under(over_span(2))
    yield "it was smoothed by 1 - alpha", under(lambda claim, how: replace(how, alpha=1 - how.alpha))
    yield "it is the mean of fewer than n values", early
    yield "trades entered in the order of their arrival", by_arrival
    yield from _of_any(first, emas)


def of_volatility(first: Claim) -> Suspects:
    """Yield what may have made claims of volatility wrong; `first` is one of them."""

    def under(*changes: Change) -> Values:
        def values(claim: Claim) -> list[Value]:
            how = annual(claim)
            for change in changes if how else ():
                how = change(claim, how) if how else None
            return volatilities(claim, how) if how else []

        return values

    def days(count: int) -> Change:
        return lambda claim, how: replace(how, periods=YEAR_NS / claim.params["period_ns"] * count / 365)

    def periods(count: int) -> Change:
        return lambda claim, how: replace(how, periods=float(count))

    other = "simple" if first.session.convention("volatility") == "log" else "log"
    kind: tuple[str, Change] = (f"{other} returns were used", lambda claim, how: replace(how, kind=other))
    ddof: tuple[str, Change] = ("the other ddof was used", lambda claim, how: replace(how, ddof=0 if how.ddof else 1))
    years = [(f"it was annualized by a {count}-day year", days(count)) for count in (252, 365, 260)]
    years += [(f"it was annualized by {count} periods", periods(count)) for count in (252, 365)]
    years.append(("it was not annualized", periods(1)))
    for words, change in (kind, ddof, *years):
        yield words, under(change)
    for (words, change), others in ((kind, (ddof, *years)), (ddof, years)):
        for more, also in others:
            yield f"{words}, and {more}", under(change, also)
    yield "it is in percent", lambda claim: [100 * value for value in volatilities(claim) if value is not None]
    yield "it is the variance", lambda claim: [value * value for value in volatilities(claim) if value is not None]
    yield from _of_any(first, volatilities)


def _of_any(first: Claim, values: Values) -> Suspects:
    """Yield the mistakes that any signal of trades can be made with."""

    def without_newest(claim: Claim) -> list[Value]:
        places = claim.tape.places(*claim.window, claim.cuts[0])
        if not places.size:
            return []
        return values(replace(claim, at=int(claim.tape.arrived.times[claim.tape.rank[places].max()]) - 1))

    def over(also: Literal["unused", "repeats", "worthless"]) -> Values:
        return lambda claim: values(replace(claim, tape=tape(claim.session, claim.symbol, also)))

    yield "trades that had not arrived yet were in it", lambda claim: values(replace(claim, at=_LATER))
    yield "trades marked as unused were in it", over("unused")
    yield "repeated trades were counted again", over("repeats")
    yield "trades at a price of 0 were in it", over("worthless")
    yield "the newest trade was left out", without_newest
    before = _previous(first)
    yield "it is the value of the claim before", lambda claim: before.get(claim.row, [])


def _ratio(held: Tape, places: Rows) -> Value:
    qtys = held.qtys[places].tolist()
    turnover = sum(price * qty for price, qty in zip(held.prices[places].tolist(), qtys, strict=True))
    return Fraction(turnover, sum(qtys) * 10**held.price_scale) if sum(qtys) else None


def _previous(first: Claim) -> dict[int, list[Value]]:
    """Return, per row of the first claim's signal and symbol, the value claimed just before it."""
    table, value = first.table, first.table.decimals("value")
    names, symbols = table.words("name"), table.words("symbol")
    rows = np.flatnonzero(names.is_(names.text(first.row)) & symbols.is_(first.symbol) & value.known).tolist()
    return {row: [value.fraction(last)] for last, row in pairwise(rows)}
