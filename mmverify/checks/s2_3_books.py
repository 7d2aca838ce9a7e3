"""2.3.2: a fill in the books is whole or not there: quantity, cost, realized and open profit, and fee together."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.books import Ledger, fills_table, ledger
from mmverify.checks.claims import places
from mmverify.checks.handwork import notional, text
from mmverify.checks.known import Rows
from mmverify.checks.s2_3_states import Told, stated_pnl, stated_positions
from mmverify.checks.s2_3_work import fill_line
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session

_FILLS = 3  # fills that are written out


def whole_fills(session: Session) -> Looked:
    """No position shows a part of a fill, nor a quantity with another state's average price."""
    return gather(
        _positions(session, book, stated_positions(session, book.instrument.symbol))
        if book.starts_known else Looked(0, (), book.flaws)
        for book in _books(session)
    )  # fmt: skip


def claims_of_one_state(session: Session) -> Looked:
    """What a P&L row states is of one state of the books, and positions and P&L follow each other."""
    found = []
    for book in _books(session):
        if not book.starts_known:
            found.append(Looked(0, (), book.flaws))
            continue
        symbol = book.instrument.symbol
        told, beside = stated_pnl(session, symbol), stated_positions(session, symbol)
        breaches = [*_torn(session, book, told), *_late(session, book, told, beside)]
        exercised = int(np.sum(told.is_new & told.judged & (told.stated > 1)))
        found.append(Looked(exercised, tuple(breaches), (*_unjudged(symbol, told), *_foreign(session, symbol, told))))
    return gather(found)


def _books(session: Session) -> Iterator[Ledger]:
    return (ledger(session, symbol) for symbol in fills_table(session).words("symbol").names)


def _positions(session: Session, book: Ledger, told: Told) -> Looked:
    breaches = [*_parts(session, book, told), *_torn(session, book, told)]
    exercised = int(np.sum(told.is_new & told.judged))
    return Looked(exercised, tuple(breaches), _unjudged(book.instrument.symbol, told))


def _unjudged(symbol: str, told: Told) -> tuple[str, ...]:
    left = int(np.sum(~told.judged))
    return (f"{symbol}: {left} rows of {told.table.name} may know of too many fills or too few to be judged",) * (
        left > 0
    )


def _foreign(session: Session, symbol: str, told: Told) -> tuple[str, ...]:
    left = int(told.table.words("symbol").is_(symbol).sum()) - len(told)
    return (f"{symbol}: {left} rows of pnl in another currency than the contract's are not judged here",) * (left > 0)


def _value(book: Ledger, qty: Fraction, n: int) -> Fraction | None:
    """Return what a quantity is worth at the price of a report."""
    return notional(book.instrument, Fraction(book.prices[n - 1], book.price_unit), abs(qty)) if n else None


# --- a part of a fill -------------------------------------------------------------------------------------------------


