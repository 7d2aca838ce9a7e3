"""2.2.6: a report that comes twice, in the order that it is of, in positions and in P&L."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from mmverify.checks import Breach, Looked, Off, gather
from mmverify.checks import s2_2_work as work
from mmverify.checks.books import GUARD, Ledger, fills_table, ledger
from mmverify.checks.claims import places, pnl_table
from mmverify.checks.handwork import notional
from mmverify.checks.known import Rates, Timeline, timeline
from mmverify.checks.offs import added_up
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_map import FILLS
from mmverify.checks.orderflow_positions import Break, Executions, breaks, executions, held
from mmverify.numeric import decimal_text, times_power_of_ten
from mmverify.replay.lots import match
from mmverify.session.load import Session, Table

_DIGITS = 30
_UNIT = 10**_DIGITS
_LOOKED = 50  # breaks of realized P&L that are matched again


_By = Callable[[Sequence[int]], list[Fraction]]


@dataclass(frozen=True)
class _Again:
    """A claim that moved as repeated reports do when they are booked again."""

    found: Break
    reports: tuple[int, ...]
    off: Fraction


def in_orders(session: Session) -> Looked:
    """Find where a repeated exec_id added to its order's cum_qty."""
    replayed = flow(session)
    cum = replayed.table.decimals("cum_qty")
    again = replayed.repeated & replayed.is_(*FILLS)
    before = replayed.lives.before(replayed.cum_at, -1)
    added = again & cum.known & (before >= 0)
    added &= np.asarray(cum.ints > cum.ints[before]) if len(before) else added
    found = []
    for symbol, rows in work.by_symbol(replayed, added):
        first = rows[0]

        def by(row: int) -> Fraction:
            return cum.fraction(row) - cum.fraction(int(before[row]))

        amount, currency = work.largest(session, replayed, rows, by)
        was, now = cum.fraction(int(before[first])), cum.fraction(first)
        found.append(Breach(
            key=symbol, where=places(replayed.table, rows), count=len(rows),
            was=f"cum_qty of {work.order_name(replayed, first)} went to {decimal_text(now)} by a repeated report",
            should=decimal_text(was),
            work=(*work.story(replayed, rows[:1]),
                  f"{replayed.table.words('exec_id').text(first)} again: {decimal_text(now)} - {decimal_text(was)} = "
                  f"{decimal_text(by(first))} added a second time"),
            amount=amount, currency=currency,
            loss="what the order is counted to have filled and has not, at its price, where it is most",
        ))  # fmt: skip
    return Looked(int(again.sum()), tuple(found))


def in_books(session: Session) -> Looked:
    """Find where a repeated report moved position, fees or realized P&L again."""
    return gather(_symbol(session, symbol) for symbol in fills_table(session).words("symbol").names)


def _symbol(session: Session, symbol: str) -> Looked:
    known = executions(session, symbol)
    again = np.flatnonzero(known.repeated)
    if not again.size:
        return Looked(0)
    return Looked(len(again), tuple(_positions(session, known)) + tuple(_pnl(session, known)))


def _between(known: Executions, line: Timeline, found: Break) -> list[tuple[int, ...]]:
    """Return what may have been booked again before a claim: all repeats since the claim before, or one of them."""
    since = int(line.times[found.place - 1]) if found.place else -(2**63)
    times = known.line.times
    mine = np.flatnonzero(known.repeated & (times >= since) & (times <= line.times[found.place])).tolist()
    return [tuple(mine), *((n,) for n in mine)] if mine else []


def _positions(session: Session, known: Executions) -> Iterator[Breach]:
    told = held(session, known.instrument.symbol)
    fills = fills_table(session)
    unit = Fraction(1, 10**told.digits)

    def by(chosen: Sequence[int]) -> list[Fraction]:
        return [sum((_moved(known, fills, n) for n in chosen), Fraction(0))]

    wrong = list(_explained(known, told.line, told.breaks(), unit, 2 * told.slack * unit, by))
    if wrong:
        price = fills.decimals("price").fraction(int(known.line.rows[wrong[0].reports[0]]))
        amount = notional(known.instrument, price, max(abs(each.off) for each in wrong)) if price else None
        loss = "position that the books have and the account has not, at the fill's price, where it is most"
        steps = [(int(told.line.times[each.found.place]), each.off) for each in wrong]
        offs = added_up("position", steps, 2 * told.slack * unit)
        yield _breach(session, known, session.table("positions", "qty"), wrong, "position", amount, loss, offs)


def _moved(known: Executions, fills: Table, n: int) -> Fraction:
    """Return by what a report moves the position."""
    row = int(known.line.rows[n])
    if fills.words("kind").text(row) in ("correction", "bust"):
        return Fraction(0)
    size = fills.decimals("qty").fraction(row) * (1 if fills.words("side").text(row) == "buy" else -1)
    in_base = known.instrument.kind == "spot" and fills.words("fee_asset").text(row) == known.instrument.base
    return size - (fills.decimals("fee").fraction(row) if in_base else 0)


