"""The sliding window: its edges by hand, histories against a count from scratch, the running sums against all pairs."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mmverify.errors import Undefined
from mmverify.replay.rate_limit import RateLimiter, window_loads

SECOND = 10**9
NOW = 1_772_000_000 * SECOND


def test_a_request_of_exactly_one_window_ago_no_longer_counts() -> None:
    limiter = RateLimiter(1, SECOND)
    assert limiter.allow(NOW, 1)
    assert not limiter.allow(NOW + SECOND - 1, 1)
    assert limiter.allow(NOW + SECOND, 1)


def test_a_burst_over_the_edge_of_a_clock_second_is_one_window() -> None:
    # a counter that restarts at each full second lets 10 through
    limiter = RateLimiter(5, SECOND)
    times = [NOW + 900_000_000] * 5 + [NOW + SECOND + 100_000_000] * 5
    assert [limiter.allow(ts, 1) for ts in times] == [True] * 5 + [False] * 5


def test_what_was_refused_does_not_count() -> None:
    limiter = RateLimiter(10, SECOND)
    assert [limiter.allow(NOW, weight) for weight in (6, 5, 5, 4, 1)] == [True, False, False, True, False]
    assert limiter.allow(NOW + SECOND, 10)


def test_weights_may_be_fractions_and_nothing() -> None:
    limiter = RateLimiter("0.3", SECOND)
    assert [limiter.allow(NOW, weight) for weight in (0.1, Decimal("0.1"), 0.1, 0, "0.0001")] == [*[True] * 4, False]
    assert not RateLimiter(0, SECOND).allow(NOW, 1)


def test_deribit_lets_ten_of_3000_credits_through_at_once() -> None:
    # nautilus_trader, adapter of Deribit: 30,000 credits, 3,000 for each subscription, a burst of 10
    limiter = RateLimiter(30_000, 10 * SECOND)
    assert [limiter.allow(NOW, 3000) for _ in range(11)] == [True] * 10 + [False]


def test_time_that_runs_backwards_is_refused_even_behind_a_refusal() -> None:
    limiter = RateLimiter(1, SECOND)
    assert limiter.allow(NOW, 1)
    assert not limiter.allow(NOW + 9, 1)
    with pytest.raises(Undefined, match="after one at"):
        limiter.allow(NOW + 8, 1)
    assert limiter.allow(NOW + SECOND, 1)


@pytest.mark.parametrize("weight", [-1, float("nan"), Decimal("Infinity"), None, "one"])
def test_a_weight_that_is_none_is_refused_and_changes_nothing(weight: Any) -> None:
    limiter = RateLimiter(1, SECOND)
    with pytest.raises(Undefined):
        limiter.allow(NOW, weight)
    assert limiter.allow(0, 1)


@pytest.mark.parametrize(("limit", "window"), [(-1, 1), (float("nan"), 1), (1, 0), (1, -1), (1, 1.0)])
def test_a_limiter_that_cannot_be_is_refused(limit: Any, window: Any) -> None:
    with pytest.raises(Undefined):
        RateLimiter(limit, window)


def test_a_time_in_float_is_refused() -> None:
    with pytest.raises(Undefined, match="nanoseconds"):
        RateLimiter(1, SECOND).allow(1e18, 1)  # type: ignore[arg-type]


class History(RuleBasedStateMachine):
    """Requests; each is granted by a count from scratch over all that were granted before."""

    @initialize(limit=st.integers(0, 20), window=st.integers(1, 12))
    def open(self, limit: int, window: int) -> None:
        self.limiter = RateLimiter(limit, window)
        self.limit, self.window, self.now = limit, window, 0
        self.granted: list[tuple[int, Fraction]] = []

    def load(self, at: int) -> Fraction:
        return sum((weight for ts, weight in self.granted if at - self.window < ts <= at), Fraction(0))

    @rule(later=st.integers(0, 7), weight=st.integers(0, 24).map(lambda n: Fraction(n, 2)))
    def ask(self, later: int, weight: Fraction) -> None:
        self.now += later
        allowed = self.load(self.now) + weight <= self.limit
        assert self.limiter.allow(self.now, weight) is allowed
        if allowed:
            self.granted.append((self.now, weight))

    @rule(earlier=st.integers(1, 5))
    def go_back(self, earlier: int) -> None:
        if self.now:
            with pytest.raises(Undefined):
                self.limiter.allow(self.now - earlier, 1)

    @invariant()
    def no_window_is_over_its_limit(self) -> None:
        for ts, _ in self.granted:
            assert self.load(ts) <= self.limit


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=30)


def test_loads_by_hand() -> None:
    # windows of 10: at 10 the request at 0 is out; both of 10 see each other
    loads = window_loads([0, 5, 10, 10, 14, 20, 99], [1, 2, 4, 8, 16, 32, 64], 10)
    assert loads.tolist() == [1, 3, 14, 14, 30, 48, 64]
    assert loads.dtype == np.int64


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 2**40)), max_size=60),
    st.integers(1, 50),
    st.sampled_from([0, NOW, -(2**63) + 100]),
)
def test_loads_are_the_sums_over_all_pairs(requests: list[tuple[int, int]], window: int, origin: int) -> None:
    requests = sorted((origin + ts, weight) for ts, weight in requests)
    ts, weights = np.array(requests, dtype=np.int64).reshape(-1, 2).T
    pairs = [sum(w for t, w in requests if at - window < t <= at) for at, _ in requests]
    assert window_loads(ts, weights, window).tolist() == pairs


def test_the_highest_load_is_the_least_limit_that_grants_everything() -> None:
    random = np.random.default_rng(5)
    ts = NOW + np.cumsum(random.integers(0, 50, 3000))
    weights = random.integers(0, 9, 3000)
    highest = int(window_loads(ts, weights, 700).max())
    requests = list(zip(ts.tolist(), weights.tolist(), strict=True))
    enough, too_low = RateLimiter(highest, 700), RateLimiter(highest - 1, 700)
    assert all([enough.allow(*request) for request in requests])
    assert not all([too_low.allow(*request) for request in requests])


@pytest.mark.parametrize(
    ("ts", "weights", "window"),
    [
        ([2, 1], [1, 1], 5), ([1, 3, 2], [1] * 3, 5),
        ([1, 2], [1], 5), ([1], [-1], 5), ([1], [1], 0), ([1.5], [1], 5), ([1], [0.5], 5),
        ([[1]], [[1]], 5), ([-(2**63)], [1], 1), ([0], [1], 2**63 + 1), ([2**62], [1], 2**63), ([1, 2], [2**62] * 2, 1),
    ],
)  # fmt: skip
def test_loads_that_are_not_defined_are_refused(ts: Any, weights: Any, window: int) -> None:
    with pytest.raises(Undefined):
        window_loads(ts, weights, window)


def test_no_requests_have_no_loads_and_these_are_whole_numbers_too() -> None:
    loads = window_loads([], [], 10)
    assert (loads.dtype, loads.tolist()) == (np.int64, [])


def test_loads_at_the_edges_of_int64() -> None:
    assert window_loads([-(2**63) + 5], [3], 5).tolist() == [3]  # the window starts at the first int64
    assert window_loads([0], [3], 2**63 - 1).tolist() == [3]
    assert window_loads([0], [2**63 - 1], 1).tolist() == [9223372036854775807]
