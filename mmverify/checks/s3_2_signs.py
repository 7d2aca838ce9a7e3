"""The sides that trades may have by the tick rule and by Lee-Ready's, as far as the bot could know.

The tick rule goes by the order in which the trades came, or by the venue's order of those that had come. Lee-Ready's
mid is of any book that may be the last known at the trade, or of the newest that had come and that the venue stamped
strictly before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows, Timeline, Times, taken
from mmverify.checks.s3_1_feed import Feed
from mmverify.checks.s3_2_heard import STEP, Heard, extremes
from mmverify.formulas.rounding import scaled_integers
from mmverify.formulas.trade_sign import trade_signs
from mmverify.numeric import Ints, Mask, times_power_of_ten
from mmverify.replay.depth import NONE, best
from mmverify.session.load import Session, Table

Signs = NDArray[np.int8]


@dataclass(frozen=True, eq=False)
class Sides:
    """Which sides each of n trades may be on, and whether a rule leaves it open."""

    buy: Mask
    sell: Mask
    unknown: Mask


@dataclass(frozen=True, eq=False)
class Ticks:
    """The tick rule's sign of each report of a line: by order of arrival, and by the venue's of those that had come.

    `prices` are those of the line. A report at price 0 has no sign and makes none.
    """

    prices: Ints
    arrival: Signs
    stamped: Signs

    def sides(self, places: Rows) -> Sides:
        """Return the sides of the trades at these places."""
        one, other = self.arrival[places], self.stamped[places]
        return Sides((one > 0) | (other > 0), (one < 0) | (other < 0), (one == 0) | (other == 0))


def ticks(trades: Table, line: Timeline) -> Ticks:
    """Sign the reports of a line by the tick rule."""
    price, venue = trades.decimals("price").ints, trades.whole("ts_exchange")
    prices, sent, unsent = (taken(column, line.rows) for column in (price, venue.values, venue.missing))
    priced = np.asarray(np.greater(prices, 0), dtype=bool)
    own: Any = slice(None) if priced.all() else np.flatnonzero(priced)
    arrival = np.zeros(len(prices), dtype=np.int8)
    arrival[own] = _by_arrival(prices[own])
    stamped = arrival
    if unsent[own].any() or (sent[own][1:] < sent[own][:-1]).any():
        timed = np.flatnonzero(priced & ~unsent)
        rank = timed[np.argsort(sent[timed], kind="stable")]
        stamped = arrival.copy()
        stamped[rank] = _by_stamp(prices[rank], rank)
    return Ticks(prices, arrival, stamped)


def _by_arrival(prices: Ints) -> Signs:
    """Sign trades in the order in which they came, a part at a time."""
    signs = np.zeros(len(prices), dtype=np.int8)
    for start in range(0, len(prices), STEP):
        since = max(start - 1, 0)
        signs[since : start + STEP] = trade_signs(prices[since : start + STEP], int(signs[since]))
    return signs


def _by_stamp(prices: Ints, rank: Rows) -> Signs:
    """Sign trades in the venue's order, each by those that had come before it; `rank` is the place of their arrival."""
    signs = trade_signs(prices, 0).astype(np.int8)
    overtaken = np.flatnonzero(np.maximum.accumulate(rank) > rank)  # of which an earlier one came later
    run = np.flatnonzero(np.append(len(prices) > 0, prices[1:] != prices[:-1])[: len(prices)])
    start = np.repeat(run, np.diff(np.append(run, len(prices))))
    signs[overtaken] = 0
    at, left = overtaken - 1, np.arange(len(overtaken))
    while left.size:
        left = left[at[left] >= 0]
        own, before = overtaken[left], at[left]
        late = rank[before] > rank[own]
        told = ~late & (prices[before] != prices[own])
        signs[own[told]] = np.where(prices[own[told]] > prices[before[told]], 1, -1)
        at[left] = np.where(late, before, start[before]) - 1
        left = left[~told]
    return signs


