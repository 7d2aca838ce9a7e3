"""One zone for all times: text with its offset, always the same; no table whole hours beside the others (4.1.1)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median_low

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.s4_1_times import AWAY, HOUR, MINUTE, Clocks, Moments, clocks, count, moments, shown
from mmverify.numeric import largest
from mmverify.session.load import Session

_WRONG_ROWS = "orders, fills and prices are matched with those of another hour; what that costs is not recorded"


def offsets_of_text(session: Session) -> Looked:
    """Every time that is text has its offset, and all have the same."""
    found = [(name, each.whole.offsets[name], each) for each in moments(session) for name in each.whole.offsets]
    stated = [name for name, _, _ in found if name]
    breaches = []
    for name, (first, rows), each in found:
        where, text = each.table.where(first), shown(int(each.whole.values[first]))
        if not name:
            was, should = "has no offset", "an explicit offset, Z best of all"
            work = f"{where} {each.column} names no zone: read as UTC it is {text}, in a zone at +01:00 an hour less"
        elif name != stated[0]:
            was, should = f"is at {name}", f"{stated[0]}, as the other times that are text"
            work = f"{where} {each.column} at {name} is {text}"
        else:
            continue
        breaches.append(Breach(
            key=each.name, where=(where,), count=rows, was=f"{each.column} of {each.table.name} {was}", should=should,
            work=(work,), amount=None, currency="", loss=f"read in another zone it is hours off: {_WRONG_ROWS}",
        ))  # fmt: skip
    return Looked(count(session), tuple(breaches))


def whole_hours(session: Session) -> Looked:
    """No table is whole hours beside the others, nor are the two clocks of its rows."""
    apart = [breach for each in clocks(session) if (breach := _clocks_apart(each)) is not None]
    named = {breach.key for breach in apart}
    beside = [breach for breach in _spans_apart(moments(session)) if breach.key not in named]
    return Looked(count(session), (*apart, *beside))


def _clocks_apart(each: Clocks) -> Breach | None:
    """Look for the clocks of most rows being the same number of hours apart, to a minute."""
    lag = each.lag
    if largest(lag) <= HOUR // 2:
        return None
    hours = np.rint(lag / HOUR).astype(np.int64)
    shifted = (hours != 0) & (np.abs(lag - hours * HOUR) < MINUTE)
    numbers, rows = np.unique(hours[shifted], return_counts=True)
    if not rows.size or rows.max() * 2 <= len(each):
        return None
    most = int(numbers[rows.argmax()])
    places = np.flatnonzero(shifted & (hours == most))
    first = int(places[0])
    side = "before" if most > 0 else "after"
    return Breach(
        key=f"{each.table.name} {each.column}", where=tuple(each.where(int(n)) for n in places[:3]), count=len(places),
        was=f"{each.column} of {each.table.name} is {abs(most)} h {side} ts_local in {len(places)} rows",
        should="both clocks in UTC",
        work=(each.arithmetic(first),
              f"that is {most} h and {int(lag[first]) - most * HOUR} ns: a zone, no latency"),
        amount=None, currency="", loss=_WRONG_ROWS,
    )  # fmt: skip


def _spans_apart(every: Sequence[Moments]) -> list[Breach]:
    """Look for columns that begin and end the same number of hours away from the others, give or take a little."""
    timed = [each for each in every if each.column not in AWAY]
    if not timed:
        return []
    first, last = (median_low(each.span[end] for each in timed) for end in (0, 1))
    slack = min(max(MINUTE, (last - first) // 50), HOUR // 6)
    out = []
    for each in timed:
        start, end = each.span
        hours = round((start - first) / HOUR)
        fits = all(abs(here - there - hours * HOUR) <= slack for here, there in ((start, first), (end, last)))
        if hours and fits and end > start:
            side = "after" if hours > 0 else "before"
            out.append(Breach(
                key=each.name, where=(each.where(int(each.values.argmin())),), count=len(each.values),
                was=f"{each.column} of {each.table.name} is {abs(hours)} h {side} the other times",
                should="all in UTC",
                work=(f"{each.name} is from {shown(start)} to {shown(end)}",
                      f"the others are from {shown(first)} to {shown(last)}"),
                amount=None, currency="", loss=_WRONG_ROWS,
            ))  # fmt: skip
    return out
