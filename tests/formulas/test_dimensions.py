"""Every formula on numbers that carry units: the oracle adds only like to like, and what comes out has its unit.

An input is written as text, a number and its unit. The kernels take bare numbers: they are run in other units, smaller
by powers of 2 so that floats scale exactly, and the result must scale as its unit.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import total_ordering
from numbers import Integral
from typing import Any

import numpy as np
import pytest

import mmverify.formulas
from mmverify.formulas import clock, formulas
from mmverify.formulas.pnl import position_exact

FORMULAS = formulas()
#: Formulas that units mean nothing to.
WITHOUT = {"parse_ts": "it reads text; the unit of an epoch number is in its digits"}


class UnlikeUnits(TypeError):
    """Two numbers of unlike units were added or compared."""


@total_ordering
@dataclass(frozen=True, eq=False)
class Quantity:
    """A number with a unit, the exponent of each name in it; one without a unit is a Fraction."""

    value: Fraction
    unit: Mapping[str, Fraction]

    def _like(self, other: Any) -> Fraction:
        """Return the number of what is of this unit, or is a bare 0."""
        if isinstance(other, Quantity) and other.unit == self.unit:
            return other.value
        if not isinstance(other, Quantity) and other == 0:
            return Fraction(0)
        raise UnlikeUnits(f"{self!r} beside {other!r}")

    def __add__(self, other: Any) -> Quantity:
        return Quantity(self.value + self._like(other), self.unit)

    __radd__ = __add__

    def __neg__(self) -> Quantity:
        return Quantity(-self.value, self.unit)

    def __pos__(self) -> Quantity:
        return self

    def __abs__(self) -> Quantity:
        return Quantity(abs(self.value), self.unit)

    def __sub__(self, other: Any) -> Quantity:
        return Quantity(self.value - self._like(other), self.unit)

    def __rsub__(self, other: Any) -> Quantity:
        return -(self - other)

    def __mul__(self, other: Any) -> Quantity | Fraction:
        value, unit = parts(other)
        exponents = {name: self.unit.get(name, 0) + unit.get(name, 0) for name in {*self.unit, *unit}}
        return quantity(self.value * value, exponents)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Quantity | Fraction:
        value, unit = parts(other)
        return self * quantity(1 / value, {name: -exponent for name, exponent in unit.items()})

    def __rtruediv__(self, other: Any) -> Quantity | Fraction:
        return other * quantity(1 / self.value, {name: -exponent for name, exponent in self.unit.items()})

    def __floordiv__(self, other: Any) -> int:
        return self.value // self._like(other)

    def __eq__(self, other: object) -> bool:
        return self.value == self._like(other)

    def __lt__(self, other: Any) -> bool:
        return self.value < self._like(other)

    @property
    def numerator(self) -> Quantity:
        return Quantity(Fraction(self.value.numerator), self.unit)

    @property
    def denominator(self) -> int:
        return self.value.denominator

    def sqrt(self) -> Quantity:
        root = (Decimal(self.value.numerator) / self.value.denominator).sqrt()
        return Quantity(Fraction(root), {name: exponent / 2 for name, exponent in self.unit.items()})


def quantity(value: Fraction, unit: Mapping[str, Fraction]) -> Quantity | Fraction:
    left = {name: Fraction(exponent) for name, exponent in unit.items() if exponent}
    return Quantity(value, left) if left else value


def parts(number: Any) -> tuple[Fraction, Mapping[str, Fraction]]:
    return (number.value, number.unit) if isinstance(number, Quantity) else (Fraction(number), {})


def unit_of(text: str) -> dict[str, Fraction]:
    """Read a unit such as ``settle*base/quote*contract``; what is after the line divides."""
    exponents: dict[str, Fraction] = {}
    for names, sign in zip(text.split("/"), (1, -1), strict=False):
        for name in names.split("*"):
            if name != "1":
                root = re.fullmatch(r"sqrt\((\w+)\)", name)
                exponents[root[1] if root else name] = Fraction(sign, 2 if root else 1)
    return exponents


def replaced(inputs: Any, number: Callable[[Fraction, Mapping[str, Fraction]], Any]) -> Any:
    """Put numbers in place of the texts that are a number and a unit, however deep."""
    if isinstance(inputs, Mapping):
        return {key: replaced(each, number) for key, each in inputs.items()}
    if isinstance(inputs, list | tuple):
        return type(inputs)(replaced(each, number) for each in inputs)
    if isinstance(inputs, str) and inputs[0] in "-0123456789":
        value, _, unit = inputs.partition(" ")
        return number(Fraction(value), unit_of(unit or "1"))
    return inputs


def in_units(unit: Mapping[str, Fraction], sizes: Mapping[str, int]) -> float:
    return float(np.prod([float(sizes[name]) ** float(exponent) for name, exponent in unit.items()]))


def flat(result: Any) -> Iterator[Any]:
    """Yield the numbers of a result, None left out."""
    if isinstance(result, list | tuple | np.ndarray) and np.ndim(result):
        for each in result:
            yield from flat(each)
    elif result is not None:
        yield result


@dataclass(frozen=True)
class Case:
    formula: str
    inputs: Mapping[str, Any]
    gives: str


PRICES = ["100 quote/base", "103 quote/base", "101 quote/base", "101 quote/base"]
#: A contract's kind, the units of its quantity and its multiplier, and the money that it is settled in.
CONTRACTS = (
    ("spot", "base", "1", "quote"),
    ("linear", "base", "1", "quote"),
    ("linear", "contract", "base/contract", "quote"),
    ("inverse", "quote", "1", "base"),
    ("inverse", "contract", "quote/contract", "base"),
    ("quanto", "contract", "settle*base/quote*contract", "settle"),
)


def of_contracts() -> Iterator[Case]:
    for kind, qty, size, money in CONTRACTS:
        contract = {"kind": kind, "multiplier": f"2 {size}"}
        price, rate = "100 quote/base", "1/1000"
        yield Case("notional", {"price": price, "qty": f"500 {qty}", **contract}, money)
        yield Case("fee", {"price": price, "qty": f"500 {qty}", "rate": rate, **contract}, money)
        yield Case("funding", {"qty": f"-500 {qty}", "mark": price, "rate": rate, **contract}, money)
        marked = {"avg_px": "98 quote/base", "price": price}
        yield Case("unrealized_pnl", {"qty": f"-500 {qty}", **marked, **contract}, money)
        fills = [("buy", "100 quote/base", f"3 {qty}"), ("buy", "110 quote/base", f"2 {qty}")]
        fills += [("sell", "120 quote/base", f"7 {qty}"), ("buy", "90 quote/base", f"1 {qty}")]
        for cost_basis in ("fifo", "lifo", "average"):
            yield Case("realized_pnl", {"fills": fills, "cost_basis": cost_basis, **contract}, money)
        for at in ("mark", "entry"):
            margin = {"margin": f"2 {money}", "maintenance_amount": f"1 {money}", "maintenance_rate": rate}
            held = {"qty": f"500 {qty}", "avg_px": price, "maintenance_at": at}
            yield Case("liquidation_price", {**held, **margin, **contract}, "quote/base")


CASES = (
    Case("vwap", {"prices": PRICES, "qtys": ["2 base", "0 base", "1 base", "5 base"]}, "quote/base"),
    Case("ema", {"values": [*PRICES, None], "alpha": "1/4", "init": "first"}, "quote/base"),
    Case("ema", {"values": PRICES, "span": "3", "init": "sma"}, "quote/base"),
    Case("ema", {"values": ["3 base", "-4 base"], "span": "3", "init": "adjusted"}, "base"),
    Case("returns", {"prices": PRICES, "kind": "simple"}, "1"),
    Case("returns", {"prices": PRICES, "kind": "log"}, "1"),
    *(
        Case(
            "volatility", {"prices": PRICES, "kind": kind, "ddof": 1, "periods_per_year": "365 1/year"}, "1/sqrt(year)"
        )
        for kind in ("simple", "log")
    ),
    *of_contracts(),
    *(
        Case("convert", {"amount": "2 BNB", "asset": "BNB", "currency": "EUR", "rates": rates}, "EUR")
        for rates in (
            {("BNB", "EUR"): "500 EUR/BNB"},
            {("EUR", "BNB"): "1/512 BNB/EUR"},
            {("BNB", "USDT"): "600 USDT/BNB", ("EUR", "USDT"): "5/4 USDT/EUR"},
            {("USDT", "BNB"): "1/512 BNB/USDT", ("USDT", "EUR"): "3/4 EUR/USDT"},
        )
    ),
    Case("convert", {"amount": "2 BNB", "asset": "BNB", "currency": "BNB", "rates": {}}, "BNB"),
    Case(
        "mid",
        {
            "bids": [("99 quote/base", "1 base"), ("98 quote/base", "9 base")],
            "asks": [("101 quote/base", "5 base")],
            "min_qty": "2 base",
        },
        "quote/base",
    ),
    Case(
        "microprice",
        {"bid": "99 quote/base", "bid_qty": "6 base", "ask": "101 quote/base", "ask_qty": "2 base"},
        "quote/base",
    ),
    Case(
        "quote",
        {
            "fair": "1003 quote/base",
            "half_spread": "12 quote/base",
            "skew": "-4 quote/base",
            "tick": "5 quote/base",
        },
        "quote/base",
    ),
    *(
        Case("round_price", {"price": "1003 quote/base", "tick": "5 quote/base", "side": side}, "quote/base")
        for side in ("buy", "sell")
    ),
    Case("round_qty", {"qty": "1003 base", "lot": "5 base"}, "base"),
    Case("drawdown", {"equity": ["100 quote", "120 quote", "90 quote"]}, "1"),
    Case("trade_signs", {"prices": PRICES, "first": 0}, "1"),
    Case(
        "lee_ready",
        {
            "trade_prices": PRICES,
            "trade_ts": ["5 ns", "12 ns", "20 ns", "20 ns"],
            "quote_ts": ["10 ns", "15 ns"],
            "bids": ["100 quote/base", "100 quote/base"],
            "asks": ["101 quote/base", "102 quote/base"],
        },
        "1",
    ),
    Case("exposure", {"position": "3 base", "open_orders": [("buy", "2 base"), ("sell", "4 base")]}, "base"),
    Case("duration", {"start_ns": "5 ns", "end_ns": "255 ns"}, "ns"),
    Case("window_of", {"ts_ns": "-7 ns", "width_ns": "60 ns"}, "ns"),
)
#: How many of the kernels' units one unit makes, so that units of other exponents up to 2 make other sizes.
SIZES = {"base": 2, "quote": 2**5, "contract": 2**25, "settle": 2**125, "ns": 8, "year": 4}
SIZES |= {"BNB": 2, "USDT": 2**5, "EUR": 2**25}
ONES = dict.fromkeys(SIZES, 1)


@pytest.fixture
def units_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Quantity through where an oracle turns its input into a Fraction or an int."""

    def keep(into: Callable[[Any], Any]) -> Callable[[Any], Any]:
        return lambda value: value if isinstance(value, Quantity) else into(value)

    for each in pkgutil.iter_modules(mmverify.formulas.__path__):
        module = importlib.import_module(f"mmverify.formulas.{each.name}")
        if hasattr(module, "rational"):
            monkeypatch.setattr(module, "rational", keep(module.rational))
    monkeypatch.setattr(clock, "Integral", (Integral, Quantity))
    monkeypatch.setattr(clock, "int", keep(int), raising=False)


