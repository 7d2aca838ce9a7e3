"""What is particular to conversion: which path is taken, and that a missing one is never 0."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.formulas.convert import convert, convert_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
NAMES = ["A", "B", "C", "D"]
PAIR = st.permutations(NAMES).map(lambda names: (names[0], names[1]))
RATES = st.dictionaries(PAIR, st.floats(1e-6, 1e6), max_size=6)


@pytest.mark.parametrize(
    ("amount", "asset", "currency", "rates", "expected"),
    [
        ("0.5", "BTC", "USD", {("BTC", "USD"): 60_000}, 30_000),
        (30_000, "USD", "BTC", {("BTC", "USD"): 60_000}, "0.5"),
        # each leg of a chain direct or inverse: x 600 x 0.8; x 600 / 1.25; / 2 x 0.8; / 2 / 4
        (2, "BNB", "EUR", {("BNB", "USDT"): 600, ("USDT", "EUR"): "0.8"}, 960),
        (2, "BNB", "EUR", {("BNB", "USDT"): 600, ("EUR", "USDT"): "1.25"}, 960),
        (5, "X", "EUR", {("USDT", "X"): 2, ("USDT", "EUR"): "0.8"}, 2),
        (8, "X", "EUR", {("USDT", "X"): 2, ("EUR", "USDT"): 4}, 1),
        # direct before inverse before a chain
        (1, "A", "B", {("B", "A"): 4, ("A", "B"): 3, ("A", "C"): 1, ("C", "B"): 9}, 3),
        (1, "A", "B", {("A", "C"): 1, ("C", "B"): 9, ("B", "A"): 4}, "0.25"),
        # of two chains the first by name
        (1, "A", "B", {("A", "Z"): 1, ("Z", "B"): 9, ("A", "C"): 1, ("C", "B"): 8}, 8),
        (-7, "USD", "USD", {}, -7),
        (0, "BTC", "USD", {("BTC", "USD"): 60_000}, 0),
    ],
)
def test_paths_worked_by_hand(
    amount: str, asset: str, currency: str, rates: dict[tuple[str, str], str], expected: str
) -> None:
    assert convert_exact(amount, asset, currency, rates) == Fraction(expected)
    reordered = dict(reversed(rates.items()))
    assert convert_exact(amount, asset, currency, reordered) == Fraction(expected)
    assert float(convert(float(amount), asset, currency, rates)) == float(Fraction(expected))


def test_an_array_of_amounts() -> None:
    assert convert([1, -2, 0], "BTC", "USD", {("BTC", "USD"): 60_000}).tolist() == [60_000, -120_000, 0]


@REPEATABLE
@given(RATES, st.floats(-1e8, 1e8).filter(lambda amount: amount == 0 or abs(amount) > 1e-8), PAIR)
def test_kernel_takes_the_same_path_within_its_bound(
    rates: dict[tuple[str, str], float], amount: float, pair: tuple[str, str]
) -> None:
    try:
        exact = convert_exact(amount, *pair, rates)
    except ValueError:
        with pytest.raises(ValueError, match="has no rate"):
            convert(amount, *pair, rates)
        return
    assert abs(Fraction(float(convert(amount, *pair, rates))) - exact) <= 5 * U * abs(exact)


@REPEATABLE
@given(st.floats(1e-6, 1e6), st.fractions(-1000, 1000))
def test_there_and_back_is_the_same_amount(rate: float, amount: Fraction) -> None:
    rates = {("A", "B"): rate}
    assert convert_exact(convert_exact(amount, "A", "B", rates), "B", "A", rates) == amount
