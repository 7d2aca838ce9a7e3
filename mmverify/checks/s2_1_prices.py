"""The price of each quoting order: on a tick, that of the quote behind it, and rounded to its passive side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.s2_1_sent import QUOTES, SHOWN, Behind, Floats, Places, Sent, largest, orders_sent, quotes_behind
from mmverify.numeric import Decimals, Ints, Mask, decimal_text, narrow
from mmverify.session.load import Session, Table

_PARTS = ("fair_value", "skew", "half_spread")


@dataclass(frozen=True, eq=False)
class Priced:
    """The quoting orders with a price, and the quotes behind them.

    Parameters
    ----------
    sent : Sent
    behind : Behind
        Of m orders.
    is_bid : ndarray of bool, shape (m,)
    own : ndarray of int64, shape (m,)
        Row of the newest quote behind each that has its price, -1 where none has.
    on_tick, has_tick : ndarray of bool, shape (m,)
        Whether the price is a multiple of the tick; whether the instrument has one.
    """

    sent: Sent
    behind: Behind
    is_bid: Mask
    own: Rows
    on_tick: Mask
    has_tick: Mask

    def tick(self, place: int) -> Fraction:
        """Return the tick in force for one of the orders sent."""
        ticks = self.sent.session.table("instruments", "tick_size").decimals("tick_size")
        return ticks.fraction(int(self.sent.terms[place]))

    def by_symbol(self, which: Mask) -> list[tuple[str, Places, list[int]]]:
        """Return the symbols of some of the orders, their places among those sent and their numbers here."""
        places = np.zeros(len(self.sent), dtype=bool)
        places[self.behind.places[which]] = True
        found = self.sent.by_symbol(places)
        return [(symbol, mine, np.searchsorted(self.behind.places, mine).tolist()) for symbol, mine in found]


def own_quotes(sent: Sent, behind: Behind) -> Rows:
    """Return the row of the newest quote behind each order that has its price on its side, -1 where none has."""
    return behind.newest(_has_price(sent, behind))


def _has_price(sent: Sent, behind: Behind) -> Callable[[Rows, Rows], Mask]:
    """Return what tells whether orders have the price of quotes, beside which they stand."""
    table = sent.session.table("quotes", "bid", "ask")
    price, bid, ask = sent.table.decimals("price"), table.decimals("bid"), table.decimals("ask")
    scale = max(price.scale, bid.scale, ask.scale)
    asked, bids, asks = (column.at_scale(scale) for column in (price, bid, ask))
    at, is_bid = sent.at("price")[behind.places], sent.among("intent", "quote_bid")[behind.places]

    def fits(orders: Rows, quotes: Rows) -> Mask:
        quoted = np.where(is_bid[orders], bids[quotes], asks[quotes])
        known = np.where(is_bid[orders], bid.known[quotes], ask.known[quotes])
        return np.asarray((at[orders] >= 0) & known & (asked[at[orders]] == quoted))

    return fits


@lru_cache(maxsize=8)
def _priced(session: Session) -> Priced:
    sent = orders_sent(session)
    behind = quotes_behind(sent, sent.among("intent", *QUOTES) & (sent.at("price") >= 0))
    places = behind.places
    price = sent.table.decimals("price")
    ticks = session.table("instruments", "tick_size").decimals("tick_size")
    scale = max(price.scale, ticks.scale)
    tick = ticks.at_scale(scale)[sent.terms[places]]
    has_tick = np.asarray(np.greater(tick, 0))
    asked = price.at_scale(scale)[sent.at("price")[places]]
    on_tick = np.asarray(asked % np.where(has_tick, tick, 1) == 0)
    is_bid = sent.among("intent", "quote_bid")[places]
    own = own_quotes(sent, behind) if session.has("quotes") else np.full(len(places), -1)
    return Priced(sent, behind, is_bid, own, on_tick | ~has_tick, has_tick)


def price_on_tick(session: Session) -> Looked:
    """The price of a quoting order is a multiple of the tick."""
    priced = _priced(session)
    sent, found = priced.sent, []
    for symbol, places, _ in priced.by_symbol(~priced.on_tick):
        first, tick = places[0], priced.tick(places[0])
        price = sent.number(first, "price") or Fraction(0)
        below = price // tick * tick
        found.append(Breach(
            key=symbol, where=sent.where(places), count=len(places),
            was=f"price of {sent.name(first)} of {symbol} was {decimal_text(price)}",
            should=f"on a tick of {decimal_text(tick)}: {decimal_text(below)} or {decimal_text(below + tick)}",
            work=(
                *(sent.line(place, "intent", "price") for place in places[:SHOWN]),
                f"{text(price)} / {text(tick)} = {decimal_text(price / tick)}, no whole number of ticks",
            ),
            amount=None, currency="", loss="the venue refuses the order: nothing is quoted with it",
        ))  # fmt: skip
    return Looked(int(priced.has_tick.sum()), tuple(found))


# --- the quote's own --------------------------------------------------------------------------------------------------


def price_of_quote(session: Session) -> Looked:
    """The price of a quoting order is that of the quote behind it; one off the tick is `price_on_tick`'s to say."""
    priced = _priced(session)
    last = priced.behind.last
    found = []
    for symbol, places, numbers in priced.by_symbol((last >= 0) & (priced.own < 0) & priced.on_tick):
        found.append(_other_price(priced, symbol, places, numbers, last))
    unquoted = int(np.sum(last < 0))
    notes = (f"{unquoted} quoting orders were sent before the first quote of their level: not judged",)
    return Looked(int(np.sum(last >= 0)), tuple(found), notes if unquoted else ())


