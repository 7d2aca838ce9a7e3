"""The quantity of each order beside what its market takes and what session.toml allows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.prices import venue_prices
from mmverify.checks.s2_1_sent import REFUSED, SHOWN, Places, Sent, largest, orders_sent
from mmverify.numeric import INT64_MAX, Decimals, Ints, Mask, decimal_text
from mmverify.numeric import largest as magnitude
from mmverify.session.load import Session
from mmverify.session.settings import exact


@dataclass(frozen=True)
class _Terms:
    """What one row of `instruments`, with the limits of its symbol, asks of a quantity and its notional."""

    symbol: str
    is_inverse: bool
    lot: Fraction
    min_qty: Fraction | None
    max_qty: Fraction | None
    min_notional: Fraction | None
    max_notional: Fraction | None
    multiplier: Fraction
    quote: str


@dataclass(frozen=True)
class _Wrong:
    """One order of a wrong size: its place, the number that it is held to, and the price of its notional."""

    place: int
    bound: Fraction
    price: Fraction


def order_size(session: Session) -> Looked:
    """A quantity is positive, of whole lots, and within the limits of the venue and of the bot, as is its notional."""
    sent = orders_sent(session)
    judged = sent.at("qty") >= 0
    terms: dict[str, _Terms] = {}
    wrong: dict[tuple[str, str], list[_Wrong]] = defaultdict(list)
    unpriced = 0
    for row in np.unique(sent.terms[judged]).tolist():
        held = terms[_symbol(session, row)] = _terms(session, row)
        places = np.flatnonzero(judged & (sent.terms == row))
        left = np.ones(len(places), dtype=bool)
        priced = _priced(session, sent, held, places)
        unpriced += int(np.sum(~priced.known)) if held.min_notional or held.max_notional else 0
        for rule, broken, bound in _rules(sent, held, places, priced):
            prices = priced.high if rule == "min_notional" else priced.low
            wrong[held.symbol, rule] += [
                _Wrong(int(places[n]), bound, Fraction(int(prices[n]), 10**priced.scale))
                for n in np.flatnonzero(left & broken).tolist()
            ]
            left &= ~broken
    found = tuple(_breach(sent, terms[symbol], rule, each) for (symbol, rule), each in wrong.items() if each)
    notes = (f"{unpriced} orders have no price and no mark before them: their notional is not judged",)
    return Looked(int(judged.sum()), found, notes if unpriced else ())


def _symbol(session: Session, row: int) -> str:
    return session.table("instruments", "symbol").words("symbol").text(row)


def _terms(session: Session, row: int) -> _Terms:
    names = ("lot_size", "min_qty", "max_qty", "min_notional", "multiplier")
    table = session.table("instruments", "symbol", "kind", "quote", *names)
    symbol = _symbol(session, row)
    columns = [table.decimals(name) for name in names]
    lot, *bounds, multiplier = (column.fraction(row) if column.known[row] else None for column in columns)
    least, most, min_notional = bounds
    stated = session.settings.get("limits", {}).get(symbol, {})
    limit = {name: exact(value, f"limits.{symbol}.{name}") for name, value in stated.items() if name in _LIMITS}
    return _Terms(
        symbol,
        table.words("kind").text(row) == "inverse",
        lot or Fraction(0),
        max((each for each in (least, limit.get("min_qty")) if each is not None), default=None),
        min((each for each in (most, limit.get("max_order_qty")) if each is not None), default=None),
        min_notional,
        limit.get("max_notional"),
        multiplier or Fraction(1),
        table.words("quote").text(row),
    )


_LIMITS = ("min_qty", "max_order_qty", "max_notional")


@dataclass(frozen=True, eq=False)
class _Priced:
    """Per order the lowest and the highest price that its notional may be taken at, in units of ``10**-scale``."""

    low: Ints
    high: Ints
    scale: int
    known: Mask


def _priced(session: Session, sent: Sent, held: _Terms, places: Rows) -> _Priced:
    """Take each order's own price, else the marks that may be the last known."""
    column = sent.table.decimals("price")
    if held.is_inverse:  # its contracts are of a face value in quote
        ones = np.ones(len(places), dtype=np.int64)
        return _Priced(ones, ones, 0, np.ones(len(places), dtype=bool))
    at = sent.at("price")[places]
    known = (at >= 0) & np.asarray(np.greater(column.ints, 0))[at]
    without = np.flatnonzero(~known)
    if not without.size or not session.has("marks") or not (held.min_notional or held.max_notional):
        return _Priced(column.ints[at], column.ints[at], column.scale, known)
    scale = max(column.scale, session.table("marks", "mark").decimals("mark").scale)
    low = column.at_scale(scale)[at].astype(object)
    high = low.copy()
    times = sent.table.whole("ts_local").values[sent.rows[places[without]]]
    for n, prices in zip(without.tolist(), venue_prices(session, held.symbol, "mark", times).known, strict=True):
        if prices:
            low[n], high[n], known[n] = int(min(prices) * 10**scale), int(max(prices) * 10**scale), True
    return _Priced(low, high, scale, known)