def _parts(session: Session, book: Ledger, told: Told) -> list[Breach]:
    """Find positions between two states that a part of the fill gives, the claim before being right."""
    right = told.right[0]
    was_right = np.append([True], right[:-1])
    at = np.flatnonzero(told.judged & told.between & ~right & was_right)
    qty, lot = told.table.decimals("qty"), _lot(session, book)

    def part(place: int) -> tuple[Fraction, Fraction, int]:
        """Return the two positions that a claim lies between, and the number of the report between them."""
        claimed = qty.fraction(int(told.rows[place]))
        for n in range(int(told.high[place]), 0, -1):
            before, after = book.qty_at(n - 1), book.qty_at(n)
            if min(before, after) < claimed < max(before, after):
                return before, after, n
        return claimed, claimed, 0

    def is_part(place: int) -> bool:
        """Whether no fills give a claim as a whole, and a number of lots of one or one without its base fee does."""
        row, (before, after, n) = int(told.rows[place]), part(place)
        claimed, slack = qty.fraction(row), qty.tolerance(row)
        whole = book.position.ints[: told.high[place] + 1]
        if np.any(np.asarray(np.abs(whole - round(claimed * book.qty_unit)) <= slack * book.qty_unit)):
            return False
        fills, report = fills_table(session), int(book.line.rows[n - 1])
        sized = fills.decimals("qty").fraction(report) * (1 if after > before else -1)
        return not (claimed - before) % lot or claimed in (before + sized, after - sized)

    at = np.array([place for place in at.tolist() if is_part(place)], dtype=np.int64)
    if not at.size:
        return []

    def lost(place: int) -> Fraction:
        _, after, n = part(place)
        return _value(book, after - qty.fraction(int(told.rows[place])), n) or Fraction(0)

    place, symbol = int(at[0]), book.instrument.symbol
    row, (before, after, n) = int(told.rows[place]), part(int(at[0]))
    claimed = qty.fraction(row)
    return [Breach(
        key=f"{symbol} part",
        where=(*places(told.table, told.rows[at].tolist()), f"fills:{int(book.line.rows[n - 1]) + 1}"),
        count=len(at), was=f"the position of {symbol} was {decimal_text(claimed)}, in the middle of a fill",
        should=f"{decimal_text(before)} or {decimal_text(after)}",
        work=(
            fill_line(session, int(book.line.rows[n - 1])),
            f"before it {decimal_text(before)}, after it {decimal_text(before)} + {text(after - before)} = "
            f"{decimal_text(after)}",
            f"{told.table.where(row)} states {decimal_text(claimed)}: {decimal_text(claimed - before)} of "
            f"{decimal_text(after - before)} is there",
        ),
        amount=max(map(lost, at.tolist())), currency=book.instrument.settle,
        loss="position that whoever reads the books at that moment does not see, at the fill's price: a quote or a "
        "hedge sent then is sized by it",
    )]  # fmt: skip


def _lot(session: Session, book: Ledger) -> Fraction:
    """Return the lot size of a market."""
    table = session.table("instruments", "symbol", "lot_size")
    return table.decimals("lot_size").fraction(int(np.argmax(table.words("symbol").is_(book.instrument.symbol))))


# --- cells of two states ----------------------------------------------------------------------------------------------


def _torn(session: Session, book: Ledger, told: Told) -> list[Breach]:
    """Find rows whose cells are each right, but after different reports."""
    at = np.flatnonzero(told.beside_whole(told.is_torn))
    if not at.size:
        return []
    place, symbol = int(at[0]), book.instrument.symbol
    shown = told.shown(place)
    newest = max(each[0] for each in shown.values())
    behind = [name for name, counts in shown.items() if counts[0] < newest]
    since = min(shown[name][0] for name in behind)
    others = [name for name in shown if name not in behind]
    lines = [*_fills(session, book, since, newest)]
    for cell in told.cells:
        if cell.name in shown:
            claimed = cell.column.fraction(int(told.rows[place]))
            before, after = (decimal_text(cell.exact(place, n)) for n in (since, newest))
            lines.append(f"{cell.name} {decimal_text(claimed)}: {before} before, {after} after")
    worst = int(at[np.argmax(told.off(at))])
    return [Breach(
        key=f"{symbol} {told.table.name}",
        where=(*places(told.table, told.rows[at].tolist()), f"fills:{int(book.line.rows[newest - 1]) + 1}"),
        count=len(at),
        was=f"{' and '.join(behind)} of {symbol} lacked a fill that {' and '.join(others)} beside "
        f"{'it' if len(behind) == 1 else 'them'} had",
        should="all of a row with the fill, or all without it", work=tuple(lines), amount=_off(book, told, worst),
        currency=book.instrument.settle,
        loss="what the row is off by, where it is most: equity, limits and stops that read it then run on money that "
        "is counted twice or not at all",
        cause=f"{' and '.join(behind)} is booked after the rest of the fill" if len(behind) == 1 else "",
    )]  # fmt: skip


