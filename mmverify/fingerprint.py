"""Which convention a bot computes by, read off its inputs and outputs alone.

Every combination of the conventions in which the field disagrees is computed from the inputs; those that give every
output to its last digit are what the bot may be doing. One is an answer; several mean that the cases do not tell them
apart; none, that the bot does something else.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

from mmverify.errors import Undefined, UsageError
from mmverify.formulas import rational
from mmverify.formulas.ema import ema_exact
from mmverify.formulas.pnl import realized_pnl_exact, unrealized_pnl_exact
from mmverify.formulas.returns import returns_exact, volatility_exact

Convention = dict[str, str]
Formula = Callable[[Mapping[str, Any]], Any]

_FLOAT = Fraction(1, 10**12)  # of a float output: its last digits are the kernel's own
_YEARS = {"252 days": 252, "260 days": 260, "365 days": 365, "not annualized": 0}
_DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
class Case:
    """What went into a bot's function once, and what came out."""

    inputs: Mapping[str, Any]
    output: Any


def _emas() -> Iterator[tuple[Convention, Formula]]:
    weights: dict[str, Callable[[Fraction], Fraction]] = {
        "2 / (span + 1)": lambda span: 2 / (span + 1), "1 / span": lambda span: 1 / span,
    }  # fmt: skip
    for init, (words, weight) in product(("first", "adjusted", "sma"), weights.items()):

        def values(given: Mapping[str, Any], init: str = init, weight: Callable[[Fraction], Fraction] = weight) -> Any:
            if init != "sma":
                return ema_exact(given["values"], alpha=weight(rational(given["span"])), init=init)
            return _seeded(given["values"], weight(rational(given["span"])), int(given["span"]))

        yield {"ema_init": init, "alpha": words}, values


def _seeded(values: Sequence[Any], alpha: Fraction, n: int) -> list[Fraction | None]:
    """EMA started by the mean of the first `n`, with any weight."""
    out: list[Fraction | None] = []
    for place, value in enumerate(map(rational, values)):
        last = out[-1] if out else None
        if last is not None:
            out.append(last + alpha * (value - last))
        else:
            out.append(sum(map(rational, values[:n]), Fraction(0)) / n if place == n - 1 else None)
    return out


def _returns() -> Iterator[tuple[Convention, Formula]]:
    def values(given: Mapping[str, Any], kind: str) -> Any:
        return returns_exact(given["prices"], kind=kind)

    for kind in ("log", "simple"):
        yield {"volatility": kind}, partial(values, kind=kind)


def _volatilities() -> Iterator[tuple[Convention, Formula]]:
    def value(given: Mapping[str, Any], kind: str, ddof: int, days: int) -> Any:
        periods = Fraction(days * _DAY_NS, int(given.get("period_ns", _DAY_NS))) if days else 1
        return volatility_exact(given["prices"], kind=kind, ddof=ddof, periods_per_year=periods)

    for kind, ddof, (words, days) in product(("log", "simple"), (1, 0), _YEARS.items()):
        yield {"volatility": kind, "ddof": str(ddof), "year": words}, partial(value, kind=kind, ddof=ddof, days=days)


def _realized() -> Iterator[tuple[Convention, Formula]]:
    def value(given: Mapping[str, Any], basis: str, kind: str) -> Any:
        return realized_pnl_exact(given["fills"], cost_basis=basis, kind=kind, multiplier=given.get("multiplier", 1))

    for basis, kind in product(("fifo", "lifo", "average"), ("linear", "inverse")):
        yield {"cost_basis": basis, "kind": kind}, partial(value, basis=basis, kind=kind)


def _unrealized() -> Iterator[tuple[Convention, Formula]]:
    def value(given: Mapping[str, Any], price: str, kind: str) -> Any:
        multiplier = given.get("multiplier", 1)
        return unrealized_pnl_exact(given["qty"], given["avg_px"], given[price], kind=kind, multiplier=multiplier)

    for price, kind in product(("mark", "index", "last", "mid", "bid", "ask"), ("linear", "inverse")):
        yield {"unrealized_price": price, "kind": kind}, partial(value, price=price, kind=kind)


