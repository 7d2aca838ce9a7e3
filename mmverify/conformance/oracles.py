"""The exact answers where the contract says more than the formula, and how large their terms are."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from mmverify.conformance.inputs import Case
from mmverify.errors import Undefined
from mmverify.formulas import rational
from mmverify.formulas.convert import convert_exact
from mmverify.formulas.ema import ema_exact
from mmverify.formulas.fee import fee_exact
from mmverify.formulas.funding import funding_exact
from mmverify.formulas.liquidation import liquidation_price_exact
from mmverify.formulas.pnl import notional_exact, unrealized_pnl_exact
from mmverify.formulas.returns import returns_exact

Oracle = Callable[..., Any]


class Either(list[Any]):
    """Answers that the contract leaves open, refusing among them."""


def missing(value: Any) -> bool:
    """Say whether a value is None or NaN."""
    return value is None or value != value


def ema_oracle(values: Any, span: Any = None, alpha: Any = None, init: str = "first", ema_nan: str = "repeat") -> Any:
    """Compute the EMA; under ``propagate`` nothing is defined from the first missing input on."""
    averages = ema_exact(values, alpha=alpha, span=span, init=init)
    first = next((n for n, value in enumerate(values) if missing(value)), len(values))
    return averages if ema_nan == "repeat" else averages[:first] + [None] * (len(values) - first)


def convert_oracle(amount: Any, asset: str, currency: str, rates: Mapping[tuple[str, str], Any]) -> Any:
    """Convert; where chains disagree any of them, or an error."""
    value = convert_exact(amount, asset, currency, rates)
    if asset == currency:
        return value if all(rate == rate and rate > 0 for rate in rates.values()) else Either([value])
    if (asset, currency) in rates or (currency, asset) in rates:
        return value
    answers = Either([value])
    for middle in sorted({name for pair in rates for name in pair} - {asset, currency}):
        part = {pair: rate for pair, rate in rates.items() if middle in pair}
        try:
            answers.append(convert_exact(amount, asset, currency, part))
        except Undefined:
            continue
    return answers if any(answer != value for answer in answers) else value


def liquidation_oracle(
    qty: Any, avg_px: Any, margin: Any, maintenance_rate: Any, kind: str = "linear", multiplier: Any = 1,
    maintenance_amount: Any = 0, maintenance_at: str = "mark",
) -> Any:  # fmt: skip
    """Solve for the liquidation price."""
    return liquidation_price_exact(
        qty, avg_px, margin, maintenance_rate, kind=kind, multiplier=multiplier, maintenance_amount=maintenance_amount,
        maintenance_at=maintenance_at,
    )  # fmt: skip


def _liquidation_terms(case: Case) -> tuple[Fraction, Fraction]:
    """Return the last sum before the answer, in price or its reciprocal, and the magnitudes that it is made of."""
    full: Case = {"kind": "linear", "multiplier": 1, "maintenance_amount": 0, "maintenance_at": "mark"} | case
    q, entry, rate = (rational(full[key]) for key in ("qty", "avg_px", "maintenance_rate"))
    inverse = full["kind"] == "inverse"
    d = (-1 if inverse else 1) * (1 if q > 0 else -1)
    y = 1 / entry if inverse else entry
    c = (rational(full["margin"]) + rational(full["maintenance_amount"])) / (abs(q) * rational(full["multiplier"]))
    at_entry = y * d * rate if full["maintenance_at"] == "entry" else Fraction(0)
    return abs(y + at_entry - d * c), y + abs(at_entry) + c


def liquidation_scale(case: Case) -> Any:
    """Return the liquidation price times the condition of its last sum."""
    left, terms = _liquidation_terms(case)
    answer = liquidation_oracle(**case)
    return answer * terms / left if answer and left else 1


def well_conditioned(case: Case) -> bool:
    """Say whether rounding cannot decide if there is a liquidation price."""
    try:
        if not rational(case["qty"]) or rational(case["avg_px"]) <= 0 or rational(case.get("multiplier", 1)) <= 0:
            return True
        left, terms = _liquidation_terms(case)
        return left * 10**6 > terms
    except Undefined:
        return True


def magnitude(values: Any) -> Fraction:
    """Sum the magnitudes of numbers."""
    return sum((abs(rational(value)) for value in values), Fraction(0))


def worth(case: Case, *prices: str) -> Any:
    """Sum the notionals of a position at these prices."""
    size = abs(rational(case["qty"])) * rational(case.get("multiplier", 1))
    marks = [rational(case[price]) for price in prices]
    return size * sum(1 / mark if case.get("kind") == "inverse" else mark for mark in marks)


def turnover(case: Case) -> Any:
    """Sum the notionals of fills."""
    parts = [(rational(price), rational(qty)) for _, price, qty in case["fills"]]
    inverse = case.get("kind") == "inverse"
    return rational(case.get("multiplier", 1)) * sum(q / p if inverse else q * p for p, q in parts)


def largest(case: Case) -> Fraction:
    """Return the largest input of a series."""
    return max((abs(rational(value)) for value in case["values"] if not missing(value)), default=Fraction(1))


def annual(case: Case) -> Fraction:
    """Return the largest return, at least 1, times the root of the periods a year."""
    most = max((abs(Fraction(r)) for r in returns_exact(case["prices"], kind=case.get("kind", "log"))), default=1)
    return max(Fraction(most), Fraction(1)) * Fraction(math.sqrt(case["periods_per_year"]))


def exposed(case: Case) -> Fraction:
    """Sum the sizes of a position and its open orders."""
    return abs(rational(case["position"])) + magnitude(qty for _, qty in case["open_orders"])


def notional(price: Any, qty: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the notional."""
    return notional_exact(price, qty, kind=kind, multiplier=multiplier)


def fee(price: Any, qty: Any, rate: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the fee."""
    return fee_exact(price, qty, rate, kind=kind, multiplier=multiplier)


def funding(qty: Any, mark: Any, rate: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the funding received."""
    return funding_exact(qty, mark, rate, kind=kind, multiplier=multiplier)


def unrealized(qty: Any, avg_px: Any, price: Any, kind: str = "linear", multiplier: Any = 1) -> Any:
    """Compute the unrealized P&L."""
    return unrealized_pnl_exact(qty, avg_px, price, kind=kind, multiplier=multiplier)


def cut(*lists: str) -> Callable[[Case, int], Case]:
    """Return what cuts these lists of a case after their n-th element."""
    return lambda case, n: case | {name: case[name][:n] for name in lists}


def cut_lee_ready(case: Case, n: int) -> Case:
    """Cut trades after the n-th, and quotes after its time."""
    seen = sum(ts <= case["trade_ts"][n - 1] for ts in case["quote_ts"])
    return cut("trade_prices", "trade_ts")(cut("quote_ts", "bids", "asks")(case, seen), n)
