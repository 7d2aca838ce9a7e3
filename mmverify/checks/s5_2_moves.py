"""What orders that should not have rested would have lost if filled: to the worst mid of that time."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmverify.checks.books import Instrument, instruments
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rates, Rows, Times, timeline
from mmverify.checks.orderflow import flow
from mmverify.checks.s2_2_work import order_name, worth
from mmverify.checks.s2_4_work import left
from mmverify.checks.s3_1_feed import feeds
from mmverify.numeric import Ints, decimal_text
from mmverify.replay.depth import NONE
from mmverify.session.load import Session

_PRICED = 1000  # orders that a loss is worked out for
_KINDS = {"book": "mid", "marks": "mark", "trades": "trade"}


class Rested(NamedTuple):
    """An order that could be filled when it should not: its newest row before, from when to when [ns]."""

    row: int
    start: int
    end: int


class Valued(NamedTuple):
    """Money, its currency, what it is, and the arithmetic of the costliest order."""

    amount: Fraction | None
    currency: str
    loss: str
    work: tuple[str, ...]


class _Prices(NamedTuple):
    """Mids as they came, else marks, else trades: times [ns], prices in units of ``1 / unit``, rows of their table."""

    table: str
    times: Times
    prices: Ints
    unit: int
    rows: Rows


@lru_cache(maxsize=64)
def _prices(session: Session, symbol: str) -> _Prices | None:
    if session.has("book") and symbol in feeds(session):
        feed = feeds(session)[symbol]
        bid, ask = feed.best
        both = np.flatnonzero((bid != NONE) & (ask != NONE))
        mids = feed.tape.grid.price(bid[both]) + feed.tape.grid.price(ask[both])
        unit = 2 * 10 ** feed.table.decimals("price").scale
        return _Prices("book", feed.times[both], mids, unit, feed.line.rows[feed.starts[both]])
    for name, column in (("marks", "mark"), ("trades", "price")):
        table = session.table(name, "ts_exchange", "ts_local", "symbol", column)
        price = table.decimals(column)
        line = timeline(session, table, table.words("symbol").is_(symbol) & price.known)
        if len(line):
            return _Prices(name, line.times, price.ints[line.rows], 10**price.scale, line.rows)
    return None


def _worst(prices: _Prices, direction: int, start: int, end: int) -> tuple[Fraction, str] | None:
    """Return the price between two moments that is the worst for a side, and its place; the next where none came."""
    low, high = np.searchsorted(prices.times, [start, end], side="right").tolist()
    part = prices.prices[low : max(high, low + 1)]
    if not part.size:
        return None
    at = low + int(part.argmin() if direction > 0 else part.argmax())
    return Fraction(int(prices.prices[at]), prices.unit), f"{prices.table}:{int(prices.rows[at]) + 1}"


def value(session: Session, symbol: str, rested: Sequence[Rested], *, what: str) -> Valued:
    """Value orders of one symbol that could be filled when they should not.

    Parameters
    ----------
    session : Session
    symbol : str
    rested : sequence of Rested
    what : str
        The orders, in words: ``the orders that were left resting``.

    Returns
    -------
    Valued
    """
    instrument = instruments(session).get(symbol)
    prices = _prices(session, symbol) if instrument else None
    if instrument is None or prices is None:
        return Valued(None, "", f"the session has no price of {symbol} that {what} could be valued at", ())
    chosen = rested[:_PRICED]
    found = [each for one in chosen if (each := _lost(session, instrument, prices, one))]
    kind, first = _KINDS[prices.table], f" (the first {_PRICED})" if rested[_PRICED:] else ""
    sizes = [worth(session, flow(session), one.row, left(flow(session), one.row))[0] or Fraction(0) for one in chosen]
    said = f"{what}{first}, worth {decimal_text(sum(sizes, Fraction(0)), 8)} {instrument.settle}"
    if not found:
        return Valued(None, "", f"meanwhile no {kind} was through the prices of {said}; the next time one may be", ())
    loss = f"what {said}, would have lost if filled at their prices, to the worst {kind} of that time"
    return Valued(sum((lost for lost, _ in found), Fraction(0)), instrument.settle, loss, (max(found)[1],))


def _lost(session: Session, instrument: Instrument, prices: _Prices, one: Rested) -> tuple[Fraction, str] | None:
    """Return what an order would have lost, and the arithmetic; None where nothing."""
    replayed = flow(session)
    direction, at = int(replayed.direction[replayed.lives.life[one.row]]), int(replayed.price_at[one.row])
    worst, qty = _worst(prices, direction, one.start, one.end), left(replayed, one.row)
    if worst is None or not direction or at < 0 or not qty:
        return None
    price = replayed.table.decimals("price").fraction(at)
    if price <= 0 or worst[0] <= 0 or direction * (price - worst[0]) <= 0:
        return None
    lost = abs(notional(instrument, price, qty) - notional(instrument, worst[0], qty))
    side, paid, now = "buy" if direction > 0 else "sell", text(price), text(worst[0])
    if instrument.kind == "inverse":
        apart = f"1/{now} - 1/{paid}" if direction > 0 else f"1/{paid} - 1/{now}"
    else:
        apart = f"{paid} - {now}" if direction > 0 else f"{now} - {paid}"
    multiplier = "" if instrument.multiplier == 1 else f" x {text(instrument.multiplier)}"
    return lost, (
        f"{order_name(replayed, one.row)}, {side} {text(qty)} left at {paid}; worst {_KINDS[prices.table]} {now} "
        f"({worst[1]}): "
        f"({apart}) x {text(qty)}{multiplier} = {decimal_text(lost)} {instrument.settle}"
    )


def in_session_currency(
    session: Session, amounts: Sequence[tuple[Fraction | None, str]], at: int
) -> tuple[Fraction | None, str]:
    """Add amounts of several currencies, those that are known: in the session's at the rates of a moment.

    None where nothing is known, or a rate is not.
    """
    known = [(amount, currency) for amount, currency in amounts if amount is not None]
    currencies = {currency for _, currency in known}
    if len(currencies) == 1:
        return sum((amount for amount, _ in known), Fraction(0)), currencies.pop()
    wanted = session.currency
    if not known or wanted is None:
        return None, ""
    rates, total = Rates.of(session), Fraction(0)
    for amount, currency in known:
        converted = rates.convert(amount, currency, wanted, at)
        if converted is None:
            return None, ""
        total += converted
    return total, wanted
