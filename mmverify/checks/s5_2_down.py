"""Section 5.2, while a channel is down: nothing is sent, quotes are halted and cancelled (5.2.1); after a timeout that
lasts, all of it is shut down (5.2.5)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import places
from mmverify.checks.known import Rows
from mmverify.checks.moments import deadline, session_end
from mmverify.checks.orderflow import flow
from mmverify.checks.outages import CHANNELS, Outage, outages
from mmverify.checks.s2_2_work import order_name
from mmverify.checks.s3_1_sides import quoting
from mmverify.checks.s5_2_moves import Rested, in_session_currency, value
from mmverify.checks.s5_2_outages import (
    down_line,
    given_up,
    is_cancelled,
    is_quote,
    ms,
    newest,
    open_orders,
    order_line,
    sent_between,
)
from mmverify.session.load import Session

_SHOWN = 2
_UNSET = "connection_timeout_ms is not stated: how long orders may rest while a channel is down is not judged"


class Left(NamedTuple):
    """An order that was left resting while a channel was down, from its deadline on [ns]."""

    outage: Outage
    life: int
    deadline: int


class _Sent(NamedTuple):
    """An order that was sent while a channel was down."""

    outage: Outage
    row: int


def quotes_while_down(session: Session) -> Looked:
    """While a channel is down nothing is sent, and quotes are halted and cancelled in `connection_timeout_ms`."""
    limit, end = deadline(session, "connection_timeout_ms"), session_end(session)
    looked, out, quoted = 0, list[_Sent](), list[tuple[Outage, int]]()
    for outage in (each for channel in CHANNELS for each in outages(session, channel)):
        looked += 1
        until = end + 1 if outage.end is None else outage.end
        out += [_Sent(outage, row) for row in sent_between(session, outage.start, until, at_start=False).tolist()]
        if _is_judged(outage, limit, end):
            since = outage.start + (limit or 0)
            quoted += [(outage, row) for row in _quoted(session, since, outage.until(session)).tolist()]
    left = left_resting(session)
    found = [*_sent_breaches(session, out, "", "nothing until it is back")]
    found += [*_quoted_breaches(session, quoted, limit or 0), *_left_breaches(session, left, limit or 0)]
    return Looked(looked, tuple(found), (_UNSET,) if looked and limit is None else ())


def left_resting(session: Session) -> list[Left]:
    """Return the quotes that were open when a channel went down and neither cancelled nor done by the deadline.

    Parameters
    ----------
    session : Session

    Returns
    -------
    list of Left
        In order of channel and time; none where `connection_timeout_ms` is not stated.
    """
    limit, replayed, found = deadline(session, "connection_timeout_ms"), flow(session), list[Left]()
    for outage in (each for channel in CHANNELS for each in outages(session, channel)):
        if limit is not None and _is_judged(outage, limit, session_end(session)):
            due = outage.start + limit
            found += [
                Left(outage, life, due)
                for life in open_orders(session, outage.start)
                if is_quote(replayed, life) and not is_cancelled(session, life, outage.start, due)
            ]
    return found


def _is_judged(outage: Outage, limit: int | None, end: int) -> bool:
    """Say whether an outage lasts beyond the deadline, and the session too."""
    return limit is not None and outage.start + limit <= end and (outage.end or end + 1) > outage.start + limit


@lru_cache(maxsize=8)
def _quoting(session: Session) -> tuple[Rows, Rows]:
    table = session.table("quotes", "ts_local", "symbol", "bid", "ask", "state")
    rows = np.flatnonzero(quoting(table))
    rows = rows[np.argsort(table.whole("ts_local").values[rows], kind="stable")]
    return rows, table.whole("ts_local").values[rows]


def _quoted(session: Session, start: int, end: int) -> Rows:
    """Return the quotes with a price to be sent that were made between two moments."""
    rows, times = _quoting(session)
    return rows[int(np.searchsorted(times, start, side="right")) : int(np.searchsorted(times, end, side="left"))]


# --- timeouts ---------------------------------------------------------------------------------------------------------


def safe_shutdowns(session: Session) -> Looked:
    """A timeout longer than `connection_timeout_ms` leads to a safe_shutdown: all cancelled, nothing sent."""
    limit, end, replayed = deadline(session, "connection_timeout_ms"), session_end(session), flow(session)
    timeouts = [each for channel in CHANNELS for each in outages(session, channel) if each.timed_out]
    if limit is None:
        return Looked(0, (), (_UNSET,) if timeouts else ())
    table = session.table("connection", "ts_local", "event")
    shut = np.sort(table.whole("ts_local").values[table.words("event").is_("safe_shutdown")])
    looked, missed, left, out = 0, list[Outage](), list[Left](), list[_Sent]()
    for outage in timeouts:
        until = outage.until(session)
        if until <= outage.start + limit:
            continue
        looked += 1
        at = int(np.searchsorted(shut, outage.start))
        if at == len(shut) or int(shut[at]) > until:
            missed.append(outage)
            continue
        since = int(shut[at])
        left += [
            Left(outage, life, since)
            for life in open_orders(session, since)
            if not replayed.is_foreign[life] and not is_cancelled(session, life, outage.start, min(until, end))
        ]
        out += [_Sent(outage, row) for row in sent_between(session, since, until, at_start=True).tolist()]
    found = [_missed(session, channel, mine, limit) for channel in CHANNELS
             if (mine := [outage for outage in missed if outage.channel == channel])]  # fmt: skip
    found += _left_breaches(session, left, limit, shut_down=True)
    found += _sent_breaches(session, out, " after the safe_shutdown", "nothing until the reconnect")
    return Looked(looked, tuple(found))


def _missed(session: Session, channel: str, missed: Sequence[Outage], limit: int) -> Breach:
    replayed, first, end = flow(session), missed[0], session_end(session)
    rested: dict[str, list[Rested]] = {}
    for outage in missed:
        since = outage.start + limit
        for life in open_orders(session, since):
            row = newest(replayed, life, since)
            symbol = replayed.table.words("symbol").text(row)
            until = given_up(replayed, life, since, outage.until(session))[0]
            if not replayed.is_foreign[life] and not replayed.cancel_open[row]:
                rested.setdefault(symbol, []).append(Rested(row, since, until))
    what = "the orders that were still open when the timeout was over"
    valued = {symbol: value(session, symbol, mine, what=what) for symbol, mine in rested.items()}
    amount, currency = in_session_currency(session, [(each.amount, each.currency) for each in valued.values()], end)
    words = next((each.loss for each in valued.values() if each.amount is not None), None)
    if words is None:
        words = next((each.loss for each in valued.values()), "no order was open that could have lost by it")
    table, lasted = session.table("connection", "ts_local"), first.until(session) - first.start
    count = sum(len(mine) for mine in rested.values())
    return Breach(
        key=f"{channel} no shutdown", where=places(table, [outage.row for outage in missed]), count=len(missed),
        was=f"{channel} was silent for {ms(lasted)} ms and no safe_shutdown is on record",
        should=f"a safe_shutdown: silent for longer than {ms(limit)} ms (connection_timeout_ms)",
        work=(*(down_line(session, outage) for outage in missed[:_SHOWN]),
              f"{ms(lasted)} - {ms(limit)} = {ms(lasted - limit)} ms too long, and no safe_shutdown from start to end",
              f"orders open {ms(limit)} ms into it with no cancel sent: {count}",
              *(line for each in valued.values() for line in each.work[:1])),
        amount=amount, currency=currency, loss=words,
    )  # fmt: skip


# --- words ------------------------------------------------------------------------------------------------------------


def _sent_breaches(session: Session, out: Sequence[_Sent], when: str, should: str) -> list[Breach]:
    replayed = flow(session)
    groups: dict[tuple[str, str], list[_Sent]] = {}
    for each in out:
        groups.setdefault((replayed.table.words("symbol").text(each.row), each.outage.channel), []).append(each)
    found = []
    for (symbol, channel), mine in groups.items():
        first = mine[0]
        rested = [Rested(each.row, int(replayed.ts[each.row]), each.outage.until(session)) for each in mine]
        valued = value(session, symbol, rested, what="the orders that were sent")
        after = ms(int(replayed.ts[first.row]) - first.outage.start)
        found.append(Breach(
            key=f"{symbol} {channel} sent", where=places(replayed.table, [each.row for each in mine]), count=len(mine),
            was=f"{order_name(replayed, first.row)} was sent {after} ms after {channel} went down{when}", should=should,
            work=(*(line for each in mine[:_SHOWN] for line in (
                down_line(session, each.outage), order_line(session, each.row, each.outage.start, "it went down"))),
                *valued.work),
            amount=valued.amount, currency=valued.currency, loss=valued.loss,
        ))  # fmt: skip
    return found


def _quoted_breaches(session: Session, quoted: Sequence[tuple[Outage, int]], limit: int) -> list[Breach]:
    table = session.table("quotes", "ts_local", "symbol")
    ts, groups = table.whole("ts_local").values, dict[tuple[str, str], list[tuple[Outage, int]]]()
    for outage, row in quoted:
        groups.setdefault((table.words("symbol").text(row), outage.channel), []).append((outage, row))
    found = []
    for (symbol, channel), mine in groups.items():
        outage, row = mine[0]
        lines = [
            f"{table.where(row)}: a price was quoted {ms(int(ts[row]) - outage.start)} ms after it went down"
            for outage, row in mine[:_SHOWN]
        ]
        found.append(Breach(
            key=f"{symbol} {channel} quoted", where=places(table, [row for _, row in mine]), count=len(mine),
            was=f"{symbol} was quoted {ms(int(ts[row]) - outage.start)} ms after {channel} went down",
            should=f"state halted, or no price, from {ms(limit)} ms on (connection_timeout_ms)",
            work=(down_line(session, outage), *lines), amount=None, currency="",
            loss="a price that is decided without market data, or that cannot be taken back; what it costs depends on "
            "whether it is sent",
        ))  # fmt: skip
    return found


def _left_breaches(session: Session, left: Sequence[Left], limit: int, *, shut_down: bool = False) -> list[Breach]:
    replayed, groups = flow(session), dict[tuple[str, str], list[Left]]()
    for each in left:
        symbol = replayed.table.words("symbol").text(int(replayed.lives.first[each.life]))
        groups.setdefault((symbol, each.outage.channel), []).append(each)
    found = []
    for (symbol, channel), mine in groups.items():
        rows = [newest(replayed, each.life, each.deadline) for each in mine]
        ends = [given_up(replayed, each.life, each.deadline, each.outage.until(session)) for each in mine]
        rested = [Rested(row, each.deadline, end) for row, each, (end, _) in zip(rows, mine, ends, strict=True)]
        valued = value(session, symbol, rested, what="the orders that were left resting")
        lines = [down_line(session, mine[0].outage)]
        for row, each, (_, by) in list(zip(rows, mine, ends, strict=True))[:_SHOWN]:
            lines.append(order_line(session, row, each.outage.start, "it went down"))
            lines.append("no row of the session cancels it or ends it" if by is None else
                         order_line(session, by, each.deadline, "the safe_shutdown" if shut_down else
                                    f"the {ms(limit)} ms that it had"))  # fmt: skip
        name, count = order_name(replayed, rows[0]), len(mine)
        found.append(Breach(
            key=f"{symbol} {channel} left",
            where=places(replayed.table, [int(replayed.lives.first[each.life]) for each in mine]), count=count,
            was=f"{name} was left open by the safe_shutdown" if shut_down else
            f"{name} rested on while {channel} was down" + (f", one of {count}" if count > 1 else ""),
            should="cancelled with it" if shut_down else
            f"a cancel within {ms(limit)} ms (connection_timeout_ms)"
            + (", the venue's own, or one first thing after the reconnect" if channel == "orders" else ""),
            work=(*lines, *valued.work), amount=valued.amount, currency=valued.currency, loss=valued.loss,
        ))  # fmt: skip
    return found