def _rounded() -> Iterator[tuple[Convention, Formula]]:
    def value(given: Mapping[str, Any], way: Callable[[Fraction], int]) -> Any:
        return way(rational(given["price"]) / rational(given["tick"])) * rational(given["tick"])

    ways: dict[str, Callable[[Fraction], int]] = {
        "down": math.floor, "up": math.ceil, "toward zero": math.trunc, "half even": round,
        "half up": lambda ticks: math.floor(ticks + Fraction(1, 2)),
    }  # fmt: skip
    for words, way in ways.items():
        yield {"rounding": words}, partial(value, way=way)


def _fees() -> Iterator[tuple[Convention, Formula]]:
    def value(given: Mapping[str, Any], asset: str) -> Any:
        in_base = rational(given["qty"]) * rational(given["rate"])
        in_quote = in_base * rational(given["price"])
        return {"base": in_base, "quote": in_quote}.get(asset) or in_quote / rational(given["third_price"])

    for asset in ("quote", "base", "third"):
        yield {"fee_asset": asset}, partial(value, asset=asset)


_NAMES: dict[str, Callable[[], Iterator[tuple[Convention, Formula]]]] = {
    "ema": _emas, "returns": _returns, "volatility": _volatilities, "realized_pnl": _realized,
    "unrealized_pnl": _unrealized, "round_price": _rounded, "fee": _fees,
}  # fmt: skip


def fingerprint(name: str, cases: Sequence[Case]) -> list[Convention]:
    """Return the conventions that reproduce every output of a bot's function.

    Parameters
    ----------
    name : {"ema", "returns", "volatility", "realized_pnl", "unrealized_pnl", "round_price", "fee"}
        What the function computes.
    cases : sequence of Case
        Inputs by the names of the conformance contract (prices, fills, span, tick, and so on; volatility may state
        `period_ns`, a day unless it does; unrealized_pnl has one entry a price type) and the output: Decimal, int or
        text is held to half a unit of its last digit, float to 1e-12 of itself; a list element by element.

    Returns
    -------
    list of dict
        Each a convention; empty if none reproduces the outputs.

    Raises
    ------
    UsageError
        For a name without conventions to tell apart, or no cases.
    """
    if name not in _NAMES:
        raise UsageError(f"{name}: has no conventions to tell apart; should be one of {', '.join(_NAMES)}")
    if not cases:
        raise UsageError("no cases; should be one at least")
    return [convention for convention, formula in _NAMES[name]() if all(_gives(formula, case) for case in cases)]


def _gives(formula: Formula, case: Case) -> bool:
    try:
        value = formula(case.inputs)
    except (Undefined, KeyError):
        return False
    if not isinstance(value, list):
        return _same(value, case.output)
    got = case.output
    return isinstance(got, list) and len(got) == len(value) and all(map(_same, value, got))


def _same(value: Fraction | Decimal | None, got: Any) -> bool:
    nothing = got is None or (isinstance(got, float) and math.isnan(got))
    if value is None or nothing:
        return value is None and nothing
    exact = Fraction(value)
    if isinstance(got, float):
        return abs(exact - Fraction(repr(got))) <= abs(exact) * _FLOAT
    number = Decimal(str(got))
    return abs(exact - Fraction(number)) <= Fraction(1, 2) * Fraction(10) ** int(number.as_tuple().exponent)


def read_cases(path: Path) -> tuple[str, list[Case]]:
    """Read ``{"name": ..., "cases": [{"inputs": {...}, "output": ...}]}``; JSON numbers with a point are floats.

    Raises
    ------
    UsageError
        For a file that is no such JSON.
    """
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        cases = [Case(entry["inputs"], entry["output"]) for entry in data["cases"]]
        return str(data["name"]), cases
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path.name}: {type(error).__name__} {error}; should be JSON with name and cases") from None
