"""The level changes of one book in the order in which they take effect, as columns.

A level is a code: bids are numbered from the lowest price up, asks behind them from the highest price down, so that of
two codes of a side the higher is the better price. A snapshot that comes over an older book first takes its levels
away, a level that drops below the depth that a venue keeps up is taken away after the message that pushed it out: what
is applied is levels set and levels removed, nothing else.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from mmverify.compiled import compiled
from mmverify.numeric import Ints, Mask

Places = NDArray[np.int64]
Codes = NDArray[np.int32]

CHUNK = 65_536  # changes taken at a time: what they need stays in the processor's cache
_CELLS = 2**25  # prices of a grid; where they span more, only those that occur are numbered
_BITS = 16  # of a key that NumPy sorts by radix
_FEW = 4096  # changes of a book that are each taken back by a snapshot, without looking which are alive


@dataclass(frozen=True, eq=False)
class Grid:
    """Prices and their codes.

    Parameters
    ----------
    base : int
        Lowest price, a scaled integer.
    span : int
        Count of prices.
    listed : ndarray or None
        The prices, rising, where not every integer from `base` on is one.
    """

    base: int
    span: int
    listed: Ints | None

    @staticmethod
    def of(price: Ints, ends: tuple[int, int] | None = None) -> Grid:
        """Number the prices of a column, whose lowest and highest may be known."""
        low, high = ends or ((int(price.min()), int(price.max())) if len(price) else (0, 0))
        if price.dtype != object and high - low < _CELLS:
            return Grid(low, high - low + 1, None)
        listed = np.unique(price)
        return Grid(low, len(listed), listed)

    def rank(self, price: Ints) -> Places:
        """Return how many prices of the grid are below each of these."""
        if self.listed is not None:
            return np.searchsorted(self.listed, price).astype(np.int64)
        return np.asarray(np.clip(price - self.base, 0, self.span), dtype=np.int64)

    def has(self, price: Ints) -> Mask:
        """Return which of these prices are of the grid."""
        out: Mask = self.price(self.rank(price)) == price  # above them all stands the highest again, as an ask
        return out

    def codes(self, is_ask: Mask, price: Ints) -> Codes:
        """Return the codes of prices that are of the grid."""
        codes = np.empty(len(price), dtype=np.int32)
        loop = compiled(_number, len(price))
        if loop and self.listed is None and price.dtype == np.int64:
            loop(is_ask, price, self.base, self.span, codes)
            return codes
        for start in range(0, len(price), CHUNK):
            span = slice(start, start + CHUNK)
            ranks = price[span] - self.base if self.listed is None else self.rank(price[span])
            asks = is_ask[span]
            np.bitwise_xor(ranks.astype(np.int32), -asks.astype(np.int32), out=codes[span])  # -1 - rank for an ask
            codes[span] += asks * np.int32(2 * self.span)
        return codes

    def better(self, is_ask: Mask, floor: Ints, ceiling: Ints) -> Places:
        """Return the lowest code of each side that is a better price than one between these whole neighbours."""
        return np.where(is_ask, 2 * self.span - self.rank(ceiling), self.rank(floor + 1))

    def price(self, code: NDArray[np.integer]) -> Ints:
        """Return the prices of codes of either side, whatever a negative code is."""
        ranks = np.where(code < self.span, code, 2 * self.span - 1 - code.astype(np.int64))
        return self.base + ranks if self.listed is None else self.listed[ranks]


def _number(is_ask: Mask, price: Ints, base: int, span: int, codes: Codes) -> None:
    """Fill in the code of each price."""
    for place in range(len(price)):
        rank = price[place] - base
        codes[place] = 2 * span - 1 - rank if is_ask[place] else rank


@dataclass(frozen=True, eq=False)
class Tape:
    """Level changes of one book, n of them, in `steps` messages.

    Parameters
    ----------
    grid : Grid
    bounds : ndarray of int64, shape (steps + 1,)
        Place of the first change that takes effect with each message, rising, and the end.
    code : ndarray of int32, shape (n,)
    row : ndarray of int64, shape (n,)
        Where each was sent, -1 for one that nobody sent: a level that a snapshot or the depth took away.
    present : ndarray of bool, shape (n,)
        Whether the level is there after it.
    stops : ndarray of int64
        The place after the last change of each update, rising: a message that comes late brings others into effect
        behind it.
    """

    grid: Grid
    bounds: Places
    code: Codes
    row: Places
    present: Mask
    stops: Places

    def __len__(self) -> int:
        return len(self.code)

    @property
    def steps(self) -> int:
        """Count of messages."""
        return len(self.bounds) - 1

    def stretches(self) -> list[tuple[int, int]]:
        """Return ranges of messages, all of them, with about `CHUNK` changes each."""
        if not self.steps:
            return []
        inner = np.unique(np.searchsorted(self.bounds, np.arange(CHUNK, len(self), CHUNK)))
        cuts = [0, *inner[inner < self.steps].tolist(), self.steps]
        return list(pairwise(cuts))

    def until(self, steps: Places) -> Places:
        """Return how many changes have taken effect after each of these messages."""
        return self.bounds[steps + 1]

    def ends(self) -> Mask:
        """Return whether each change is the last of its update."""
        out = np.zeros(len(self), dtype=bool)
        out[self.stops[self.stops > 0] - 1] = True
        return out

    def with_removals(self, places: Places, codes: Codes, steps: Places) -> Tape:
        """Return the tape with levels taken away before each of these places, rising, with these messages."""
        if not len(places):
            return self
        return replace(
            self, bounds=self.bounds + np.searchsorted(steps, np.arange(len(self.bounds))),
            code=np.insert(self.code, places, codes), row=np.insert(self.row, places, -1),
            present=np.insert(self.present, places, False), stops=self.stops + np.searchsorted(places, self.stops),
        )  # fmt: skip


def by_code(code: Places) -> Places:
    """Return the stable order of codes."""
    if not len(code):
        return np.empty(0, dtype=np.int64)
    keys = code - code.min()
    order = np.argsort(keys.astype(np.uint16), kind="stable")  # by the low digits
    if keys.max() >> _BITS:
        order = order.take(np.argsort((keys >> _BITS).astype(np.uint16).take(order), kind="stable"))
    return order


def turns(code: Places, present: Mask, alive: Mask) -> Places:
    """Return which changes, in the order of `by_code`, set a level that was not there or remove one that was.

    Parameters
    ----------
    code, present : ndarray, shape (n,)
    alive : ndarray of bool
        By code: the levels that are there before them.
    """
    before = np.empty(len(code), dtype=bool)
    before[1:] = present[:-1]
    heads = np.flatnonzero(np.append(True, code[1:] != code[:-1])[: len(code)])
    before[heads] = alive.take(code.take(heads))
    return np.flatnonzero(present != before)


# --- snapshots --------------------------------------------------------------------------------------------------------


def renewed(tape: Tape, snapshots: Places, steps: Places) -> Tape:
    """Return the tape with the levels of the book before it taken away at each of these places.

    Parameters
    ----------
    tape : Tape
    snapshots : ndarray of int64
        Place of the first change of each snapshot, rising.
    steps : ndarray of int64
        Message with which each takes effect.
    """
    begins, steps = snapshots[snapshots > 0], steps[snapshots > 0]
    if not begins.size:
        return tape
    olds = np.append(0, begins[:-1])
    sizes = begins - olds
    few = sizes <= _FEW
    counts, starts = sizes[few], olds[few]
    taken = np.repeat(starts - (np.cumsum(counts) - counts), counts) + np.arange(int(counts.sum()))
    numbers, codes = [np.repeat(np.flatnonzero(few), counts)], [tape.code.take(taken)]
    seen = np.zeros(2 * tape.grid.span, dtype=bool)
    for number in np.flatnonzero(~few).tolist():
        sent = tape.code[int(olds[number]) : int(begins[number])]
        low, high = int(sent.min()), int(sent.max()) + 1
        seen[sent] = True
        levels = np.flatnonzero(seen[low:high]) + low
        seen[low:high] = False
        numbers.append(np.full(len(levels), number))
        codes.append(levels.astype(np.int32))
    of, code = np.concatenate(numbers), np.concatenate(codes)
    order = np.argsort(of, kind="stable")
    of = of.take(order)
    return tape.with_removals(begins.take(of), code.take(order), steps.take(of))


# --- depth ------------------------------------------------------------------------------------------------------------


def capped(tape: Tape, depth: int) -> Tape:
    """Return the tape with each level taken away that a message pushes below the levels that the venue keeps up.

    Parameters
    ----------
    tape : Tape
    depth : int
        Levels a side, > 0.
    """
    if not _is_crowded(tape, depth):
        return tape
    places, codes = list[int](), list[int]()
    for place, code in _pushed_out(tape, depth):
        places.append(place)
        codes.append(code)
    at = np.array(places)
    steps = np.searchsorted(tape.bounds, at - 1, side="right") - 1
    return tape.with_removals(at, np.array(codes), steps)


def _is_crowded(tape: Tape, depth: int) -> bool:
    """Say whether a side ever has more levels than this after a message."""
    span, ends = tape.grid.span, tape.ends()
    alive = np.zeros(2 * span, dtype=bool)
    counts = np.zeros((2, 1), dtype=np.int64)
    for start in range(0, len(tape), CHUNK):
        end = min(start + CHUNK, len(tape))
        code, present = tape.code[start:end].astype(np.int64), tape.present[start:end]
        order = by_code(code)
        level, kept = code.take(order), present.take(order)
        moved = turns(level, kept, alive)
        moves = np.zeros((2, end - start), dtype=np.int64)
        moves[(level.take(moved) >= span).astype(np.int64), order.take(moved)] = np.where(kept.take(moved), 1, -1)
        standing = counts + np.cumsum(moves, axis=1)
        if standing[:, ends[start:end]].max(initial=0) > depth:
            return True
        alive[code] = present
        counts = standing[:, -1:]
    return False


def _pushed_out(tape: Tape, depth: int) -> Iterator[tuple[int, int]]:
    """Yield each level that drops out, after the place of the change behind which it does."""
    span, ends = tape.grid.span, tape.ends()
    here = bytearray(2 * span)
    sides: tuple[list[int], list[int]] = ([], [])
    for start in range(0, len(tape), CHUNK):
        rows = zip(*(each[start : start + CHUNK].tolist() for each in (tape.code, tape.present, ends)), strict=True)
        for place, (code, present, is_last) in enumerate(rows, start + 1):
            if here[code] != present:
                here[code] = present
                side = sides[code >= span]
                if present:
                    insort(side, code)
                else:
                    del side[bisect_left(side, code)]
            if is_last:
                for side in sides:
                    while len(side) > depth:
                        here[side[0]] = 0
                        yield place, side.pop(0)
