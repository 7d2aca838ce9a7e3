"""What holds for every formula: its example, its domain, its form."""

from __future__ import annotations

import inspect
import math
import re
import subprocess
import sys
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from mmverify.errors import Undefined
from mmverify.formulas import formulas, rational

FORMULAS = formulas()

# The examples' arithmetic, typed again by hand.
HAND = {
    "vwap": Fraction(100 * 2 + 101 * 1 + 103 * 2, 2 + 1 + 2),
    "ema": Fraction(100 + (104 - 100) / 2 + (101 - 102) / 2),
    "returns": Fraction(100, 125) - 1,
    "volatility": Fraction(2, 10),
    "notional": Fraction(2500, 50000),
    "unrealized_pnl": Fraction("-1.25") * -2,
    "realized_pnl": Fraction("0.9") * 2 + Fraction("0.6") * 3,
    "fee": Fraction(-30000, 10000),
    "funding": Fraction(-60000, 10000),
    "convert": Fraction(2, 100) * 600 / Fraction(5, 4),
}

NAN, INF = float("nan"), float("inf")
LINEAR = {"kind": "linear", "multiplier": 1}
INVERSE = {"kind": "inverse", "multiplier": 1}
FIFO = {"cost_basis": "fifo", **LINEAR}
SAMPLE = {"kind": "log", "ddof": 1, "periods_per_year": 365}

