"""What became of the orders that were open while a channel was down: figures of 5.2."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np

from mmverify.checks.known import Rows, Times
from mmverify.checks.moments import session_end
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.outages import Outage, outages
from mmverify.checks.s2_2_work import row_line
from mmverify.checks.s3_1_stale import orders_sent
from mmverify.numeric import INT64_MAX, decimal_text
from mmverify.replay.order_state import EVENTS
from mmverify.session.load import Session

_CANCEL = EVENTS.index("cancel_request")


@lru_cache(maxsize=8)
def sent(session: Session) -> tuple[Rows, Times]:
    """Return the submits, and the replace requests to no smaller quantity, in order of time: rows and times [ns]."""
    replayed = flow(session)
    rows = np.flatnonzero(orders_sent(replayed))
    rows = rows[np.argsort(replayed.ts[rows], kind="stable")]
    return rows, replayed.ts[rows]


def sent_between(session: Session, start: int, end: int, *, at_start: bool) -> Rows:
    """Return the rows of `sent` after a moment, or at it too, and before another."""
    rows, times = sent(session)
    low = np.searchsorted(times, start, side="left" if at_start else "right")
    return rows[int(low) : int(np.searchsorted(times, end, side="left"))]


# --- orders at a moment -----------------------------------------------------------------------------------------------


def newest(replayed: Flow, life: int, ts: int) -> int:
    """Return the newest row of an order up to a moment, -1 where there is none."""
    rows = replayed.lives.rows_of(life)
    known = rows[replayed.ts[rows] <= ts]
    return int(known[-1]) if known.size else -1


def is_open(replayed: Flow, life: int, ts: int) -> bool:
    """Say whether an order was sent and not known to be done at a moment."""
    row = newest(replayed, life, ts)
    return row >= 0 and not replayed.is_done[row]


@lru_cache(maxsize=8)
def _spans(session: Session) -> tuple[Times, Times]:
    replayed = flow(session)
    return replayed.ts[replayed.lives.first], np.where(replayed.done >= 0, replayed.ts[replayed.done], INT64_MAX)


def open_orders(session: Session, ts: int) -> list[int]:
    """Return the orders that were sent and not known to be done at a moment."""
    replayed, (begun, done) = flow(session), _spans(session)
    return [life for life in np.flatnonzero((begun <= ts) & (done > ts)).tolist() if is_open(replayed, life, ts)]


def is_quote(replayed: Flow, life: int) -> bool:
    """Say whether an order quotes, by its first row."""
    return replayed.table.words("intent").text(int(replayed.lives.first[life])) in ("quote_bid", "quote_ask")


def is_cancelled(session: Session, life: int, start: int, deadline: int) -> bool:
    """Say whether an order that was open at a moment was done, or its cancel sent, by a deadline.

    Where the order channel was down meanwhile: whether the venue cancelled it, or its cancel was the first thing after
    the reconnect. Where that is beyond the session's end it is not judged.

    Parameters
    ----------
    session : Session
    life : int
    start, deadline : int
        [ns]
    """
    replayed = flow(session)
    before = newest(replayed, life, start)
    if (before >= 0 and replayed.cancel_open[before]) or not is_open(replayed, life, deadline):
        return True
    if _is_asked(replayed, life, start, deadline):
        return True
    down = [each for each in outages(session, "orders") if each.start <= deadline and (each.end or deadline) >= start]
    if not down:
        return False
    back = down[-1].end
    if back is None or back > session_end(session):
        return True
    _, times = sent(session)
    following = int(np.searchsorted(times, back, side="right"))
    until = int(times[following]) if following < len(times) else session_end(session)
    return _is_asked(replayed, life, back, until) or not is_open(replayed, life, until)


def _is_asked(replayed: Flow, life: int, start: int, end: int) -> bool:
    rows = replayed.lives.rows_of(life)
    ts = replayed.ts[rows]
    return bool(np.any((replayed.event[rows] == _CANCEL) & (ts >= start) & (ts <= end)))


def given_up(replayed: Flow, life: int, start: int, end: int) -> tuple[int, int | None]:
    """Return when a cancel of an order was sent, or it was done, from a moment on, and the row; else `end` and None."""
    rows = replayed.lives.rows_of(life)
    after = rows[(replayed.ts[rows] >= start) & (replayed.is_done[rows] | (replayed.event[rows] == _CANCEL))]
    if after.size:
        return int(replayed.ts[after[0]]), int(after[0])
    return end, None


# --- words ------------------------------------------------------------------------------------------------------------


def ms(ns: int) -> str:
    """Write a duration in ms, exact."""
    return decimal_text(Fraction(ns, 10**6), 6)


def down_line(session: Session, outage: Outage) -> str:
    """Write an outage: its first row, and how long it lasted."""
    table = session.table("connection", "ts_local", "channel", "event")
    event = table.words("event").text(outage.row)
    lasted = "no reconnect" if outage.end is None else f"reconnect {ms(outage.end - outage.start)} ms later"
    return f"{table.where(outage.row)}: {event} of {outage.channel}, {lasted}"


def order_line(session: Session, row: int, start: int, since: str) -> str:
    """Write a row of `order_events`, and how long after a moment it came."""
    replayed = flow(session)
    after = int(replayed.ts[row]) - start
    return f"{row_line(replayed, row)}, {ms(abs(after))} ms {'after' if after >= 0 else 'before'} {since}"