@dataclass(frozen=True, eq=False)
class Mids:
    """The mids of a book.

    Parameters
    ----------
    feed : Feed
    scale : int
        Digits after the point in all prices here.
    bids, asks : ndarray of int
        Best prices of at least ``mid_min_qty`` after each of the feed's states, 0 for an empty side.
    timed : ndarray of int64
        The states that the venue stamped.
    stamps, come : ndarray of int64
        When it stamped each of these, and when each came. [ns]
    """

    feed: Feed
    scale: int
    bids: Ints
    asks: Ints
    timed: Rows
    stamps: Times
    come: Times

    @cached_property
    def twice(self) -> Ints:
        """Twice the mid of each state, 0 where there is none."""
        return np.where((self.bids > 0) & (self.asks > 0), self.bids + self.asks, 0)

    @cached_property
    def _bounds(self) -> Ints:
        """Twice the mid of each state, more than any where there is none."""
        return np.where(self.twice > 0, self.twice, self.twice.max(initial=0) + 1)

    @cached_property
    def _without(self) -> Rows:
        """How many of the first so many states have none."""
        return np.append(0, np.cumsum(self.twice == 0))

    @cached_property
    def _floor(self) -> Times:
        """The earliest stamp of each timed state and all after it."""
        return np.asarray(np.minimum.accumulate(self.stamps[::-1])[::-1])

    def stamped_before(self, sent: Times, came: Times) -> Rows:
        """Return, per trade, the newest state that had come and was stamped strictly before it, -1 for none."""
        counts = np.searchsorted(self.come, came, side="left")
        last = np.searchsorted(self._floor, sent, side="left") - 1
        at = np.minimum(last, counts - 1)
        left = np.flatnonzero((last >= counts) & (at >= 0))
        while left.size:
            left = left[self.stamps[at[left]] >= sent[left]]
            at[left] -= 1
            left = left[at[left] >= 0]
        return np.where(at >= 0, self.timed[np.maximum(at, 0)], -1) if len(self.timed) else at

    def sides(self, twice: Ints, low: Rows, high: Rows) -> tuple[Mask, Mask, Mask]:
        """Say whether trades at twice a price are above, below and at any mid of a range of states, or none is there.

        A range holds one state at least.
        """
        least, _ = extremes(self._bounds, low, high)
        _, greatest = extremes(self.twice, low, high)
        some = greatest > 0
        above = some & np.asarray(least < twice, dtype=bool)
        below = some & np.asarray(greatest > twice, dtype=bool)
        level = some & np.asarray((least == twice) | (greatest == twice), dtype=bool)
        return above, below, level | (self._without[high] > self._without[low])


def mids(heard: Heard, feed: Feed) -> Mids:
    """Find the mids of a market at a scale that its trades fit."""
    quoted, sent = feed.table.decimals("price"), feed.table.whole("ts_exchange")
    scale = max(heard.trades.decimals("price").scale, quoted.scale)
    codes = _best(heard.session, feed)[:, feed.states]
    levels = times_power_of_ten(np.where(codes == NONE, 0, feed.tape.grid.price(codes)), scale - quoted.scale)
    bids, asks = scaled_integers(*levels, terms=4)
    updates = feed.line.rows[feed.starts[feed.told.heard[feed.states]]]
    timed = np.flatnonzero(~sent.missing[updates])
    return Mids(feed, scale, bids, asks, timed, sent.values[updates[timed]], feed.times[feed.states[timed]])


def _best(session: Session, feed: Feed) -> NDArray[np.int32]:
    least = session.number("conventions", "mid_min_qty", 0) or 0
    qty = feed.table.decimals("qty")
    small = (feed.tape.row >= 0) & np.asarray(qty.ints[feed.tape.row] < -(-(least * 10**qty.scale) // 1), dtype=bool)
    return best(replace(feed.tape, present=feed.tape.present & ~small)) if small.any() else feed.best


def lee_ready_sides(heard: Heard, book: Mids, tick: Sides) -> Sides:
    """Return the sides by each mid that may be in force; at it, and without one, those of the tick rule."""
    above, below, at = (np.zeros(len(heard.rows), dtype=bool) for _ in range(3))
    price, venue = heard.trades.decimals("price"), heard.trades.whole("ts_exchange")
    for start in range(0, len(heard.rows), STEP):
        part = slice(start, start + STEP)
        reports, came = heard.reports[part], heard.line.times[heard.places[part]]
        (prices,) = scaled_integers(times_power_of_ten(price.ints[reports], book.scale - price.scale), terms=4)
        low, high = book.feed.span(came)
        stamped = book.stamped_before(venue.values[reports], came)
        known = (np.flatnonzero(high > low), np.flatnonzero((stamped >= 0) & ~venue.missing[reports]))
        spans = ((low[known[0]], high[known[0]]), (stamped[known[1]], stamped[known[1]] + 1))
        for which, span in zip(known, spans, strict=True):
            for out, found in zip((above, below, at), book.sides(2 * prices[which], *span), strict=True):
                out[part][which] |= found
    at |= ~(above | below | at)
    return Sides(above | (at & tick.buy), below | (at & tick.sell), at & tick.unknown)