def _off(book: Ledger, told: Told, place: int) -> Fraction:
    """Return by how much the cells that are behind are off, in the settlement currency."""
    shown, total = told.shown(place), Fraction(0)
    newest = max((each[0] for each in shown.values() if each), default=0)
    for cell in told.cells:
        counts = shown.get(cell.name)
        if counts and counts[0] < newest:
            off = cell.column.fraction(int(told.rows[place])) - cell.exact(place, newest)
            if cell.name == "qty":
                off = _value(book, off, newest) or Fraction(0)
            elif cell.name == "avg_px":
                claimed, due = cell.column.fraction(int(told.rows[place])), cell.exact(place, newest)
                size = abs(book.qty_at(newest))
                off = notional(book.instrument, claimed, size) - notional(book.instrument, due, size) if due else off
            total += abs(off)
    return total


def _fills(session: Session, book: Ledger, since: int, until: int) -> list[str]:
    lines = [fill_line(session, int(row)) for row in book.line.rows[since:until][:_FILLS].tolist()]
    return [*lines, f"and {until - since - _FILLS} more"] if until - since > _FILLS else lines


# --- two tables -------------------------------------------------------------------------------------------------------


def _late(session: Session, book: Ledger, pnl: Told, positions: Told) -> list[Breach]:
    """Find rows of one table that lack a fill which an earlier row of the other has."""
    found = []
    for told, other, side in ((positions, pnl, "left"), (pnl, positions, "right")):
        late = told.beside_whole(told.is_late)
        if not late.any() or not len(other):
            continue
        beside = _newest(other, told.times, side)
        late &= (beside >= 0) & (told.newest < other.oldest[beside])
        if late.any():
            found.append(_late_breach(session, book, told, other, late, beside))
    return found


def _newest(told: Told, times: Rows, side: str) -> Rows:
    """Return the newest claim that shows a state before each time, -1 where there is none."""
    places = np.where(told.judged & (told.newest >= 0) & (told.stated > 0), np.arange(len(told)), -1)
    until = np.searchsorted(told.times, times, side="right" if side == "right" else "left")
    return np.append(np.maximum.accumulate(places), -1)[until - 1]


def _late_breach(session: Session, book: Ledger, told: Told, other: Told, late: Mask, beside: Rows) -> Breach:
    at, symbol = np.flatnonzero(late), book.instrument.symbol
    place = int(at[0])
    mine, theirs = int(told.newest[place]), int(other.oldest[beside[place]])
    row, ahead = told.table.where(int(told.rows[place])), other.table.where(int(other.rows[beside[place]]))
    cells = [cell for cell in told.cells if cell.known[place]]
    lines = _fills(session, book, mine, theirs)
    for cell in cells:
        claimed = cell.column.fraction(int(told.rows[place]))
        lines.append(f"{row} {cell.name} {decimal_text(claimed)}, with them {decimal_text(cell.exact(place, theirs))}")

    def lost(place: int) -> Fraction:
        was, now = int(told.newest[place]), int(other.oldest[beside[place]])
        if told.table.name == "positions":
            return _value(book, book.qty_at(now) - book.qty_at(was), now) or Fraction(0)
        return sum(
            (abs(cell.exact(place, now) - cell.exact(place, was)) for cell in told.cells if cell.known[place]),
            Fraction(0),
        )

    return Breach(
        key=f"{symbol} {told.table.name} late",
        where=(*places(told.table, told.rows[at].tolist()), ahead, f"fills:{int(book.line.rows[theirs - 1]) + 1}"),
        count=len(at), was=f"{told.table.name} of {symbol} lacked a fill that {ahead} had before it",
        should="what the fills give up to that row", work=tuple(lines), amount=max(map(lost, at.tolist())),
        currency=book.instrument.settle,
        loss="what one table shows and the other does not yet, where it is most: whoever reads both reads two books",
    )  # fmt: skip
