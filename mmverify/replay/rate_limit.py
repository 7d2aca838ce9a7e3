"""Requests by weight in a sliding window: a limiter for one at a time, and the load at each of many.

The window that ends at t is (t - window, t]: a request of exactly one window ago no longer counts, all those of the
same instant do.
"""

from __future__ import annotations

from collections import deque
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mmverify.errors import Undefined
from mmverify.replay import Number, exact, nanoseconds

_INT64 = np.iinfo(np.int64)


class RateLimiter:
    """Grants requests while the window's load stays at or below a limit; what it refuses does not count.

    Parameters
    ----------
    limit : Number
        The most weight in a window, >= 0.
    window_ns : int
        Length of the window, > 0. [ns]

    Raises
    ------
    Undefined
        If the limit or the window is outside its domain.
    """

    def __init__(self, limit: Number, window_ns: int) -> None:
        self._limit, self._window_ns = exact(limit), nanoseconds(window_ns)
        if self._limit < 0 or self._window_ns <= 0:
            raise Undefined(f"a limit of {limit} in {window_ns} ns is not defined")
        self._granted: deque[tuple[int, Fraction]] = deque()  # those of the window, the oldest first
        self._load = Fraction(0)
        self._last_ns: int | None = None

    def allow(self, ts_ns: int, weight: Number) -> bool:
        """Ask for a request.

        Parameters
        ----------
        ts_ns : int
            Its time, not before that of the last one, granted or not. [ns]
        weight : Number
            What it weighs, >= 0.

        Returns
        -------
        bool
            Whether it may go.

        Raises
        ------
        Undefined
            If time runs backwards or the weight is outside its domain; nothing has changed then.
        """
        now, cost = nanoseconds(ts_ns), exact(weight)
        if cost < 0 or (self._last_ns is not None and now < self._last_ns):
            raise Undefined(f"a request of weight {weight} at {ts_ns} after one at {self._last_ns} is not defined")
        self._last_ns = now
        while self._granted and self._granted[0][0] <= now - self._window_ns:
            self._load -= self._granted.popleft()[1]
        if self._load + cost > self._limit:
            return False
        self._granted.append((now, cost))
        self._load += cost
        return True


def window_loads(ts: ArrayLike, weights: ArrayLike, window_ns: int) -> NDArray[np.int64]:
    """Sum the weights in the window that ends at each request, by running sums.

    Parameters
    ----------
    ts : array_like of int64, shape (n,)
        Times, not falling. [ns]
    weights : array_like of int64, shape (n,)
        Weights, >= 0.
    window_ns : int
        Length of the window, > 0. [ns]

    Returns
    -------
    ndarray of int64, shape (n,)
        Load of (ts - window_ns, ts], with every request of that instant; exact.

    Raises
    ------
    Undefined
        If the times fall, a weight is negative or the shapes differ, or a sum or a window's start is outside int64.
    """
    times, costs, window = np.asarray(ts), np.asarray(weights), nanoseconds(window_ns)
    if times.ndim != 1 or times.shape != costs.shape or window <= 0:
        raise Undefined("window loads need a time and a weight each, and a window above 0")
    if not times.size:
        return np.zeros(0, dtype=np.int64)
    if times.dtype.kind != "i" or costs.dtype.kind != "i" or (times[1:] < times[:-1]).any() or costs.min() < 0:
        raise Undefined("window loads need whole times that do not fall and whole weights that are not negative")
    if window > int(times[0]) - _INT64.min or window > _INT64.max or int(costs.max()) * costs.size > _INT64.max:
        raise Undefined("window loads do not fit int64")
    sums = np.concatenate([[0], np.cumsum(costs, dtype=np.int64)])
    first = np.searchsorted(times, times.astype(np.int64) - window, side="right")
    stop = np.searchsorted(times, times, side="right")
    return np.asarray(sums[stop] - sums[first])