def named(cases: tuple[Case, ...]) -> list[Any]:
    return [pytest.param(case, id=f"{case.formula}-{number}") for number, case in enumerate(cases)]


def result_units(case: Case) -> list[Mapping[str, Fraction]]:
    result = FORMULAS[case.formula].exact(**replaced(case.inputs, quantity))
    return [each.unit if isinstance(each, Quantity) else {} for each in flat(result)]


def test_every_formula_has_a_case_or_a_reason() -> None:
    assert {case.formula for case in CASES} | set(WITHOUT) == set(FORMULAS)
    assert not {case.formula for case in CASES} & set(WITHOUT)


@pytest.mark.usefixtures("units_kept")
@pytest.mark.parametrize("case", named(CASES))
def test_oracle_gives_the_unit_that_it_should(case: Case) -> None:
    units = result_units(case)
    assert units
    assert all(unit == unit_of(case.gives) for unit in units)


def declared_unit(text: str, kind: str | None) -> dict[str, Fraction]:
    outer, _, inverse = text.removesuffix(")").partition(" (inverse: ") if "inverse" in text else (text, "", "")
    return unit_of(inverse if inverse and kind == "inverse" else outer)


# EMA and conversion declare theirs in words; of contracts that are no unit of base or quote the docstrings tell.
@pytest.mark.parametrize(
    "case",
    named(
        tuple(
            case
            for case in CASES
            if case.formula not in ("ema", "convert") and not re.search("contract|settle", str(case.inputs))
        )
    ),
)
def test_declared_units_are_those_that_go_in_and_come_out(case: Case) -> None:
    declared, kind = FORMULAS[case.formula].units, case.inputs.get("kind")
    assert declared_unit(declared["return"], kind) == unit_of(case.gives)
    for name, value in case.inputs.items():
        first = value[0] if isinstance(value, list) else value
        if isinstance(first, str) and " " in first and declared[name] != "currency":
            assert declared_unit(declared[name], kind) == unit_of(first.partition(" ")[2]), name


