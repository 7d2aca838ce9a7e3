"""What the bot held and what its orders had filled, by the distinct reports that it knew: without matching lots."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.books import GUARD, RIGHT, Instrument, fills_table, instruments, opening_of, restatements
from mmverify.checks.exact import running
from mmverify.checks.known import Rows, Timeline, timeline
from mmverify.checks.orderflow import flow
from mmverify.checks.orderflow_lives import codes_in
from mmverify.numeric import INT64_MAX, Ints, Mask, largest, narrow, times_power_of_ten
from mmverify.session.load import Session


@dataclass(frozen=True, eq=False)
class Executions:
    """The reports of one symbol in booking order, and what each changed.

    Parameters
    ----------
    line : Timeline
        The reports; of a session without fills the bot's own claims of position.
    life : ndarray of int64, shape (m,)
        The order that a report is of, -1 where none is known.
    moved, filled : ndarray of int, shape (m,)
        By what a report changed the position and its order's executed quantity, in units of ``10**-digits``: nothing
        where it is repeated, the difference where it restates an earlier one, base fees in the position only.
    position : ndarray of int, shape (m + 1,)
        Signed position after the first reports.
    prices : ndarray of int, shape (m,)
        Of each report, in units of ``1 / price_unit``.
    values : list of int
        By what a report changed the sum of quantity x price of its order (quantity / price if inverse), in units of
        ``10**-digits / value_unit``.
    restated : ndarray of bool, shape (m,)
        Corrections and busts.
    repeated : ndarray of bool, shape (m,)
        Reports whose exec_id was reported before.
    of_fills : bool
        False where there are no fills, and `line` is of claims.
    """

    instrument: Instrument
    line: Timeline
    life: Rows
    moved: Ints
    filled: Ints
    position: Ints
    digits: int
    prices: Ints
    price_unit: int
    values: list[int]
    value_unit: int
    restated: Mask
    repeated: Mask
    of_fills: bool

    def __len__(self) -> int:
        return len(self.line)

    def price(self, n: int) -> Fraction:
        """Return the price of a report."""
        return Fraction(int(self.prices[n]), self.price_unit)

    def qty(self, units: int) -> Fraction:
        """Return a quantity of these units."""
        return Fraction(int(units), 10**self.digits)

    @cached_property
    def _by_life(self) -> tuple[Rows, Rows]:
        """The reports by life, and life x (m + 1) + number of each: counts of one order are found by one search."""
        order = np.argsort(self.life, kind="stable")
        return order, self.life[order] * (len(self) + 1) + order

    def _places(self, lives: Rows, counts: Rows) -> tuple[Rows, Rows]:
        """Return, per pair, the places by life of an order's first report and of the one after the first `counts`."""
        keys, size = self._by_life[1], len(self) + 1
        return np.searchsorted(keys, lives * size), np.searchsorted(keys, lives * size + counts)

    def of_life(self, life: int) -> Rows:
        """Return the numbers of the reports of one order, in booking order."""
        low, high = self._places(np.array([life]), np.array([len(self)]))
        return self._by_life[0][int(low[0]) : int(high[0])]

    def filled_by(self, lives: Rows, counts: Rows) -> Ints:
        """Return what orders had executed after the first reports, in units, one a pair."""
        low, high = self._places(lives, counts)
        return np.asarray(self._sums[high] - self._sums[low])

    @cached_property
    def _sums(self) -> Ints:
        """Sums of the first reports by life."""
        return _running(0, self.filled[self._by_life[0]])

    def average(self, life: int, count: int) -> Fraction | None:
        """Return the average price of an order's executions after the first reports, exact; None before the first."""
        mine = self.of_life(life)
        known = mine[mine < count]
        return self._ratio(sum(self.filled[known].tolist()), sum(self.values[n] for n in known.tolist()))

    def averages(self, lives: Rows, counts: Rows) -> NDArray[np.float64]:
        """Return `average` of pairs as float64, NaN where there is none."""
        low, high = self._places(lives, counts)
        out = np.full(len(low), np.nan)
        out[high > low] = self._running_averages[high[high > low] - 1]
        return out

    @cached_property
    def _running_averages(self) -> NDArray[np.float64]:
        """The average price of each report's order after it, by life."""
        order = self._by_life[0]
        new = np.diff(self.life[order], prepend=-2) != 0
        first = np.flatnonzero(new)[np.cumsum(new) - 1]
        filled, value = (running(narrow(each)[order]) for each in (self.filled, self.values))
        filled, value = (sums[1:] - sums[first] for sums in (filled, value))
        none = np.asarray((filled == 0) | (value == 0))
        with np.errstate(divide="ignore", invalid="ignore"):
            out = value.astype(np.float64) / filled.astype(np.float64)
            out = self.value_unit / out if self.instrument.kind == "inverse" else out / self.value_unit
        return np.where(none, np.nan, out)

    def _ratio(self, filled: int, value: int) -> Fraction | None:
        """Return the average price of a sum of `filled` and one of `values`, harmonic of an inverse contract."""
        if not filled or not value:
            return None
        if self.instrument.kind == "inverse":
            return Fraction(filled * self.value_unit, value)
        return Fraction(value, filled * self.value_unit)