def _pnl(session: Session, known: Executions) -> Iterator[Breach]:
    if not session.has("pnl"):
        return
    table, symbol = pnl_table(session), known.instrument.symbol
    book = ledger(session, symbol)
    currency = table.words("currency")
    own = currency.is_(known.instrument.settle)
    if (session.currency or known.instrument.settle) == known.instrument.settle:
        own |= currency.missing
    is_net = session.convention("realized") == "net"
    fees, unclear = np.asarray(book.fees[0], dtype=object), len(book.fees) > 1  # one reading of the rate, in 1e-30
    unit = book.money_unit * _UNIT
    gross = np.asarray(book.realized, dtype=object) * unit.numerator
    if unit.denominator > 1:
        gross = np.array([round(Fraction(gain, unit.denominator)) for gain in gross.tolist()], dtype=object)
    net = gross - fees

    def paid(chosen: Sequence[int]) -> list[Fraction]:
        return _fees(session, known, chosen)

    def gained(found: Break) -> _By:
        def by(chosen: Sequence[int]) -> list[Fraction]:
            more = _gained(session, book, known, chosen, found)
            return [gain - fee for gain in (more, 0) for fee in paid(chosen)] if is_net else [more]

        return by

    for name, should, is_open in (("fees", fees, unclear), ("realized", net if is_net else gross, unclear and is_net)):
        column = table.decimals(name)
        line = timeline(session, table, table.words("symbol").is_(symbol) & own & column.known)
        if is_open or book.opened or not len(line) or column.scale > _DIGITS:
            continue
        low, high = book.line.span(line.times)
        claimed = times_power_of_ten(column.ints[line.rows].astype(object), _DIGITS - column.scale)
        slack = 2 * column.tolerance(int(line.rows[np.argmax(np.abs(column.floats()[line.rows]))]))
        found = breaks(line.rows, claimed, low, high, should, int(slack * _UNIT))
        unit, wrong = Fraction(1, _UNIT), list[_Again]()
        for place, each in enumerate(found):
            if place < _LOOKED or name == "fees":
                wrong += _explained(known, line, [each], unit, slack, paid if name == "fees" else gained(each))
        if wrong:
            amount = max(abs(each.off) for each in wrong)
            loss = "money that the books count a second time and the account does not have, or has not paid"
            steps = [(int(line.times[each.found.place]), each.off) for each in wrong]
            offs = added_up(f"{name} {known.instrument.settle}", steps, slack)
            yield _breach(session, known, table, wrong, name, amount, loss, offs)


def _fees(session: Session, known: Executions, chosen: Sequence[int]) -> list[Fraction]:
    """Return what some reports paid in the settlement currency, at the rate at each with and without that moment."""
    fills, rates, settle = fills_table(session), Rates.of(session), known.instrument.settle
    base = known.instrument.base if known.instrument.kind == "spot" else settle
    sums = []
    for late in (True, False):
        total = Fraction(0)
        for n in chosen:
            row = int(known.line.rows[n])
            fee, asset = fills.decimals("fee").fraction(row), fills.words("fee_asset").text(row)
            if asset != settle and asset == base:
                total += fee * known.price(n)
            else:
                total += rates.convert(fee, asset, settle, int(known.line.times[n]), late=late) or 0
        sums.append(total)
    return sums


def _gained(session: Session, book: Ledger, known: Executions, chosen: Sequence[int], found: Break) -> Fraction:
    """Return by how much more realized P&L moves up to a claim if these repeated reports are booked again."""
    fills, basis, now = fills_table(session), session.convention("cost_basis"), slice(0, found.until)
    inverse = book.instrument.kind == "inverse"
    unit = GUARD if inverse else GUARD * book.price_unit  # of the value of a price: itself, -1 / price if inverse
    values = [-(GUARD * book.price_unit // each) if each else 0 for each in book.prices[now]]
    values = values if inverse else [GUARD * each for each in book.prices[now]]
    opening = None
    if book.position[0]:
        entry = book.cost[0] * book.money_unit * book.qty_unit / (book.position[0] * book.instrument.multiplier)
        opening = (book.position[0], round(entry * unit))
    twice = list(book.deltas)
    for n in chosen:
        twice[n] = int(_moved(known, fills, n) * book.qty_unit)
    gains = [
        match(values, deltas[now], cost_basis=basis, opening=opening).realized for deltas in (book.deltas, twice)
    ]  # fmt: skip
    more = gains[1][-1] - gains[0][-1] if values else 0
    return more * book.instrument.multiplier / (unit * book.qty_unit)


def _explained(
    known: Executions, line: Timeline, found: Sequence[Break] | Iterator[Break], unit: Fraction, slack: Fraction,
    by: _By,
) -> Iterator[_Again]:  # fmt: skip
    """Yield the breaks that are what booking repeated reports again gives."""
    for each in (each for each in found if not each.is_right):
        for chosen in _between(known, line, each):
            offs = [off * unit for off in each.offs for more in by(chosen) if more and abs(off * unit - more) <= slack]
            if offs:
                yield _Again(each, chosen, offs[0])
                break


def _breach(
    session: Session, known: Executions, table: Table, wrong: Sequence[_Again], name: str, amount: Fraction | None,
    loss: str, offs: tuple[Off, ...],
) -> Breach:  # fmt: skip
    first, symbol, fills = wrong[0], known.instrument.symbol, fills_table(session)
    rows = [int(known.line.rows[n]) for n in first.reports]
    ids, side, asset = (fills.words(column) for column in ("exec_id", "side", "fee_asset"))
    again = []
    for row in rows[: work.SHOWN]:
        qty, price, fee = (decimal_text(fills.decimals(column).fraction(row)) for column in ("qty", "price", "fee"))
        paid = f"fee {fee} {asset.text(row)}"
        again.append(f"{fills.where(row)} repeats {ids.text(row)}: {side.text(row)} {qty} at {price}, {paid}")
    off = decimal_text(first.off)
    return Breach(
        key=f"{symbol} {name}", where=(*places(table, [each.found.row for each in wrong]), fills.where(rows[0])),
        count=len(wrong),
        was=f"{name} of {symbol} moved by {off} beside what the distinct fills give",
        should="0 beside them: the report was booked before",
        work=(*again, f"booked again they move {name} by {off}, as {table.where(first.found.row)} does"),
        amount=amount, currency=known.instrument.settle, loss=loss, cause="a repeated report was booked again",
        offs=offs,
    )  # fmt: skip
