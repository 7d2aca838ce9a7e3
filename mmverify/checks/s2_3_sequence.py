"""2.3.4: fills in the order in which the venue made them, and what another order of booking changes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np

from mmverify.checks import Breach, Looked, Off, gather
from mmverify.checks.books import GUARD, RIGHT, Instrument, fills_table, opening_of, restatements
from mmverify.checks.claims import places
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows
from mmverify.checks.offs import added_up
from mmverify.checks.orderflow_lives import codes_in
from mmverify.checks.orderflow_positions import executions
from mmverify.checks.s2_3_work import fill_line
from mmverify.numeric import Mask, decimal_text
from mmverify.session.load import Session

_SHOWN = 3
_NOISE = Fraction(1, 10**12)  # of money: what an average carried at 30 guard digits may be off by
_Lot = tuple[int, int]


@dataclass(frozen=True, eq=False)
class _Made:
    """The distinct executions of one symbol in booking order, as they stand once corrections are in.

    Parameters
    ----------
    instrument : Instrument
    rows : ndarray of int64, shape (m,)
        Row of `fills` that each came with.
    times : ndarray of int64, shape (m,)
        The venue's, ns; 0 where it is not `dated`.
    dated : ndarray of bool, shape (m,)
    lots : list of tuple[int, int], length m
        Signed quantity, and entry value of a unit: a gain is exit less entry value.
    opening : tuple[int, int] or None
        What was held before.
    money_unit : Fraction
        Of quantity times value, in the settlement currency.
    price_unit : int
        Values are prices in units of ``1 / price_unit``, of an inverse contract minus their reciprocals.
    """

    instrument: Instrument
    rows: Rows
    times: Rows
    dated: Mask
    lots: list[_Lot]
    opening: _Lot | None
    money_unit: Fraction
    price_unit: int

    def price(self, value: int) -> Fraction:
        """Return the price that a value is of."""
        if self.instrument.kind == "inverse":
            return Fraction(-GUARD, value)
        return Fraction(value, self.price_unit)


@dataclass(frozen=True)
class _Stretch:
    """Executions that were booked in another order, and what that changed.

    Parameters
    ----------
    booked, made : ndarray of int64
        The same executions in both orders.
    realized : tuple[Fraction, Fraction]
        What they realize in either, in the settlement currency.
    queue : tuple of list of tuple[int, int]
        The open lots after them where the two queues part, in the order in which they are closed.
    amount : Fraction
        The most that realized P&L is off by until those lots are closed.
    """

    booked: Rows
    made: Rows
    realized: tuple[Fraction, Fraction]
    queue: tuple[list[_Lot], list[_Lot]]
    amount: Fraction


def booking_order(session: Session) -> Looked:
    """Fills are booked in the venue's order of time, wherever lots or P&L depend on it."""
    return gather(_symbol(session, symbol) for symbol in fills_table(session).words("symbol").names)


def _symbol(session: Session, symbol: str) -> Looked:
    made = _made(session, symbol)
    dated = np.flatnonzero(made.dated)
    venue = np.arange(len(made.rows))
    venue[dated] = dated[np.lexsort((made.rows[dated], made.times[dated]))]
    undated, notes = len(venue) - len(dated), list[str]()
    if undated:
        notes.append(f"{symbol}: {undated} fills have no ts_exchange: their place is not judged")
    orders = dict[str, Rows]()
    if fills_table(session).whole("ts_local").missing[made.rows].any():
        notes.append(f"{symbol}: fills without ts_local do not tell in which order they were booked")
    else:
        orders["booked"] = np.arange(len(made.rows))
    processed = _processed(session, symbol, made)
    if len(processed) == len(made.rows) and not any(np.array_equal(processed, each) for each in orders.values()):
        orders["processed"] = processed
    basis = session.convention("cost_basis")
    found = []
    for name, order in orders.items():
        apart = list(_apart(made, order, venue, basis))
        if apart:
            offs = _offs(session, made, order, basis) if name == "processed" else ()
            found.append(_breach(session, made, name, apart, offs))
    return Looked(max(0, len(dated) - 1) if orders else 0, tuple(found), tuple(notes))


