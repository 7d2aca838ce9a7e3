"""What is particular to fees: signs, kinds, base fees."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.formulas.fee import fee, fee_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
SIZE = st.floats(1e-6, 1e8)
RATE = st.floats(-0.01, 0.01).filter(lambda rate: rate == 0 or abs(rate) > 1e-12)
KIND = st.sampled_from(["spot", "linear", "inverse", "quanto"])


@pytest.mark.parametrize(
    ("price", "qty", "rate", "kind", "multiplier", "expected"),
    [
        (60_000, "0.5", "0.0005", "spot", 1, "15"),
        (60_000, "0.5", "-0.00005", "linear", 1, "-1.5"),
        # 30000 contracts of 1 USD at 60000 are 0.5 coin
        (60_000, 30_000, "0.0005", "inverse", 1, "0.00025"),
        (60_000, 300, "-0.0001", "inverse", 100, "-0.00005"),
        (3_000, 100, "0.0005", "quanto", "0.000001", "0.00015"),
        (60_000, 0, "0.0005", "linear", 1, "0"),
    ],
)
def test_fees_worked_by_hand(price: int, qty: str, rate: str, kind: str, multiplier: str, expected: str) -> None:
    assert fee_exact(price, qty, rate, kind=kind, multiplier=multiplier) == Fraction(expected)
    value = float(fee(float(price), float(qty), float(rate), kind=kind, multiplier=float(multiplier)))
    assert value == pytest.approx(float(expected), rel=1e-15, abs=0)


def test_maker_and_taker_in_one_array() -> None:
    # 100 x 2 = 200: a rebate of 1 bp, a cost of 5 bp
    assert fee([100, 100], [2, 2], [-0.0001, 0.0005], kind="linear", multiplier=1).tolist() == [-0.02, 0.1]


@REPEATABLE
@given(SIZE, SIZE, RATE, KIND, SIZE)
def test_kernel_is_within_its_bound(price: float, qty: float, rate: float, kind: str, multiplier: float) -> None:
    exact = fee_exact(price, qty, rate, kind=kind, multiplier=multiplier)
    fast = Fraction(float(fee(price, qty, rate, kind=kind, multiplier=multiplier)))
    assert abs(fast - exact) <= 4 * U * abs(exact)


@REPEATABLE
@given(SIZE, SIZE, RATE, KIND, st.fractions(0, 1))
def test_splitting_a_fill_splits_its_fee(price: float, qty: float, rate: float, kind: str, share: Fraction) -> None:
    whole = Fraction(qty)
    parts = [fee_exact(price, part, rate, kind=kind, multiplier=1) for part in (whole * share, whole * (1 - share))]
    assert sum(parts) == fee_exact(price, qty, rate, kind=kind, multiplier=1)


@REPEATABLE
@given(SIZE, SIZE, RATE, KIND)
def test_a_rebate_is_the_fee_of_the_opposite_rate(price: float, qty: float, rate: float, kind: str) -> None:
    paid = fee_exact(price, qty, abs(rate), kind=kind, multiplier=1)
    assert fee_exact(price, qty, -abs(rate), kind=kind, multiplier=1) == -paid <= 0
