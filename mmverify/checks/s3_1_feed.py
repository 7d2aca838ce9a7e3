"""What the venue sent of each book: its messages, how they follow each other, and its levels after each of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows, Timeline, Times, timeline
from mmverify.compiled import compiled
from mmverify.numeric import INT64_MAX, Mask
from mmverify.replay.depth import best
from mmverify.replay.sequence import Messages, Sequence, sequence
from mmverify.replay.tape import CHUNK, Codes, Grid, Tape, capped, renewed
from mmverify.session.load import Session, Table, need_instruments

COLUMNS = ("ts_exchange", "ts_local", "symbol", "seq", "prev_seq", "kind", "side", "price", "qty")


@dataclass(frozen=True, eq=False)
class Feed:
    """The book of one symbol as it came.

    Parameters
    ----------
    table : Table
        The table `book`.
    symbol : str
    line : Timeline
        Its rows in order of arrival.
    starts : ndarray of int64, shape (m,)
        Place in the line of the first row of each message.
    told : Sequence
        What became of each message.
    tape : Tape
        The level changes that took effect.
    depth : int or None
        Levels a side that the venue keeps up.
    """

    table: Table
    symbol: str
    line: Timeline
    starts: Rows
    told: Sequence
    tape: Tape
    depth: int | None

    @cached_property
    def times(self) -> Times:
        """When each message arrived, ns."""
        return self.line.times[self.starts]

    @cached_property
    def states(self) -> Rows:
        """The messages after which the book stood as told, in order."""
        return np.flatnonzero(self.told.changed)

    @cached_property
    def _since(self) -> Times:
        return self.times[self.states]

    def span(self, at: Times) -> tuple[Rows, Rows]:
        """Return the range of `states` that a claim at each of these times may have seen; empty before the first."""
        low = np.searchsorted(self._since, at - self.line.before, side="left") - 1
        high = np.searchsorted(self._since, at + self.line.after, side="right")
        return np.maximum(low, 0).astype(np.int64), high.astype(np.int64)

    @cached_property
    def best(self) -> Codes:
        """Codes of the best bid and ask after each message, shape (2, m)."""
        return best(self.tape)

    def best_of(self, min_qty: Fraction) -> Codes:
        """Return codes of the best bid and ask among levels of at least `min_qty` after each message."""
        qty = self.table.decimals("qty")
        threshold = -(-min_qty * 10**qty.scale // 1)
        if threshold <= 1:
            return self.best
        sent = np.maximum(self.tape.row, 0)
        large = self.tape.present & np.asarray(qty.ints[sent] >= int(threshold), dtype=bool)
        return best(replace(self.tape, present=large))

    @cached_property
    def crossed(self) -> Mask:
        """Whether the best bid is above the best ask after each message, shape (m,)."""
        bid, ask = self.best
        return np.asarray(bid + ask >= 2 * self.tape.grid.span, dtype=bool)  # NONE is below any code

    def price(self, code: int) -> Fraction:
        """Return the price of a code."""
        return Fraction(int(self.tape.grid.price(np.array([code]))[0]), 10 ** self.table.decimals("price").scale)

    def row(self, message: int) -> int:
        """Return the table's row that a message begins with."""
        return int(self.line.rows[self.starts[message]])


@lru_cache(maxsize=4)
def feeds(session: Session) -> dict[str, Feed]:
    """Follow and replay the book of every symbol.

    Raises
    ------
    EvidenceError
        For a symbol without an instrument.
    """
    table = session.table("book", *COLUMNS)
    symbols = table.words("symbol")
    need_instruments(session, "book", symbols)
    only = len(symbols.names) == 1
    return {symbol: _feed(session, table, symbol, None if only else symbols.is_(symbol)) for symbol in symbols.names}


def _feed(session: Session, table: Table, symbol: str, which: Mask | None) -> Feed:
    line = timeline(session, table, which)
    rows = _Rows(table, line)
    with ThreadPoolExecutor(1) as pool:  # NumPy lets both run side by side
        levels = pool.submit(_levels, table, rows)
        firsts = _firsts(table, line, rows)
        messages = _messages(table, line, firsts)
        told = sequence(messages)
        grid, codes, present, leveled = levels.result()
    starts = firsts.starts
    places, bounds, stops = _applied(told, starts, len(line), leveled)
    taken: Any = slice(None) if places is None else places
    tape = Tape(grid, bounds, codes[taken], line.rows[taken], present[taken], stops)
    stands = messages.snapshot[told.applied]
    if np.count_nonzero(stands) > 1 or (len(stands) and not stands[0]):
        tape = renewed(tape, np.append(0, stops)[:-1][stands], told.at[stands])
    depth = _depth(session, symbol)
    if depth is not None:
        tape = capped(tape, depth)
    return Feed(table, symbol, line, starts, told, tape, depth)


