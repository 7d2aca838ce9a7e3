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

from mmverify.compiled import THREADS, compiled
from mmverify.numeric import Mask
from mmverify.replay.tape import CHUNK, Codes, Places, Tape, by_code, turns

NONE = -1  # a side without a level
_WINDOW = 4096  # levels below the last best that are looked at first


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
    loop = compiled(_walk, len(tape))
    if loop and loop(tape.code, tape.present, tape.bounds, tape.grid.span, out):
        return out
    stretches = tape.stretches()
    share = max(1, -(-len(stretches) // THREADS))
    with ThreadPoolExecutor(THREADS) as pool:
        parts = [stretches[place : place + share] for place in range(0, len(stretches), share)]
        list(pool.map(lambda part: _fill(tape, part, out), parts))
    return out


def _walk(code: Codes, present: Mask, bounds: Places, span: int, out: Codes) -> bool:
    """Fill in the best levels message by message; return False where it would look at too many levels."""
    alive = np.zeros(2 * span, dtype=np.bool_)
    bid, ask, patience = NONE, NONE, 4 * len(code) + 2 * span
    for step in range(len(bounds) - 1):
        for place in range(bounds[step], bounds[step + 1]):
            here, is_there = code[place], present[place]
            alive[here] = is_there
            bid = max(bid, here if is_there & (here < span) else NONE)
            ask = max(ask, here if is_there & (here >= span) else NONE)
        while bid > NONE and not alive[bid]:
            bid, patience = bid - 1, patience - 1
        while ask >= span and not alive[ask]:
            ask, patience = ask - 1, patience - 1
        out[0, step], out[1, step] = bid, ask if ask >= span else NONE
        if patience < 0:
            return False
    return True


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
    begin = end = done = 0
    for stop in stops.tolist():
        while done < stop:
            if done == end:  # so it is at first
                begin, end = end, min(end + CHUNK, len(tape))
                code = tape.code[begin:end].astype(np.int64)
                marks = np.arange(begin + 1, end + 1, dtype=np.int32) * tape.present[begin:end]
            some = slice(done - begin, min(stop, end) - begin)
            levels[code[some]] = marks[some]
            done = begin + some.stop
        yield levels


def looked_up(tape: Tape, stops: Places, spans: Places, code: Places) -> tuple[Codes, Places]:
    """Return the levels of some codes, and how many there are in some ranges, after as many changes as `stops` says.

    Parameters
    ----------
    tape : Tape
    stops : ndarray of int64, shape (k,)
        Counts of changes, rising.
    spans : ndarray of int64, shape (k, 6)
        Where the codes of each begin and end, then the first and the end of a range of bids, and of one of asks.
    code : ndarray of int64, shape (n,)
        Codes, or 2 * span for none.

    Returns
    -------
    found : ndarray of int32, shape (n,)
        As `states` has them.
    counts : ndarray of int64, shape (k, 2)
    """
    found, counts = np.zeros(len(code), dtype=np.int32), np.zeros((len(stops), 2), dtype=np.int64)
    loop = compiled(_look_up, len(tape))
    if loop:
        levels = np.zeros(2 * tape.grid.span + 1, dtype=np.int32)
        loop(tape.code, tape.present, stops, spans, code, levels, found, counts)
        return found, counts
    for n, levels in enumerate(states(tape, stops)):
        begin, end, bid, bids, ask, asks = spans[n].tolist()
        levels.take(code[begin:end], out=found[begin:end], mode="clip")
        counts[n] = np.count_nonzero(levels[bid:bids]), np.count_nonzero(levels[ask:asks])
    return found, counts


def _look_up(
    code: Codes, present: Mask, stops: Places, spans: Places, wanted: Places, levels: Codes, found: Codes,
    counts: Places,
) -> None:  # fmt: skip
    """Fill in the levels of codes and their counts, change by change."""
    place = 0
    for each in range(len(stops)):
        while place < stops[each]:
            levels[code[place]] = place + 1 if present[place] else 0
            place += 1
        for one in range(spans[each, 0], spans[each, 1]):
            found[one] = levels[wanted[one]]
        for side in range(2):
            total = 0
            for level in levels[spans[each, 2 + 2 * side] : spans[each, 3 + 2 * side]]:
                total += int(level != 0)
            counts[each, side] = total
