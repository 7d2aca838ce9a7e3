"""5.1.4: an average price and a value have the sign that quantity x price gives."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import instruments
from mmverify.checks.claims import agrees, places
from mmverify.checks.handwork import notional
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_positions import executions
from mmverify.numeric import Ints, Mask, decimal_text
from mmverify.session.load import Session

_BITS = (32, 64)
_SAMPLE = 200  # wrong rows that a cause has to reproduce


def _impossible(average: Ints, qty: Ints, known: Mask) -> Mask:
    """Return which averages no fills above 0 can have: below 0, or 0 of something."""
    return np.asarray(known & (np.less(average, 0) | (np.equal(average, 0) & np.not_equal(qty, 0))))


# --- orders -----------------------------------------------------------------------------------------------------------
def average_signs(session: Session) -> Looked:
    """The average price of an order is above 0 once it is filled in part, and that of a position always."""
    return gather((_order_signs(session), _position_signs(session)))


def _order_signs(session: Session) -> Looked:
    replayed = flow(session)
    average, cum = replayed.table.decimals("avg_px"), replayed.table.decimals("cum_qty")
    wrong = _impossible(average.ints, cum.ints, average.known)
    found = [_order(session, replayed, symbol, rows) for symbol, rows in work.by_symbol(replayed, wrong)]
    return Looked(int(average.known.sum()), tuple(found))


@dataclass(frozen=True)
class _Filled:
    """What an order had executed at a row: quantity and average price, by its distinct fills."""

    row: int
    qty: Fraction
    average: Fraction
    count: int


def _filled(session: Session, replayed: Flow, row: int) -> _Filled | None:
    """Return what an order had executed, None where the session has no fill of it."""
    symbol = replayed.table.words("symbol").text(row)
    if not session.has("fills") or symbol not in instruments(session):
        return None
    known, life, cum = executions(session, symbol), int(replayed.lives.life[row]), replayed.table.decimals("cum_qty")
    low, high = (int(each[0]) for each in known.line.span(replayed.ts[[row]]))
    counts = np.arange(high, low - 1, -1)
    filled = [known.qty(each) for each in known.filled_by(np.full(len(counts), life), counts)]
    told = cum.fraction(row) if cum.known[row] else filled[0]
    place = filled.index(told) if told in filled else 0  # of several at one time those that make its cum_qty
    average = known.average(life, int(counts[place]))
    return None if average is None else _Filled(row, filled[place], average, int(counts[place]))


def _order(session: Session, replayed: Flow, symbol: str, rows: list[int]) -> Breach:
    average, first = replayed.table.decimals("avg_px"), rows[0]
    instrument = instruments(session).get(symbol)
    fills = [each for row in rows[:_SAMPLE] if (each := _filled(session, replayed, row)) is not None]
    own = fills[0] if fills and fills[0].row == first else None
    amounts = [
        abs(notional(instrument, each.average, each.qty) - notional(instrument, average.fraction(each.row), each.qty))
        for each in fills
        if instrument and (instrument.kind != "inverse" or average.ints[each.row])
    ]
    lines: tuple[str, ...] = tuple(work.row_line(replayed, row) for row in rows[:3])
    if own:
        lines = work.average_work(replayed, executions(session, symbol), first, own.count)
    should = decimal_text(own.average) if own else "above 0"
    return Breach(
        key=symbol, where=places(replayed.table, rows), count=len(rows),
        was=f"avg_px of {work.order_name(replayed, first)} of {symbol} was {decimal_text(average.fraction(first))}",
        should=f"{should}: no quantity at a price above 0 has another sign", work=lines,
        amount=max(amounts, default=None), currency=instrument.settle if instrument and amounts else "",
        loss="by what the order's cost is off, where it is most: the P&L of what it opened is too"
        if amounts
        else "by what the order's cost is off is not known: none of its fills can be valued",
        cause=_mistake(session, replayed, symbol, rows, fills),
    )  # fmt: skip


def _mistake(session: Session, replayed: Flow, symbol: str, rows: list[int], fills: list[_Filled]) -> str:
    """Name the mistake that gives just these averages."""
    column = replayed.table.decimals("avg_px")
    if len(fills) < len(rows[:_SAMPLE]):
        return ""
    if all(agrees(column, each.row, [-each.average]) for each in fills):
        return "the value was divided by a quantity that is negative for a sale"
    instrument, table = instruments(session)[symbol], session.table("instruments", "symbol", "tick_size", "lot_size")
    row = int(np.argmax(table.words("symbol").is_(symbol)))
    tick, lot = (table.decimals(name).fraction(row) for name in ("tick_size", "lot_size"))
    if instrument.kind == "inverse" or not tick or not lot:
        return ""
    for bits in _BITS:
        if all(agrees(column, each.row, [_wrapped(each, tick, lot, bits)]) for each in fills):
            value = int(fills[0].average / tick * (fills[0].qty / lot))
            return f"price x quantity in ticks x lots, {value}, is kept in {bits} bits and wraps to the negative"
    return ""


def _wrapped(filled: _Filled, tick: Fraction, lot: Fraction, bits: int) -> Fraction:
    """Return the average of a value in ticks x lots that an integer of so many bits holds."""
    lots = filled.qty / lot
    value, half = int(filled.average / tick * lots), 1 << (bits - 1)
    return ((value + half) % (2 * half) - half) / lots * tick


# --- positions and balances -------------------------------------------------------------------------------------------
def _position_signs(session: Session) -> Looked:
    table = session.table("positions", "ts_local", "symbol", "qty", "avg_px", "source")
    average, qty, symbols = table.decimals("avg_px"), table.decimals("qty"), table.words("symbol")
    wrong, found = _impossible(average.ints, qty.ints, average.known), list[Breach]()
    for symbol in symbols.names if wrong.any() else ():
        rows = np.flatnonzero(wrong & symbols.is_(symbol)).tolist()
        if not rows:
            continue
        first, instrument = rows[0], instruments(session).get(symbol)
        is_signed = all(average.ints[row] < 0 and qty.ints[row] < 0 for row in rows)
        held, claimed = decimal_text(qty.fraction(first)), decimal_text(average.fraction(first))
        linear = instrument is not None and instrument.kind != "inverse" and is_signed
        amount = None
        if instrument and linear:
            amount = max(notional(instrument, abs(average.fraction(row)), abs(qty.fraction(row))) * 2 for row in rows)
        found.append(Breach(
            key=f"{symbol} position", where=places(table, rows), count=len(rows),
            was=f"avg_px of {symbol} was {claimed} of {held}",
            should="above 0: the sign belongs to the quantity",
            work=tuple(f"{table.where(row)}: qty {decimal_text(qty.fraction(row))}, avg_px "
                       f"{decimal_text(average.fraction(row))}" for row in rows[:3]),
            amount=amount, currency=instrument.settle if instrument and amount is not None else "",
            loss="twice what the position cost, where it is most: the P&L by this price is off by it"
            if amount is not None
            else "by what the P&L of the position is off cannot be known",
            cause="the price has the sign of a short position" if is_signed else "",
        ))  # fmt: skip
    return Looked(int(average.known.sum()), tuple(found))


def balance_signs(session: Session) -> Looked:
    """The value of a balance has the sign of its total."""
    table = session.table("balances", "ts_local", "asset", "total", "value", "currency")
    total, value, assets = table.decimals("total"), table.decimals("value"), table.words("asset")
    judged = total.known & value.known
    wrong = judged & (np.asarray(np.sign(total.ints)) * np.asarray(np.sign(value.ints)) < 0)
    found = []
    for asset in assets.names if wrong.any() else ():
        rows = np.flatnonzero(wrong & assets.is_(asset)).tolist()
        if not rows:
            continue
        first, worst = rows[0], max(rows, key=lambda row: abs(value.fraction(row)))
        currency = table.words("currency").text(first) or session.currency or ""
        held, worth = decimal_text(total.fraction(first)), decimal_text(value.fraction(first))
        found.append(Breach(
            key=asset, where=places(table, rows), count=len(rows),
            was=f"the value of {held} {asset} was {worth} {currency}",
            should=f"{'below' if total.fraction(first) < 0 else 'above'} 0, as the total is",
            work=(
                f"{table.where(first)}: total {held} {asset}, value {worth} {currency}",
                f"with the total's sign: {decimal_text(-value.fraction(first))}, off by "
                f"{decimal_text(2 * value.fraction(first))} {currency}",
            ),
            amount=2 * abs(value.fraction(worst)), currency=currency,
            loss="by what the account's value is off, where it is most: a debt counts as money",
            cause="the value is that of the total without its sign" if all(total.ints[row] < 0 for row in rows) else "",
        ))  # fmt: skip
    return Looked(int(judged.sum()), tuple(found))
