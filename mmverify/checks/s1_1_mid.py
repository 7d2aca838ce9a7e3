"""The mid of a quote against that of the book that it was based on, odd lots left out (1.1.4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.claims import agrees, nearest, places
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows, timeline
from mmverify.numeric import decimal_text
from mmverify.replay.order_book import OrderBook
from mmverify.session.load import Session, Table, need_instruments

_SHOWN = 2
#: Best bid and best ask among the levels that count, then among all, in units of the price column; None if empty.
State = tuple[int | None, int | None, int | None, int | None]


def mid_of_book(session: Session) -> Looked:
    """A stated mid is the mean of best bid and best ask after mid_min_qty, and none is stated without both."""
    table = session.table("quotes", "ts_local", "symbol", "mid", "book_seq")
    need_instruments(session, "quotes", table.words("symbol"))
    known = table.decimals("mid").known
    symbols = table.words("symbol")
    return gather(
        _mids(session, table, symbol, np.flatnonzero(known & symbols.is_(symbol))) for symbol in symbols.names
    )


def _mids(session: Session, table: Table, symbol: str, rows: Rows) -> Looked:
    column = table.decimals("mid")
    states = _states(session, table, symbol, rows)
    judged = [row for row in rows.tolist() if states[row]]
    unit = 10 ** session.table("book", "price").decimals("price").scale
    per_unit = 10**column.scale

    def is_plain(row: int) -> bool:
        """Say whether a mid is that of the newest book to its last digit, in whole numbers."""
        bid, ask = states[row][-1][:2]
        return bid is not None and ask is not None and 2 * int(column.ints[row]) * unit == (bid + ask) * per_unit

    doubtful = [row for row in judged if not is_plain(row)]
    mids = {row: _mids_of(states[row], unit) for row in doubtful}
    wrong = [row for row in doubtful if not agrees(column, row, mids[row])]
    if not wrong:
        return Looked(len(judged))
    least, first = _least(session), wrong[0]

    lines = []
    for row in wrong[:_SHOWN]:
        bid, ask, all_bid, all_ask = (None if each is None else Fraction(each, unit) for each in states[row][-1])
        counted = f", levels below {decimal_text(least)} left out" if least else ""
        if bid is None or ask is None:
            side = "bids" if bid is None else "asks"
            lines.append(f"{table.where(row)}: the book had no {side}{counted}, and a mid of "
                         f"{decimal_text(column.fraction(row))} was stated")  # fmt: skip
            continue
        mid = (bid + ask) / 2
        stated = column.fraction(row)
        lines.append(
            f"{table.where(row)}: ({text(bid)} + {text(ask)}) / 2 = {decimal_text(mid)}{counted}; stated "
            f"{decimal_text(stated)}, off by {decimal_text(stated - mid)}"
        )
        if (bid, ask) != (all_bid, all_ask):
            lines.append(f"with them the best prices are {text(all_bid or 0)} and {text(all_ask or 0)}")
    due = nearest(column, first, mids[first]) if mids[first] else None
    return Looked(len(judged), (
        Breach(
            key=symbol, where=places(table, wrong), count=len(wrong),
            was=f"the mid of {symbol} was {decimal_text(column.fraction(first))}",
            should="none: a side of the book was empty" if due is None else decimal_text(due), work=tuple(lines),
            amount=None, currency="",
            loss="every quote made of such a mid stands off by as much; what its fills cost depends on who takes them",
            cause=_cause(table, rows, wrong, states, unit),
        ),
    ))  # fmt: skip


def _mids_of(states: Iterable[State], unit: int, *, of_all: bool = False) -> list[Fraction]:
    """Return the mids of some books, none of one without both sides; `of_all` with the levels that do not count."""
    bests = (state[2:] if of_all else state[:2] for state in states)
    return [Fraction(bid + ask, 2 * unit) for bid, ask in bests if bid is not None and ask is not None]


def _cause(table: Table, rows: Rows, wrong: list[int], states: dict[int, list[State]], unit: int) -> str:
    column, before = table.decimals("mid"), dict(zip(rows[1:].tolist(), rows[:-1].tolist(), strict=True))
    times = table.whole("ts_local").values

    def decided(row: int) -> list[Fraction]:
        """Return the right mids of the decision before."""
        at = before.get(row)
        while at is not None and times[at] == times[row]:
            at = before.get(at)
        return [] if at is None else _mids_of(states[at], unit)

    def with_odd_lots(row: int) -> list[Fraction]:
        return _mids_of(states[row], unit, of_all=True)

    def one_side(row: int) -> list[Fraction]:
        return [Fraction(price, unit) for state in states[row] if None in state[:2] for price in state[:2] if price]

    for words, values in (
        ("levels below mid_min_qty were counted", with_odd_lots),
        ("it was the mid of the decision before", decided),
        ("the price of the side that was left was taken for the mid", one_side),
    ):
        if all(agrees(column, row, values(row)) for row in wrong):
            return words
    return ""


def _states(session: Session, quotes: Table, symbol: str, rows: Rows) -> dict[int, list[State]]:
    """Return the books that each quote may be based on: the one that it names, if that had come, else the last known.

    The newest is the last; none where there was no book yet.
    """
    names = ("ts_exchange", "ts_local", "symbol", "seq", "prev_seq", "kind", "side", "price", "qty")
    table = session.table("book", *names)
    line = timeline(session, table, table.words("symbol").is_(symbol))
    out: dict[int, list[State]] = {row: [] for row in rows.tolist()}
    if not len(line) or not len(rows):
        return out
    seq, prev, kind, side = table.whole("seq"), table.whole("prev_seq"), table.words("kind"), table.words("side")
    exchange, price, qty = table.whole("ts_exchange"), table.decimals("price"), table.decimals("qty")
    keys = (line.times, seq.values[line.rows], prev.values[line.rows], kind.codes[line.rows],
            exchange.values[line.rows])  # fmt: skip
    fresh = np.concatenate([[True], np.logical_or.reduce([key[1:] != key[:-1] for key in keys])])
    starts = np.flatnonzero(fresh)
    ends = np.append(starts[1:], len(line))
    times, at = line.times[starts], quotes.whole("ts_local").values[rows]
    low = np.maximum(np.searchsorted(times, at - line.before, side="left"), 1)
    high = np.searchsorted(times, at + line.after, side="right")
    named = quotes.whole("book_seq")
    asked = set(named.values[rows[~named.missing[rows]]].tolist())
    wanted = {n for a, b in zip(low.tolist(), high.tolist(), strict=True) for n in range(a, b + 1)}
    threshold, bids = int(-(-(_least(session) * 10**qty.scale) // 1)), side.code("bid")
    book = OrderBook(_depth(session, symbol))

    def state() -> State:
        counted = book.best(threshold)
        return (*counted, *(book.best() if threshold > 1 else counted))

    prices, qtys, sides = (values[line.rows].tolist() for values in (price.ints, qty.ints, side.codes))
    by_count: dict[int, State] = {}
    by_seq: dict[int, list[tuple[int, State]]] = defaultdict(list)
    for n, (start, end) in enumerate(zip(starts.tolist(), ends.tolist(), strict=True), 1):
        levels = [
            ("bid" if sides[each] == bids else "ask", prices[each], qtys[each])
            for each in range(start, end) if sides[each] >= 0 and prices[each] > 0
        ]  # fmt: skip
        row = int(line.rows[start])
        book.apply(
            kind.text(row), None if seq.missing[row] else int(seq.values[row]),
            None if prev.missing[row] else int(prev.values[row]), levels,
        )  # fmt: skip
        if n in wanted or book.seq in asked:
            by_count[n] = state()
            if book.seq is not None:
                by_seq[book.seq].append((int(times[n - 1]), by_count[n]))
    for row, moment, first, last in zip(rows.tolist(), at.tolist(), low.tolist(), high.tolist(), strict=True):
        of_seq = [] if named.missing[row] else by_seq.get(int(named.values[row]), [])
        come = [each for since, each in of_seq if since <= moment]
        out[row] = come[-1:] or [by_count[n] for n in range(first, last + 1)]
    return out


def _least(session: Session) -> Fraction:
    return session.number("conventions", "mid_min_qty", 0) or Fraction(0)


def _depth(session: Session, symbol: str) -> int | None:
    table = session.table("instruments", "symbol", "book_depth")
    depth, mine = table.whole("book_depth"), table.words("symbol").is_(symbol)
    stated = np.flatnonzero(mine & ~depth.missing)
    return int(depth.values[stated[0]]) if stated.size else None