def _other_price(priced: Priced, symbol: str, places: Places, numbers: list[int], last: Rows) -> Breach:
    sent, table, count = priced.sent, priced.sent.session.table("quotes", "bid", "ask"), len(places)
    bids, asks = (table.decimals(name).floats()[last[numbers]] for name in ("bid", "ask"))
    places, numbers = _sampled(sent, places, numbers, np.where(priced.is_bid[numbers], bids, asks))
    should = [_cell(table, int(last[n]), _side(priced, n)) for n in numbers]

    def harm(place: int, quoted: Fraction | None) -> Fraction | None:
        return None if quoted is None else _apart(sent, place, quoted)

    first = places[0]
    amount = largest(map(harm, places, should))
    lines = [
        line
        for place, n in list(zip(places, numbers, strict=True))[:SHOWN]
        for line in (sent.line(place, "intent", "price", "qty"), _quote_line(priced, n, int(last[n])))
    ]
    loss = "the order is not the one that was decided"
    return Breach(
        key=symbol, where=(*sent.where(places), table.where(int(last[numbers[0]]))), count=count,
        was=f"price of {sent.name(first)} of {symbol} was {sent.text(first, 'price')}",
        should="no order: the quote has no price on this side" if should[0] is None
        else f"{decimal_text(should[0])}, as quoted",
        work=tuple(lines), amount=amount, currency=sent.settle(first),
        loss=f"{loss}: its distance from the quote times its quantity, where it is most" if amount else loss,
        cause=_cause_of_other(priced, places, numbers, should),
    )  # fmt: skip


def _cause_of_other(priced: Priced, places: Places, numbers: list[int], should: list[Fraction | None]) -> str:
    sent, table = priced.sent, priced.sent.session.table("quotes", "bid", "ask")
    before = priced.behind.before
    prices = [sent.number(place, "price") for place in places]
    ways = {
        quoted is not None
        and price is not None
        and (quoted - price if priced.is_bid[n] else price - quoted) / priced.tick(place)
        for price, quoted, place, n in zip(prices, should, places, numbers, strict=True)
        if priced.tick(place)
    }
    if ways == {1}:
        return "rounded once more on its way to the venue, a tick further out"
    if all(
        before[n] >= 0 and _cell(table, int(before[n]), _side(priced, n)) == price
        for price, n in zip(prices, numbers, strict=True)
    ):
        return "the price of the quote before"
    return ""


def _sampled(sent: Sent, places: Places, numbers: list[int], other: Floats) -> tuple[Places, list[int]]:
    """Return those orders that stand for all, by what their distance from another price costs."""
    prices = [sent.floats(places, "price"), other]
    chosen = sent.sample(places, sent.floats(places, "qty"), prices)
    return [places[n] for n in chosen], [numbers[n] for n in chosen]


def _side(priced: Priced, number: int) -> str:
    return "bid" if priced.is_bid[number] else "ask"


def _cell(table: Table, row: int, name: str) -> Fraction | None:
    column = table.decimals(name)
    return column.fraction(row) if column.known[row] else None


