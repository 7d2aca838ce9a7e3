"""2.2.4: what an order claims to have filled, to have left, and at which average price."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import fills_table
from mmverify.checks.claims import Wrong, cause, judge, places
from mmverify.checks.handwork import notional
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_positions import Executions, executions
from mmverify.numeric import Ints, decimal_text
from mmverify.replay.order_state import DONE, EVENTS, STATES
from mmverify.session.load import Session, need_instruments

_OPEN_CODES = [n for n, state in enumerate(STATES) if state not in DONE]
_DONE_CODES = [n for n, state in enumerate(STATES) if state in DONE]


def open_quantity(session: Session) -> Looked:
    """Hold cum_qty + leaves_qty to the quantity of an open order, leaves_qty of one that is done to 0."""
    replayed = flow(session)
    table = replayed.table
    qty, cum, leaves = (table.decimals(name) for name in ("qty", "cum_qty", "leaves_qty"))
    scale = max(qty.scale, cum.scale, leaves.scale)
    q, total = qty.at_scale(scale), cum.at_scale(scale) + leaves.at_scale(scale)
    whole = cum.known & leaves.known & qty.known & np.isin(replayed.told, _OPEN_CODES)
    wrong = whole & np.asarray(total != q)
    asked = replayed.lives.before(replayed.asked, -1)
    may_differ = (replayed.is_("replace_request") | (asked >= 0)) & ~replayed.is_("replace_ack")
    for at in (
        replayed.lives.before(replayed.qty_at, -1),
        asked,
    ):  # of an order that is being replaced: either quantity
        wrong &= ~(may_differ & (at >= 0) & np.asarray(total == q[at])) if len(q) else wrong
    done = leaves.known & np.isin(replayed.told, _DONE_CODES)
    kept = done & np.asarray(leaves.ints != 0)
    found = []
    for symbol, rows in work.by_symbol(replayed, wrong):
        found.append(_open_breach(session, replayed, symbol, rows, total, scale))
    for symbol, rows in work.by_symbol(replayed, kept):
        found.append(_kept_breach(session, replayed, symbol, rows))
    return Looked(int(whole.sum() + done.sum()), tuple(found))


def _open_breach(
    session: Session, replayed: Flow, symbol: str, rows: list[int], total: Ints, scale: int,
) -> Breach:  # fmt: skip
    qty, cum, leaves = (replayed.table.decimals(name) for name in ("qty", "cum_qty", "leaves_qty"))

    def off(row: int) -> Fraction:
        return Fraction(int(total[row]), 10**scale) - qty.fraction(row)

    first, before = rows[0], replayed.lives.before(replayed.qty_at, -1)
    stale = [before[row] >= 0 and off(row) == qty.fraction(int(before[row])) - qty.fraction(row) for row in rows]
    amount, currency = work.largest(session, replayed, rows, off)
    parts = f"{decimal_text(cum.fraction(first))} + {decimal_text(leaves.fraction(first))}"
    return Breach(
        key=f"{symbol} open", where=places(replayed.table, rows), count=len(rows),
        was=f"cum_qty + leaves_qty of {work.order_name(replayed, first)} was {parts}",
        should=f"{decimal_text(qty.fraction(first))}, its qty",
        work=(
            *work.story(replayed, rows[:1]),
            f"{parts} - {decimal_text(qty.fraction(first))} = {decimal_text(off(first))}, should be 0",
        ),
        amount=amount, currency=currency,
        loss="the quantity that is counted wrong, at its price, where it is most: exposure is off by it",
        cause="leaves_qty is what is left of the quantity before the replace" if all(stale) else "",
    )  # fmt: skip


def _kept_breach(session: Session, replayed: Flow, symbol: str, rows: list[int]) -> Breach:
    leaves, first = replayed.table.decimals("leaves_qty"), rows[0]
    amount, currency = work.largest(session, replayed, rows, leaves.fraction)
    return Breach(
        key=f"{symbol} done", where=places(replayed.table, rows), count=len(rows),
        was=f"leaves_qty of {work.order_name(replayed, first)} was {decimal_text(leaves.fraction(first))} once "
        f"{STATES[replayed.told[first]]}",
        should="0", work=work.story(replayed, rows[:2]), amount=amount, currency=currency,
        loss="what is still counted as open of an order that is done, at its price, where it is most",
    )  # fmt: skip


def falling_cum_qty(session: Session) -> Looked:
    """Find where cum_qty fell and no bust or correction of the order came."""
    replayed = flow(session)
    need_instruments(session, "order_events", replayed.table.words("symbol"))
    cum = replayed.table.decimals("cum_qty")
    before = replayed.lives.before(replayed.cum_at, -1)
    both = cum.known & (before >= 0)
    fell = np.flatnonzero(both & np.asarray(cum.ints < cum.ints[before])) if len(before) else before
    exercised = int(np.sum(both & np.asarray(cum.ints[before] > 0))) if len(before) else 0
    wrong = np.zeros(len(replayed), dtype=bool)
    wrong[[row for row in fell.tolist() if not _is_restated(session, replayed, row)]] = True
    found = []
    for symbol, rows in work.by_symbol(replayed, wrong):
        first = rows[0]
        was, now = cum.fraction(int(before[first])), cum.fraction(first)
        amount, currency = work.largest(
            session, replayed, rows, lambda row: cum.fraction(int(before[row])) - cum.fraction(row)
        )
        found.append(Breach(
            key=symbol, where=places(replayed.table, rows), count=len(rows),
            was=f"cum_qty of {work.order_name(replayed, first)} fell to {decimal_text(now)}",
            should=f"{decimal_text(was)} or more: no fill was taken back",
            work=(*work.story(replayed, rows[:1]), f"{decimal_text(was)} - {decimal_text(now)} = "
                  f"{decimal_text(was - now)} of what was filled is gone"),
            amount=amount, currency=currency,
            loss="what was filled and is counted as open again, at its price, where it is most",
            cause="the replaced order began again with nothing filled"
            if all(EVENTS[replayed.event[row]] == "replace_ack" and not cum.ints[row] for row in rows) else "",
        ))  # fmt: skip
    return Looked(exercised, tuple(found))


def _is_restated(session: Session, replayed: Flow, row: int) -> bool:
    """Say whether a correction or bust of an order was booked between a row and the one before."""
    life = int(replayed.lives.life[row])
    known = executions(session, replayed.table.words("symbol").text(int(replayed.lives.first[life])))
    mine = known.of_life(life)
    times = known.line.times[mine[known.restated[mine]]]
    since = replayed.ts[replayed.lives.previous[row]] - known.line.before
    return bool(((times >= since) & (times <= replayed.ts[row])).any())


def average_price(session: Session) -> Looked:
    """Hold avg_px to the average of the order's distinct fills."""
    replayed = flow(session)
    need_instruments(session, "order_events", replayed.table.words("symbol"))
    average, cum = replayed.table.decimals("avg_px"), replayed.table.decimals("cum_qty")
    claimed = average.known & cum.known & np.asarray(average.ints != 0) & np.asarray(cum.ints != 0)
    claimed &= replayed.lives.previous >= 0
    symbols = replayed.table.words("symbol")
    return gather(
        _averages(session, replayed, executions(session, symbol), np.asarray(rows))
        for symbol, rows in work.by_symbol(replayed, claimed & symbols.is_(*fills_table(session).words("symbol").names))
    )


