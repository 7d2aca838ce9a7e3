"""The sides that trades may have by the tick rule and by Lee-Ready's, as far as the bot could know.

The tick rule goes by the order in which the trades came, or by the venue's order of those that had come. Lee-Ready's
mid is of any book that may be the last known at the trade, or of the newest that had come and that the venue stamped
strictly before it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.known import Rows, Timeline, Times
from mmverify.checks.s3_1_feed import Feed
from mmverify.checks.s3_2_heard import Heard, extremes
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
    venue = trades.whole("ts_exchange")
    prices = trades.decimals("price").ints[line.rows]
    priced = np.flatnonzero(prices > 0)
    arrival = np.zeros(len(prices), dtype=np.int8)
    arrival[priced] = trade_signs(prices[priced], 0)
    stamped = arrival.copy()
    timed = priced[~venue.missing[line.rows[priced]]]
    rank = timed[np.argsort(venue.values[line.rows[timed]], kind="stable")]
    if len(timed) < len(priced) or (rank[1:] < rank[:-1]).any():
        stamped[rank] = _by_stamp(prices[rank], rank)
    return Ticks(prices, arrival, stamped)


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
    """Twice the mid after each state of a book beside twice the prices of trades, at one scale; 0 where there is none.

    Parameters
    ----------
    feed : Feed
    scale : int
        Digits after the point in all prices here.
    prices : ndarray of int
        Twice the price of each of n trades.
    bids, asks : ndarray of int
        Best prices of at least ``mid_min_qty`` after each of the feed's states, 0 for an empty side.
    low, high : ndarray of int64, shape (n,)
        The states that may be the last known at each trade.
    stamped : ndarray of int64, shape (n,)
        The newest state that had come and that the venue stamped before the trade, -1 for none.
    """

    feed: Feed
    scale: int
    prices: Ints
    bids: Ints
    asks: Ints
    low: Rows
    high: Rows
    stamped: Rows

    @property
    def twice(self) -> Ints:
        """Twice the mid of each state."""
        return np.where((self.bids > 0) & (self.asks > 0), self.bids + self.asks, 0)


def mids(heard: Heard, feed: Feed) -> Mids:
    """Find the books in force at the trades of a market."""
    price, quoted = heard.trades.decimals("price"), feed.table.decimals("price")
    scale = max(price.scale, quoted.scale)
    codes = _best(heard.session, feed)[:, feed.states]
    levels = times_power_of_ten(np.where(codes == NONE, 0, feed.tape.grid.price(codes)), scale - quoted.scale)
    p, bids, asks = scaled_integers(price.at_scale(scale)[heard.reports], *levels, terms=4)
    low, high = feed.span(heard.line.times[heard.places])
    return Mids(feed, scale, 2 * p, bids, asks, low, high, _stamped_before(heard, feed))


def _best(session: Session, feed: Feed) -> NDArray[np.int32]:
    least = session.number("conventions", "mid_min_qty", 0) or 0
    qty = feed.table.decimals("qty")
    small = (feed.tape.row >= 0) & np.asarray(qty.ints[feed.tape.row] < -(-(least * 10**qty.scale) // 1), dtype=bool)
    return best(replace(feed.tape, present=feed.tape.present & ~small)) if small.any() else feed.best


def _stamped_before(heard: Heard, feed: Feed) -> Rows:
    out = np.full(len(heard.rows), -1, dtype=np.int64)
    venue, sent = heard.trades.whole("ts_exchange"), feed.table.whole("ts_exchange")
    updates = feed.line.rows[feed.starts[feed.told.heard[feed.states]]]
    timed = np.flatnonzero(~sent.missing[updates])
    stamps = sent.values[updates[timed]]
    if not timed.size:
        return out
    own = np.flatnonzero(~venue.missing[heard.reports])
    stamp = venue.values[heard.reports[own]]
    come = np.searchsorted(feed.times[feed.states[timed]], heard.line.times[heard.places[own]], side="left")
    at = _newest_below(stamps, stamp, come)
    out[own] = np.where(at >= 0, timed[np.maximum(at, 0)], -1)
    return out


def _newest_below(stamps: Times, limits: Times, counts: Rows) -> Rows:
    """Return, per limit, the last of the first so many stamps that is below it, -1 for none."""
    floor = np.minimum.accumulate(stamps[::-1])[::-1]  # of each and all after it
    last = np.searchsorted(floor, limits, side="left") - 1
    at = np.minimum(last, counts - 1)
    left = np.flatnonzero((last >= counts) & (at >= 0))
    while left.size:
        left = left[stamps[at[left]] >= limits[left]]
        at[left] -= 1
        left = left[at[left] >= 0]
    return at


def lee_ready_sides(book: Mids, tick: Sides) -> Sides:
    """Return the sides by each mid that may be in force; at it, and without one, those of the tick rule."""
    n = len(book.prices)
    below, above, at = (np.zeros(n, dtype=bool) for _ in range(3))
    twice, none = book.twice, np.append(0, np.cumsum(book.twice == 0))
    known = (np.flatnonzero(book.high > book.low), np.flatnonzero(book.stamped >= 0))
    spans = ((book.low[known[0]], book.high[known[0]]), (book.stamped[known[1]], book.stamped[known[1]] + 1))
    for which, (low, high) in zip(known, spans, strict=True):
        least, _ = extremes(np.where(twice > 0, twice, twice.max(initial=0) + 1), low, high)
        _, greatest = extremes(twice, low, high)
        price, some = book.prices[which], greatest > 0
        below[which] |= some & np.asarray(least < price, dtype=bool)
        above[which] |= some & np.asarray(greatest > price, dtype=bool)
        at[which] |= (none[high] > none[low]) | (some & np.asarray((least == price) | (greatest == price), dtype=bool))
    at |= ~(below | above | at)
    return Sides(below | (at & tick.buy), above | (at & tick.sell), at & tick.unknown)