def _made(session: Session, symbol: str) -> _Made:
    known, table = executions(session, symbol), fills_table(session)
    instrument, rows = known.instrument, known.line.rows
    moved, prices = known.moved.tolist(), known.prices.tolist()
    segments, _ = restatements(table, rows, RIGHT, [])
    for n, target, is_bust in segments:
        moved[target] += moved[n]
        prices[target] = prices[target] if is_bust else prices[n]
    once = np.flatnonzero(~known.repeated & ~table.words("kind").is_("correction", "bust")[rows])
    guard = 1 if session.convention("cost_basis") != "average" and instrument.kind != "inverse" else GUARD
    unit = guard if instrument.kind == "inverse" else guard * known.price_unit

    def value(price: int | Fraction) -> int:
        if instrument.kind == "inverse":
            return -int(guard * known.price_unit // price) if price else 0
        return int(price * guard)

    opening, _ = opening_of(session, instrument, known.line)
    start = (int(opening.qty * 10**known.digits), value(opening.price * known.price_unit)) if opening.qty else None
    venue = table.whole("ts_exchange")
    return _Made(
        instrument, rows[once], venue.values[rows[once]], ~venue.missing[rows[once]],
        [(moved[n], value(prices[n])) for n in once.tolist()], start,
        instrument.multiplier / (unit * 10**known.digits), unit,
    )  # fmt: skip


def _processed(session: Session, symbol: str, made: _Made) -> Rows:
    """Return the executions in the order in which order events first name them."""
    events = session.table("order_events", "symbol", "exec_id")
    ids = fills_table(session).words("exec_id")
    place = np.full(len(ids.dictionary) + 2, -1, dtype=np.int64)  # the last two: not there, empty
    place[ids.codes[made.rows]] = np.arange(len(made.rows))
    named = place[codes_in(events.words("exec_id"), ids)]
    named = named[(named >= 0) & events.words("symbol").is_(symbol)]
    return named[np.sort(np.unique(named, return_index=True)[1])]


# --- two orders of the same fills -------------------------------------------------------------------------------------


def _apart(made: _Made, booked: Rows, venue: Rows, basis: str) -> Iterator[_Stretch]:
    """Yield the stretches that were booked in another order and end with other lots or another P&L."""
    rank = np.empty(len(booked), dtype=np.int64)
    rank[booked] = np.arange(len(booked))
    moved = rank[venue]
    ends = np.flatnonzero(np.maximum.accumulate(moved) == np.arange(len(moved))) + 1
    lots, done, start = deque([made.opening] if made.opening else []), 0, 0
    for end in ends.tolist():
        if end - start > 1:  # a stretch ends where as many have come in either order: a single one is in its place
            _run(lots, (made.lots[n] for n in booked[done:start].tolist()), basis)
            other = lots.copy()
            ours = _run(lots, (made.lots[n] for n in booked[start:end].tolist()), basis)
            theirs = _run(other, (made.lots[n] for n in venue[start:end].tolist()), basis)
            stretch = _compared(made, booked[start:end], venue[start:end], (ours, theirs), (lots, other), basis)
            if stretch.amount > _NOISE:
                yield stretch
            done = end
        start = end


def _offs(session: Session, made: _Made, processed: Rows, basis: str) -> tuple[Off, ...]:
    """Say by how much realized P&L is off from each fill on where it is made in the order of processing."""
    times = fills_table(session).whole("ts_local").values[made.rows]
    ends = np.flatnonzero(np.diff(times, append=-1))
    gains = []
    for order in (processed, np.arange(len(times))):
        lots = deque([made.opening] if made.opening else [])
        gains.append([_run(lots, (made.lots[n],), basis) for n in order.tolist()])
    sums = [np.cumsum(np.array(each, dtype=object))[ends] for each in gains]
    same = np.maximum.accumulate(processed)[ends] == ends
    off = np.where(same, sums[0] - sums[1], 0)
    steps = np.diff(off, prepend=0)
    changed = np.flatnonzero(steps)
    return added_up(
        f"realized {made.instrument.settle}",
        ((int(times[ends[n]]), int(steps[n]) * made.money_unit) for n in changed.tolist()), _NOISE,
    )  # fmt: skip


def _run(lots: deque[_Lot], fills: Iterable[_Lot], basis: str) -> int:
    """Match fills into open lots and return what they realize."""
    realized, newest_first = 0, basis == "lifo"
    for delta, value in fills:
        left = delta
        while left and lots and (lots[0][0] < 0) != (left < 0):
            qty, entry = lots.pop() if newest_first else lots.popleft()
            if abs(qty) > abs(left):
                rest = (qty + left, entry)
                lots.append(rest) if newest_first else lots.appendleft(rest)
                qty = -left
            realized += qty * (value - entry)
            left += qty
        if left and basis == "average" and lots:
            qty, entry = lots.pop()
            lots.append((qty + left, round(Fraction(qty * entry + left * value, qty + left))))
        elif left:
            lots.append((left, value))
    return realized


def _compared(
    made: _Made, booked: Rows, venue: Rows, realized: tuple[int, int], lots: tuple[deque[_Lot], deque[_Lot]], basis: str
) -> _Stretch:
    ours, theirs = (realized[0] * made.money_unit, realized[1] * made.money_unit)
    queues: tuple[list[_Lot], list[_Lot]] = ([], [])
    amount = abs(ours - theirs)
    if basis != "average" and lots[0] != lots[1]:
        queues = _parted(*(_merged(reversed(each) if basis == "lifo" else each) for each in lots))
        amount = max(amount, _most(*queues) * made.money_unit)
    return _Stretch(booked, venue, (ours, theirs), queues, amount)


def _merged(lots: Iterable[_Lot]) -> list[_Lot]:
    """Return open lots in the order in which they are closed, neighbours of one value as one."""
    out: list[_Lot] = []
    for qty, value in lots:
        if out and out[-1][1] == value:
            qty += out.pop()[0]
        out.append((qty, value))
    return out


def _parted(ours: list[_Lot], theirs: list[_Lot]) -> tuple[list[_Lot], list[_Lot]]:
    """Leave out what both queues begin with."""
    same = next((n for n, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b), min(len(ours), len(theirs)))
    return ours[same:], theirs[same:]


def _most(ours: Sequence[_Lot], theirs: Sequence[_Lot]) -> int:
    """Return the most that the costs of what is closed first differ by; both queues hold as much."""
    waiting, off, most = (deque(ours), deque(theirs)), 0, 0
    while all(waiting):
        (a, cost_a), (b, cost_b) = (each.popleft() for each in waiting)
        size = min(a, b, key=abs)
        off += size * (cost_a - cost_b)
        most = max(most, abs(off))
        for each, left, value in zip(waiting, (a - size, b - size), (cost_a, cost_b), strict=True):
            if left:
                each.appendleft((left, value))
    return most


# --- words ------------------------------------------------------------------------------------------------------------


def _breach(session: Session, made: _Made, name: str, apart: list[_Stretch], offs: tuple[Off, ...]) -> Breach:
    table, first = fills_table(session), apart[0]
    local = table.whole("ts_local").values
    worst = max(apart, key=lambda stretch: stretch.amount)
    late, early = _swapped(made, first)
    rows = [int(made.rows[stretch.booked[0]]) for stretch in apart]
    gap = Fraction(int(made.times[late] - made.times[early]), 10**6)
    lines = [fill_line(session, int(made.rows[n])) for n in first.booked[:_SHOWN].tolist()]
    lines.append(
        f"{table.where(int(made.rows[early]))} was executed "
        + (f"{decimal_text(gap)} ms before {table.where(int(made.rows[late]))}" if gap else "in the same nanosecond")
        + f", and {name} after it"
    )
    settle = made.instrument.settle
    if first.realized[0] != first.realized[1]:
        ours, theirs = (decimal_text(each) for each in first.realized)
        lines.append(f"as {name} these realize {ours} {settle}, in the venue's order {theirs} {settle}")
    if any(first.queue):
        ours, theirs = (_queue(session, made, each) for each in first.queue)
        lines.append(f"lots that are closed next, as {name}: {ours}; in the venue's order: {theirs}")
    lines.append(f"realized P&L is off by up to {decimal_text(first.amount)} {settle} until those lots are closed")
    together = all(len(set(local[made.rows[each.booked]].tolist())) == 1 for each in apart)
    return Breach(
        key=f"{made.instrument.symbol} {name}", where=places(table, rows), count=len(apart),
        was=f"{table.where(int(made.rows[late]))} was {name} before {table.where(int(made.rows[early]))}",
        should="after it: by ts_exchange the venue made it later", work=tuple(lines), amount=worst.amount,
        currency=settle,
        loss="what realized P&L is off by, at most, while the lots that were mixed up are open, where it is most",
        cause="fills that came together were not put in the venue's order of time" if together
        else "fills were booked as they arrived", offs=offs,
    )  # fmt: skip


def _swapped(made: _Made, stretch: _Stretch) -> tuple[int, int]:
    """Return two neighbours as booked that the venue made the other way round: the one made later, the earlier one."""
    place = {n: at for at, n in enumerate(stretch.made.tolist())}
    return next((a, b) for a, b in pairwise(stretch.booked.tolist()) if place[a] > place[b])


def _queue(session: Session, made: _Made, lots: Sequence[_Lot]) -> str:
    digits = executions(session, made.instrument.symbol).digits
    shown = [f"{text(Fraction(abs(qty), 10**digits))} at {decimal_text(made.price(value))}" for qty, value in lots]
    return ", ".join(shown[:_SHOWN]) + (f", {len(shown) - _SHOWN} more" if len(shown) > _SHOWN else "") or "none"
