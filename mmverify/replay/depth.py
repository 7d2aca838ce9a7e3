"""A book at full depth over whole columns: the best prices after every message, and all levels after any.

Every change of every level counts. The best price of a side is the highest code that is there: a level is there from
the message that sets it to the one that removes it, and the highest of many such spans over each message is found for a
stretch of messages at once, by spans of 1, 2, 4, ... messages (a sparse table, filled from the worst price to the best
and read from the longest span down). Levels below one that stays through the whole stretch need not be looked at.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from mmverify.numeric import Mask
from mmverify.replay.tape import Codes, Places, Tape, by_code, turns

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
    fresh = np.flatnonzero(tape.step[1:] != tape.step[:-1]) + 1 if len(tape) else np.empty(0, dtype=np.int64)
    stages = len(fresh) + (len(tape) > 0)
    is_dense = stages == tape.steps
    stage = tape.step
    if not is_dense:
        stage = np.zeros(len(tape), dtype=np.int32)
        stage[fresh] = 1
        np.cumsum(stage, out=stage)
    out = np.full((2, stages), NONE, dtype=np.int32)
    span = tape.grid.span
    alive = np.zeros(2 * span, dtype=bool)
    tops = [NONE, NONE]
    for start, end in tape.chunks():
        code, present = tape.code[start:end], tape.present[start:end]
        first, last = int(stage[start]), int(stage[end - 1]) + 1
        removed = code.take(np.flatnonzero(~present))
        was = alive.take(removed)
        alive[removed] = False
        lows = [_highest(alive, side * span, top + 1) for side, top in enumerate(tops)]
        alive[removed] = was
        is_ask = code >= span
        for side, low in enumerate(lows):
            near = np.flatnonzero((is_ask if side else ~is_ask) & (code > low))
            over = out[side, first:last]
            _stretch(code, present, stage[start:end], near, low, alive, over)
            tops[side] = int(over[-1])
        alive[code] = present
    if is_dense:
        return out
    after = np.zeros(tape.steps, dtype=np.int64)
    after[tape.step.take(np.append(0, fresh)) if stages else fresh] = 1
    after = np.cumsum(after)
    return np.concatenate([np.full((2, 1), NONE, dtype=np.int32), out], axis=1)[:, after]


def _highest(alive: Mask, low: int, high: int) -> int:
    """Return the highest code in [low, high) that is there."""
    width = _WINDOW
    while high > low:
        part = alive[max(low, high - width) : high][::-1]
        place = int(part.argmax())
        if part[place]:
            return high - 1 - place
        high, width = high - len(part), width * 4
    return NONE


def _stretch(
    code: Codes, present: Mask, stage: NDArray[np.int32], near: Places, low: int, alive: Mask, out: Codes
) -> None:
    """Fill in the best code of one side over a stretch: `low` is there throughout, `near` are the changes above it."""
    out[:] = low
    order = by_code(code.take(near))
    near = near.take(order)
    level, kept = code.take(near), present.take(near)
    moved = turns(level, kept, alive)
    if not moved.size:
        return
    size, level, born = len(out), level.take(moved), kept.take(moved)
    at = np.zeros(len(moved) + 1, dtype=np.int64)
    at[:-1] = stage.take(near.take(moved))
    at[:-1] -= stage[0]
    same = np.zeros(len(moved) + 1, dtype=bool)
    np.equal(level[1:], level[:-1], out=same[1:-1])
    start = at[:-1] * born
    end = np.where(born, np.where(same[1:], at[1:], size), at[:-1] * ~same[:-1])
    lasting = np.flatnonzero(end > start)
    if not lasting.size:
        return
    start, end = start.take(lasting), end.take(lasting)
    power = (((end - start).astype(np.float32).view(np.int32) >> 23) - 127).astype(np.int64)  # floor of the logarithm
    table = np.full((int(power.max()) + 1, size), low, dtype=np.int32)
    cells = np.stack([power * size + start, power * size + end - (1 << power)], axis=1)
    table.ravel()[cells.ravel()] = np.repeat(level.take(lasting), 2)  # the better price comes later, and stays
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
    marks = np.arange(1, len(tape) + 1, dtype=np.int32)
    marks *= tape.present
    done = 0
    for stop in stops.tolist():
        if stop > done:
            levels[tape.code[done:stop]] = marks[done:stop]
            done = stop
        yield levels
