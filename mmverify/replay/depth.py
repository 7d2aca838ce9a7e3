"""A book at full depth over whole columns: the best prices after every message, and all levels after any.

Every change of every level counts. The best price of a side is the highest code that is there: a level is there from
the message that sets it to the one that removes it, and the highest of many such spans over each message is found for a
stretch of messages at once, by spans of 1, 2, 4, ... messages (a sparse table, filled from the worst price to the best
and read from the longest span down). Levels below one that stays through the whole stretch need not be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from mmverify.numeric import Mask
from mmverify.replay.tape import CHUNK, Codes, Places, Tape, by_code, turns

NONE = -1  # a side without a level
_WINDOW = 4096  # levels below the last best that are looked at first
_THREADS = 2  # each replays a part of the messages; NumPy lets them run side by side


def best(tape: Tape) -> Codes:
    """Return the best level of each side after every message.

    Parameters
    ----------
    tape : Tape

    Returns
    -------
    ndarray of int32, shape (2, steps)
        Codes of bid and ask, `NONE` for an empty side.
    """
    out = np.empty((2, tape.steps), dtype=np.int32)
    stretches = tape.stretches()
    share = max(1, -(-len(stretches) // _THREADS))
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = [stretches[place : place + share] for place in range(0, len(stretches), share)]
        list(pool.map(lambda part: _fill(tape, part, out), parts))
    return out


def _fill(tape: Tape, stretches: Sequence[tuple[int, int]], out: Codes) -> None:
    """Fill in the best levels over some stretches, from the book that is there before them."""
    bounds, span = tape.bounds, tape.grid.span
    alive = np.zeros(2 * span, dtype=bool)
    begin = int(bounds[stretches[0][0]])
    for start in range(0, begin, CHUNK):
        end = min(start + CHUNK, begin)
        alive[tape.code[start:end].astype(np.int64)] = tape.present[start:end]
    tops = [span - 1, 2 * span - 1]
    for first, last in stretches:
        start, end = int(bounds[first]), int(bounds[last])
        code, present = tape.code[start:end].astype(np.int64), tape.present[start:end]
        removed = code.take(np.flatnonzero(~present))
        was = alive.take(removed)
        alive[removed] = False
        lows = [_highest(alive, side * span, top + 1) for side, top in enumerate(tops)]
        alive[removed] = was
        step = np.bincount(bounds[first + 1 : last] - start, minlength=end - start + 1)[:-1].cumsum()
        for side, low in enumerate(lows):
            near = np.flatnonzero(code > max(low, span - 1) if side else (code > low) & (code < span))
            over = out[side, first:last]
            _stretch(code, present, step, near, low, alive, over)
            tops[side] = int(over[-1])
        alive[code] = present


def _highest(alive: Mask, low: int, high: int) -> int:
    """Return the highest code in [low, high) that is there, `NONE` where there is none."""
    width = _WINDOW
    while high > low:
        begin = max(low, high - width)
        place = alive[begin:high].tobytes().rfind(b"\1")
        if place >= 0:
            return begin + place
        high, width = begin, width * 4
    return NONE


def _stretch(code: Places, present: Mask, step: Places, near: Places, low: int, alive: Mask, out: Codes) -> None:
    """Fill in the best code of one side over a stretch: `low` is there throughout, `near` are the changes above it."""
    out[:] = low
    near = near.take(by_code(code.take(near)))
    level, kept = code.take(near), present.take(near)
    moved = turns(level, kept, alive)
    if not moved.size:
        return
    size, level, born = len(out), level.take(moved), kept.take(moved)
    at = step.take(near.take(moved))
    until = np.full(len(moved), size)
    same = level[1:] == level[:-1]
    until[:-1][same] = at[1:][same]
    # a level that is there at first ends with its first turn, one that is set begins with it
    first = np.append(True, ~same)
    start, end = np.where(born, at, 0), np.where(born, until, at * first)
    lasting = np.flatnonzero(end > start)
    if not lasting.size:
        return
    start, end = start.take(lasting), end.take(lasting)
    power = ((end - start).astype(np.float32).view(np.int32) >> 23) - 127  # floor of the logarithm
    table = np.full((int(power.max()) + 1, size), low, dtype=np.int32)
    row = power.astype(np.int64) * size
    # the better price comes later, and stays
    cells = np.empty((len(lasting), 2), dtype=np.int64)
    cells[:, 0] = row + start
    cells[:, 1] = row + end - (1 << power)
    table.ravel()[cells.ravel()] = np.repeat(level.take(lasting).astype(np.int32), 2)
    for half in range(len(table) - 1, 0, -1):
        longer, shorter, width = table[half], table[half - 1], 1 << (half - 1)
        np.maximum(shorter, longer, out=shorter)
        np.maximum(shorter[width:], longer[: size - width], out=shorter[width:])
    np.maximum(out, table[0], out=out)


def states(tape: Tape, stops: Places) -> Iterator[NDArray[np.int32]]:
    """Yield all levels after as many changes as each of `stops` says.

    Parameters
    ----------
    tape : Tape
    stops : ndarray of int64
        Counts of changes, rising.

    Yields
    ------
    ndarray of int32, shape (2 * span + 1,)
        By code: 1 and the place in the tape of the change that set the level, 0 where it is not there; the last is 0.
        The same array each time.
    """
    levels = np.zeros(2 * tape.grid.span + 1, dtype=np.int32)
    code, marks = np.empty(0, dtype=np.int64), levels[:0]  # of the changes in [begin, end)
    begin = end = done = 0
    for stop in stops.tolist():
        while done < stop:
            if done == end:
                begin, end = end, min(end + CHUNK, len(tape))
                code = tape.code[begin:end].astype(np.int64)
                marks = np.arange(begin + 1, end + 1, dtype=np.int32) * tape.present[begin:end]
            some = slice(done - begin, min(stop, end) - begin)
            levels[code[some]] = marks[some]
            done = begin + some.stop
        yield levels
