"""Gaps in the sequence of a book: a resync is begun before the next quote (3.1.5)."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.known import Rows
from mmverify.checks.orderflow import flow
from mmverify.checks.s3_1_feed import Feed, feeds
from mmverify.checks.s3_1_sides import quoting
from mmverify.checks.s3_1_stale import orders_sent
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session

_SHOWN = 3
_MS = 10**6


@dataclass(frozen=True)
class _Gap:
    """A message after a gap, and the quote that followed without a resync."""

    message: int
    quoted: int
    where: str


def gap_recovery(session: Session) -> Looked:
    """After a gap in the sequence of a book a resync is begun before its next quote."""
    return gather(_of_feed(session, feed) for feed in feeds(session).values())


def _of_feed(session: Session, feed: Feed) -> Looked:
    notes = () if feed.told.numbered.any() else (f"{feed.symbol}: the book has no numbers, so no gap can be seen",)
    found, resyncs = _unmended(session, feed) if feed.told.gaps else ([], [])
    return Looked(feed.told.chained, (_breach(feed, found, resyncs),) if found else (), notes)


def _unmended(session: Session, feed: Feed) -> tuple[list[_Gap], list[tuple[int, bool]]]:
    """Return the gaps that no resync follows before the next quote; when resyncs were begun (true) and done (false)."""
    table = session.table("connection", "ts_local", "event", "detail")
    event, detail = table.words("event"), table.words("detail")
    rows = np.flatnonzero(event.is_("resync_start", "resync_done") & (detail.is_(feed.symbol) | detail.missing))
    began = event.is_("resync_start")
    resyncs = sorted(zip(table.whole("ts_local").values[rows].tolist(), began[rows].tolist(), strict=True))
    times = [at for at, _ in resyncs]
    quotes = _quotes(session, feed.symbol)
    moments = [at for at, _ in quotes]
    found = []
    for message in feed.told.gaps:
        gap = int(feed.times[message])
        after, before = bisect_right(moments, gap), bisect_left(times, gap)
        if after == len(moments) or (before and resyncs[before - 1][1]):
            continue
        quoted = quotes[after]
        if not any(begins for _, begins in resyncs[before : bisect_right(times, quoted[0])]):
            found.append(_Gap(message, *quoted))
    return found, resyncs


def _quotes(session: Session, symbol: str) -> list[tuple[int, str]]:
    """Return when prices to be sent were decided or sent, in order, and where that stands."""
    out: list[tuple[int, str]] = []
    if session.has("quotes"):
        table = session.table("quotes", "ts_local", "symbol", "bid", "ask", "state")
        rows: Rows = np.flatnonzero(quoting(table) & table.words("symbol").is_(symbol))
        out += [(int(table.whole("ts_local").values[row]), table.where(row)) for row in rows.tolist()]
    if session.has("order_events"):
        replayed = flow(session)
        mine: Mask = replayed.table.words("symbol").is_(symbol)
        intent = replayed.table.words("intent").is_("quote_bid", "quote_ask")
        rows = np.flatnonzero(orders_sent(replayed) & mine & intent)
        out += [(int(replayed.ts[row]), replayed.table.where(row)) for row in rows.tolist()]
    return sorted(out)


def _breach(feed: Feed, gaps: list[_Gap], resyncs: list[tuple[int, bool]]) -> Breach:
    told, lines = feed.told, []
    book = feed.table
    seq, prev = book.whole("seq"), book.whole("prev_seq")
    for gap in gaps[:2]:
        row = feed.row(gap.message)
        named = f"names {int(prev.values[row])} as the one before" if not prev.missing[row] else "names none before it"
        lines += [
            f"{book.where(row)}: seq {int(seq.values[row])} {named}, the last was {int(told.seq[gap.message])}",
            f"{gap.where} quotes {decimal_text(Fraction(gap.quoted - int(feed.times[gap.message]), _MS), 3)} ms later, "
            "no resync_start between",
        ]
    first = feed.row(gaps[0].message)
    begins = [at for at, is_start in resyncs if is_start]
    cause = "no resync of this book is ever begun" if not begins else ""
    if begins and all(_is_late(feed, gap, begins) for gap in gaps):
        cause = "the resync comes, but after the bot has quoted"
    where = (*(book.where(feed.row(gap.message)) for gap in gaps[:_SHOWN]), gaps[0].where)
    return Breach(
        key=feed.symbol, where=where, count=len(gaps),
        was=f"{feed.symbol} was quoted after a gap, seq {int(seq.values[first])} on {int(told.seq[gaps[0].message])}",
        should="resync_start before the next quote", work=tuple(lines), amount=None, currency="",
        loss="levels that were set or removed in the gap are wrong until a snapshot comes, and the quotes with them; "
        "what that costs is not recorded",
        cause=cause,
    )  # fmt: skip


def _is_late(feed: Feed, gap: _Gap, begins: list[int]) -> bool:
    """Whether a resync is begun after the quote, while the book still lacks what came in the gap."""
    mended = np.flatnonzero(feed.told.intact[gap.message :])
    until = int(feed.times[gap.message + int(mended[0])]) if mended.size else int(feed.times[-1])
    return bisect_right(begins, gap.quoted) < bisect_right(begins, until)
