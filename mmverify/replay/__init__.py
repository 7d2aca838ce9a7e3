"""Replays: events in, the state after each of them out."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from numbers import Integral

from mmverify.errors import Undefined

Number = int | float | str | Decimal | Fraction
#: The contracts that a price and a quantity can be of.
KINDS = ("spot", "linear", "inverse", "quanto")


def exact(value: Number) -> Fraction:
    """Take a number as the decimal that it prints as: what decides (flat or not, full or not) must not hang on binary.

    Parameters
    ----------
    value : int, float, str, Decimal or Fraction
        A float counts as the shortest decimal that prints as it, so that 0.1 + 0.2 fills an order of 0.3.

    Returns
    -------
    Fraction
        The same number.

    Raises
    ------
    Undefined
        If it is None, NaN, infinite or not a number.
    """
    try:
        if isinstance(value, Integral):
            return Fraction(int(value))
        return Fraction(repr(float(value)) if isinstance(value, float) else value)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise Undefined(f"{value!r} is not a finite number") from error


def nanoseconds(value: int) -> int:
    """Take a time or a duration as whole nanoseconds.

    Parameters
    ----------
    value : int
        A float is refused: at the size of a time today it cannot tell 256 ns apart. [ns]

    Returns
    -------
    int
        The same number. [ns]

    Raises
    ------
    Undefined
        If it is not an integer.
    """
    if not isinstance(value, Integral):
        raise Undefined(f"{value!r} is not a whole number of nanoseconds")
    return int(value)