@lru_cache(maxsize=64)
def executions(session: Session, symbol: str) -> Executions:
    """Read the distinct reports of one symbol; where the session has no fills, what the bot claims to hold.

    Parameters
    ----------
    session : Session
    symbol : str
        A symbol of the instruments.

    Returns
    -------
    Executions
    """
    instrument = instruments(session)[symbol]
    if not session.has("fills"):
        return _claimed(session, instrument)
    table = fills_table(session)
    line = timeline(session, table, table.words("symbol").is_(symbol))
    rows = line.rows
    qty, price, fee = table.decimals("qty"), table.decimals("price"), table.decimals("fee")
    in_base = table.words("fee_asset").is_(instrument.base)[rows] & (instrument.kind == "spot")
    opening, _ = opening_of(session, instrument, line)
    digits = max(qty.scale, fee.scale if in_base.any() else 0, _digits(opening.qty))
    sign = np.where(table.words("side").is_("buy")[rows], 1, -1)
    segments, repeats = restatements(table, rows, RIGHT, [])
    restated = np.zeros(len(rows), dtype=bool)
    restated[[n for n, _, _ in segments]] = True
    filled = np.where(repeats, 0, qty.at_scale(digits)[rows])
    base_fee = np.where(repeats | ~in_base, 0, fee.at_scale(digits)[rows] if in_base.any() else 0)
    life = _lives_of(session, rows, symbol)
    inverse, unit = instrument.kind == "inverse", 10**price.scale
    sizes, prices = filled.tolist(), price.ints[rows].tolist()
    if inverse:
        prices = [GUARD * unit // each if each else 0 for each in prices]
    values = [size * each for size, each in zip(sizes, prices, strict=True)]
    now: dict[int, tuple[int, int]] = {}
    for n, target, is_bust in segments:
        was = now.get(target, (sizes[target], values[target]))
        now[target] = (0, 0) if is_bust else (sizes[n], values[n])
        filled[n], values[n] = (new - old for new, old in zip(now[target], was, strict=True))
        life[n] = life[target]
    moved = filled * sign - base_fee
    return Executions(
        instrument, line, life=life, moved=moved, filled=filled,
        position=_running(int(opening.qty * 10**digits), moved), digits=digits, prices=price.ints[rows],
        price_unit=unit, values=values, value_unit=GUARD if inverse else unit, restated=restated,
        repeated=repeats & ~table.words("kind").is_("correction", "bust")[rows], of_fills=True,
    )  # fmt: skip


def _running(start: int, steps: Ints) -> Ints:
    """Return a start and the sums of it and the first steps."""
    wide = abs(start) + largest(steps) * len(steps) > INT64_MAX
    return np.cumsum(np.append(np.array([start], dtype=object if wide else np.int64), steps))


def _digits(value: Fraction) -> int:
    digits = 0
    while (value * 10**digits).denominator != 1:
        digits += 1
    return digits


def _lives_of(session: Session, rows: Rows, symbol: str) -> Rows:
    """Return the order of each fill: by its client_order_id, else by its order_id."""
    replayed, found = flow(session), np.full(len(rows), -1, dtype=np.int64)
    events, life = replayed.table, replayed.lives.life
    mine = events.words("symbol").is_(symbol)
    for column in ("client_order_id", "order_id"):
        ids = events.words(column)
        named = np.full(len(ids.dictionary) + 2, -1, dtype=np.int64)  # then: not there, empty
        named[ids.codes[mine]] = life[mine]
        named[-1] = -1
        found = np.where(found < 0, named[codes_in(session.table("fills", column).words(column), ids)[rows]], found)
    return found


def _claimed(session: Session, instrument: Instrument) -> Executions:
    table = session.table("positions", "ts_local", "symbol", "qty", "source")
    qty = table.decimals("qty")
    own = table.words("symbol").is_(instrument.symbol) & table.words("source").is_("bot") & qty.known
    line = timeline(session, table, own)
    opening, _ = opening_of(session, instrument, line)
    digits = max(qty.scale, _digits(opening.qty))
    start = narrow([int(opening.qty * 10**digits)])
    position = np.concatenate([start, qty.at_scale(digits)[line.rows]])
    none = np.zeros(len(line), dtype=np.int64)
    return Executions(
        instrument, line, life=none - 1, moved=np.diff(position), filled=none, position=position, digits=digits,
        prices=none, price_unit=1, values=none.tolist(), value_unit=1, restated=none > 0, repeated=none > 0,
        of_fills=False,
    )  # fmt: skip


# --- claims that move -------------------------------------------------------------------------------------------------


class Break(NamedTuple):
    """A claim that moved by something else than the reports did between it and the one before.

    Parameters
    ----------
    row, place : int
        Its row, and its place among the claims.
    since, until : int
        Counts of reports that the claim before knew at least, and that this one knows at most.
    offs : tuple of int
        By how much, in the units of the claims: several where equal times leave it open, the least first.
    is_right : bool
        Whether the claim itself is right: it makes good what was wrong before.
    """

    row: int
    place: int
    since: int
    until: int
    offs: tuple[int, ...]
    is_right: bool


def breaks(
    rows: Rows, claimed: Ints, low: Rows, high: Rows, should: Ints | Sequence[int], slack: int
) -> Iterator[Break]:
    """Yield the claims that moved by something else than the reports did.

    Parameters
    ----------
    rows : ndarray of int64, shape (k,)
        Rows of the claims, in order of time.
    claimed : ndarray of int, shape (k,)
        What each claims.
    low, high : ndarray of int64, shape (k,)
        The fewest and the most reports that each may know of.
    should : sequence of int, length m + 1
        What is right after each count of reports, in the units of `claimed`.
    slack : int
        What two claims may differ by, in the same units.
    """
    right = np.asarray(should)
    off = claimed - right[high]
    single = low == high
    plain = single.copy()
    plain[1:] &= single[:-1]
    plain[:1] &= np.asarray(np.abs(off[:1]) <= slack)
    plain[1:] &= np.asarray(np.abs(off[1:] - off[:-1]) <= slack)
    before, since, last = {0}, 0, -1
    for n in np.flatnonzero(~plain).tolist():
        if n - 1 > last:  # the one before is of a single count
            before, since = {int(off[n - 1])}, int(low[n - 1])
        now = {int(claimed[n]) - int(right[count]) for count in range(int(low[n]), int(high[n]) + 1)}
        agreed = {new for new in now if any(abs(new - old) <= slack for old in before)}
        if not agreed:
            offs = sorted({new - old for new in now for old in before}, key=lambda off: (abs(off), off))
            yield Break(int(rows[n]), n, since, int(high[n]), tuple(offs), any(abs(off) <= slack for off in now))
        before, since, last = agreed or now, int(low[n]), n


@dataclass(frozen=True, eq=False)
class Held:
    """The bot's claims of one symbol's position, beside its executions.

    Parameters
    ----------
    line : Timeline
        The claims, rows of `positions`.
    claimed : ndarray of int
        In units of ``10**-digits``.
    position : ndarray of int
        The executions' positions in the same units.
    low, high : ndarray of int64
        The fewest and the most reports that each claim may know of.
    slack : int
        Half a unit of the column's last digit (1e-9 of a float64), in the same units, rounded down.
    """

    line: Timeline
    claimed: Ints
    position: Ints
    digits: int
    low: Rows
    high: Rows
    slack: int

    def breaks(self) -> Iterator[Break]:
        """Yield the claims that moved by something else than the reports did."""
        return breaks(self.line.rows, self.claimed, self.low, self.high, self.position, 2 * self.slack)


@lru_cache(maxsize=64)
def held(session: Session, symbol: str) -> Held:
    """Read the bot's claims of one symbol's position."""
    known = executions(session, symbol)
    table = session.table("positions", "ts_local", "symbol", "qty", "source")
    qty = table.decimals("qty")
    own = table.words("symbol").is_(symbol) & table.words("source").is_("bot") & qty.known
    line = timeline(session, table, own)
    digits = max(qty.scale + 1, qty.digits + 1, known.digits)
    low, high = known.line.span(line.times)
    claimed = qty.at_scale(digits)[line.rows]
    slack = qty.tolerance(int(line.rows[np.argmax(np.abs(claimed))])) if len(line) else Fraction(0)
    position = times_power_of_ten(known.position, digits - known.digits)
    return Held(line, claimed, position, digits, low, high, int(slack * 10**digits))
