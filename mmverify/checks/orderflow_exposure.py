"""How far open orders may take a position: at each submit and replace_request, what rests and is pending beside it.

An order counts from the moment that it is sent until it is known to be done, with what is left of the larger of its
quantity and the one that it is to be replaced to. Screens are by all reports that were known at the row, at the latest;
where claim_lag_ms or an equal time leaves open how many those were, `Exposure.least` is the exact least.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows
from mmverify.checks.orderflow import Flow, flow
from mmverify.checks.orderflow_positions import Executions, executions
from mmverify.numeric import Ints, Mask, times_power_of_ten
from mmverify.session.load import Session, need_instruments

#: Parts of what is left of open orders: all; where a cancel is open; where a replace is, or nothing is answered yet.
PARTS = ("all", "canceling", "in_flight")


@dataclass(frozen=True)
class Resting:
    """One open order before a row: what is left of it and what is open beside it, quantities in units."""

    life: int
    direction: int
    reduce_only: bool
    most: int
    is_canceling: bool
    is_in_flight: bool


@dataclass(frozen=True, eq=False)
class Asks:
    """The submits of one symbol, and the replace requests to no smaller quantity, each beside all others that are open.

    Quantities are in units of ``10**-digits`` of the exposure; an order that is to be replaced is not among the others.

    Parameters
    ----------
    rows : ndarray of int64, shape (k,)
        Rows of `order_events`.
    direction : ndarray of int64
        +1 for a buy, -1 for a sell.
    reduce_only : ndarray of bool
    wanted, own : ndarray of int
        Its quantity, of a replace the larger of the two; what of that may still be filled.
    low, high : ndarray of int64
        The fewest and the most reports of the symbol that may have been known.
    position : ndarray of int
        Signed position by the most.
    plain, reducing : dict of str to ndarray of int
        What is left of the others of its side, by `PARTS`: of ordinary orders, of those that may only reduce.
    open_orders, of_intent : ndarray of int64
        How many others of the symbol are open, on both sides; how many of them of its intent.
    """

    rows: Rows
    direction: Rows
    reduce_only: Mask
    wanted: Ints
    own: Ints
    low: Rows
    high: Rows
    position: Ints
    plain: dict[str, Ints]
    reducing: dict[str, Ints]
    open_orders: Rows
    of_intent: Rows

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def is_exact(self) -> Mask:
        """Where it is known how many reports were known."""
        return np.asarray(self.low == self.high)

    def reach(self, plain: Ints | int, reducing: Ints | int) -> Ints:
        """Return how far position, some others of the same side and the order itself may go, towards its side.

        Parameters
        ----------
        plain, reducing : ndarray of int, or 0
            What is left of the others.
        """
        start = self.position * self.direction
        down = start + reducing + np.where(self.reduce_only, self.own, 0)
        up = plain + np.where(self.reduce_only, 0, self.own)
        return np.asarray(np.where(start >= 0, start, np.minimum(0, down)) + up)

    @property
    def alone(self) -> Ints:
        """`reach` with none of the others."""
        return self.reach(0, 0)

    @property
    def with_all(self) -> Ints:
        """`reach` with all others of its side."""
        return self.reach(self.plain["all"], self.reducing["all"])

    @property
    def without_canceling(self) -> Ints:
        """`reach` with those others of its side that no cancel is open of."""
        left = (each["all"] - each["canceling"] for each in (self.plain, self.reducing))
        return self.reach(*left)

    @property
    def with_in_flight(self) -> Ints:
        """`reach` with those others of its side that are in flight."""
        return self.reach(self.plain["in_flight"], self.reducing["in_flight"])


@dataclass(frozen=True, eq=False)
class Exposure:
    """The open orders of one symbol through the session: what every event and every fill changed.

    Parameters
    ----------
    flow : Flow
    executions : Executions
    digits : int
        Quantities are in units of ``10**-digits``.
    order : ndarray of int64, shape (e,)
        Numbers of the events by `key`; everything below is by life, and by `key` within one.
    key : ndarray of int64, shape (e,)
        Twice its row of `order_events` plus one; of a fill, twice the first row that knows it.
    life, row : ndarray of int64, shape (e,)
        The order; its newest row then, -1 before its first.
    filled, largest, left : ndarray of int, shape (e,)
        What the order had executed, the larger of its quantity and the one asked for, what may still be filled.
    is_open : ndarray of bool, shape (e,)
        Whether the order was open: sent, not known to be done, and something left of it.
    """

    flow: Flow
    executions: Executions
    digits: int
    order: Rows
    key: Rows
    life: Rows
    row: Rows
    filled: Ints
    largest: Ints
    left: Ints
    is_open: Mask

    @cached_property
    def _keys(self) -> Rows:
        return self.key[self.order]

    def _before(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return what values by life were at the event before, 0 at the first of a life."""
        out = np.zeros_like(values)
        out[1:] = np.where(self.life[1:] == self.life[:-1], values[:-1], out[1:])
        return out

    def total(self, rows: Rows, values: NDArray[Any], which: Mask) -> NDArray[Any]:
        """Return the sum of values of all lives just before some rows, those of `which` lives."""
        changes = (values - self._before(values)) * which[self.life]
        sums = np.append(np.zeros(1, dtype=changes.dtype), np.cumsum(changes[self.order]))
        return np.asarray(sums[np.searchsorted(self._keys, 2 * rows + 1)])

    def part(self, name: str) -> Ints:
        """Return what is left of each order, by life: all of it, or a part of `PARTS`."""
        if name == "all":
            return self.left
        flow = self.flow
        flag = flow.cancel_open if name == "canceling" else flow.replace_open | ~flow.is_answered
        return np.asarray(self.left * (flag[self.row] & (self.row >= 0)))

    def resting(self, rows: Rows, direction: int, *, reduce_only: bool = False) -> Ints:
        """Return what was left of the orders of one side just before some rows of any symbol."""
        which = (self.flow.direction == direction) & (self.flow.reduce_only == reduce_only)
        return self.total(rows, self.left, which)

    def position(self, rows: Rows) -> Ints:
        """Return the position by all reports that were known at some rows of any symbol."""
        return np.asarray(self._position[self.known(rows)])

    def known(self, rows: Rows) -> Rows:
        """Return how many reports of the symbol were known at some rows of any symbol, at most."""
        return self.executions.line.span(self.flow.heard[rows])[1]

    @cached_property
    def _position(self) -> Ints:
        return times_power_of_ten(self.executions.position, self.digits - self.executions.digits)

    @cached_property
    def asks(self) -> Asks:
        """What the bot asked the venue for, and what was open beside it."""
        flow = self.flow
        at = self._asking()
        rows = self.row[at]
        life, replaced = self.life[at], flow.lives.previous[rows] >= 0
        direction, reduce_only = flow.direction[life], flow.reduce_only[life]
        qty = _cells(flow, rows, self.digits)[1]
        filled, largest = self._before(self.filled)[at], self._before(self.largest)[at]
        wanted = np.where(replaced, np.maximum(qty, largest), qty)
        own = np.where(replaced, np.maximum(0, wanted - filled), qty)
        plain, reducing = {}, {}
        for name in PARTS:
            part = self.part(name)
            itself = self._before(part)[at]
            sums = {
                flag: {
                    side: self.total(rows, part, (flow.direction == side) & (flow.reduce_only == flag))
                    for side in (1, -1)
                }
                for flag in (False, True)
            }
            own_side = {flag: np.where(direction > 0, both[1], both[-1]) for flag, both in sums.items()}
            plain[name] = own_side[False] - np.where(reduce_only, 0, itself)
            reducing[name] = own_side[True] - np.where(reduce_only, itself, 0)
        is_open = self.is_open.astype(np.int64)
        itself = self._before(is_open)[at]
        everything = np.ones(len(flow.lives), dtype=bool)
        intent = flow.table.words("intent").codes[flow.lives.first]
        of_intent = np.zeros(len(rows), dtype=np.int64)
        for code in np.unique(intent[life]).tolist():
            mine = intent[life] == code
            of_intent[mine] = self.total(rows[mine], is_open, intent == code)
        low = self.executions.line.span(flow.ts[rows])[0]
        return Asks(
            rows, direction, reduce_only, wanted, own, low, self.known(rows), self.position(rows), plain, reducing,
            self.total(rows, is_open, everything) - itself, of_intent - itself,
        )  # fmt: skip

    def _asking(self) -> Rows:
        """Return the numbers of the events that are asks, in file order."""
        flow = self.flow
        rows = np.arange(len(flow))
        known, qty = _cells(flow, rows, self.digits)
        in_force = flow.lives.before(_cells(flow, flow.qty_at, self.digits)[1], 0)
        asks = known & (flow.is_("submit") | (flow.is_("replace_request") & np.asarray(qty >= in_force)))
        own = self.order[self._keys % 2 == 1]
        return np.asarray(own[asks[self.row[own]]])

    # Exactly

    def others(self, row: int) -> list[Resting]:
        """Return the open orders of the symbol before a row, its own aside."""
        flow, out = self.flow, []
        lives = np.unique(self.life)
        begun = lives[(flow.lives.first[lives] < row) & ((flow.done[lives] < 0) | (flow.done[lives] >= row))]
        for life in begun[begun != flow.lives.life[row]].tolist():
            at = flow.lives.newest(life, row)
            standing = flow.standing(at)
            if flow.is_done[at] or flow.is_foreign[life]:
                continue
            reports = self.executions.of_life(life)
            traded = bool((self.executions.line.times[reports] < flow.ts[row]).any())
            cells = np.array([flow.qty_at[at], flow.asked[at]])
            most = int(_cells(flow, cells, self.digits)[1].max())
            out.append(
                Resting(
                    life, int(flow.direction[life]), bool(flow.reduce_only[life]), most, standing.cancel_open,
                    standing.replace_open or not (standing.is_answered or traded),
                )
            )  # fmt: skip
        return out

    def least(self, ask: int, orders: Iterable[Resting]) -> int:
        """Return the least that an ask and these others of its side may reach, by all that may have been known of."""
        orders = list(orders)
        return self.reach_by(ask, orders, self.least_known(ask, orders))

    def least_known(self, ask: int, orders: Iterable[Resting]) -> int:
        """Return of how many reports, of all that may have been known, `least` is."""
        asks, orders = self.asks, list(orders)
        counts = range(int(asks.low[ask]), int(asks.high[ask]) + 1)
        return min(counts, key=lambda count: self.reach_by(ask, orders, count))

    def reach_by(self, ask: int, orders: Iterable[Resting], count: int) -> int:
        """Return how far an ask and these others of its side may go by the first reports."""
        asks, direction, row = self.asks, int(self.asks.direction[ask]), int(self.asks.rows[ask])
        own = self.own(ask, count)
        plain, reducing = (0, own) if asks.reduce_only[ask] else (own, 0)
        for order in orders:
            if order.direction == direction:
                left = self.rest(order.life, order.most, count, row)
                plain, reducing = (plain, reducing + left) if order.reduce_only else (plain + left, reducing)
        start = int(self._position[count]) * direction
        return (start if start >= 0 else min(0, start + reducing)) + plain

    def own(self, ask: int, count: int) -> int:
        """Return what may still be filled of an ask by the first reports."""
        row, wanted = int(self.asks.rows[ask]), int(self.asks.wanted[ask])
        if self.flow.lives.previous[row] < 0:
            return wanted
        return self.rest(int(self.flow.lives.life[row]), wanted, count, row)

    def rest(self, life: int, most: int, count: int, row: int) -> int:
        """Return what is left before a row, by the first reports, of an order of at most this quantity."""
        return max(0, most - self._filled(life, count, row))

    def _filled(self, life: int, count: int, row: int) -> int:
        if self.executions.of_fills:
            filled = self.executions.filled_by(np.array([life]), np.array([count]))
            return int(filled[0]) * int(10 ** (self.digits - self.executions.digits))
        at = int(self.flow.cum_at[self.flow.lives.newest(life, row)])
        return int(self.flow.table.decimals("cum_qty").at_scale(self.digits)[at]) if at >= 0 else 0