# Inputs outside each domain.
BAD = {
    "vwap": [
        {"prices": [], "qtys": []},
        {"prices": [100, 101], "qtys": [0, 0]},
        {"prices": [100.5], "qtys": [0.0]},
        {"prices": [100], "qtys": [1, 2]},
        {"prices": [0], "qtys": [1]},
        {"prices": [100, -1], "qtys": [1, 1]},
        {"prices": [100, 0], "qtys": [1, 0]},
        {"prices": [100, 101], "qtys": [2, -1]},
        {"prices": [NAN], "qtys": [1]},
        {"prices": [100], "qtys": [NAN]},
        {"prices": [100, INF], "qtys": [1, 1]},
        {"prices": [100, 101], "qtys": [1, INF]},
        {"prices": [100, None], "qtys": [1, 1]},
    ],
    "ema": [
        {"values": [1, 2], "init": "first"},
        {"values": [1, 2], "alpha": 0.5, "span": 3, "init": "first"},
        {"values": [1, 2], "alpha": 0.5, "init": "sma"},
        {"values": [1, 2], "span": 3, "init": "last"},
        {"values": [1, 2], "alpha": 0, "init": "first"},
        {"values": [1, 2], "alpha": 1.5, "init": "first"},
        {"values": [1, 2], "alpha": NAN, "init": "adjusted"},
        {"values": [1, 2], "span": 0.5, "init": "first"},
        {"values": [1, 2], "span": -1, "init": "first"},
        {"values": [1, 2], "span": -4, "init": "adjusted"},
        {"values": [1, 2], "span": INF, "init": "first"},
        {"values": [1, 2, 3], "span": 2.5, "init": "sma"},
        {"values": [1, INF], "span": 3, "init": "first"},
    ],
    "returns": [
        {"prices": [1, 2], "kind": "geometric"},
        {"prices": [1, 0, 2], "kind": "log"},
        {"prices": [1, 2, -1], "kind": "simple"},
        {"prices": [1, NAN], "kind": "log"},
        {"prices": [1, INF], "kind": "simple"},
        {"prices": [1, None], "kind": "simple"},
    ],
    "volatility": [
        {"prices": [], **SAMPLE},
        {"prices": [100], **SAMPLE},
        {"prices": [100, 101], **SAMPLE},
        {"prices": [100], **SAMPLE, "ddof": 0},
        {"prices": [100, 101, 102], **SAMPLE, "ddof": -1},
        {"prices": [100, 101, 102], **SAMPLE, "periods_per_year": 0},
        {"prices": [100, 101, 102], **SAMPLE, "periods_per_year": NAN},
        {"prices": [100, 101, 102], **SAMPLE, "periods_per_year": INF},
        {"prices": [100, 0, 102], **SAMPLE},
        {"prices": [100, NAN, 102], **SAMPLE},
        {"prices": [100, 101, 102], **SAMPLE, "kind": "LOG"},
    ],
    "notional": [
        {"price": 0, "qty": 1, **LINEAR},
        {"price": -5, "qty": 1, **LINEAR},
        {"price": 0, "qty": 1, **INVERSE},
        {"price": 5, "qty": -1, **LINEAR},
        {"price": NAN, "qty": 1, **LINEAR},
        {"price": 5, "qty": NAN, **INVERSE},
        {"price": INF, "qty": 1, **INVERSE},
        {"price": 5, "qty": 1, "kind": "linear", "multiplier": 0},
        {"price": 5, "qty": 1, "kind": "linear", "multiplier": NAN},
        {"price": 5, "qty": 1, "kind": "future", "multiplier": 1},
        {"price": None, "qty": 1, **LINEAR},
    ],
    "unrealized_pnl": [
        {"qty": 1, "avg_px": 0, "price": 5, **LINEAR},
        {"qty": 1, "avg_px": None, "price": 5, **LINEAR},
        {"qty": -1, "avg_px": -2, "price": 5, **INVERSE},
        {"qty": 1, "avg_px": NAN, "price": 5, **LINEAR},
        {"qty": 1, "avg_px": 5, "price": 0, **LINEAR},
        {"qty": 0, "avg_px": 5, "price": -1, **LINEAR},
        {"qty": 1, "avg_px": 5, "price": NAN, **INVERSE},
        {"qty": 1, "avg_px": 5, "price": INF, **INVERSE},
        {"qty": NAN, "avg_px": 5, "price": 6, **LINEAR},
        {"qty": 1, "avg_px": 5, "price": 6, "kind": "linear", "multiplier": -1},
        {"qty": 1, "avg_px": 5, "price": 6, "kind": "swap", "multiplier": 1},
    ],
    "realized_pnl": [
        {"fills": [("BUY", 1, 1)], **FIFO},
        {"fills": [("buy", 0, 1)], **FIFO},
        {"fills": [("buy", 1, 1), ("sell", -1, 1)], **FIFO},
        {"fills": [("buy", 1, -1)], **FIFO},
        {"fills": [("buy", NAN, 1)], **FIFO},
        {"fills": [("buy", 1, INF)], **FIFO},
        {"fills": [("buy", None, 1)], **FIFO},
        {"fills": [("buy", "one", 1)], **FIFO},
        {"fills": [], **FIFO, "cost_basis": "hifo"},
        {"fills": [], **FIFO, "kind": "option"},
        {"fills": [], **FIFO, "multiplier": 0},
    ],
    "fee": [
        {"price": 0, "qty": 1, "rate": 0.001, **LINEAR},
        {"price": 0, "qty": 1, "rate": 0.001, **INVERSE},
        {"price": 5, "qty": -1, "rate": 0.001, **LINEAR},
        {"price": 5, "qty": 1, "rate": NAN, **LINEAR},
        {"price": 5, "qty": 1, "rate": None, **LINEAR},
        {"price": NAN, "qty": 1, "rate": 0.001, **LINEAR},
        {"price": INF, "qty": 1, "rate": 0.001, **INVERSE},
        {"price": 5, "qty": 1, "rate": 0.001, "kind": "linear", "multiplier": 0},
        {"price": 5, "qty": 1, "rate": 0.001, "kind": "Linear", "multiplier": 1},
    ],
    "funding": [
        {"qty": 1, "mark": 0, "rate": 0.001, **LINEAR},
        {"qty": 1, "mark": -5, "rate": 0.001, **INVERSE},
        {"qty": 1, "mark": NAN, "rate": 0.001, **LINEAR},
        {"qty": 1, "mark": INF, "rate": 0.001, **INVERSE},
        {"qty": NAN, "mark": 5, "rate": 0.001, **LINEAR},
        {"qty": 1, "mark": 5, "rate": None, **LINEAR},
        {"qty": 1, "mark": 5, "rate": 0.001, "kind": "linear", "multiplier": -1},
        {"qty": 1, "mark": 5, "rate": 0.001, "kind": "", "multiplier": 1},
    ],
    "convert": [
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("ETH", "USD"): 2000}},
        {"amount": 1, "asset": "A", "currency": "D", "rates": {("A", "B"): 1, ("B", "C"): 1, ("C", "D"): 1}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 0}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("USD", "BTC"): 0}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 5, ("X", "Y"): -1}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): NAN}},
        {"amount": 1, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): None}},
        {"amount": NAN, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 5}},
        {"amount": NAN, "asset": "USD", "currency": "USD", "rates": {}},
        {"amount": None, "asset": "BTC", "currency": "USD", "rates": {("BTC", "USD"): 5}},
    ],
}
CASES = [
    pytest.param(name, case, id=f"{name}-{number}") for name, bad in BAD.items() for number, case in enumerate(bad)
]