def _apart(sent: Sent, place: int, other: Fraction) -> Fraction | None:
    """Return what an order's quantity is worth more or less at another price."""
    qty = sent.number(place, "qty")
    if qty is None or other <= 0:
        return None
    one, two = sent.worth(place, qty), sent.worth(place, qty, other)
    return abs(one - two) if one is not None and two is not None else None


def _quote_line(priced: Priced, number: int, row: int) -> str:
    table = priced.sent.session.table("quotes", "bid", "ask")
    quoted = _cell(table, row, _side(priced, number))
    return f"{table.where(row)}: {_side(priced, number)} {decimal_text(quoted) if quoted is not None else 'none'}"


# --- rounding ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Bounds:
    """The prices within which quotes are on the passive side, in units of ``10**-scale``; which quotes give them."""

    scale: int
    bid: Ints
    ask: Ints
    given: Mask


def _bounds(session: Session) -> _Bounds:
    """Work out fair_value + skew -/+ half_spread of every quote, wider by half a unit of each."""
    table = session.table("quotes", "bid", "ask", *_PARTS)
    fair, skew, half = parts = [table.decimals(name) for name in _PARTS]
    finer = [column.digits + 1 for column in parts]
    scale = max(*finer, *(column.scale for column in parts), table.decimals("bid").scale, table.decimals("ask").scale)
    slack = sum((_half_units(column, scale) for column in parts), np.zeros(len(table), dtype=object))
    centre = fair.at_scale(scale).astype(object) + np.where(skew.known, skew.at_scale(scale), 0)
    width = half.at_scale(scale)
    return _Bounds(scale, narrow(centre - width + slack), narrow(centre + width - slack), fair.known & half.known)


