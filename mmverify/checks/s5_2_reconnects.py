"""Section 5.2, after a reconnect: nothing is sent before orders are reconciled and books are resynced (5.2.2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import places
from mmverify.checks.known import timeline
from mmverify.checks.moments import session_end
from mmverify.checks.orderflow import flow
from mmverify.checks.outages import Outage, outages
from mmverify.checks.s2_2_work import order_name, row_line, worth
from mmverify.checks.s2_4_work import left
from mmverify.checks.s5_2_moves import Rested, in_session_currency, value
from mmverify.checks.s5_2_outages import (
    down_line,
    ms,
    newest,
    open_orders,
    order_line,
    sent_between,
)
from mmverify.replay.order_state import EVENTS
from mmverify.session.load import Session

_RECONCILE = EVENTS.index("reconcile")
_SHOWN = 2
_NAMED = 3


def after_reconnects(session: Session) -> Looked:
    """After a reconnect nothing is sent before the reconcile is complete, or before resync_done of its symbol."""
    orders, books = _reconciles(session), _resyncs(session)
    return Looked(orders.exercised + books.exercised, (*orders.breaches, *books.breaches), orders.notes)


def _reconnects(session: Session, channel: str) -> Iterator[tuple[Outage, int, int]]:
    """Yield each outage that ended, its reconnect and the next one's start."""
    down = outages(session, channel)
    for n, outage in enumerate(down):
        if outage.end is not None:
            yield outage, outage.end, down[n + 1].start if n + 1 < len(down) else session_end(session) + 1


# --- orders -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Early:
    """Orders that were sent before the reconcile was complete, and those that were open at the disconnect."""

    outage: Outage
    rows: list[int]
    confirmed: dict[int, int | None]
    complete: int | None


def _reconciles(session: Session) -> Looked:
    looked, blind, early = 0, 0, list[_Early]()
    for outage, since, until in _reconnects(session, "orders"):
        rows = sent_between(session, since, until, at_start=True)
        if not rows.size:
            continue
        confirmed = {life: _confirmed(session, life, outage, since) for life in open_orders(session, outage.start)}
        if not confirmed and not session.has("positions"):
            blind += 1
            continue
        looked += 1
        times = list(confirmed.values()) or [_position(session, since)]
        complete = None if None in times else max(ts for ts in times if ts is not None)
        before = [row for row in rows.tolist() if complete is None or int(flow(session).ts[row]) < complete]
        if before:
            early.append(_Early(outage, before, confirmed, complete))
    note = f"{blind} reconnects with no order open are not judged: the session has no table positions"
    return Looked(looked, (_early(session, early),) if early else (), (note,) if blind else ())


def _confirmed(session: Session, life: int, outage: Outage, since: int) -> int | None:
    """Return when an order was known to be done after the loss, or its state was confirmed after the reconnect."""
    replayed = flow(session)
    rows = replayed.lives.rows_of(life)
    ts = replayed.ts[rows]
    is_reconciled = (replayed.event[rows] == _RECONCILE) & (ts >= since)
    times = ts[(ts > outage.start) & (replayed.is_done[rows] | is_reconciled)]
    return int(times.min()) if times.size else None


def _position(session: Session, since: int) -> int | None:
    """Return when the venue's own position came first after the reconnect."""
    table = session.table("positions", "ts_local", "source")
    times = np.sort(table.whole("ts_local").values[table.words("source").is_("exchange")])
    at = int(np.searchsorted(times, since))
    return int(times[at]) if at < len(times) else None


