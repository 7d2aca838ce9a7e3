"""Section 1.2, signs: long is positive in the bot's positions, in those of the exchange, and in open profit."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.books import ledger
from mmverify.checks.claims import Claims, Wrong, agrees, money_breach, nearest, places, pnl_table
from mmverify.checks.handwork import notional, unrealized_work
from mmverify.checks.known import Rows, timeline
from mmverify.checks.mistakes import prices_of, unrealized_values
from mmverify.checks.moments import deadline
from mmverify.checks.s1_2_work import Told, apart_offs, claim_offs, claim_places, claim_work, judged, told_of
from mmverify.checks.stated import stated_positions
from mmverify.numeric import decimal_text
from mmverify.session.load import Session, need_instruments

_LOSS = "twice the position: risk, hedges and skew act on the opposite of what is held, at the price of the newest fill"


def claimed_signs(session: Session) -> Looked:
    """No claim of a position has the opposite sign of what the fills give."""
    return gather(_signs(each) if isinstance(each, Told) else Looked(0, (), (each,)) for each in judged(session))


def _signs(told: Told) -> Looked:
    held = told.held
    signs, right = np.sign(held.claimed), np.sign(held.position)
    opposite = np.asarray((signs * right[held.high] < 0) & (signs * right[held.low] < 0))
    wrong = [n for n in np.flatnonzero(opposite).tolist() if all(signs[n] * right[c] < 0 for c in told.counts(n))]
    exercised = int(np.sum((right[held.high] != 0) | (right[held.low] != 0)))
    if not wrong:
        return Looked(exercised)
    at, first = np.array(wrong), wrong[0]
    count = told.count(first)
    worst = int(at[np.argmax(np.abs(held.claimed[at]))])
    return Looked(exercised, (
        Breach(
            key=told.symbol, where=claim_places(told, wrong, count), count=len(wrong),
            was=f"the position of {told.symbol} was {decimal_text(told.claimed(first))}, {_way(told.claimed(first))}",
            should=f"{decimal_text(told.qty(held.position[count]))}, {_way(told.qty(held.position[count]))}",
            work=claim_work(told, first),
            amount=told.worth(told.off(worst, told.count(worst)), told.count(worst)),
            currency=told.instrument.settle, loss=_LOSS, cause=_cause(told, wrong),
            offs=claim_offs(told, first),
        ),
    ))  # fmt: skip


def _way(qty: Fraction) -> str:
    return "long" if qty > 0 else "short"


def _cause(told: Told, wrong: list[int]) -> str:
    """Name what turned the signs, where the claims are the exact opposite."""
    held, first = told.held, wrong[0]
    turned = told.fits(np.arange(len(held.line)), -held.position)
    if not turned[wrong].all():
        return ""
    if turned.all():
        return "buys are taken off and sells added: every claim is the exact opposite"
    before = next((place for place in range(first - 1, -1, -1) if told.is_right(place)), first)
    if held.claimed[before] * np.sign(held.claimed[first]) > 0 and before < first:
        now = told.count(first)
        side = np.sign(held.position[now])
        turn = next((n for n in range(now - 1, -1, -1) if held.position[n] * side <= 0), 0)
        return f"{told.report(turn)} turned the position over, and its sign stayed as it was"
    return "the claims are the exact opposite"


# --- beside the exchange ----------------------------------------------------------------------------------------------


def exchange_signs(session: Session) -> Looked:
    """No position of the exchange's has the opposite sign of all that the bot claims around it."""
    symbols = session.table("positions", "symbol").words("symbol")
    need_instruments(session, "positions", symbols)
    return gather(_beside(told_of(session, symbol)) for symbol in symbols.names)


def stated(told: Told) -> Rows:
    """Return the rows of the exchange's positions of a symbol that hold a quantity, in order of time."""
    table = told.table
    own = table.words("symbol").is_(told.symbol) & table.words("source").is_("exchange") & table.decimals("qty").known
    return timeline(told.session, table, own).rows


