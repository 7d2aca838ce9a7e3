"""The bot's own books, each held against what the venue had sent by then.

A look is held to every state of the venue's book that may have been the last known, of them to those at its seq where
it names one; a rule is broken where each of them breaks it. The newest is taken first, the others where that one fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np

from mmverify.checks.known import Rows, Times
from mmverify.checks.outages import outages
from mmverify.checks.s3_1_feed import Feed, feeds
from mmverify.checks.s3_1_looks import Looks, Sides, looks
from mmverify.numeric import Ints, Mask
from mmverify.replay.depth import NONE, looked_up, states
from mmverify.session.load import Session


@dataclass(frozen=True, eq=False)
class Held:
    """Looks held against states of the venue's book, p of each, with n places in all.

    Parameters
    ----------
    look, message : ndarray of int64, shape (p,)
    place, pair : ndarray of int64, shape (n,)
        Place in `Looks.rows`, and the pair that it is held in.
    found : ndarray of int64, shape (n,)
        Place in the tape of the change that set the level, -1 where the venue's book has none.
    swapped, missing, short : ndarray of bool, shape (p, 2)
        A side that is the venue's other one; that lacks a better level of the venue's than its worst; that is shorter
        than it was before though the venue has the levels.
    crossed : ndarray of bool, shape (p,)
        The best bid is above the best ask, and the venue's is not.
    judged, wrong : ndarray of bool, shape (n,)
        Places whose quantity is judged, and those where it is not the last one sent.
    """

    look: Rows
    message: Rows
    place: Rows
    pair: Rows
    found: Rows
    swapped: Mask
    missing: Mask
    short: Mask
    crossed: Mask
    judged: Mask
    wrong: Mask

    def breaks(self) -> Mask:
        """Return which pairs break any rule."""
        out = self.crossed | (self.swapped | self.missing | self.short).any(axis=1)
        out[self.pair[self.wrong]] = True
        return out


@dataclass(frozen=True, eq=False)
class View:
    """What came of a symbol's looks.

    Parameters
    ----------
    looks : Looks
    feed : Feed
    held : Held
        Every look that a book was there for, held against the newest state that it may have seen.
    kept : ndarray of int64, shape (k, 2)
        The most levels of each side of a look before each.
    whole : ndarray of bool, shape (k,)
        Looks at a book that nothing is missing of.
    crossed, swapped, wrong, missing, short : ndarray of int64
        Breaches that hold against every state: looks, groups (twice the look, and 1 for an ask), of `wrong` places.
    """

    looks: Looks
    feed: Feed
    held: Held
    kept: Sides
    whole: Mask
    crossed: Rows
    swapped: Rows
    wrong: Rows
    missing: Rows
    short: Rows

    def message(self, look: int) -> int:
        """Return the message after which the venue's book is what a look is held against."""
        return int(self.held.message[np.searchsorted(self.held.look, look)])

    def venue(self, look: int, side: int) -> list[tuple[Fraction, int]]:
        """Return the venue's levels of a side at a look, the best first: price, and row of the book that set it."""
        tape = self.feed.tape
        stop = tape.until(np.array([self.message(look)]))
        levels = next(states(tape, stop))[side * tape.grid.span : (side + 1) * tape.grid.span]
        there = np.flatnonzero(levels)[::-1]
        return [
            (self.feed.price(code + side * tape.grid.span), int(tape.row[int(levels[code]) - 1]))
            for code in there.tolist()
        ]


@lru_cache(maxsize=4)
def views(session: Session) -> tuple[View, ...]:
    """Hold every look of a session against the venue's book."""
    books = feeds(session)
    return tuple(_view(session, mine, books[mine.symbol]) for mine in looks(session) if mine.symbol in books)


def _view(session: Session, mine: Looks, feed: Feed) -> View:
    low, high = feed.span(mine.ts)
    known = np.flatnonzero(high > low)
    newest = _newest(mine, feed, known, low, high)
    intact = np.append(0, np.cumsum(feed.told.intact[feed.states]))
    whole = np.zeros(len(mine), dtype=bool)
    whole[known] = np.where(
        _named(mine, feed, known, newest), feed.told.intact[newest],
        intact[high[known]] - intact[low[known]] == high[known] - low[known],
    )  # fmt: skip
    whole &= ~_is_down(session, mine.ts)
    counted = np.maximum.accumulate(np.where(whole[:, None], mine.sizes, 0), axis=0)
    kept = np.concatenate([np.zeros((1, 2), dtype=np.int64), counted[:-1]])
    held = _held(mine, feed, known, newest, kept)
    doubtful = held.look[held.breaks() & ((high - low)[held.look] > 1)]
    pairs = [_candidates(mine, feed, look, low, high) for look in doubtful.tolist()]
    again = held
    if pairs:
        others = np.repeat(doubtful, [len(each) for each in pairs])
        again = _held(mine, feed, others, np.concatenate(pairs), kept)
    return View(mine, feed, held, kept, whole, *_breaches(mine, held, again, doubtful, whole))


