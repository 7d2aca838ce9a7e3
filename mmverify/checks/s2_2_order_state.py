"""Section 2.2, order state machine: each order event against the legal map, and what an order claims of its fills."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks import s2_2_quantities as quantities
from mmverify.checks import s2_2_repeats as repeats
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import fills_table
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional
from mmverify.checks.known import Rows
from mmverify.checks.offs import added_up
from mmverify.checks.orderflow import UNMAPPED, UNTOLD, Flow, flow
from mmverify.checks.orderflow_positions import Break, executions, held
from mmverify.checks.s2_2_map import seen_map, unmapped
from mmverify.numeric import decimal_text
from mmverify.replay.order_state import DONE, EVENTS, STATES
from mmverify.session.load import Session, need_instruments

_SECOND = 10**9
_AGAIN = 3  # submits of the like within a second after a reject
_CLOSED = ("CANCELED", "REJECTED", "EXPIRED")
_OPEN_CODES = [n for n, state in enumerate(STATES) if state not in DONE]
_DONE_CODES = [n for n, state in enumerate(STATES) if state in DONE]


# --- 2.2.1 ------------------------------------------------------------------------------------------------------------
def order_map(session: Session) -> Looked:
    """Every event and every state is one of the map's; an event without a state says nothing of the map."""
    replayed = flow(session)
    told = (replayed.told != UNTOLD) | (replayed.event == UNMAPPED)
    silent = len(replayed) - int(told.sum())
    notes = (f"{silent} order events record no state: they show nothing of the map",) if silent else ()
    found = []
    for name, codes, known in (("event", replayed.event, EVENTS), ("state", replayed.told, STATES)):
        rows = np.flatnonzero(codes == UNMAPPED).tolist()
        if rows:
            found.append(unmapped(replayed, name, rows, known))
    return Looked(int(told.sum()), tuple(found), (*seen_map(session), *notes))


# --- 2.2.2 ------------------------------------------------------------------------------------------------------------
def transitions_of_map(session: Session) -> Looked:
    """Every recorded transition is one that the map allows."""
    replayed = flow(session)
    untold = int(np.sum((replayed.event >= 0) & (replayed.told < 0)))
    notes = (f"{untold} order events record no state of the map: their transitions are not judged",) if untold else ()
    found = []
    for code in np.unique(replayed.event[~replayed.is_legal]).tolist():
        rows = np.flatnonzero(~replayed.is_legal & (replayed.event == code)).tolist()
        found.append(_illegal(replayed, EVENTS[code], rows))
    return Looked(int(replayed.judged.sum()), tuple(found), notes)


def _illegal(replayed: Flow, event: str, rows: list[int]) -> Breach:
    first = rows[0]
    may = sorted(replayed.choices[int(replayed.choice[first])])
    lines = [
        line for row in rows[:2] for line in (work.before_line(replayed, row), work.row_line(replayed, row)) if line
    ]
    return Breach(
        key=event, where=places(replayed.table, rows), count=len(rows),
        was=f"{event} took {work.state_before(replayed, first)} to {STATES[replayed.told[first]]}",
        should=" or ".join(may) if may else f"no {event} in {work.state_before(replayed, first)}",
        work=(*lines, work.legal_line(replayed, first)), amount=None, currency="",
        loss="an order in a wrong state is counted, cancelled and replaced as what it is not; the cost is that of what "
        "the bot then does or leaves undone",
        cause=_cause_of_illegal(replayed, event, rows),
    )  # fmt: skip


def _cause_of_illegal(replayed: Flow, event: str, rows: list[int]) -> str:
    before, told = replayed.state_before[rows], replayed.told[rows]
    if np.all(before < 0):
        return "the order was never sent"
    if replayed.lives.is_taken[rows].all():
        return "the id of an order that was there before was used again"
    if np.all(told == before):
        return f"{event} left the state as it was"
    if np.isin(before, _DONE_CODES).all():
        return f"{event} came after the order was done and moved it all the same"
    if event == "ack" and np.all(told == STATES.index("NEW")):
        return "a late acknowledgement took the order back to NEW"
    return ""


# --- 2.2.3 ------------------------------------------------------------------------------------------------------------
def revived_orders(session: Session) -> Looked:
    """A cancelled, rejected or expired order does not go on to FILLED or PARTIALLY_FILLED."""
    replayed = flow(session)
    after_end = np.isin(replayed.told_before, [STATES.index(state) for state in _CLOSED]) & ~replayed.is_("reconcile")
    revived = after_end & np.isin(replayed.told, [STATES.index("FILLED"), STATES.index("PARTIALLY_FILLED")])
    leaves = replayed.table.decimals("leaves_qty")
    found = []
    for symbol, rows in work.by_symbol(replayed, revived):
        first = rows[0]
        amount, currency = work.largest(
            session, replayed, rows, lambda row: leaves.fraction(row) if leaves.known[row] else Fraction(0)
        )
        loss = (
            "what the bot takes for resting, at its price, where it is most: nothing rests there, so quotes and hedges "
        )
        loss = loss + "are missing by it" if amount else "the order is booked as ended by a fill and not by its cancel"
        was, now = STATES[replayed.told_before[first]], STATES[replayed.told[first]]
        found.append(Breach(
            key=symbol, where=places(replayed.table, rows), count=len(rows),
            was=f"{work.order_name(replayed, first)} of {symbol} went from {was} to {now}",
            should=f"{was}, with the fill booked", work=work.story(replayed, rows[:2]), amount=amount,
            currency=currency, loss=loss,
        ))  # fmt: skip
    return Looked(int(after_end.sum()), tuple(found))