def _beside(told: Told) -> Looked:
    rows, held = stated(told), told.held
    if not len(rows) or not len(held.line):
        return Looked(0)
    around = deadline(told.session, "resync_timeout_ms") or 0
    ts, qty = told.table.whole("ts_local").values[rows], told.table.decimals("qty").ints[rows]
    low = np.maximum(np.searchsorted(held.line.times, ts - around, side="left") - 1, 0)
    high = np.searchsorted(held.line.times, ts + around, side="right")
    opposite = np.zeros(len(rows), dtype=bool)
    for sign in (1, -1):
        count = np.append(0, np.cumsum(held.claimed * sign < 0))
        opposite |= np.asarray(qty * sign > 0) & (high > low) & (count[high] - count[low] == high - low)
    exercised = int(np.sum((high > low) & np.asarray(qty != 0)))
    wrong = np.flatnonzero(opposite)
    if not wrong.size:
        return Looked(exercised)
    first, place = int(rows[wrong[0]]), max(int(np.searchsorted(held.line.times, ts[wrong[0]], side="right")) - 1, 0)
    column, table = told.table.decimals("qty"), told.table
    claimed, said = told.claimed(place), column.fraction(first)
    worst = int(rows[wrong[np.argmax(np.abs(qty[wrong]))]])
    seconds = decimal_text(Fraction(around, 10**9))
    price = told.last_price(int(held.high[place])) if told.known.of_fills else Fraction(0)
    return Looked(exercised, (
        Breach(
            key=f"{told.symbol} exchange", where=(*places(table, rows[wrong[:3]].tolist()), told.where(place)),
            count=len(wrong),
            was=f"the bot had {told.symbol} {_way(claimed)} {decimal_text(claimed)} where the exchange states "
            f"{decimal_text(said)}",
            should="one sign in both: long is positive everywhere",
            work=(
                f"{table.where(first)}, exchange: {decimal_text(said)}",
                f"{told.where(place)}, bot: {decimal_text(claimed)}",
                f"no claim of the bot's within {seconds} s of it is {_way(said)} or flat",
            ),
            amount=_between(told, worst, price), currency=told.instrument.settle,
            loss="what the two tables are apart, at the price of the newest fill, where the exchange's is most",
            cause="the two are exact opposites" if said == -claimed else "", offs=apart_offs(told, first, place),
        ),
    ))  # fmt: skip


def _between(told: Told, row: int, price: Fraction) -> Fraction | None:
    """Return what the exchange's position and the bot's newest are apart, at a price; None without one."""
    at = int(told.table.whole("ts_local").values[row])
    place = max(int(np.searchsorted(told.held.line.times, at, side="right")) - 1, 0)
    apart = abs(told.table.decimals("qty").fraction(row) - told.claimed(place))
    return notional(told.instrument, price, apart) if price else None


# --- open profit ------------------------------------------------------------------------------------------------------


def unrealized_signs(session: Session) -> Looked:
    """No claim of unrealized P&L is that of the same position with the opposite sign."""
    table = pnl_table(session)
    symbols, column = table.words("symbol"), table.decimals("unrealized")
    found = []
    for symbol in symbols.names:
        rows = np.flatnonzero(symbols.is_(symbol) & column.known)
        if symbol != "*" and rows.size:
            book = ledger(session, symbol) if session.has("fills") else stated_positions(session, symbol)
            found.append(_unrealized(Claims(session, table, column, symbol, rows, (book,))))
    return gather(found)


def _unrealized(claims: Claims) -> Looked:
    kind, column = claims.session.convention("unrealized_price"), claims.column
    guess = _guess(claims, kind)
    doubtful = claims.rows[~(np.sign(guess) * np.sign(column.floats()[claims.rows]) >= 0)]
    exercised = int(np.sum(np.abs(guess) > 0))
    if not doubtful.size:
        return Looked(exercised)
    few = replace(claims, rows=doubtful)
    known = prices_of(few, kind)
    right = unrealized_values(few, known)
    values = {row: list(right(row)) for row in doubtful.tolist()}
    opposite = {row: [-value for value in each] for row, each in values.items()}
    wrong_rows = [row for row, each in values.items() if not agrees(column, row, each)]
    turned = [row for row in wrong_rows if agrees(column, row, opposite[row])]
    if not turned:
        return Looked(exercised)
    should = {row: -nearest(column, row, opposite[row]) for row in turned}
    first, worst = turned[0], max(turned, key=lambda row: abs(should[row]))
    wrong = Wrong(tuple(turned), first, should[first], worst, should[worst])
    held = {(qty > 0) - (qty < 0) for row in turned for qty in [few.book.position[few.spans[0][row][1]]]}
    cause = {-1: "a short is valued as a long", 1: "a long is valued as a short"}.get(sum(held), "")
    breach = money_breach(
        claims.table, column, wrong, key=f"{claims.symbol} unrealized", what=f"unrealized P&L of {claims.symbol}",
        currency=claims.currency(first), work=unrealized_work(few, wrong, kind, known[first]), reason=cause,
        loss="a gain that is a loss, or the reverse: equity, drawdown and limits act on the opposite of what happens",
    )  # fmt: skip
    return Looked(exercised, (breach,))


def _guess(claims: Claims, kind: str) -> NDArray[np.float64]:
    """Return what each claim's sign should be that of: unrealized P&L by what was newest; NaN where that is open."""
    book, count = claims.book, claims.latest
    if kind in ("mid", "exit"):
        known = prices_of(claims, kind)
        price = np.array([float(known[row][-1]) if known[row] else np.nan for row in claims.rows.tolist()])
    else:
        marks = claims.session.table("marks", "ts_exchange", "ts_local", "symbol", kind)
        column = marks.decimals(kind)
        line = timeline(claims.session, marks, marks.words("symbol").is_(claims.symbol) & column.known)
        price = np.append(column.floats()[line.rows], np.nan)[line.span(claims.at)[1] - 1]
    qty = book.qty_floats[count]
    with np.errstate(divide="ignore", invalid="ignore"):
        worth = qty * (-1 / price if book.instrument.kind == "inverse" else price) * float(book.instrument.multiplier)
    return np.where(qty == 0, 0.0, np.where(count < book.opened, np.nan, worth - book.cost_floats[count]))
