"""5.1.1: no price of zero or below is published, sent, or enters a VWAP."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import instruments
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.prices import venue_prices
from mmverify.checks.signals import Claim, agrees, claims
from mmverify.numeric import Decimals, Mask, decimal_text
from mmverify.session.load import Session, Table

_SENT = ("bid", "ask")
_BEHIND = ("fair_value", "best_bid", "best_ask")  # of a decision that quotes
_PRICES = ("mid", *_BEHIND, *_SENT)


# --- quotes -----------------------------------------------------------------------------------------------------------
def zero_published(session: Session) -> Looked:
    """Each price of a quoting decision is above 0 or left empty, and no VWAP counts a trade at 0."""
    return gather((_zero_quotes(session), _zero_trades(session)))


def _zero_quotes(session: Session) -> Looked:
    table = session.table("quotes", "ts_local", "symbol", "state", "bid_qty", "ask_qty", *_PRICES)
    quoting = ~table.words("state").is_("halted") & ~(
        table.decimals("bid").missing & table.decimals("ask").missing
    )  # fmt: skip
    looked, found = np.zeros(len(table), dtype=bool), list[Breach]()
    symbols = table.words("symbol")
    for name in _PRICES:
        column = table.decimals(name)
        judged = ~column.missing & (quoting if name in _BEHIND else True)
        looked |= judged
        wrong = judged & column.known & np.asarray(np.less_equal(column.ints, 0))
        for symbol in symbols.names if wrong.any() else ():
            rows = np.flatnonzero(wrong & symbols.is_(symbol))
            if rows.size:
                found.append(_zero_quote(session, table, symbol, name, rows))
    return Looked(int(looked.sum()), tuple(found))


def _zero_quote(session: Session, table: Table, symbol: str, name: str, rows: Rows) -> Breach:
    first = int(rows[0])
    amount = _given_away(session, table, symbol, rows) if name == "ask" else None
    cells = [
        f"{each} {decimal_text(table.decimals(each).fraction(first)) if table.decimals(each).known[first] else 'empty'}"
        for each in _PRICES
    ]
    return Breach(
        key=f"{symbol} {name}", where=places(table, rows.tolist()), count=len(rows),
        was=f"{name} of {symbol} was {decimal_text(table.decimals(name).fraction(first))}",
        should="a price above 0, or empty where there is none", work=(f"{table.where(first)}: {', '.join(cells)}",),
        amount=amount, currency=instruments(session)[symbol].settle if amount is not None else "",
        loss="the quoted quantity at the best bid, where it is most: an ask of 0 is hit at once"
        if amount is not None
        else "what is computed from a price of 0 is wrong by any amount: a spread, a skew, a size divided by it",
        cause=_emptiness(table, name, rows),
    )  # fmt: skip


def _given_away(session: Session, table: Table, symbol: str, rows: Rows) -> Fraction | None:
    """Return the most that asks of 0 may give away, at the best bid of their rows."""
    qty, bid, instrument = table.decimals("ask_qty"), table.decimals("best_bid"), instruments(session).get(symbol)
    known = rows[qty.known[rows] & bid.known[rows] & np.asarray(np.greater(bid.ints[rows], 0))]
    if instrument is None or not known.size:
        return None
    return max(notional(instrument, bid.fraction(row), qty.fraction(row)) for row in known[:1000].tolist())


def _emptiness(table: Table, name: str, rows: Rows) -> str:
    """Say whether the price is 0 where there is none."""
    if np.any(np.not_equal(table.decimals(name).ints[rows], 0)):
        return ""
    has = [_is_price(table.decimals(each), rows) for each in ("best_bid", "best_ask")]
    if name == "mid" and not np.any(has[0] & has[1]):
        return "where a side of the book is empty the mid is 0"
    qty = f"{name}_qty"
    if name in _SENT and not np.any(_is_price(table.decimals(qty), rows)):
        return "a side that is not quoted is 0 and not empty"
    return ""


def _is_price(column: Decimals, rows: Rows) -> Mask:
    return np.asarray(column.known[rows] & np.greater(column.ints[rows], 0))


# --- VWAP -------------------------------------------------------------------------------------------------------------
def _zero_trades(session: Session) -> Looked:
    if not session.has("signals", "trades"):
        return Looked(0)
    table = session.table("trades", "ts_exchange", "symbol", "price", "qty")
    worthless = np.asarray(np.equal(table.decimals("price").ints, 0)) & ~table.whole("ts_exchange").missing
    if not worthless.any():
        return Looked(0)
    return gather(
        _windows(table, found, np.flatnonzero(worthless & table.words("symbol").is_(symbol)))
        for symbol, found, _ in claims(session, "vwap")
    )


def _windows(table: Table, found: list[Claim], zeros: Rows) -> Looked:
    """Look at the claims of one symbol whose window holds a trade at 0."""
    times, qtys = table.whole("ts_exchange").values[zeros], table.decimals("qty").ints[zeros]
    looked, wrong = 0, list[tuple[Claim, Fraction | None, Fraction]]()
    for claim in found if zeros.size else ():
        if claim.start is None or claim.end is None:
            continue
        inside = (times >= claim.start) & (times < claim.end)
        if not inside.any():
            continue
        looked += 1
        for cut in claim.cuts:
            volume, turnover = _sums(claim, cut)
            added = Fraction(int(qtys[inside].sum()), 10 ** table.decimals("qty").scale)
            right, with_zeros = turnover / volume if volume else None, turnover / (volume + added)
            if claim.value is not None and agrees(claim, [with_zeros]) and not agrees(claim, [right]):
                wrong.append((claim, right, added))
                break
    return Looked(looked, (_zero_trade(table, wrong, zeros),) if wrong else ())


def _sums(claim: Claim, cut: int) -> tuple[Fraction, Fraction]:
    """Return volume and turnover of a window's trades above 0, as far as they had arrived."""
    volume, turnover = claim.tape.sums(*claim.window, cut)
    units = claim.tape.qty_scale
    return Fraction(volume, 10**units), Fraction(turnover, 10 ** (claim.tape.price_scale + units))