def _half_units(column: Decimals, scale: int) -> Ints:
    """Return what each cell may be off by, in units of ``10**-scale``, rounded up; 0 where it is empty."""
    if not column.binary:
        return np.where(column.known, 5 * 10 ** (scale - column.digits - 1), 0).astype(object)
    floats = np.where(column.known, column.tolerances(), 0.0)
    return np.array([-(-Fraction(value) * 10**scale // 1) for value in floats.tolist()], dtype=object)


def rounded_outward(session: Session) -> Looked:
    """A bid is at or below fair_value + skew - half_spread, an ask at or above fair_value + skew + half_spread."""
    priced, bounds = _priced(session), _bounds(session)
    sent, behind = priced.sent, priced.behind
    has_price = _has_price(sent, behind)
    price = sent.table.decimals("price")
    scale = max(price.scale, bounds.scale)
    wider = 10 ** (scale - bounds.scale)
    asked, at = price.at_scale(scale), sent.at("price")[behind.places]
    bid, ask = (narrow(each.astype(object) * wider) for each in (bounds.bid, bounds.ask))

    def fits(orders: Rows, quotes: Rows) -> Mask:
        own = asked[at[orders]]
        passive = np.where(priced.is_bid[orders], own <= bid[quotes], own >= ask[quotes])
        return np.asarray(has_price(orders, quotes) & (passive | ~bounds.given[quotes]))

    judged = (priced.own >= 0) & bounds.given[priced.own] if len(bounds.given) else np.zeros(len(at), dtype=bool)
    wrong = judged & (behind.newest(fits) < 0)
    found = [_inside(priced, *each) for each in priced.by_symbol(wrong)]
    silent = int(np.sum((priced.own >= 0) & ~judged))
    notes = (f"{silent} quoting orders are of quotes without fair_value or half_spread: rounding is not judged",)
    return Looked(int(judged.sum()), tuple(found), notes if silent else ())


def _inside(priced: Priced, symbol: str, places: Places, numbers: list[int]) -> Breach:
    sent = priced.sent
    table, count = sent.session.table("quotes", "bid", "ask", *_PARTS), len(places)
    fair, skew, half = (table.decimals(name).floats()[priced.own[numbers]] for name in _PARTS)
    unrounded = fair + np.nan_to_num(skew) + np.where(priced.is_bid[numbers], -half, half)
    places, numbers = _sampled(sent, places, numbers, unrounded)
    exact = [_unrounded(table, int(priced.own[n]), bool(priced.is_bid[n])) for n in numbers]
    lines = []
    for place, n, raw in list(zip(places, numbers, exact, strict=True))[:SHOWN]:
        row, way = int(priced.own[n]), "down" if priced.is_bid[n] else "up"
        parts = [text(_cell(table, row, name) or Fraction(0)) for name in _PARTS]
        sign = "-" if priced.is_bid[n] else "+"
        lines += [
            sent.line(place, "intent", "price", "qty"),
            f"{table.where(row)}: {parts[0]} + {parts[1]} {sign} {parts[2]} = {decimal_text(raw)}, to be rounded {way}",
        ]
    off = [
        abs((sent.number(place, "price") or raw) - raw) / (priced.tick(place) or 1)
        for place, raw in zip(places, exact, strict=True)
    ]
    first = places[0]
    amount = largest(_apart(sent, place, raw) for place, raw in zip(places, exact, strict=True))
    return Breach(
        key=symbol, where=(*sent.where(places), table.where(int(priced.own[numbers[0]]))), count=count,
        was=f"price of {sent.name(first)} of {symbol} was {sent.text(first, 'price')}",
        should=f"{decimal_text(exact[0])}, rounded {'down' if priced.is_bid[numbers[0]] else 'up'}",
        work=tuple(lines), amount=amount, currency=sent.settle(first),
        loss="what a fill gives away of the spread that was decided, at its quantity, where it is most",
        cause=_cause_of_inside(off) if priced.on_tick[numbers].all() else "",
    )  # fmt: skip


def _cause_of_inside(ticks: list[Fraction]) -> str:
    if max(ticks) <= Fraction(1, 2):
        return "rounded to the nearest tick"
    return "rounded to the wrong side" if max(ticks) < 1 else ""


def _unrounded(table: Table, row: int, is_bid: bool) -> Fraction:
    fair, skew, half = (_cell(table, row, name) or Fraction(0) for name in _PARTS)
    return fair + skew - half if is_bid else fair + skew + half


# --- as figures -------------------------------------------------------------------------------------------------------


class Measured(NamedTuple):
    """One of the orders sent, beside what its price and its size are held to; None where a number is not known.

    Parameters
    ----------
    place : int
        Its place among those sent.
    side, intent : str
    price, qty : Fraction or None
    tick, lot : Fraction or None
        Of the instrument as it is in force then.
    quote : int
        Row of the quote that has its price, -1 where none does or it does not quote.
    unrounded : Fraction or None
        fair_value + skew -/+ half_spread of that quote.
    notional : Fraction or None
        In quote currency.
    """

    place: int
    side: str
    intent: str
    price: Fraction | None
    qty: Fraction | None
    tick: Fraction | None
    lot: Fraction | None
    quote: int
    unrounded: Fraction | None
    notional: Fraction | None

    @property
    def beyond(self) -> Fraction | None:
        """How far the price lies on the passive side of the unrounded one, in ticks; into the spread is below 0."""
        if self.price is None or self.unrounded is None or not self.tick:
            return None
        return (self.unrounded - self.price if self.side == "buy" else self.price - self.unrounded) / self.tick

    @property
    def ticks(self) -> Fraction | None:
        """The price in ticks."""
        return self.price / self.tick if self.price is not None and self.tick else None

    @property
    def lots(self) -> Fraction | None:
        """The quantity in lots."""
        return self.qty / self.lot if self.qty is not None and self.lot else None


def measured(session: Session, places: Places) -> Iterator[Measured]:
    """Yield some of the orders sent, each beside what its price and its size are held to."""
    priced = _priced(session)
    sent, quotes = priced.sent, session.table("quotes", *_PARTS)
    terms = session.table("instruments", "tick_size", "lot_size")
    own = dict(zip(priced.behind.places.tolist(), priced.own.tolist(), strict=True))
    for place in places:
        side, price, qty = sent.text(place, "side"), sent.number(place, "price"), sent.number(place, "qty")
        tick, lot = (_cell(terms, int(sent.terms[place]), name) for name in ("tick_size", "lot_size"))
        quote, instrument = own.get(place, -1), sent.instrument(place)
        known = quote >= 0 and None not in (_cell(quotes, quote, "fair_value"), _cell(quotes, quote, "half_spread"))
        per_unit = Fraction(1) if instrument.kind == "inverse" else price
        yield Measured(
            place, side, sent.text(place, "intent"), price, qty, tick, lot, quote,
            _unrounded(quotes, quote, side == "buy") if known else None,
            None if qty is None or per_unit is None else qty * per_unit * instrument.multiplier,
        )  # fmt: skip
