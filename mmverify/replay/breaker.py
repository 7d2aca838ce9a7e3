"""A circuit breaker on one metric: trips at its threshold, stays tripped for its cool-down and until it is reset."""

from __future__ import annotations

from mmverify.errors import Undefined
from mmverify.replay import Number, exact, nanoseconds


class Breaker:
    """A circuit breaker.

    Parameters
    ----------
    threshold : Number
        The value that trips it. [as the metric]
    cooldown_ns : int
        How long after the trip a reset does nothing, >= 0. [ns]

    Attributes
    ----------
    tripped : bool
        Whether it holds; false at first.

    Raises
    ------
    Undefined
        If the threshold is not a number or the cool-down is negative.
    """

    def __init__(self, threshold: Number, cooldown_ns: int) -> None:
        self._threshold, self._cooldown_ns = exact(threshold), nanoseconds(cooldown_ns)
        if self._cooldown_ns < 0:
            raise Undefined(f"a cool-down of {cooldown_ns} ns is not defined")
        self.tripped = False
        self._tripped_ns = 0

    def update(self, ts_ns: int, value: Number) -> None:
        """Look at the metric.

        Parameters
        ----------
        ts_ns : int
            When it had the value; the cool-down runs from there if it trips, and is not prolonged by later values. [ns]
        value : Number
            At or above the threshold it trips, and so does what is no finite number: a metric that fails must not let
            orders through. [as the metric]

        Raises
        ------
        Undefined
            If the time is not a whole number; nothing has changed then.
        """
        now = nanoseconds(ts_ns)
        try:
            passed = exact(value) >= self._threshold
        except Undefined:
            passed = True
        if passed and not self.tripped:
            self.tripped, self._tripped_ns = True, now

    def reset(self, ts_ns: int) -> None:
        """Close it again, if the cool-down is over; before that it does nothing, and `tripped` says so.

        Parameters
        ----------
        ts_ns : int
            At the trip plus the cool-down, or later. [ns]

        Raises
        ------
        Undefined
            If the time is not a whole number.
        """
        if nanoseconds(ts_ns) - self._tripped_ns >= self._cooldown_ns:
            self.tripped = False
