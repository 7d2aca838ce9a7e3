"""5.1.2: at exactly max_position nothing that grows the position is sent, and nothing that reduces it is blocked."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.claims import places
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow_exposure import Exposure, exposure
from mmverify.numeric import Ints, Mask, decimal_text
from mmverify.session.load import Session

#: What the name of a rule on the position has in it.
_RULES = ("position", "exposure", "inventory")


def at_limit(session: Session) -> Looked:
    """At exactly max_position no order is sent that grows the position, and none is blocked that reduces it."""
    symbols, notes = _symbols(session)
    seen = gather(look(session, symbol, limit) for symbol, limit in symbols for look in (_sent, _blocked))
    return Looked(seen.exercised, seen.breaches, (*seen.notes, *notes))


def held_at_limit(known: Exposure, low: Rows, high: Rows, limit: Fraction) -> tuple[Mask, Mask]:
    """Return where a position was exactly at its limit, whatever of what may have been known was known.

    Parameters
    ----------
    known : Exposure
    low, high : ndarray of int64
        The fewest and the most reports that may have been known, one a moment.
    limit : Fraction
        [contracts or base]

    Returns
    -------
    tuple of ndarray of bool
        Where the position was the limit, long; and short.
    """
    position, units = _positions(known), limit * 10**known.digits
    if units.denominator != 1:  # no position is exactly that
        return (np.zeros(len(high), dtype=bool),) * 2
    long, short = (np.asarray(position[high] == sign * int(units)) for sign in (1, -1))
    for n in np.flatnonzero((long | short) & (low < high)).tolist():
        every = position[low[n] : high[n] + 1]
        long[n], short[n] = np.all(every == int(units)), np.all(every == -int(units))
    return long, short


def _positions(known: Exposure) -> Ints:
    """Return the position after each count of reports, in units of the exposure."""
    held = known.executions
    return np.asarray(held.position * 10 ** (known.digits - held.digits))


def _symbols(session: Session) -> tuple[list[tuple[str, Fraction]], tuple[str, ...]]:
    """Return the symbols that have a max_position, each with it, and a note on those that have none."""
    if not session.has("fills") and not session.has("positions"):
        return [], ("neither fills nor positions: what was held is not known",)
    names = session.table("order_events", "symbol").words("symbol").names
    limits = [(symbol, session.limit(symbol, "max_position")) for symbol in names]
    unset = [symbol for symbol, limit in limits if limit is None]
    notes = (f"no max_position is stated for {', '.join(unset)}: not judged",) if unset else ()
    return [(symbol, limit) for symbol, limit in limits if limit is not None], notes


# --- sent -------------------------------------------------------------------------------------------------------------
def _sent(session: Session, symbol: str, limit: Fraction) -> Looked:
    known = exposure(session, symbol)
    asks = known.asks
    long, short = held_at_limit(known, asks.low, asks.high, limit)
    at_limit = long | short
    growing = at_limit & ~asks.reduce_only & np.where(asks.direction > 0, long, short)
    chosen = np.flatnonzero(growing).tolist()
    if not chosen:
        return Looked(int(at_limit.sum()))
    rows, ask, replayed = [int(asks.rows[each]) for each in chosen], chosen[0], known.flow
    own = Fraction(int(asks.own[ask]), 10**known.digits)
    held, direction = limit * int(asks.direction[ask]), int(asks.direction[ask])
    first, side = rows[0], "buy" if direction > 0 else "sell"
    sizes = {row: Fraction(int(asks.own[each]), 10**known.digits) for row, each in zip(rows, chosen, strict=True)}
    amount, currency = work.largest(session, replayed, rows, sizes.__getitem__)
    reach = held + direction * own
    return Looked(int(at_limit.sum()), (
        Breach(
            key=f"{symbol} sent", where=places(replayed.table, rows), count=len(rows),
            was=f"{work.order_name(replayed, first)}, a {side} of {decimal_text(own)}, was sent at a position of "
            f"{decimal_text(held)} {symbol}",
            should=f"no order that grows it: max_position is {decimal_text(limit)}",
            work=(
                f"position of {symbol} at {replayed.table.where(first)}: {decimal_text(held)}, exactly max_position",
                *(work.row_line(replayed, row) for row in rows[:2]),
                f"{text(held)} {'+' if direction > 0 else '-'} {decimal_text(own)} = {decimal_text(reach)}: "
                f"{decimal_text(abs(reach) - limit)} above {decimal_text(limit)}",
            ),
            amount=amount, currency=currency,
            loss="by what the limit is passed if the order fills, at its price, where it is most"
            if amount is not None
            else "the order has no price to be valued at",
            cause="every order that grows a position of exactly max_position is let through: the position alone is "
            "compared, and equal counts as room"
            if len(chosen) == int(at_limit.sum())
            else "",
        ),
    ))  # fmt: skip


# --- blocked ----------------------------------------------------------------------------------------------------------
def _blocked(session: Session, symbol: str, limit: Fraction) -> Looked:
    table = session.table("risk_events", "ts_local", "rule", "event", "symbol", "side", "value", "threshold")
    rule, side = table.words("rule"), table.words("side")
    named = np.array([*(any(word in name.lower() for word in _RULES) for name in rule.names), False])[rule.codes]
    blocks = table.words("event").is_("block") & table.words("symbol").is_(symbol) & ~side.missing
    rows = np.flatnonzero(blocks & named)
    others = int(np.sum(blocks & ~named))
    notes = (f"{symbol}: {others} blocks by a rule that is not on the position are not judged",) if others else ()
    known = exposure(session, symbol)
    times = table.whole("ts_local").values[rows]
    low, high = known.executions.line.span(times)
    long, short = held_at_limit(known, low, high, limit)
    buys = side.is_("buy")[rows]
    wrong = np.where(buys, short, long) & _fits(session, known, symbol, times, buys, limit)
    looked, chosen = int(np.sum(long | short)), rows[wrong].tolist()
    if not chosen:
        return Looked(looked, (), notes)
    first = chosen[0]
    held = limit if side.text(first) == "sell" else -limit
    shown = ", ".join(
        f"{name} {decimal_text(table.decimals(name).fraction(first))}"
        for name in ("value", "threshold")
        if table.decimals(name).known[first]
    )
    return Looked(looked, (
        Breach(
            key=f"{symbol} blocked", where=places(table, chosen), count=len(chosen),
            was=f"a {side.text(first)} was blocked at a position of {decimal_text(held)} {symbol}",
            should="let through: it reduces the position",
            work=(
                f"position of {symbol} at {table.where(first)}: {decimal_text(held)}, exactly max_position "
                f"{decimal_text(limit)}",
                f"{table.where(first)} {rule.text(first)} block, {side.text(first)}" + (f": {shown}" if shown else ""),
                f"a {side.text(first)} takes {text(held)} towards 0, and with all that is open on its side not past "
                f"{decimal_text(-held)}",
            ),
            amount=None, currency="",
            loss="the largest position that is allowed cannot be got rid of; what it loses meanwhile is the market's",
            cause="the position is compared with the limit whatever the side of the order",
        ),
    ), notes)  # fmt: skip


def _fits(session: Session, known: Exposure, symbol: str, times: Rows, buys: Mask, limit: Fraction) -> Mask:
    """Return where no order of the other side, with those that rest there, can pass the limit on that side."""
    flow, table = known.flow, session.table("order_events", "symbol", "qty")
    most = session.limit(symbol, "max_order_qty")
    qty, mine = table.decimals("qty"), table.words("symbol").is_(symbol)
    largest = most if most is not None else Fraction(int(qty.ints[mine].max(initial=0)), 10**qty.scale)
    at = np.searchsorted(flow.heard, times, side="right")
    resting = np.where(buys, *(known.resting(at, direction) for direction in (1, -1)))
    return np.asarray(resting <= int((2 * limit - largest) * 10**known.digits // 1))