def _rules(sent: Sent, held: _Terms, places: Rows, priced: _Priced) -> Iterator[tuple[str, Mask, Fraction]]:
    """Yield each rule, which orders break it, and its number; the worst comes first."""
    column, at = sent.table.decimals("qty"), sent.at("qty")[places]
    qty = column.ints[at]
    yield "positive", np.asarray(np.less_equal(qty, 0)), Fraction(0)
    if held.lot:
        yield "lot", _off_lot(column, at, held.lot), held.lot
    if held.min_qty is not None:
        yield "least", _below(qty, column.scale, held.min_qty), held.min_qty
    if held.max_qty is not None:
        yield "most", _above(qty, column.scale, held.max_qty), held.max_qty
    scale = column.scale + priced.scale
    if held.min_notional is not None:
        small = _below(_product(qty, priced.high), scale, held.min_notional / held.multiplier)
        yield "min_notional", small & priced.known & ~sent.says("reduce_only")[places], held.min_notional
    if held.max_notional is not None:
        large = _above(_product(qty, priced.low), scale, held.max_notional / held.multiplier)
        yield "max_notional", large & priced.known, held.max_notional


def _off_lot(column: Decimals, at: Rows, lot: Fraction) -> Mask:
    digits = column.scale
    while (lot * 10**digits).denominator != 1:
        digits += 1
    return np.asarray(column.at_scale(digits)[at] % int(lot * 10**digits) != 0)


def _below(ints: Ints, scale: int, bound: Fraction) -> Mask:
    return np.asarray(np.less(ints, -(-bound * 10**scale // 1)))


def _above(ints: Ints, scale: int, bound: Fraction) -> Mask:
    return np.asarray(np.greater(ints, bound * 10**scale // 1))


def _product(one: Ints, other: Ints) -> Ints:
    """Multiply exactly."""
    if one.dtype == object or other.dtype == object or magnitude(one) * magnitude(other) > INT64_MAX:
        return np.asarray(one.astype(object) * other.astype(object))
    return np.asarray(one * other)


def _breach(sent: Sent, held: _Terms, rule: str, wrong: list[_Wrong]) -> Breach:
    places: Places = [each.place for each in wrong]
    first, bound = places[0], wrong[0].bound
    qty, number = sent.number(first, "qty") or Fraction(0), decimal_text(bound)
    what = f"qty of {sent.name(first)} of {held.symbol} was {decimal_text(qty)}"
    lines = [sent.line(place, "qty", "price", "reduce_only") for place in places[:SHOWN]]
    amount: Fraction | None = None
    currency, loss = "", REFUSED
    if rule == "positive":
        should = "above 0"
    elif rule == "lot":
        below = qty // bound * bound
        should = f"whole lots of {number}: {decimal_text(below)} or {decimal_text(below + bound)}"
        lines.append(f"{text(qty)} / {text(bound)} = {decimal_text(qty / bound)}, no whole number of lots")
    elif rule == "least":
        should = f"{number} or more"
    elif rule == "most":
        should = f"{number} or less"
        above = sent.floats(places, "qty") - np.array([float(each.bound) for each in wrong])
        chosen = [wrong[n] for n in sent.sample(places, above, [sent.floats(places, "price")])]
        amount = largest(
            sent.worth(each.place, (sent.number(each.place, "qty") or Fraction(0)) - each.bound) for each in chosen
        )
        currency = sent.settle(first)
        loss = "what is above the limit"
        loss += ", at the order's price, where it is most" if amount is not None else " may fill at any price"
        lines.append(f"{text(qty)} - {number} = {decimal_text(qty - bound)} above the limit")
    else:
        values = [(sent.number(each.place, "qty") or Fraction(0)) * each.price * held.multiplier for each in wrong]
        what = f"notional of {sent.name(first)} of {held.symbol} was {decimal_text(values[0])} {held.quote}"
        should = f"{number} {held.quote} or {'more' if rule == 'min_notional' else 'less'}"
        terms = [
            qty,
            *([] if held.is_inverse else [wrong[0].price]),
            *([] if held.multiplier == 1 else [held.multiplier]),
        ]
        lines.append(f"{' x '.join(map(text, terms))} = {decimal_text(values[0])} {held.quote}")
        if not held.is_inverse and sent.number(first, "price") is None:
            lines.append(
                f"the mark last known, {decimal_text(wrong[0].price)}, stands for the price that it does not name"
            )
        if rule == "max_notional":
            amount = max(value - each.bound for value, each in zip(values, wrong, strict=True))
            currency, loss = held.quote, "the order's notional above the limit, where it is most"
    return Breach(
        key=f"{held.symbol} {rule}", where=sent.where(places), count=len(places), was=what, should=should,
        work=tuple(lines), amount=amount, currency=currency, loss=loss,
    )  # fmt: skip