def last(value: object) -> Fraction:
    """Return a result as a fraction, of a list or array its last element."""
    if isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim):
        value = value[-1]
    return Fraction(float(value) if isinstance(value, np.ndarray) else value)


def test_every_formula_of_the_folder_is_found_and_tried() -> None:
    assert set(FORMULAS) == set(HAND) == set(BAD)


@pytest.mark.parametrize("name", sorted(HAND))
def test_oracle_equals_the_example_worked_by_hand(name: str) -> None:
    example = FORMULAS[name].example
    assert last(FORMULAS[name].exact(**example.inputs)) == HAND[name] == Fraction(example.result)


@pytest.mark.parametrize("name", sorted(HAND))
def test_kernel_gives_the_example_to_the_last_digits_of_a_float(name: str) -> None:
    assert abs(last(FORMULAS[name].fast(**FORMULAS[name].example.inputs)) - HAND[name]) <= abs(HAND[name]) / 2**50


@pytest.mark.parametrize(("name", "case"), CASES)
def test_oracle_and_kernel_refuse_the_same_inputs(name: str, case: dict[str, object]) -> None:
    with pytest.raises(Undefined):
        FORMULAS[name].exact(**case)
    with pytest.raises(Undefined):
        FORMULAS[name].fast(**case)


def arithmetic(piece: str) -> Fraction | None:
    """Evaluate a piece of a step that holds numbers and operators only."""
    if not re.fullmatch(r"[-+x/^(). 0-9]+", piece):
        return None
    python = re.sub(r"\d+(\.\d+)?", lambda number: f"Fraction('{number.group()}')", piece)
    return Fraction(eval(python.replace("x", "*").replace("^", "**"), {"Fraction": Fraction}))


@pytest.mark.parametrize("name", sorted(HAND))
def test_each_printed_step_is_right_arithmetic_and_the_last_shows_the_result(name: str) -> None:
    example = FORMULAS[name].example
    compared = 0
    for step in example.steps:
        pieces = step.split(": ")[-1].split(",")[0].split("=")
        numbers = [value for piece in pieces if (value := arithmetic(piece.strip())) is not None]
        assert len(set(numbers)) <= 1, step
        compared += len(numbers) - 1
    assert compared >= 1
    assert example.steps[-1].endswith(f" {example.result}")


@pytest.mark.parametrize("name", sorted(HAND))
def test_oracle_and_kernel_take_the_same_arguments_and_no_silent_convention(name: str) -> None:
    formula = FORMULAS[name]
    exact, fast = (inspect.signature(function).parameters for function in (formula.exact, formula.fast))
    assert list(exact) == list(fast)
    defaults = {key for key, parameter in exact.items() if parameter.default is not parameter.empty}
    assert defaults <= {"alpha", "span"}, "one of the two is needed, neither has a value of its own"
    conventions = {"kind", "multiplier", "cost_basis", "init", "alpha", "span", "ddof", "periods_per_year"}
    assert {key for key, parameter in exact.items() if parameter.kind is parameter.KEYWORD_ONLY} == conventions & set(
        exact
    )
    unitless = {"kind", "cost_basis", "init", "asset", "currency"}
    assert set(formula.units) - {"return"} == set(exact) - unitless - ({"kind"} if "kind" in exact else set())


@pytest.mark.parametrize("name", sorted(HAND))
def test_docstring_of_the_file_has_definition_domain_and_references(name: str) -> None:
    text = " ".join((inspect.getdoc(inspect.getmodule(FORMULAS[name].exact)) or "").split())
    for part in (".. math::", "Undefined, and an error", "not depend", "References ----------"):
        assert part in text


def test_importing_the_registry_loads_no_numpy() -> None:
    code = "import sys, mmverify.formulas; sys.exit('numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("value", "fraction"),
    [
        (3, Fraction(3)),
        (0.5, Fraction(1, 2)),
        (0.1, Fraction(3602879701896397, 2**55)),
        ("100.05", Fraction(2001, 20)),
        ("302/3", Fraction(302, 3)),
        (Decimal("-1E-3"), Fraction(-1, 1000)),
        (np.int64(2**62), Fraction(2**62)),
    ],
)
def test_rational_keeps_every_digit(value: object, fraction: Fraction) -> None:
    assert rational(value) == fraction
    assert rational(value) * 4 == fraction * 4


@pytest.mark.parametrize("value", [None, math.nan, math.inf, Decimal("sNaN"), Decimal("Infinity"), "", "1/0", [1]])
def test_rational_refuses_what_is_no_number(value: object) -> None:
    with pytest.raises(Undefined, match="is not a finite number"):
        rational(value)