@lru_cache(maxsize=64)
def exposure(session: Session, symbol: str) -> Exposure:
    """Follow the open orders of one symbol.

    Parameters
    ----------
    session : Session
    symbol : str
        A symbol of the instruments.

    Returns
    -------
    Exposure

    Raises
    ------
    EvidenceError
        For an order event whose symbol has no instrument.
    """
    replayed, known = flow(session), executions(session, symbol)
    table, lives = replayed.table, replayed.lives
    need_instruments(session, "order_events", table.words("symbol"))
    qty, cum = table.decimals("qty"), table.decimals("cum_qty")
    digits = max(qty.scale, cum.scale, known.digits)
    of_symbol = table.words("symbol").is_(symbol)[lives.first]
    rows = np.flatnonzero(of_symbol[lives.life])
    most = known.line.span(replayed.heard)[1]
    reports = np.flatnonzero(known.life >= 0)
    key = np.concatenate([2 * rows + 1, 2 * np.searchsorted(most, reports, side="right")])
    life = np.concatenate([lives.life[rows], known.life[reports]])
    order = np.lexsort((key, life))
    key, life = key[order], life[order]
    size, is_row = len(key), np.append(np.ones(len(rows), dtype=bool), np.zeros(len(reports), dtype=bool))[order]
    first = np.flatnonzero(np.append(True, life[1:] != life[:-1])[:size])
    start = np.repeat(first, np.diff(np.append(first, size)))
    newest = np.maximum.accumulate(np.where(is_row, np.arange(size), -1))
    row = np.where(newest >= start, np.append(rows, np.full(len(reports), -1))[order][newest], -1)
    if known.of_fills:
        step = np.append(np.zeros(len(rows), dtype=np.int64), known.filled[reports])[order]
        sums = np.append(np.zeros(1, dtype=step.dtype), np.cumsum(step))
        filled = times_power_of_ten(sums[1:] - sums[start], digits - known.digits)
    else:
        at = replayed.cum_at[row]
        filled = np.where(at >= 0, cum.at_scale(digits)[at], 0)
    has_qty, units = _cells(replayed, replayed.qty_at[row], digits)
    largest = np.maximum(units, _cells(replayed, replayed.asked[row], digits)[1])
    live = (row >= 0) & ~replayed.is_done[row] & ~replayed.is_foreign[life]
    left = np.where(live, np.maximum(0, largest - filled), 0)
    is_open = live & (~has_qty | np.asarray(left > 0))
    by_key = np.argsort(key, kind="stable")
    return Exposure(replayed, known, digits, by_key, key, life, row, filled, largest, left, is_open)


def _cells(flow: Flow, at: Rows, digits: int) -> tuple[Mask, Ints]:
    qty = flow.table.decimals("qty")
    has = (at >= 0) & qty.known[at]
    return has, np.where(has, qty.at_scale(digits)[at], 0)
