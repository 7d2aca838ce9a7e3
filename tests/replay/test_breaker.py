"""The breaker: stories by hand, and histories against a search through all that happened."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mmverify.errors import Undefined
from mmverify.replay.breaker import Breaker

SECOND = 10**9


@pytest.mark.parametrize(
    ("value", "tripped"),
    [
        ("0.0499", False), ("0.05", True), (0.05, True), (Decimal("0.050"), True), ("0.06", True), (-1, False),
        (float("nan"), True), (Decimal("NaN"), True), (Decimal("sNaN"), True), (float("inf"), True), (None, True),
    ],
)  # fmt: skip
def test_at_or_above_the_threshold_trips_and_so_does_no_number(value: Any, tripped: bool) -> None:
    breaker = Breaker("0.05", SECOND)
    breaker.update(0, value)
    assert breaker.tripped is tripped


def test_a_float_threshold_is_the_decimal_that_it_prints_as() -> None:
    breaker = Breaker(0.3, SECOND)  # in binary just below 3/10
    breaker.update(0, Decimal("0.29999999999999999"))
    assert not breaker.tripped
    breaker.update(0, Decimal("0.3"))
    assert breaker.tripped


def test_a_reset_inside_the_cool_down_does_nothing() -> None:
    breaker = Breaker(1, 10)
    breaker.update(100, 1)
    breaker.reset(109)
    assert breaker.tripped
    breaker.reset(110)
    assert not breaker.tripped


def test_a_good_value_does_not_reset() -> None:
    breaker = Breaker(1, 10)
    breaker.update(100, 2)
    breaker.update(200, 0)
    assert breaker.tripped


def test_the_cool_down_runs_from_the_trip_not_from_the_last_bad_value() -> None:
    breaker = Breaker(1, 10)
    breaker.update(100, 2)
    breaker.update(109, 3)
    breaker.reset(110)
    assert not breaker.tripped


def test_it_trips_again_with_a_cool_down_of_its_own() -> None:
    breaker = Breaker(1, 10)
    breaker.update(100, 2)
    breaker.reset(110)
    breaker.update(110, 2)
    breaker.reset(119)
    assert breaker.tripped
    breaker.reset(120)
    assert not breaker.tripped


@pytest.mark.parametrize(("threshold", "cooldown"), [(float("nan"), 1), (None, 1), (1, -1), (1, 0.5)])
def test_a_breaker_that_cannot_be_is_refused(threshold: Any, cooldown: Any) -> None:
    with pytest.raises(Undefined):
        Breaker(threshold, cooldown)


def test_a_time_in_float_is_refused_and_changes_nothing() -> None:
    breaker = Breaker(1, 0)
    with pytest.raises(Undefined):
        breaker.update(1.5, 2)  # type: ignore[arg-type]
    assert not breaker.tripped
    breaker.update(1, 2)
    with pytest.raises(Undefined):
        breaker.reset(2.5)  # type: ignore[arg-type]
    assert breaker.tripped


class History(RuleBasedStateMachine):
    """Values and resets; the state is found by a walk through the whole history."""

    @initialize(threshold=st.integers(-5, 5), cooldown=st.integers(0, 12))
    def open(self, threshold: int, cooldown: int) -> None:
        self.breaker = Breaker(threshold, cooldown)
        self.threshold, self.cooldown, self.now = threshold, cooldown, 0
        self.history: list[tuple[int, Any]] = []

    @rule(later=st.integers(0, 6), value=st.one_of(st.integers(-7, 7), st.just(float("nan"))))
    def update(self, later: int, value: Any) -> None:
        self.now += later
        self.breaker.update(self.now, value)
        self.history.append((self.now, value))

    @rule(later=st.integers(0, 6))
    def reset(self, later: int) -> None:
        self.now += later
        self.breaker.reset(self.now)
        self.history.append((self.now, "reset"))

    @invariant()
    def is_what_the_history_says(self) -> None:
        trip = None
        for ts, what in self.history:
            if what == "reset":
                trip = None if trip is not None and ts >= trip + self.cooldown else trip
            elif trip is None and (what != what or what >= self.threshold):
                trip = ts
        assert self.breaker.tripped is (trip is not None)


TestHistory = History.TestCase
TestHistory.settings = settings(max_examples=60, stateful_step_count=30)
