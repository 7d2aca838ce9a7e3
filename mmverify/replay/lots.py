r"""Lot matching on integers: the position, its cost and the realized gain after every fill.

A fill of signed quantity d at value v opens or closes lots. Closing c units (signed as the open lot) of a lot of value
w gains

.. math:: c (v - w)

The caller chooses what a value is: the scaled price for a linear contract, minus the scaled reciprocal of the price for
an inverse one (a long gains 1/entry - 1/exit). One code then serves both, and is exact on the integers that it is
given. ``fifo`` closes the oldest lot first, ``lifo`` the newest, ``average`` takes one lot at its mean value.

Whatever the convention, realized + position x v - cost at any v is the sum of d x (v - value of the fill): conventions
move gain between realized and unrealized, never make it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from operator import index

from mmverify.errors import Undefined


@dataclass(frozen=True)
class Running:
    """The state after each fill.

    Attributes
    ----------
    position : list[int], length n
        Signed open quantity, long > 0. [qty units]
    realized : list[int], length n
        Gain realized so far. [value x qty units]
    cost : list[int], length n
        Sum of signed open quantity x value of its lots. [value x qty units]
    """

    position: list[int]
    realized: list[int]
    cost: list[int]


def match(
    values: Iterable[int], deltas: Iterable[int], *, cost_basis: str, opening: tuple[int, int] | None = None
) -> Running:
    """Match fills into lots and keep the running position, cost and realized gain.

    Parameters
    ----------
    values : iterable of int, length n
        Value of each fill. [value units]
    deltas : iterable of int, length n
        Signed quantity of each fill, a buy > 0; 0 changes nothing. [qty units]
    cost_basis : {"fifo", "lifo", "average"}
        Which lot a closing fill takes.
    opening : tuple[int, int], optional
        Signed quantity and value of a lot that is open before the first fill.

    Returns
    -------
    Running
        Three lists of length n. Under fifo and lifo exact. Under average the cost of a part is rounded to an integer,
        half to even, once a reducing fill: realized and cost are then off by at most half a unit for each reducing fill
        since the position was last flat or turned, and by the same amount; a caller scales the values up until that is
        negligible.

    Raises
    ------
    Undefined
        If the cost basis is unknown.
    """
    if cost_basis not in ("fifo", "lifo", "average"):
        raise Undefined(f"cost basis {cost_basis!r} is not defined")
    start = (0, 0) if opening is None else (index(opening[0]), index(opening[1]))
    fills = zip(map(index, values), map(index, deltas), strict=True)
    if cost_basis == "average":
        return _match_average(fills, start)
    return _match_lots(fills, start, newest_first=cost_basis == "lifo")


def _match_lots(fills: Iterable[tuple[int, int]], start: tuple[int, int], *, newest_first: bool) -> Running:
    running = Running([], [], [])
    position, realized = start[0], 0
    cost = start[0] * start[1]
    lots = deque([start] if position else [])
    take, put_back = (lots.pop, lots.append) if newest_first else (lots.popleft, lots.appendleft)
    for value, left in fills:
        while left and position and (position < 0) != (left < 0):
            qty, entry = take()
            if abs(qty) > abs(left):
                put_back((qty + left, entry))
                qty = -left
            realized += qty * (value - entry)
            cost -= qty * entry
            position -= qty
            left += qty
        if left:
            lots.append((left, value))
            cost += left * value
            position += left
        running.position.append(position)
        running.realized.append(realized)
        running.cost.append(cost)
    return running


def _match_average(fills: Iterable[tuple[int, int]], start: tuple[int, int]) -> Running:
    running = Running([], [], [])
    position, realized = start[0], 0
    cost = start[0] * start[1]
    for value, delta in fills:
        if position and (position < 0) != (delta < 0):
            if abs(delta) < abs(position):
                part = _half_even(-delta * cost, position)
                realized -= delta * value + part
                cost -= part
            else:
                realized += position * value - cost
                cost = (position + delta) * value
        else:
            cost += delta * value
        position += delta
        running.position.append(position)
        running.realized.append(realized)
        running.cost.append(cost)
    return running


def _half_even(numerator: int, denominator: int) -> int:
    """Divide and round to the nearest integer, a half to the even one."""
    if denominator < 0:
        numerator, denominator = -numerator, -denominator
    quotient, rest = divmod(numerator, denominator)
    return quotient + (2 * rest > denominator or (2 * rest == denominator and quotient % 2 == 1))