@pytest.mark.parametrize("case", named(CASES))
def test_kernel_in_other_units_gives_the_same_in_other_units(case: Case) -> None:
    def run(sizes: Mapping[str, int]) -> list[float]:
        def number(value: Fraction, unit: Mapping[str, Fraction]) -> float | int:
            scaled = float(value) * in_units(unit, sizes)
            return int(scaled) if scaled.is_integer() else scaled

        return [float(each) for each in flat(FORMULAS[case.formula].fast(**replaced(case.inputs, number)))]

    once, again = run(ONES), run(SIZES)
    assert any(value for value in once if value == value)
    factor = in_units(unit_of(case.gives), SIZES)
    assert again == pytest.approx([value * factor for value in once], rel=1e-15, abs=0, nan_ok=True)


@pytest.mark.usefixtures("units_kept")
@pytest.mark.parametrize("cost_basis", ["fifo", "lifo", "average"])
@pytest.mark.parametrize(("kind", "qty", "size", "money"), CONTRACTS)
def test_position_has_quantity_price_and_money(kind: str, qty: str, size: str, money: str, cost_basis: str) -> None:
    fills = [("buy", "100 quote/base", f"3 {qty}"), ("sell", "110 quote/base", f"1 {qty}")]
    multiplier = replaced(f"2 {size}", quantity)
    state = position_exact(replaced(fills, quantity), cost_basis=cost_basis, kind=kind, multiplier=multiplier)[-1]
    assert (state.qty.unit, state.avg_px.unit, state.realized.unit) == tuple(map(unit_of, (qty, "quote/base", money)))


