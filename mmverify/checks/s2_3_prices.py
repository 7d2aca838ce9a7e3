"""2.3.1: the price that a fill was made at, in the bot's P&L, in its average prices, and against the order's limit."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather, mistakes
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import Mistake, fills_table, ledger
from mmverify.checks.claims import Claims, Money, agrees, claims_of, judge, money_breach, nearest, places
from mmverify.checks.handwork import notional, parting, realized_work, text
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_positions import Executions, executions
from mmverify.checks.s2_3_limits import Limits, limits, skew_of
from mmverify.checks.s2_3_work import counts, fill_line
from mmverify.numeric import decimal_text
from mmverify.session.load import Session, need_instruments

_SAMPLE = 200  # wrong claims that are looked at before all are
_ORDER_PRICE = "the order's price was used in place of the fill's"


# --- realized P&L -----------------------------------------------------------------------------------------------------


def realized_at_fill_prices(session: Session) -> Looked:
    """Claimed realized P&L is not that of the orders' prices where the fills had others."""
    return gather(_realized(claims) for claims in claims_of(session, "realized") if len(claims.books) == 1)


def _realized(claims: Claims) -> Looked:
    session, book = claims.session, claims.book
    if book.opened:
        return Looked(0, (), tuple(book.flaws))
    differs = np.concatenate([[0], np.cumsum(limits(session, claims.symbol).off != 0)])
    telling = (claims.closings() > 0) & (differs[claims.latest] > 0)
    exercised = int(np.sum(telling))
    is_net = session.convention("realized") == "net"
    money: Money = mistakes.net if is_net else mistakes.gross
    right = claims.candidates(money)
    guess = book.realized_floats[claims.latest] - (book.fee_floats[claims.latest] if is_net else 0.0)
    if not claims.native:
        guess = np.full(len(claims.rows), np.nan)
    size = np.maximum.accumulate(np.abs(book.cost_floats))[claims.latest]
    wrong = judge(claims.column, claims.rows[telling], guess[telling], right, magnitude=size[telling])
    if not wrong:
        return Looked(exercised)
    by_order = claims.candidates(money, Mistake(order_price=True))

    def is_by_order(row: int) -> bool:
        return agrees(claims.column, row, by_order(row))

    if not any(map(is_by_order, [*wrong.rows[:_SAMPLE], wrong.rows[-1]])):
        return Looked(exercised)
    rows = np.array([row for row in wrong.rows if is_by_order(row)])
    mine = judge(claims.column, rows, np.full(len(rows), np.nan), right)
    if not mine:
        return Looked(exercised)
    parted = parting(book, ledger(session, claims.symbol, Mistake(order_price=True))) if claims.native else ()
    beside = decimal_text(nearest(claims.column, mine.first, by_order(mine.first)))
    breach = money_breach(
        claims.table, claims.column, mine, key=claims.symbol, what=f"realized P&L of {claims.symbol}",
        currency=claims.currency(mine.first),
        work=(*realized_work(claims, mine), *parted, f"with the orders' prices in place of the fills': {beside}"),
        reason=_ORDER_PRICE,
        loss="price improvement that the books do not have, or slippage that they do not show: the strategy is "
        "measured by what it asked for and not by what it got",
    )  # fmt: skip
    return Looked(exercised, (breach,))


# --- average prices ---------------------------------------------------------------------------------------------------


def average_at_fill_prices(session: Session) -> Looked:
    """avg_px is not the order's price where the fills had another."""
    replayed = flow(session)
    need_instruments(session, "order_events", replayed.table.words("symbol"))
    average = replayed.table.decimals("avg_px")
    priced = replayed.lives.before(replayed.price_at, -1)
    claimed = average.known & np.asarray(average.ints != 0) & (priced >= 0)
    symbols = replayed.table.words("symbol")
    traded = claimed & symbols.is_(*fills_table(session).words("symbol").names)
    return gather(
        _averages(session, executions(session, symbol), np.asarray(rows), priced[rows])
        for symbol, rows in work.by_symbol(replayed, traded)
    )


