"""Nanoseconds that are kept: no time through a float64, none cut to us or ms beside finer ones (4.1.5)."""

from __future__ import annotations

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.known import Rows
from mmverify.checks.s4_1_times import LOCAL, MS, SECOND, US, VENUE, Moments, clocks, count, moments
from mmverify.session.load import Session

_FLOAT = 256  # what a float64 of ns steps by, from 2006 to 2043
_FEW = 3  # different times at least, to say that they are round by more than chance
_SHOWN = 3
_BY_NATURE = ("window_start", "window_end")


def float_trips(session: Session) -> Looked:
    """No column of times went through a float64, which holds multiples of 256 ns only."""
    breaches = []
    for each in _timed(session):
        if each.divides(_FLOAT):
            odd = np.flatnonzero(each.values % US)
            if len(np.unique(each.values[odd])) >= _FEW:
                breaches.append(_tripped(each, odd))
    return Looked(count(session), tuple(breaches))


def _tripped(each: Moments, odd: Rows) -> Breach:
    values = each.values[odd[:_SHOWN]].tolist()
    lines = [
        f"{each.where(int(n))} {each.column}: {ts} = 256 x {ts // _FLOAT}" for n, ts in zip(odd, values, strict=False)
    ]
    times = len(np.unique(each.values))
    return Breach(
        key=each.name, where=tuple(each.where(int(n)) for n in odd[:_SHOWN]), count=len(each.values),
        was=f"all {times} different times of {each.name} are multiples of 256 ns",
        should="multiples of 1 ns, or of a decimal unit",
        work=(*lines, "a float64 has 53 bits, a time of today in ns 61: 2^(61 - 53) = 256; by chance 1 in 256 is one"),
        amount=None, currency="",
        loss="times are off by up to 128 ns, and two that were apart may be equal: order and latency are lost; what "
        "that costs is not recorded",
        cause="the times went through a float64",
    )  # fmt: skip


def cut_times(session: Session) -> Looked:
    """No table's times are cut to us or ms where another table of the same clock is finer."""
    copies = {f"{each.table.name} {each.column}" for each in clocks(session) if each.is_copy}  # of another clock
    breaches = []
    for columns in (LOCAL, VENUE):
        mine = [each for each in _timed(session) if each.column in columns and each.name not in copies]
        units = {each.name: _unit(each) for each in mine}
        for each in mine:
            unit = units[each.name]
            if unit == 1 or (columns is VENUE and each.divides(SECOND)) or len(np.unique(each.values)) < _FEW:
                continue  # what the venue dates to the second, funding above all, is so by schedule
            finer = next(
                (other for other in mine if other.table.name != each.table.name and units[other.name] < unit), None
            )
            if finer is not None:
                breaches.append(_cut(each, unit, finer))
    return Looked(count(session), tuple(breaches))


def _unit(each: Moments) -> int:
    """Return the coarsest of ms, us and ns that every time is a multiple of."""
    return next((unit for unit in (MS, US) if each.divides(unit)), 1)


def _cut(each: Moments, unit: int, finer: Moments) -> Breach:
    name = "1 ms" if unit == MS else "1 us"
    place = int(np.flatnonzero(finer.values % unit)[0])
    ts, other = int(each.values[0]), int(finer.values[place])
    return Breach(
        key=each.name, where=(each.where(0), finer.where(place)), count=len(each.values),
        was=f"all {len(each.values)} times of {each.name} are multiples of {name}", should=f"as fine as {finer.name}",
        work=(f"{each.where(0)} {each.column}: {ts} = {unit} x {ts // unit}",
              f"{finer.where(place)} {finer.column}: {other} = {unit} x {other // unit} + {other % unit}"),
        amount=None, currency="",
        loss=f"against {finer.table.name} its rows are up to {name} early: which came first cannot be told within it; "
        "what that costs is not recorded",
    )  # fmt: skip


def _timed(session: Session) -> list[Moments]:
    return [each for each in moments(session) if each.column not in _BY_NATURE]