# One input of each in a unit that it does not have.
UNLIKE = (
    ("vwap", "prices", ["100 quote/base", "103 quote", "101 quote/base", "101 quote/base"]),
    ("vwap", "qtys", ["2 base", "0 base", "1 quote", "5 base"]),
    ("ema", "values", ["100 quote/base", "103 quote"]),
    ("returns", "prices", ["100 quote/base", "103 quote"]),
    ("volatility", "prices", ["100 quote/base", "103 quote", "104 quote"]),
    ("unrealized_pnl", "avg_px", "98 base/quote"),
    ("realized_pnl", "fills", [("buy", "100 quote/base", "3 base"), ("sell", "110 quote", "3 base")]),
    ("realized_pnl", "fills", [("buy", "100 quote/base", "3 base"), ("sell", "110 quote/base", "3 quote")]),
    ("mid", "min_qty", "2 quote"),
    ("mid", "asks", [("101 quote", "5 base")]),
    ("microprice", "bid", "99 quote"),
    ("microprice", "ask_qty", "2 quote"),
    ("quote", "half_spread", "12 quote"),
    ("quote", "skew", "-4 base"),
    ("quote", "tick", "5 quote"),
    ("round_price", "tick", "5 base"),
    ("round_qty", "lot", "5 quote"),
    ("drawdown", "equity", ["100 quote", "120 base"]),
    ("trade_signs", "prices", ["100 quote/base", "120 quote"]),
    ("lee_ready", "trade_ts", ["5 s", "12 s", "20 s", "20 s"]),
    ("lee_ready", "bids", ["100 quote", "100 quote"]),
    ("exposure", "open_orders", [("buy", "2 quote")]),
    ("liquidation_price", "margin", "2 base"),
    ("liquidation_price", "maintenance_amount", "1 base"),
    ("liquidation_price", "maintenance_rate", "1/1000 quote"),
    ("duration", "end_ns", "255 ms"),
    ("window_of", "width_ns", "60 s"),
)


