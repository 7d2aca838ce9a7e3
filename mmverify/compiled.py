"""Loops over long columns, compiled by numba where it is installed.

Each stands beside what NumPy does a column at a time, gives the same, and is several times as fast. Starting numba
takes about a second, so no column below `LARGE` rows waits for it; without numba there are the columns alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

LARGE = 4_000_000
THREADS = 2  # that share a column, in NumPy or in a loop

Loop = TypeVar("Loop", bound=Callable[..., Any])


def compiled(loop: Loop, rows: int) -> Loop | None:
    """Return a loop compiled, that other threads may run beside; None where it would not pay, or numba is missing.

    Parameters
    ----------
    loop : callable
        Of arrays and numbers. It checks no index: what is given must be in range.
    rows : int
        How long its columns are.
    """
    return _compiled(loop) if rows >= LARGE else None


@cache
def _compiled(loop: Loop) -> Loop | None:
    try:
        from numba import njit
    except ImportError:  # not installed, or not for this NumPy
        return None
    try:
        return njit(loop, nogil=True, cache=True)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder to keep it in
        return njit(loop, nogil=True)  # type: ignore[no-any-return]