def _early(session: Session, early: Sequence[_Early]) -> Breach:
    replayed, first = flow(session), early[0]
    rows, since = [row for each in early for row in each.rows], first.outage.end or 0
    at = int(replayed.ts[first.rows[0]])
    open_then = {life: ts for life, ts in first.confirmed.items() if ts is None or ts > at}
    lines = [down_line(session, first.outage)]
    lines += [order_line(session, row, since, "the reconnect") for row in first.rows[:_SHOWN]]
    for life, ts in list(open_then.items())[:_NAMED]:
        known = "never confirmed" if ts is None else f"confirmed {ms(ts - since)} ms after the reconnect"
        lines.append(
            f"{row_line(replayed, newest(replayed, life, first.outage.start))}: open at the disconnect, {known}"
        )
    if not first.confirmed:
        when = "" if first.complete is None else f" until {ms(first.complete - since)} ms after the reconnect"
        lines.append(f"no order was open at the disconnect, and no position of the venue's came{when}")
    amounts = []
    for life in open_then:
        row = newest(replayed, life, first.outage.start)
        amounts.append(worth(session, replayed, row, left(replayed, row)))
    amount, currency = in_session_currency(session, amounts, at)
    return Breach(
        key="orders not reconciled", where=places(replayed.table, rows), count=len(rows),
        was=f"{order_name(replayed, first.rows[0])} was sent {ms(at - since)} ms after the reconnect of orders, with "
        + (f"{len(open_then)} orders of before not confirmed" if first.confirmed else "the position not confirmed"),
        should="nothing before " + ("each of them is" if first.confirmed else "the venue's position is known"),
        work=tuple(lines), amount=amount, currency=currency,
        loss="what was left of the orders that were not confirmed, at their prices: they may have filled while the "
        "channel was down, and the bot went on without knowing" if amount is not None
        else "what the account holds was not known; what that costs cannot be told from the session",
    )  # fmt: skip


# --- books ------------------------------------------------------------------------------------------------------------


def _resyncs(session: Session) -> Looked:
    replayed = flow(session)
    table = session.table("connection", "ts_local", "event", "detail")
    line = timeline(session, table, table.words("event").is_("resync_done"))
    done = [
        (ts, table.words("detail").text(row)) for ts, row in zip(line.times.tolist(), line.rows.tolist(), strict=True)
    ]
    symbol, looked, early = replayed.table.words("symbol"), 0, dict[str, list[tuple[Outage, int, int]]]()
    for outage, since, until in _reconnects(session, "market_data"):
        rows = sent_between(session, since, until, at_start=True)
        looked += len(np.unique(symbol.codes[rows]))
        first: dict[str, int] = {}
        for ts, name in done[int(np.searchsorted(line.times, since)) :]:
            first.setdefault(name, ts)
        of_all = first.get("", until)
        ready = np.array([min(first.get(name, until), of_all) for name in symbol.names] + [of_all], dtype=np.int64)
        blind = rows[replayed.ts[rows] < ready[symbol.codes[rows]]]
        for row in blind.tolist():
            early.setdefault(symbol.text(row), []).append((outage, row, int(ready[symbol.codes[row]])))
    return Looked(looked, tuple(_blind(session, name, mine) for name, mine in early.items()))


def _blind(session: Session, symbol: str, early: Sequence[tuple[Outage, int, int]]) -> Breach:
    replayed = flow(session)
    outage, row, ready = early[0]
    since, rows = outage.end or 0, [row for _, row, _ in early]
    rested = [Rested(row, int(replayed.ts[row]), ready) for _, row, ready in early]
    valued = value(session, symbol, rested, what="the orders that were sent")
    table = session.table("connection", "ts_local", "event", "detail")
    done = table.words("event").is_("resync_done") & table.words("detail").is_(symbol)
    at = np.flatnonzero(done & (table.whole("ts_local").values == ready))
    came = f"{table.where(int(at[0]))}: resync_done of {symbol} {ms(ready - since)} ms after the reconnect" if at.size \
        else f"no resync_done of {symbol} before the channel was lost again or the session ended"  # fmt: skip
    return Breach(
        key=f"{symbol} not resynced", where=places(replayed.table, rows), count=len(rows),
        was=f"{order_name(replayed, row)} was sent {ms(int(replayed.ts[row]) - since)} ms after the reconnect of "
        f"market_data, before resync_done of {symbol}",
        should="nothing before it",
        work=(down_line(session, outage), *(order_line(session, each, since, "the reconnect")
                                            for of, each, _ in early[:_SHOWN] if of == outage), came, *valued.work),
        amount=valued.amount, currency=valued.currency, loss=valued.loss,
    )  # fmt: skip
