"""By how much claims are off, so that a review can tell which findings come of one mistake."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction

from mmverify.checks import Off
from mmverify.numeric import Decimals
from mmverify.session.load import Table


def claimed_off(table: Table, column: Decimals, row: int, should: Fraction, currency: str) -> tuple[Off, ...]:
    """Say by how much a claim of money is off, give or take its rounding."""
    name = next(name for name, each in table.columns.items() if each is column)
    off, slack = column.fraction(row) - should, column.tolerance(row)
    return (Off(f"{name} {currency}", int(table.whole("ts_local").values[row]), off - slack, off + slack),)


def added_up(what: str, steps: Iterable[tuple[int, Fraction]], slack: Fraction) -> tuple[Off, ...]:
    """Add up by how much claims are off after each of some steps.

    Parameters
    ----------
    what : str
    steps : iterable of (int, Fraction)
        Time [ns] and by how much more the claims are off from then on, in order of time.
    slack : Fraction
        What each step may differ by.
    """
    out, total = list[Off](), Fraction(0)
    for n, (ts, by) in enumerate(steps, 1):
        total += by
        out.append(Off(what, ts, total - n * slack, total + n * slack))
    return tuple(out)