def _averages(session: Session, known: Executions, rows: Rows, priced: Rows) -> Looked:
    replayed = flow(session)
    table, life = replayed.table, replayed.lives.life[rows]
    average, price = table.decimals("avg_px"), table.decimals("price")
    claimed, ordered = average.floats()[rows], price.floats()[priced]
    noise = 2.0**-50 * (np.abs(claimed) + np.abs(ordered))
    half = average.tolerances()[rows]
    low, high = known.line.span(replayed.ts[rows])
    filled, at_order, right = (np.zeros(len(rows), dtype=bool) for _ in range(3))
    for at, count in counts(low, high):
        due = known.averages(life[at], count)
        is_known = ~np.isnan(due)
        filled[at] |= is_known
        at_order[at] |= is_known & (np.abs(due - ordered[at]) <= half[at] + noise[at])
        right[at] |= is_known & (np.abs(due - claimed[at]) <= half[at] + noise[at])
    telling = filled & ~at_order
    wrong = np.flatnonzero(telling & ~right & (np.abs(claimed - ordered) <= half + noise))
    exercised = int(telling.sum())
    if not wrong.size:
        return Looked(exercised)
    due = known.averages(life[wrong], high[wrong])
    cum = table.decimals("cum_qty")
    size = np.where(cum.known[rows[wrong]], cum.floats()[rows[wrong]], 0)
    worst, first = int(wrong[np.argmax(np.abs(claimed[wrong] - due) * size)]), int(wrong[0])

    def cost(n: int) -> Fraction | None:
        exact, row = known.average(int(life[n]), int(high[n])), int(rows[n])
        if exact is None or not cum.known[row]:
            return None
        stated, due = (notional(known.instrument, each, cum.fraction(row)) for each in (average.fraction(row), exact))
        return abs(stated - due)

    exact = known.average(int(life[first]), int(high[first]))
    row = int(rows[first])
    return Looked(exercised, (
        Breach(
            key=known.instrument.symbol, where=places(table, rows[wrong].tolist()), count=len(wrong),
            was=f"avg_px of {work.order_name(replayed, row)} was {decimal_text(average.fraction(row))}, its own price",
            should=decimal_text(exact or 0),
            work=(work.row_line(replayed, int(priced[first])) + f", price {text(price.fraction(int(priced[first])))}",
                  *work.average_work(replayed, known, row, int(high[first]))),
            amount=cost(worst), currency=known.instrument.settle,
            loss="what the order's fills cost beside what avg_px says they did, where it is most: slippage and price "
            "improvement are invisible in it",
            cause="avg_px is the price that the order was sent with, not that of its fills",
        ),
    ))  # fmt: skip


# --- limits -----------------------------------------------------------------------------------------------------------


def fills_within_limits(session: Session) -> Looked:
    """No fill is worse than every limit price of its order that was in force or in flight."""
    table = fills_table(session)
    return gather(_within(session, limits(session, symbol)) for symbol in table.words("symbol").names)


def _within(session: Session, known: Limits) -> Looked:
    table, reports = fills_table(session), known.executions
    rows, kind, venue = reports.line.rows, table.words("kind"), table.whole("ts_exchange")
    judged = (known.newest >= 0) & (kind.missing | kind.is_("trade"))[rows] & ~reports.repeated
    doubtful, skew = np.flatnonzero(judged & np.asarray(known.off > 0)), skew_of(session)
    beyond: dict[int, tuple[Fraction, int]] = {}
    for n in doubtful.tolist():
        at = None if venue.missing[rows[n]] else int(venue.values[rows[n]])
        allowed, sign = known.in_force(n, at, skew), int(known.direction[n])
        if allowed and all((reports.price(n) - price) * sign > 0 for price in allowed):
            limit = max(allowed, key=lambda price: price * sign)
            beyond[n] = limit, allowed[limit]
    exercised = int(judged.sum())
    if not beyond:
        return Looked(exercised)
    first, replayed, instrument = next(iter(beyond)), known.flow, reports.instrument

    def loss(n: int) -> Fraction:
        qty = reports.qty(int(reports.filled[n]))
        return abs(notional(instrument, reports.price(n), qty) - notional(instrument, beyond[n][0], qty))

    limit, row = beyond[first]
    qty, price = reports.qty(int(reports.filled[first])), reports.price(first)
    per_unit = f"1/{text(limit)} - 1/{text(price)}" if instrument.kind == "inverse" else (
        f"{text(price)} - {text(limit)}"
    )  # fmt: skip
    times = "" if instrument.multiplier == 1 else f" x {text(instrument.multiplier)}"
    signed = loss(first) if (price > limit) else -loss(first)
    is_buy = known.direction[first] > 0
    return Looked(exercised, (
        Breach(
            key=instrument.symbol, where=places(table, [int(rows[n]) for n in beyond]), count=len(beyond),
            was=f"{work.order_name(replayed, row)} {'bought' if is_buy else 'sold'} at {decimal_text(price)}",
            should=f"{decimal_text(limit)} or {'below' if is_buy else 'above'}, its limit",
            work=(f"{replayed.table.where(row)} {replayed.table.words('event').text(row)}: price {text(limit)}",
                  fill_line(session, int(rows[first])),
                  f"({per_unit}) x {text(qty)}{times} = {decimal_text(signed)} {instrument.settle}"),
            amount=sum(map(loss, beyond), Fraction(0)), currency=instrument.settle,
            loss="what these fills cost beyond the worst price that their orders allowed: the venue broke the limit "
            "and has to make it good, the bot does not know what it sent, or a simulated venue adds slippage to limits",
        ),
    ))  # fmt: skip
