"""After which fills a claim is right, cell by cell: one state of the books for a whole row, or parts of two."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.books import Ledger, ledger
from mmverify.checks.claims import pnl_table
from mmverify.checks.known import Rows, Timeline, timeline
from mmverify.checks.orderflow_positions import executions, held
from mmverify.checks.prices import candidates
from mmverify.checks.s2_3_work import counts
from mmverify.numeric import Decimals, Mask
from mmverify.session.load import Session, Table

_BACK = 3  # reports before those that a claim has to know, which it may still show
_MOST = 64  # reports that a claim may show; where equal times leave more open it is not judged
_EPS = 2.0**-45
_DUST = 2.0**-40  # of its largest term: what a float64 claim may be off by where terms cancel

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Cell:
    """One column of some claims, beside what is right after each count of reports.

    Parameters
    ----------
    name : str
    column : Decimals
    known : ndarray of bool, shape (k,)
        Claims that state it and that it can be judged in.
    defined : ndarray of bool, shape (states,)
        Counts of reports after which it has a value; elsewhere, as an average price when flat, a claim may be anything.
    agrees : callable
        Of places among the claims and counts of reports: where the claim is right, or may be anything.
    value : callable
        Of places and counts: what is right, as float64.
    exact : callable
        Of a place and a count: what is right.
    """

    name: str
    column: Decimals
    known: Mask
    defined: Mask
    agrees: Callable[[Rows, Rows], Mask]
    value: Callable[[Rows, Rows], Floats]
    exact: Callable[[int, int], Fraction]


@dataclass(frozen=True, eq=False)
class Told:
    """The bot's claims of one symbol in one table, in order of time, and the states of the books that they show.

    Parameters
    ----------
    table : Table
    rows, times : ndarray of int64, shape (k,)
    low, high : ndarray of int64, shape (k,)
        The fewest and the most reports that each may know of.
    known : ndarray of int64, shape (k,)
        How many of the most are not repeated.
    cells : tuple of Cell
    right : ndarray of bool, shape (cells, k)
        Cells that are right after one of the counts looked at, or state nothing.
    oldest, newest : ndarray of int64, shape (k,)
        The fewest and the most reports after which all cells of a claim are right, -1 where there are none.
    between : ndarray of bool, shape (k,)
        Claims whose first cell lies strictly between two states that follow each other.
    judged : ndarray of bool, shape (k,)
        Claims that are not left out.
    """

    table: Table
    rows: Rows
    times: Rows
    low: Rows
    high: Rows
    known: Rows
    cells: tuple[Cell, ...]
    right: Mask
    oldest: Rows
    newest: Rows
    between: Mask
    judged: Mask

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_new(self) -> Mask:
        """Claims that may know of a report that the one before did not."""
        return np.diff(self.known, prepend=0) > 0

    @property
    def stated(self) -> Rows:
        """How many cells each claim states."""
        return np.sum([cell.known for cell in self.cells], axis=0) if self.cells else 0 * self.rows

    @property
    def is_whole(self) -> Mask:
        """Claims that show one state, and all that they have to know of."""
        return self.judged & (self.newest >= self.low) & (self.stated > 0)

    @property
    def is_torn(self) -> Mask:
        """Claims whose cells are all right, but after different reports."""
        return self.judged & self.right.all(axis=0) & (self.newest < 0) & (self.stated > 1)

    @property
    def is_late(self) -> Mask:
        """Claims that show one state that lacks a report which they have to know of."""
        return self.judged & (self.newest >= 0) & (self.newest < self.low) & (self.stated > 0)

    def beside_whole(self, which: Mask) -> Mask:
        """Return those of `which` whose run has a whole claim just before or after: the books are right around it.

        A cell that is wrong all along may be right after another count by chance.
        """
        places = np.arange(len(self))
        before = np.maximum.accumulate(np.where(which, -1, places))
        after = np.minimum.accumulate(np.where(which, len(self), places)[::-1])[::-1]
        whole = np.append(self.is_whole, False)
        return np.asarray(which & ((whole[before] & (before >= 0)) | whole[after] | (before < 0)))

    def off(self, places: Rows) -> Floats:
        """Return by how much all that some claims state is off the newest state, roughly, added up."""
        out = np.zeros(len(places))
        for cell in self.cells:
            claimed = cell.column.floats()[self.rows[places]]
            off = np.abs(claimed - cell.value(places, self.high[places]))
            out += np.where(cell.known[places], np.nan_to_num(off), 0)
        return out

    def shown(self, place: int) -> dict[str, list[int]]:
        """Return the counts after which each stated cell of a claim is right, the newest first."""
        looked = np.arange(self.high[place], max(self.low[place] - _BACK, 0) - 1, -1)
        at = np.full(len(looked), place)
        stated = [cell for cell in self.cells if cell.known[place]]
        return {cell.name: looked[cell.agrees(at, looked) & cell.defined[looked]].tolist() for cell in stated}


def _told(session: Session, table: Table, line: Timeline, book: Ledger, cells: tuple[Cell, ...], first: Floats) -> Told:
    """Look at every count of reports that a claim may show."""
    size = len(line)
    low, high = book.line.span(line.times)
    known = np.append(0, np.cumsum(~executions(session, book.instrument.symbol).repeated))[high]
    back = np.maximum(low - _BACK, 0)
    judged = high - back < _MOST
    right = np.array([~cell.known for cell in cells]).reshape(len(cells), size)
    newest, oldest = np.full(size, -1), np.full(size, -1)
    between = np.zeros(size, dtype=bool)
    chosen = np.flatnonzero(judged)
    for at, count in counts(back[chosen], high[chosen]):
        place, all_agree = chosen[at], np.ones(len(at), dtype=bool)
        for n, cell in enumerate(cells):
            agrees = ~cell.known[place] | cell.agrees(place, count)
            right[n, place] |= agrees & (cell.defined[count] | ~cell.known[place])
            all_agree &= agrees
        newest[place] = np.where(all_agree & (newest[place] < 0), count, newest[place])
        oldest[place] = np.where(all_agree, count, oldest[place])
        pair = np.sort([book.qty_floats[np.maximum(count - 1, 0)], book.qty_floats[count]], axis=0)
        between[place] |= (pair[0] < first[place]) & (first[place] < pair[1])
    return Told(table, line.rows, line.times, low, high, known, cells, right, oldest, newest, between, judged)


def _cell(name: str, column: Decimals, rows: Rows, known: Mask, values: Floats, exact: Callable[[int], Fraction],
          size: Floats | float = 0.0, slack: Floats | float = 0.0) -> Cell:  # fmt: skip
    """Make the cell of a column that is right at one value after each count."""
    claimed = column.floats()[rows]
    allowed = column.tolerances()[rows]
    sizes, slacks = (np.broadcast_to(each, values.shape) for each in (size, slack))
    noise = _DUST if column.binary else _EPS

    def agrees(place: Rows, count: Rows) -> Mask:
        off = np.abs(claimed[place] - values[count])
        near = allowed[place] + slacks[count] + noise * (sizes[count] + np.abs(values[count]))
        return np.asarray((off <= near) | np.isnan(values[count]))

    def value(place: Rows, count: Rows) -> Floats:
        return np.asarray(values[count])

    return Cell(name, column, known, ~np.isnan(values), agrees, value, lambda place, count: exact(count))


@lru_cache(maxsize=64)
def stated_positions(session: Session, symbol: str) -> Told:
    """Read what the bot said that it held of a symbol, and at which average price."""
    book, line = ledger(session, symbol), held(session, symbol).line
    table = session.table("positions", "qty", "avg_px")
    qty, entry = table.decimals("qty"), table.decimals("avg_px")
    multiplier = float(book.instrument.multiplier)
    with np.errstate(divide="ignore", invalid="ignore"):
        prices = book.cost_floats / (book.qty_floats * multiplier)
        prices = -1 / prices if book.instrument.kind == "inverse" else prices
    prices[book.qty_floats == 0] = np.nan
    prices[: book.opened] = np.nan
    all_rows = np.ones(len(line), dtype=bool)
    cells = (
        _cell("qty", qty, line.rows, all_rows, book.qty_floats, book.qty_at),
        _cell("avg_px", entry, line.rows, entry.known[line.rows], prices, lambda n: _entry(book, n)),
    )
    return _told(session, table, line, book, cells, qty.floats()[line.rows])


def _entry(book: Ledger, n: int) -> Fraction:
    """Return the average entry price of the open lots, 0 where there are none."""
    if not book.position[n]:
        return Fraction(0)
    value = book.cost[n] * book.money_unit / (book.qty_at(n) * book.instrument.multiplier)
    return -1 / value if book.instrument.kind == "inverse" else value


@lru_cache(maxsize=64)
def stated_pnl(session: Session, symbol: str) -> Told:
    """Read what the bot said that it had made of a symbol, in the settlement currency."""
    book, table = ledger(session, symbol), pnl_table(session)
    settle, currency = book.instrument.settle, table.words("currency")
    own = currency.is_(settle)
    if (session.currency or settle) == settle:
        own |= currency.missing
    line = timeline(session, table, table.words("symbol").is_(symbol) & own)
    rows, is_net = line.rows, session.convention("realized") == "net"
    realized, fees, unrealized = (table.decimals(name) for name in ("realized", "fees", "unrealized"))
    slack = np.array(book.fee_slack, dtype=np.float64) / 1e30
    paid, made = book.fee_floats, book.realized_floats
    cost = np.maximum.accumulate(np.abs(book.cost_floats))
    is_clear = np.full(len(rows), len(book.fees) == 1 and not any("no rate" in flaw for flaw in book.flaws))
    opened = np.full(len(rows), not book.opened)

    def gained(n: int) -> Fraction:
        return book.realized_at(n) - (book.fees_at(n) if is_net else 0)

    cells = [
        _cell("realized", realized, rows, realized.known[rows] & opened & (is_clear | (not is_net)),
              made - paid if is_net else made, gained, size=cost, slack=slack if is_net else 0.0),
        _cell("fees", fees, rows, fees.known[rows] & is_clear, paid, book.fees_at, slack=slack),
    ]  # fmt: skip
    if (unrealized.known[rows] & opened).any():
        cells.append(_open_gain(session, book, unrealized, line, unrealized.known[rows] & opened))
    return _told(session, table, line, book, tuple(cells), np.full(len(rows), np.nan))


def _open_gain(session: Session, book: Ledger, column: Decimals, line: Timeline, known: Mask) -> Cell:
    """Make the cell of unrealized P&L: right at any of the prices that were last known."""
    lowest, highest = _prices(session, book, line.times)
    claimed, allowed = column.floats()[line.rows], column.tolerances()[line.rows]
    multiplier, inverse = float(book.instrument.multiplier), book.instrument.kind == "inverse"
    qty, cost = book.qty_floats, book.cost_floats
    noise = _DUST if column.binary else _EPS

    def gain(count: Rows, price: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(qty[count] * multiplier * (-1 / price if inverse else price) - cost[count])

    def agrees(place: Rows, count: Rows) -> Mask:
        ends = [gain(count, price[place]) for price in (lowest, highest)]
        near = allowed[place] + noise * (np.abs(cost[count]) + np.abs(ends[0] + cost[count]))
        return np.asarray((claimed[place] >= np.minimum(*ends) - near) & (claimed[place] <= np.maximum(*ends) + near))

    def value(place: Rows, count: Rows) -> Floats:
        return gain(count, highest[place])

    def exact(place: int, count: int) -> Fraction:
        return book.unrealized_at(count, Fraction(str(highest[place])))

    return Cell("unrealized", column, known & ~np.isnan(highest), np.ones(len(qty), dtype=bool), agrees, value, exact)


def _prices(session: Session, book: Ledger, times: Rows) -> tuple[Floats, Floats]:
    """Return the lowest and the highest price of the stated type that was last known at each time, NaN without one."""
    kind, symbol = session.convention("unrealized_price"), book.instrument.symbol
    if kind in ("mark", "index", "last") and session.has("marks"):
        table = session.table("marks", "ts_exchange", "ts_local", "symbol", kind)
        column = table.decimals(kind)
        line = timeline(session, table, table.words("symbol").is_(symbol) & column.known)
        fewest, most = line.span(times)
        values = np.append(column.floats()[line.rows], np.nan)
        ends = np.stack([np.maximum(fewest - 1, 0), np.maximum(most, 1)], axis=1).reshape(-1)
        found = [each.reduceat(values, np.minimum(ends, len(line)))[::2] for each in (np.minimum, np.maximum)]
        return tuple(np.where(most > 0, each, np.nan) for each in found)  # type: ignore[return-value]
    low, high = book.line.span(times)
    signs = np.sign(book.qty_floats).astype(int)
    sides = [tuple({int(signs[a]), int(signs[b])} - {0}) or (1,) for a, b in zip(low, high, strict=True)]
    known = candidates(session, symbol, kind, times, sides)
    ends_ = [(float(min(each)), float(max(each))) if each else (np.nan, np.nan) for each in known]
    lowest, highest = np.array(ends_, dtype=np.float64).reshape(-1, 2).T
    return lowest, highest