def _named(mine: Looks, feed: Feed, look: Rows, message: Rows) -> Mask:
    """Say whether a state is at the seq that a look names."""
    numbered = feed.told.numbered[message]
    same = mine.numbered[look] == numbered
    return np.asarray(same & (~numbered | (mine.seq[look] == feed.told.seq[message])))


def _newest(mine: Looks, feed: Feed, known: Rows, low: Rows, high: Rows) -> Rows:
    """Return the newest state that each look may have seen, of those at its seq where there are any."""
    out = feed.states[high[known] - 1]
    left = np.flatnonzero(~_named(mine, feed, known, out))
    back = 1
    while left.size:
        back += 1
        left = left[high[known[left]] - back >= low[known[left]]]
        message = feed.states[high[known[left]] - back]
        named = _named(mine, feed, known[left], message)
        out[left[named]] = message[named]
        left = left[~named]
    return out


def _candidates(mine: Looks, feed: Feed, look: int, low: Rows, high: Rows) -> Rows:
    """Return every state that a look is held to."""
    found = feed.states[int(low[look]) : int(high[look])]
    named = found[_named(mine, feed, np.full(len(found), look), found)]
    return named if named.size else found


def _is_down(session: Session, ts: Times) -> Mask:
    """Say whether the market data channel was down at these times, and all that are redundant with it."""
    out = np.zeros(len(ts), dtype=bool)
    for outage in outages(session, "market_data") if session.has("connection") else ():
        out |= (ts > outage.start) & (outage.end is None or ts < outage.end)
    return out


def _held(mine: Looks, feed: Feed, look: Rows, message: Rows, kept: Sides) -> Held:
    tape, grid = feed.tape, feed.tape.grid
    counts = mine.sizes[look].sum(axis=1)
    stops = np.cumsum(counts)
    begins = stops - counts
    place = np.repeat(mine.bounds[2 * look] - begins, counts) + np.arange(int(counts.sum()))
    pair = np.repeat(np.arange(len(look)), counts)
    is_ask = mine.is_ask[place]
    floor, ceiling = _at_scale(mine.prices[place], mine.table.decimals("price").scale,
                               feed.table.decimals("price").scale)  # fmt: skip
    nowhere = 2 * grid.span
    on_grid = np.asarray(floor == ceiling, dtype=bool) & grid.has(floor)
    code = np.where(on_grid, grid.codes(is_ask, np.where(on_grid, floor, grid.base)), nowhere)
    other = np.where(on_grid, 2 * grid.span - 1 - code, nowhere)
    better = grid.better(is_ask, floor, ceiling)
    group = 2 * pair + is_ask  # as in `Looks`: the places of one are side by side
    firsts = np.flatnonzero(np.diff(group, prepend=-1))
    worst = np.full((len(look), 2), nowhere, dtype=np.int64)
    worst.ravel()[group[firsts]] = np.minimum.reduceat(better, firsts) if firsts.size else 0
    order = np.argsort(message, kind="stable")
    tops = feed.best[:, message] + 1
    spans = np.stack([begins, stops, worst[:, 0], tops[0], worst[:, 1], tops[1]], axis=1)
    beyond = np.zeros((len(look), 2), dtype=np.int64)
    found, beyond[order] = looked_up(tape, tape.until(message[order]), spans[order], code)
    # the venue's whole sides are looked at where one of the bot's is shorter than it was, or a level is not there
    doubtful: Mask = np.asarray((mine.sizes[look] < kept[look]).any(axis=1))
    doubtful[pair[found == 0]] = True
    order = order[doubtful[order]]
    opposite = np.zeros(len(place), dtype=np.int32)
    standing, lowest = (np.full((len(look), 2), NONE, dtype=np.int64) for _ in range(2))
    for n, levels in zip(order.tolist(), states(tape, tape.until(message[order])), strict=True):
        span = slice(begins[n], stops[n])
        opposite[span] = levels[other[span]]
        for side in (0, 1):
            of_side = np.greater(levels[side * grid.span : (side + 1) * grid.span], 0)
            standing[n, side] = np.count_nonzero(of_side)
            lowest[n, side] = side * grid.span + int(of_side.argmax())
    here: Mask = found > 0

    def count(which: Mask) -> Sides:
        return np.bincount(group[which], minlength=2 * len(look)).reshape(-1, 2)

    listed = count(here & (code >= worst.ravel()[group]) & ~mine.repeated[place])
    swapped = (count(opposite > 0) == mine.sizes[look]) & (count(here) < mine.sizes[look])
    judged = np.asarray(np.greater(floor, 0), dtype=bool) | np.asarray(np.greater(ceiling, 0), dtype=bool)
    if feed.depth is not None:
        judged &= here | (standing.ravel()[group] < feed.depth) | (better > lowest.ravel()[group])
    own: Rows = found.astype(np.int64)
    return Held(
        look, message, place, pair, own - 1, swapped=swapped, missing=beyond > listed,
        short=np.minimum(kept[look], standing) > mine.sizes[look], crossed=_crossed(mine, feed, look, message),
        judged=judged, wrong=judged & _differs(mine, feed, place, own),
    )  # fmt: skip