def late_fills(session: Session) -> Looked:
    """A fill that arrives after its order was cancelled moves the position all the same."""
    replayed = flow(session)
    need_instruments(session, "order_events", replayed.table.words("symbol"))
    closed = replayed.lives.before(replayed.is_done, False) < replayed.is_done
    closed &= replayed.is_("cancel_ack", "expire", "exchange_cancel", "reject")
    ended = np.full(len(replayed.lives), np.iinfo(np.int64).max)
    rows = np.flatnonzero(closed)[::-1]
    ended[replayed.lives.life[rows]] = replayed.ts[rows]  # the first of each life
    return gather(_late_fills(session, symbol, ended) for symbol in fills_table(session).words("symbol").names)


@dataclass(frozen=True)
class _Unbooked:
    """A claim that a late fill did not move as it should: by how much it is off, and whether just by that fill."""

    found: Break
    report: int
    off: int
    is_dropped: bool


def _late_fills(session: Session, symbol: str, ended: Rows) -> Looked:
    known, told = executions(session, symbol), held(session, symbol)
    of_order = known.life >= 0
    late = np.flatnonzero(of_order & ~known.repeated & (ended[known.life] < known.line.times))
    exercised = int(np.sum(np.searchsorted(told.line.times, known.line.times[late], side="right") < len(told.line)))
    wrong: list[_Unbooked] = []
    for each in (each for each in told.breaks() if not each.is_right):
        mine = late[(late >= each.since) & (late < each.until)].tolist()
        dropped = [(n, -int(known.moved[n]) * 10 ** (told.digits - known.digits)) for n in mine]
        dropped = [(n, by) for n, by in dropped if min(abs(off - by) for off in each.offs) <= 2 * told.slack]
        if dropped:
            wrong.append(_Unbooked(each, *dropped[0], is_dropped=True))
        elif mine and len(mine) == each.until - each.since:
            wrong.append(_Unbooked(each, mine[0], each.offs[0], is_dropped=False))
    if not wrong:
        return Looked(exercised)
    table, fills = session.table("positions", "qty"), fills_table(session)
    first, units = wrong[0], 10**told.digits

    def lost(each: _Unbooked) -> Fraction:
        price = known.price(each.report)
        return notional(known.instrument, price, Fraction(abs(each.off), units)) if price else Fraction(0)

    row, off = int(known.line.rows[first.report]), Fraction(first.off, units)
    moved = Fraction(int(told.position[first.found.until] - told.position[first.found.since]), units)
    end = _end_of(session, int(known.life[first.report]))
    side, qty = fills.words("side").text(row), decimal_text(fills.decimals("qty").fraction(row))
    return Looked(exercised, (
        Breach(
            key=symbol, where=(*places(table, [each.found.row for each in wrong]), fills.where(row)), count=len(wrong),
            was=f"the position of {symbol} moved by {decimal_text(moved + off)}", should=decimal_text(moved),
            work=(
                work.row_line(flow(session), end),
                f"{fills.where(row)} arrived after it: {side} {qty}, which moves the position by "
                f"{decimal_text(known.qty(int(known.moved[first.report])))}",
                f"the reports between two claims give {decimal_text(moved)}; {table.where(first.found.row)} moved by "
                f"{decimal_text(off)} beside them",
            ),
            amount=max(map(lost, wrong)), currency=known.instrument.settle,
            loss="position that the account has and the books do not, or the reverse, at the fill's price",
            cause="the fill was dropped, as its order was gone" if all(each.is_dropped for each in wrong) else "",
            offs=added_up(
                "position",
                [(int(told.line.times[each.found.place]), Fraction(each.off, units)) for each in wrong],
                Fraction(2 * told.slack, units),
            ),
        ),
    ))  # fmt: skip


def _end_of(session: Session, life: int) -> int:
    """Return the row at which an order was done."""
    replayed = flow(session)
    rows = replayed.lives.rows_of(life)
    return int(rows[np.argmax(replayed.is_done[rows])])


# --- 2.2.4 ------------------------------------------------------------------------------------------------------------
def open_quantity(session: Session) -> Looked:
    """cum_qty + leaves_qty is the order's quantity while it is open; leaves_qty is 0 once it is done."""
    return quantities.open_quantity(session)


def falling_cum_qty(session: Session) -> Looked:
    """cum_qty of an order falls only by a bust or a correction."""
    return quantities.falling_cum_qty(session)


def average_price(session: Session) -> Looked:
    """avg_px is the average of the order's fills by quantity, harmonic for an inverse contract."""
    return quantities.average_price(session)