def _zero_trade(table: Table, wrong: list[tuple[Claim, Fraction | None, Fraction]], zeros: Rows) -> Breach:
    claim, right, added = wrong[0]
    was, symbol = decimal_text(claim.value or Fraction(0)), claim.symbol
    size = claim.session.limit(symbol, "max_order_qty")
    instrument = instruments(claim.session)[symbol]
    amount = None
    if size is not None and right is not None and instrument.kind != "inverse":
        amount = abs(right - (claim.value or 0)) * size * instrument.multiplier
    inside = [row for row in zeros.tolist() if (claim.start or 0) <= table.whole("ts_exchange").values[row]
              < (claim.end or 0)]  # fmt: skip
    return Breach(
        key=f"{symbol} vwap", count=len(wrong),
        where=(*(each.where for each, _, _ in wrong[:4]), table.where(inside[0])),
        was=f"vwap of {symbol} was {was}", should="no value" if right is None else decimal_text(right),
        work=(
            f"{table.where(inside[0])}: {decimal_text(table.decimals('qty').fraction(inside[0]))} at 0",
            f"the trades above 0 of the window come to {'no value' if right is None else decimal_text(right)}",
            f"with {text(added)} more at 0: {was}, the claim of {claim.where}",
        ),
        amount=amount, currency=instrument.settle if amount is not None else "",
        loss="one order of max_order_qty priced by the first of these claims"
        if amount is not None
        else "a price that is pulled towards 0; what was priced by it cannot be known",
        cause="trades at a price of 0 are counted",
    )  # fmt: skip


# --- orders -----------------------------------------------------------------------------------------------------------
def zero_orders(session: Session) -> Looked:
    """Each price that is sent with an order is above 0."""
    replayed, types = flow(session), session.table("order_events", "type").words("type")
    price = replayed.table.decimals("price")
    market = np.array([*(name.lower() == "market" for name in types.names), False])[types.codes]
    judged = replayed.is_("submit", "replace_request") & price.known & ~market
    wrong = judged & np.asarray(np.less_equal(price.ints, 0))
    found = [_zero_order(session, replayed, symbol, rows) for symbol, rows in work.by_symbol(replayed, wrong)]
    return Looked(int(judged.sum()), tuple(found))


def _zero_order(session: Session, replayed: Flow, symbol: str, rows: list[int]) -> Breach:
    table, first = replayed.table, rows[0]
    price, qty, side = table.decimals("price"), table.decimals("qty"), table.words("side")
    sells = [row for row in rows if side.text(row) == "sell" and qty.known[row]]
    instrument, worth = instruments(session).get(symbol), list[Fraction]()
    if instrument and session.has("marks"):
        marks = venue_prices(session, symbol, "mark", replayed.ts[sells]).known
        worth = [notional(instrument, max(known), qty.fraction(row)) for row, known in zip(sells, marks, strict=True)
                 if any(known)]  # fmt: skip
    return Breach(
        key=symbol, where=places(table, rows), count=len(rows),
        was=f"{work.order_name(replayed, first)}, a {side.text(first)} of {symbol}, was sent at "
        f"{decimal_text(price.fraction(first))}",
        should="a price above 0, or no order where there is none",
        work=tuple(
            f"{table.where(row)} {table.words('event').text(row)} {work.order_name(replayed, row)}: {side.text(row)} "
            f"{decimal_text(qty.fraction(row)) if qty.known[row] else 'no qty'} at {decimal_text(price.fraction(row))}"
            for row in rows[:3]
        ),
        amount=max(worth, default=None), currency=instrument.settle if instrument and worth else "",
        loss="what the sale is worth at the mark, where it is most: at 0 it takes any bid"
        if worth
        else "a buy at 0 is never filled, and the venue refuses it: what it should have closed stays open",
    )  # fmt: skip
