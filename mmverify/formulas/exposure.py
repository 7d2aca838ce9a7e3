r"""Worst-case position: what it becomes if all open orders of one side fill and none of the other.

.. math:: \text{long} = x + \sum_{\text{buy}} q_i, \qquad \text{short} = x - \sum_{\text{sell}} q_i

with position x, long > 0, and what is left of each order, q. An order counts from the moment that it is sent until it
is known to be done: pending, pending cancel and pending replace too. Neither end is clamped at 0: a long position that
all sales together do not close has a worst short above 0.

Undefined, and an error: a negative quantity, a NaN, an unknown side. It does not depend on the order of the orders, nor
on how a quantity is split among them.

References
----------
Binance, spot API documentation, "Filters": MAX_POSITION, which counts open buy orders; FIA (2024), "Best Practices for
Automated Trading Risk Controls and System Safeguards": maximum position limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from operator import index

from mmverify.errors import Undefined
from mmverify.formulas import Example, Formula, Number, rational


def exposure_exact(position: Number, open_orders: Sequence[tuple[str, Number]]) -> tuple[Fraction, Fraction]:
    """Compute both ends by the definition.

    Parameters
    ----------
    position : Number
        Position, signed, long > 0. [base or contracts]
    open_orders : Sequence[tuple[str, Number]]
        Side (``buy`` or ``sell``) and leaves quantity, >= 0 [base or contracts], of each order.

    Returns
    -------
    tuple[Fraction, Fraction]
        Worst long and worst short position, both signed, exact. [base or contracts]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    longest = shortest = rational(position)
    for side, leaves in open_orders:
        qty = rational(leaves)
        if side not in ("buy", "sell") or qty < 0:
            raise Undefined(f"an open order of side {side!r} and quantity {qty} is not defined")
        if side == "buy":
            longest += qty
        else:
            shortest -= qty
    return longest, shortest


def exposure(position: int, open_orders: Sequence[tuple[str, int]]) -> tuple[int, int]:
    """Compute both ends in scaled integers.

    Parameters
    ----------
    position : int
        Position, signed, long > 0. [lots]
    open_orders : Sequence[tuple[str, int]]
        Side (``buy`` or ``sell``) and leaves quantity, >= 0 [lots], of each order.

    Returns
    -------
    tuple[int, int]
        Worst long and worst short position, both signed, exact. [lots]

    Raises
    ------
    Undefined
        If an input is outside its domain.
    """
    left: dict[str, list[int]] = {"buy": [0], "sell": [0]}
    try:
        start = index(position)
        for side, leaves in open_orders:
            left[side].append(index(leaves))
    except (KeyError, TypeError) as error:
        raise Undefined("exposure needs whole lots, and sides buy and sell") from error
    if min(map(min, left.values())) < 0:
        raise Undefined("exposure needs quantities not below 0")
    return start + sum(left["buy"]), start - sum(left["sell"])


EXPOSURE = Formula(
    name="exposure",
    tex=r"\text{long} = x + \sum_{\text{buy}} q_i, \quad \text{short} = x - \sum_{\text{sell}} q_i",
    units={"position": "base", "open_orders": "(side, base)", "return": "base"},
    exact=exposure_exact,
    fast=exposure,
    error_bound="none: scaled integers",
    items=("1.2.2", "1.2.6", "1.4.3", "2.4.4", "5.1.2"),
    example=Example(
        text="Long 3, with 2 and 1 bid and 4 offered.",
        inputs={"position": 3, "open_orders": [("buy", 2), ("sell", 4), ("buy", 1)]},
        steps=(
            "worst long = 3 + 2 + 1 = 6",
            "worst short = 3 - 4 = -1",
        ),
        result="-1",
    ),
)
