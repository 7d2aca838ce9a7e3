"""How near a result is to the exact one, and whether that is near enough."""

from __future__ import annotations

import math
import sys
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

from mmverify import vectors
from mmverify.conformance.oracles import Either
from mmverify.formulas import rational
from mmverify.formulas.rounding import as_printed

_NOISE = Fraction(1, 10**9)  # of a price: less than any tick, more than any rounding


def agrees(expected: Any, got: Any, *, scale: Any = None, direct: bool = True, floor: Any = 0) -> bool:
    """Say whether a result is as near to the exact one as the contract asks.

    Parameters
    ----------
    expected : Any
        The exact answer; `Either` for several, None for one that is not defined.
    got : Any
        What the target gave.
    scale : Number, optional
        Size of the terms that the answer is a sum or difference of.
    direct : bool
        Whether there is no logarithm, root or quotient before the last step, so that a Decimal can be exact.
    floor : Number
        What a float may be off in any case.

    Returns
    -------
    bool
    """
    if isinstance(expected, Either):
        return got is None or any(agrees(each, got, scale=scale, direct=direct, floor=floor) for each in expected)
    if isinstance(expected, list | tuple):
        return isinstance(got, list) and len(got) == len(expected) and all(
            agrees(e, g, scale=scale, direct=direct, floor=floor) for e, g in zip(expected, got, strict=True)
        )  # fmt: skip
    if expected is None:
        return got is None or got != got
    if isinstance(expected, bool | str) or isinstance(got, bool | str) or got is None or isinstance(got, list):
        return type(expected) is type(got) and bool(expected == got)
    if got != got or got in (math.inf, -math.inf):
        return False
    if isinstance(expected, int) or not isinstance(got, float | Decimal):
        return Fraction(got) == Fraction(expected)
    kind: Literal["decimal", "float"] = "float" if isinstance(got, float) else "decimal"
    return vectors.agrees(expected, got, number=kind, scale=rational(scale or 0), floor=floor, rounded=not direct)


def number(*values: Any) -> bool:
    """Say whether all of them are finite numbers."""
    return all(isinstance(v, int | float | Decimal | Fraction) and math.isfinite(v) for v in values)


def sound(*values: Any) -> bool:
    """Say whether all of them are numbers above 0."""
    return number(*values) and all(value > 0 for value in values)


def near(expected: Any, got: Any) -> bool:
    """Say whether a result, or each of a list, is off by rounding alone."""
    pairs = (
        zip(expected, got, strict=False)
        if isinstance(expected, list | tuple) and isinstance(got, list)
        else [(expected, got)]
    )
    return all(number(g) and abs(Fraction(g) - e) <= _NOISE * abs(e) for e, g in pairs)


def noisy(expected: Any, got: Any) -> bool:
    """Say whether a price is a hair off the right one, with more digits than that."""
    return near(expected, got) and _longer(expected, got)


def _longer(expected: Any, got: Any) -> bool:
    """Say whether a price has more digits after the point than the right one."""
    pairs = zip(expected, got, strict=False) if isinstance(expected, list | tuple) else [(expected, got)]
    places = [(_places(Fraction(e)), _places(as_printed(g))) for e, g in pairs]
    return any(got_places > right or right == sys.maxsize for right, got_places in places)


def _places(value: Fraction) -> int:
    """Return how many digits after the point a decimal has."""
    rest, places = value.denominator, 0
    while rest > 1:
        if math.gcd(rest, 10) == 1:
            return sys.maxsize
        rest, places = rest // math.gcd(rest, 10), places + 1
    return places