class _Rows:
    """Rows of a table; where they are all of it in its order, a column is taken without a copy."""

    def __init__(self, table: Table, line: Timeline) -> None:
        self.rows = line.rows
        self._is_all = line.times is table.whole("ts_local").values

    def take(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return a column's values in these rows."""
        return values if self._is_all else values[self.rows]


def _levels(table: Table, rows: _Rows) -> tuple[Grid, Codes, Mask, Mask]:
    """Return the grid, the code of each level, whether it is there after its row, and which rows have one."""
    side, price, qty = (rows.take(each) for each in (
        table.words("side").codes, table.decimals("price").ints, table.decimals("qty").ints
    ))  # fmt: skip
    loop, ends = compiled(_mark, len(side)), None
    if loop and price.dtype == qty.dtype == np.int64:
        leveled, present = np.empty(len(side), dtype=bool), np.empty(len(side), dtype=bool)
        ends = loop(side, price, qty, leveled, present)
    else:
        leveled = (side >= 0) & np.asarray(np.greater(price, 0), dtype=bool)
        present = np.asarray(np.greater(qty, 0), dtype=bool)
    grid = Grid.of(price if leveled.all() else price[leveled], ends)
    return grid, grid.codes(side == table.words("side").code("ask"), price), present, leveled


def _mark(side: Codes, price: Rows, qty: Rows, leveled: Mask, present: Mask) -> tuple[int, int]:
    """Fill in which rows have a level, and whether it is there after them; return the lowest and the highest price."""
    low, high = INT64_MAX, 0
    for row in range(len(side)):
        leveled[row], present[row] = (side[row] >= 0) & (price[row] > 0), qty[row] > 0
        low = min(low, price[row] if leveled[row] else INT64_MAX)
        high = max(high, price[row] if leveled[row] else 0)
    return min(low, high), high


@dataclass(frozen=True, eq=False)
class _Firsts:
    """Where each message begins, and what its first row says."""

    starts: Rows
    seq: Rows
    prev: Rows
    sent: Times
    kind: Codes


def _firsts(table: Table, line: Timeline, rows: _Rows) -> _Firsts:
    """Cut a book into messages: rows of one number, kind and time belong together."""
    columns: list[NDArray[Any]] = [table.whole(name).values for name in ("seq", "prev_seq", "ts_exchange")]
    columns = [rows.take(column) for column in [*columns, table.words("kind").codes]]
    loop = compiled(_cut, len(line))
    if loop:
        out = [np.empty(len(line), dtype=column.dtype) for column in (line.times, *columns)]
        count = loop(line.times, *columns, *out)
        return _Firsts(*(each[:count] for each in out))  # what lies behind was never written, and takes no memory
    fresh = np.zeros(len(line), dtype=bool)
    fresh[:1] = True
    for start in range(0, len(line) - 1, CHUNK):
        part = fresh[start + 1 : start + 1 + CHUNK]
        for column in (line.times, *columns):
            part |= column[start + 1 : start + 1 + CHUNK] != column[start : start + len(part)]
    starts = np.flatnonzero(fresh)
    return _Firsts(starts, *(column[starts] for column in columns))


def _cut(
    ts: Times, seq: Rows, prev: Rows, sent: Times, kind: Codes, starts: Rows, first_seq: Rows, first_prev: Rows,
    first_sent: Times, first_kind: Codes,
) -> int:  # fmt: skip
    """Fill in the first rows; return how many there are."""
    count = 0
    for row in range(len(ts)):
        before = max(row - 1, 0)
        if (
            (ts[row] != ts[before]) | (seq[row] != seq[before]) | (prev[row] != prev[before])
            | (sent[row] != sent[before]) | (kind[row] != kind[before]) | (row == 0)
        ):  # fmt: skip
            starts[count], first_seq[count], first_prev[count] = row, seq[row], prev[row]
            first_sent[count], first_kind[count] = sent[row], kind[row]
            count += 1
    return count


def _messages(table: Table, line: Timeline, firsts: _Firsts) -> Messages:
    rows, before = line.rows[firsts.starts], firsts.prev
    silent, unnumbered, untimed = (
        _among(table.whole(name).missing, rows) for name in ("prev_seq", "seq", "ts_exchange")
    )
    if silent.any():
        before = np.where(silent, firsts.seq - 1, before)
    return Messages(
        seq=firsts.seq, prev=before, numbered=~unnumbered, snapshot=firsts.kind == table.words("kind").code("snapshot"),
        empty=table.words("side").codes[rows] < 0, timed=~untimed, sent=firsts.sent,
    )  # fmt: skip


def _among(which: Mask, rows: Rows) -> Mask:
    """Return which of these rows are marked."""
    return which[rows] if which.any() else np.zeros(len(rows), dtype=bool)


def _applied(told: Sequence, starts: Rows, rows: int, leveled: Mask) -> tuple[Rows | None, Rows, Rows]:
    """Return what took effect, in its order: places in the line (None: all); the bounds of the messages, of updates."""
    sizes = np.diff(np.append(starts, rows))
    is_all = len(told.applied) == len(starts) and bool((told.applied[1:] > told.applied[:-1]).all())
    places = None
    if not is_all:
        counts = sizes[told.applied]
        stops = np.cumsum(counts)
        places = np.repeat(starts[told.applied] - (stops - counts), counts) + np.arange(int(counts.sum()))
    if not leveled.all():
        places = np.flatnonzero(leveled) if places is None else places[leveled[places]]
        sizes = np.add.reduceat(leveled.astype(np.int64), starts)
    stops = np.cumsum(sizes if is_all else sizes[told.applied])
    bounds = np.append(0, stops)
    return places, bounds if is_all else bounds[np.searchsorted(told.at, np.arange(len(starts) + 1))], stops


def _depth(session: Session, symbol: str) -> int | None:
    table = session.table("instruments", "symbol", "book_depth")
    stated = table.whole("book_depth")
    rows = np.flatnonzero(table.words("symbol").is_(symbol) & ~stated.missing & (stated.values > 0))
    return int(stated.values[rows[0]]) if rows.size else None