@pytest.mark.usefixtures("units_kept")
@pytest.mark.parametrize(("formula", "name", "wrong"), UNLIKE)
def test_unlike_units_are_not_added_nor_compared(formula: str, name: str, wrong: Any) -> None:
    case = next(case for case in CASES if case.formula == formula)
    with pytest.raises(TypeError):
        FORMULAS[formula].exact(**replaced({**case.inputs, name: wrong}, quantity))


PRICE = "9 quote/base"
LINEAR, INVERSE = {"kind": "linear", "multiplier": 1}, {"kind": "inverse", "multiplier": 1}
# What only multiplies and divides takes any unit; a mistake then shows in the unit of the result.
MISTAKEN = (
    Case("notional", {"price": PRICE, "qty": "5 quote", **LINEAR}, "base"),
    Case("notional", {"price": PRICE, "qty": "5 base", **INVERSE}, "quote"),
    Case("fee", {"price": PRICE, "qty": "5 contract", "rate": "1/9", **LINEAR}, "quote"),
    Case("funding", {"qty": "5 quote", "mark": PRICE, "rate": "1/9", **LINEAR}, "base"),
    Case(
        "convert",
        {"amount": "2 BNB", "asset": "BNB", "currency": "EUR", "rates": {("BNB", "EUR"): "9 BNB/EUR"}},
        "EUR",
    ),
)


@pytest.mark.usefixtures("units_kept")
@pytest.mark.parametrize("mistaken", named(MISTAKEN))
def test_a_contract_taken_for_another_shows_in_the_unit(mistaken: Case) -> None:
    (unit,) = result_units(mistaken)
    assert unit != unit_of(mistaken.gives)


@pytest.mark.parametrize("other", [1, Fraction(1, 2), Quantity(Fraction(1), unit_of("base"))])
def test_a_quantity_adds_and_compares_like_with_like(other: Any) -> None:
    price = Quantity(Fraction(3), unit_of("quote/base"))
    for unlike in (lambda: price + other, lambda: other - price, lambda: price < other, lambda: other == price):
        with pytest.raises(UnlikeUnits):
            unlike()
    assert (price + price - price * 1).value == (0 + price).value == 3
    assert (price / price, 2 * price / price) == (1, 2)
    assert (price * other if isinstance(other, Quantity) else price * price / price).unit != {}