# --- 2.2.5 ------------------------------------------------------------------------------------------------------------
def rejected_orders(session: Session) -> Looked:
    """A rejected order is not open any more, and nothing is asked of it."""
    replayed = flow(session)
    rejects = replayed.is_("reject") & (replayed.lives.previous >= 0)
    rejected = (replayed.state_before == STATES.index("REJECTED")) & ~replayed.is_("reconcile")
    asked = rejected & replayed.is_("cancel_request", "replace_request")
    still = (rejects | (rejected & ~asked)) & np.isin(replayed.told, _OPEN_CODES)
    found = [_rejected(session, replayed, symbol, rows, "open") for symbol, rows in work.by_symbol(replayed, still)]
    found += [_rejected(session, replayed, symbol, rows, "asked") for symbol, rows in work.by_symbol(replayed, asked)]
    shows = (replayed.told != UNTOLD) | replayed.is_("cancel_request", "replace_request").any()
    return Looked(int((rejects & shows).sum()), tuple(found))


def _rejected(session: Session, replayed: Flow, symbol: str, rows: list[int], how: str) -> Breach:
    qty, first = replayed.table.decimals("qty"), rows[0]

    def size(row: int) -> Fraction:
        at = int(replayed.qty_at[row])
        return qty.fraction(at) if at >= 0 else Fraction(0)

    event = EVENTS[replayed.event[first]] if replayed.event[first] >= 0 else "an event"
    name = work.order_name(replayed, first)
    if how == "open":
        was, should = f"{name} was {STATES[replayed.told[first]]} after its reject", "REJECTED"
        amount, currency = work.largest(session, replayed, rows, size)
        loss = "an order that is counted as open and is not, at its price, where it is most: quotes are missing by it"
    else:
        was, should = f"{event} was sent for {name}, which was rejected", "nothing: there is no such order at the venue"
        amount, currency = None, ""
        loss = "each is a request for nothing: it uses up the rate limit, and the answer is an error"
    return Breach(
        key=f"{symbol} {how}", where=places(replayed.table, rows), count=len(rows), was=was, should=should,
        work=work.story(replayed, rows[:2]), amount=amount, currency=currency, loss=loss,
    )  # fmt: skip


def resent_orders(session: Session) -> Looked:
    """After a reject the like of the order is not sent again more than three times in a second."""
    replayed = flow(session)
    table, lives = replayed.table, replayed.lives
    rejects = np.flatnonzero(replayed.is_("reject") & (lives.previous >= 0))
    if not rejects.size:
        return Looked(0)
    submits = np.flatnonzero(replayed.is_("submit"))
    like = _likes(replayed, submits)
    instants, at = np.unique(replayed.ts[submits], return_inverse=True)
    order = np.lexsort((at, like))
    keys = like[order] * (len(instants) + 1) + at[order]
    kind = np.full(len(replayed), -1, dtype=np.int64)
    kind[submits] = like
    mine = kind[lives.first[lives.life[rejects]]]
    start, end = (
        np.searchsorted(keys, mine * (len(instants) + 1) + np.searchsorted(instants, until, side="right"))
        for until in (replayed.ts[rejects], replayed.ts[rejects] + _SECOND)
    )
    storms = {
        int(rejects[n]): submits[order[start[n] : end[n]]].tolist()
        for n in np.flatnonzero((mine >= 0) & (end - start > _AGAIN))
    }
    wrong = np.zeros(len(replayed), dtype=bool)
    wrong[list(storms)] = True
    return Looked(len(rejects), tuple(
        Breach(
            key=symbol, where=places(table, rows), count=len(rows),
            was=f"the like of {work.order_name(replayed, rows[0])} was sent {len(storms[rows[0]])} times in the second "
            "after its reject",
            should=f"{_AGAIN} times at most, at another price or quantity, or not at all",
            work=tuple(work.row_line(replayed, row) for row in (rows[0], *storms[rows[0]][: work.SHOWN])),
            amount=None, currency="",
            loss="what the venue refuses once it refuses again: the rate limit is used up, and a ban may follow",
        )
        for symbol, rows in work.by_symbol(replayed, wrong)
    ))  # fmt: skip


def _likes(replayed: Flow, submits: Rows) -> Rows:
    """Number submits alike where symbol, side, price and quantity are."""
    table = replayed.table
    out = np.zeros(len(submits), dtype=np.int64)
    for codes in (table.words("symbol").codes, table.words("side").codes):
        out = out * (int(codes.max()) + 2) + codes[submits] + 1
    for name in ("price", "qty"):
        column = table.decimals(name)
        values, known = column.ints[submits], column.known[submits]
        number = np.where(known, np.unique(values, return_inverse=True)[1] + 1, 0)
        out = np.unique(out * (int(number.max()) + 1) + number, return_inverse=True)[1]
    return out


# --- 2.2.6 ------------------------------------------------------------------------------------------------------------
def repeated_in_orders(session: Session) -> Looked:
    """A repeated exec_id does not add to its order's cum_qty."""
    return repeats.in_orders(session)


def repeated_in_books(session: Session) -> Looked:
    """A repeated report moves neither position nor fees nor realized P&L again."""
    return repeats.in_books(session)
