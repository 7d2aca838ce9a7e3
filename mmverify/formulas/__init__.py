"""The formulas: numbers in, numbers out; one file each, to be read from top to bottom without another.

Each file defines its formula twice, as an exact oracle and as a fast kernel that shares nothing with it, and ends in a
`Formula` that carries both with one example worked by hand. The folder is the registry: `formulas` walks it.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from numbers import Integral
from typing import Any

from mmverify.errors import Undefined

Number = int | float | str | Decimal | Fraction
#: The contracts that a price and a quantity can be of.
KINDS = ("spot", "linear", "inverse", "quanto")


@dataclass(frozen=True)
class Example:
    """One case worked by hand.

    Attributes
    ----------
    text : str
        What happens, in one sentence.
    inputs : Mapping[str, Any]
        Keyword arguments, the same for the oracle and the kernel.
    steps : tuple[str, ...]
        The arithmetic: symbols, then numbers, then the result, with all digits that matter.
    result : str
        The result as a decimal or a fraction; of a list, its last element.
    """

    text: str
    inputs: Mapping[str, Any]
    steps: tuple[str, ...]
    result: str


@dataclass(frozen=True)
class Formula:
    """A formula, its two implementations and what is known about them.

    Attributes
    ----------
    name : str
        Name of the kernel, and of the function that a bot exposes.
    tex : str
        The definition in TeX, without delimiters.
    units : Mapping[str, str]
        Unit of each input and of ``return``.
    exact, fast : Callable[..., Any]
        The oracle and the kernel; both take the same arguments.
    error_bound : str
        How far the kernel may be from the oracle, in words.
    items : tuple[str, ...]
        Items of the review that the formula serves.
    example : Example
        One case worked by hand.
    """

    name: str
    tex: str
    units: Mapping[str, str]
    exact: Callable[..., Any]
    fast: Callable[..., Any]
    error_bound: str
    items: tuple[str, ...]
    example: Example


def formulas() -> dict[str, Formula]:
    """Find every formula of this folder.

    Returns
    -------
    dict[str, Formula]
        By name, in the order of the files and, in a file, of the definitions.
    """
    found: dict[str, Formula] = {}
    for module in pkgutil.iter_modules(__path__):
        for value in vars(importlib.import_module(f"{__name__}.{module.name}")).values():
            if isinstance(value, Formula):
                found[value.name] = value
    return found


def rational(value: Number) -> Fraction:
    """Take a number as the fraction that it is; for the oracles, no kernel calls it.

    Parameters
    ----------
    value : int, float, str, Decimal or Fraction
        A float counts as the binary fraction that it holds; text may be a decimal or ``"302/3"``.

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
        return Fraction(int(value)) if isinstance(value, Integral) else Fraction(value)
    except (TypeError, ValueError, ArithmeticError) as error:
        raise Undefined(f"{value!r} is not a finite number") from error
