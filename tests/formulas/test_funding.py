"""What is particular to funding: who pays whom, and on what."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmverify.formulas.funding import funding, funding_exact

U = Fraction(1, 2**53)
REPEATABLE = settings(derandomize=True, deadline=None, max_examples=150)
SIZE = st.floats(1e-6, 1e8)
RATE = st.floats(-0.01, 0.01).filter(lambda rate: rate == 0 or abs(rate) > 1e-12)
KIND = st.sampled_from(["linear", "inverse", "quanto"])


@pytest.mark.parametrize(
    ("qty", "mark", "rate", "kind", "multiplier", "received"),
    [
        # a long pays a positive rate and receives a negative one, a short the other way round
        (2, 50_000, "0.0001", "linear", 1, "-10"),
        (2, 50_000, "-0.0001", "linear", 1, "10"),
        (-2, 50_000, "0.0001", "linear", 1, "10"),
        (-2, 50_000, "-0.0001", "linear", 1, "-10"),
        # 25000 contracts of 1 USD at 50000 are 0.5 coin
        (25_000, 50_000, "0.0001", "inverse", 1, "-0.00005"),
        (-250, 50_000, "0.0001", "inverse", 100, "0.00005"),
        (100, 3_000, "0.0001", "quanto", "0.000001", "-0.00003"),
        (0, 50_000, "0.0001", "linear", 1, "0"),
    ],
)
def test_payments_worked_by_hand(qty: int, mark: int, rate: str, kind: str, multiplier: str, received: str) -> None:
    assert funding_exact(qty, mark, rate, kind=kind, multiplier=multiplier) == Fraction(received)
    value = float(funding(qty, mark, float(rate), kind=kind, multiplier=float(multiplier)))
    assert value == pytest.approx(float(received), rel=1e-15, abs=0)


def test_arrays_of_payments() -> None:
    # 1.5 x 40000 = 60000 and -1.5 x 40000, at 0 and at 2^-10
    assert funding([1.5, -1.5], 40_000, [0.0, 2**-10], kind="linear", multiplier=1).tolist() == [0.0, 58.59375]


@REPEATABLE
@given(SIZE, st.sampled_from([1, -1]), SIZE, RATE, KIND, SIZE)
def test_kernel_is_within_its_bound(
    size: float, direction: int, mark: float, rate: float, kind: str, multiplier: float
) -> None:
    exact = funding_exact(size * direction, mark, rate, kind=kind, multiplier=multiplier)
    fast = Fraction(float(funding(size * direction, mark, rate, kind=kind, multiplier=multiplier)))
    assert abs(fast - exact) <= 4 * U * abs(exact)


@REPEATABLE
@given(SIZE, SIZE, RATE, KIND)
def test_what_the_long_pays_the_short_receives(size: float, mark: float, rate: float, kind: str) -> None:
    long, short = (funding_exact(qty, mark, rate, kind=kind, multiplier=1) for qty in (size, -size))
    assert long + short == 0
    assert (long < 0) == (rate > 0)