def _averages(session: Session, replayed: Flow, known: Executions, rows: Rows) -> Looked:
    average, life = replayed.table.decimals("avg_px"), replayed.lives.life
    low, high = known.line.span(replayed.ts[rows])
    counts = {int(row): (int(a), int(b)) for row, a, b in zip(rows, low, high, strict=True) if a != b}
    newest = dict(zip(rows.tolist(), high.tolist(), strict=True))

    def exact(row: int) -> list[Fraction]:
        first, last = counts.get(row, (newest[row], newest[row]))
        found = (known.average(int(life[row]), count) for count in range(last, first - 1, -1))
        return [value for value in found if value is not None]

    guess = known.averages(life[rows], high)
    wrong = judge(average, rows, guess, exact)
    exercised = int(np.sum(~np.isnan(guess)))
    if not wrong:
        return Looked(exercised)
    return Looked(exercised, (_average_breach(replayed, known, wrong, newest),))


def _average_breach(replayed: Flow, known: Executions, wrong: Wrong, newest: dict[int, int]) -> Breach:
    table, instrument = replayed.table, known.instrument
    average, cum = table.decimals("avg_px"), table.decimals("cum_qty")

    rows = np.array(wrong.rows)
    right = known.averages(replayed.lives.life[rows], np.array([newest[row] for row in wrong.rows]))
    worst = int(rows[np.argmax(np.nan_to_num(np.abs(average.floats()[rows] - right) * cum.floats()[rows]))])
    price = known.average(int(replayed.lives.life[worst]), newest[worst]) or average.fraction(worst)
    claimed, due = (notional(instrument, each, cum.fraction(worst)) for each in (average.fraction(worst), price))
    suspects = work.average_suspects(replayed, known, newest)
    was, should = average.fraction(wrong.first), wrong.first_should
    return Breach(
        key=instrument.symbol, where=places(table, wrong.rows), count=len(wrong.rows),
        was=f"avg_px of {work.order_name(replayed, wrong.first)} was {decimal_text(was)}", should=decimal_text(should),
        work=work.average_work(replayed, known, wrong.first, newest[wrong.first]),
        amount=abs(claimed - due), currency=instrument.settle,
        loss="what the order's fills cost beside what avg_px says they did, where it is most: profit is judged by it",
        cause=cause(average, wrong, suspects),
    )  # fmt: skip