def _at_scale(prices: Ints, scale: int, wanted: int) -> tuple[Ints, Ints]:
    """Return the whole units of another scale at or below, and at or above, these prices."""
    if scale <= wanted:
        same = prices * 10 ** (wanted - scale)
        return same, same
    unit = 10 ** (scale - wanted)
    return prices // unit, -(-prices // unit)


def _crossed(mine: Looks, feed: Feed, look: Rows, message: Rows) -> Mask:
    """Say whether the best bid of each look is above its best ask and the venue's is not."""
    both = (mine.sizes[look] > 0).all(axis=1)
    firsts = np.minimum(mine.bounds[2 * look[:, None] + np.arange(2)], max(len(mine.rows) - 1, 0))
    prices = mine.prices[firsts]
    above = np.asarray(prices[:, 0] > prices[:, 1], dtype=bool)
    return np.asarray(both & above & ~feed.crossed[message])


def _differs(mine: Looks, feed: Feed, place: Rows, found: Rows) -> Mask:
    """Say whether each quantity is another than the venue's, or 0."""
    own, sent = mine.table.decimals("qty"), feed.table.decimals("qty")
    scale = max(own.scale, sent.scale)
    rows = feed.tape.row[np.maximum(found - 1, 0)] if len(feed.tape) else np.zeros(len(found), dtype=np.int64)
    claimed = own.at_scale(scale)[mine.rows[place]]
    should = np.where(found > 0, sent.at_scale(scale)[rows], 0)
    return np.asarray((claimed != should) | (claimed == 0), dtype=bool)


def _breaches(mine: Looks, held: Held, again: Held, doubtful: Rows, whole: Mask) -> Sequence[Rows]:
    """Return what holds against every state: crossed looks, swapped groups, wrong places, missing and short groups."""
    cleared: list[Mask] = []
    for name in ("crossed", "swapped", "wrong", "missing", "short"):
        size = len(mine) if name in ("crossed", "wrong") else 2 * len(mine)
        cleared.append(np.zeros(size, dtype=bool))
    if doubtful.size:
        group = 2 * again.look[:, None] + np.arange(2)
        wrong = np.zeros(len(again.look), dtype=bool)
        wrong[again.pair[again.wrong]] = True
        cleared[0][again.look[~again.crossed]] = True
        cleared[2][again.look[~wrong]] = True
        for n, broken in ((1, again.swapped), (3, again.missing), (4, again.short)):
            cleared[n][group[~broken]] = True
    group = 2 * held.look[:, None] + np.arange(2)
    counted = np.repeat(whole[held.look], 2).reshape(-1, 2)
    of_wrong = held.look[held.pair[held.wrong]]
    found: tuple[Rows, ...] = (
        held.look[held.crossed], group[held.swapped], held.place[held.wrong][~cleared[2][of_wrong]],
        group[held.missing & counted], group[held.short & counted],
    )  # fmt: skip
    return [each if n == 2 else each[~mask[each]] for n, (each, mask) in enumerate(zip(found, cleared, strict=True))]
