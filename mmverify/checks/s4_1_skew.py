"""The bot's clock against the venue's: by how much it is off, how that drifts, and rows that came before they were sent
(4.1.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked
from mmverify.checks.known import Times
from mmverify.checks.moments import deadline
from mmverify.checks.s4_1_times import HOUR, MS, Clocks, clocks, milliseconds
from mmverify.numeric import decimal_text
from mmverify.session.load import Session

#: What the clocks may differ by where session.toml does not say. [ns]
UNSTATED = 10**9
_PARTS = 60
_SHOWN = 3
_ENOUGH, _ENOUGH_ROUND = 3, 30  # rows of two equal times that are no chance; of whole ms both


@dataclass(frozen=True, eq=False)
class Skew:
    """How far the bot's clock is ahead of the venue's (negative: behind), latency included.

    Parameters
    ----------
    at : ndarray of int64
        When the least difference of each part of the time arrived, by the bot's clock. [ns]
    floor : ndarray of int64
        The least ts_local - ts_exchange of each part. [ns]
    median : ndarray of float64
        The median of each part. [ns]
    offset : float
        The line along the floors, at the median of their times: the clock's offset plus the least latency. [ns]
    drift : float
        By how much the line rises; NaN where there is one part only. [ns per ns]
    """

    at: Times
    floor: Times
    median: NDArray[np.float64]
    offset: float
    drift: float


def skew(local: Times, venue: Times, *, parts: int) -> Skew:
    """Estimate the offset and the drift between two clocks from messages that take an unknown time between them.

    No message arrives before it is sent, and the fastest of many take about as long as ever: what the least
    differences do over time is what the clocks do. The slope is the median of the slopes between any two parts, so that
    a few wrong times do not turn it.

    Parameters
    ----------
    local, venue : ndarray of int64, shape (n,)
        When each message arrived and was sent, each by its own clock; one at least, in any order. [ns]
    parts : int
        Into how many parts of equal length the time is cut.

    Returns
    -------
    Skew

    References
    ----------
    Moon, Skelly, Towsley, "Estimation and removal of clock skew from network delay measurements", INFOCOM 1999; Sen,
    "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968).
    """
    if (local[1:] < local[:-1]).any():
        order = np.argsort(local, kind="stable")
        local, venue = local[order], venue[order]
    lag = local - venue
    start, length = int(local[0]), int(local[-1] - local[0]) + 1
    ends = start + np.arange(1, parts, dtype=np.int64) * (length // parts) if length >= parts else local[:0]
    cuts = np.unique(np.concatenate([[0], np.searchsorted(local, ends)]))
    cuts = cuts[cuts < len(local)]
    slices = [slice(low, high) for low, high in zip(cuts, [*cuts[1:], len(local)], strict=True)]
    least = np.array([part.start + int(lag[part].argmin()) for part in slices])
    at, floor = local[least], lag[least]
    median = np.array([float(np.median(lag[part])) for part in slices])
    one, other = np.triu_indices(len(at), 1)
    drift = float(np.median((floor[other] - floor[one]) / (at[other] - at[one]))) if one.size else np.nan
    since = at - at[0]
    offset = float(np.median(floor - (drift * (since - np.median(since)) if one.size else 0)))
    return Skew(at, floor, median, offset, drift)


def early_arrivals(session: Session) -> Looked:
    """Nothing arrives before it was sent, by more than the clocks may differ."""
    stated = deadline(session, "max_clock_skew_ms")
    allowed = UNSTATED if stated is None else stated
    both = clocks(session)
    notes = () if stated is not None or not both else (
        f"max_clock_skew_ms is not stated: {milliseconds(UNSTATED)} is taken, more than clocks that are kept differ by",
    )  # fmt: skip
    early = [(each, np.flatnonzero(each.lag < -allowed)) for each in both]
    mostly = [(each, places) for each, places in early if len(places) * 2 > len(each)]
    some = [(each, places) for each, places in early if 0 < len(places) * 2 <= len(each)]
    should = f"{milliseconds(allowed)} at most (max_clock_skew_ms{' is not stated' if stated is None else ''})"
    breaches = [_clock(mostly, should)] if mostly else []
    breaches += [_rows(each, places, should) for each, places in some]
    return Looked(sum(len(each) for each in both), tuple(breaches), notes)


def _clock(found: Sequence[tuple[Clocks, Times]], should: str) -> Breach:
    """Report a clock that is behind as a whole, with the estimate of by how much."""
    lines, early = [], sum(len(places) for _, places in found)
    for each, places in found:
        lines += [each.arithmetic(int(places[0])), _range(each)]
    seen = skew(*(np.concatenate([getattr(each, name) for each, _ in found]) for name in ("local", "venue")),
                parts=_PARTS)  # fmt: skip
    behind = decimal_text(Fraction(round(-seen.offset / 1000), 1000))
    drifts = ""
    if not np.isnan(seen.drift):
        by_hour = decimal_text(Fraction(round(abs(seen.drift) * HOUR / 1000), 1000))
        ppm = decimal_text(Fraction(round(abs(seen.drift) * 10**9), 1000))
        drifts = f", and it {'gains' if seen.drift > 0 else 'loses'} {by_hour} ms an hour ({ppm} ppm)"
    lines.append(
        f"along the least differences ts_local is {behind} ms behind in the middle{drifts}; no message arrives before "
        "it is sent, so the bot's clock is behind by that and the least latency"
    )
    tables = ", ".join(f"{len(at)} of {len(each)} rows of {each.table.name}" for each, at in found)
    return Breach(
        key="clock", where=tuple(each.where(int(at[0])) for each, at in found)[:_SHOWN], count=early,
        was=f"the bot's clock is at least {behind} ms behind the venue's: ts_local comes first in {tables}",
        should=should, work=tuple(lines), amount=None, currency="",
        loss="ages, latencies and expiries that set one clock against the other are off by as much: a book as old as "
        "that counts as fresh, and a request stamped so late may be refused; what that costs is not recorded",
    )  # fmt: skip


def _range(each: Clocks) -> str:
    lag = each.lag
    low, high, middle = int(lag.min()), int(lag.max()), int(np.partition(lag, len(lag) // 2)[len(lag) // 2])
    return (f"{each.table.name}: over {len(each)} rows from {milliseconds(low)} to {milliseconds(high)}, median "
            f"{milliseconds(middle)}")  # fmt: skip


def _rows(each: Clocks, places: Times, should: str) -> Breach:
    """Report single rows that came before they were sent."""
    first = int(places[0])
    return Breach(
        key=f"{each.table.name} {each.column}", where=tuple(each.where(int(n)) for n in places[:_SHOWN]),
        count=len(places),
        was=f"ts_local of {each.table.name} is {milliseconds(-int(each.lag[first]))} before {each.column}",
        should=should,
        work=(*(each.arithmetic(int(n)) for n in places[:2]), _range(each)), amount=None, currency="",
        loss="what is known at a time is taken by these clocks: the row counts as known before it can have been, and "
        "as fresh for longer; what that costs is not recorded",
    )  # fmt: skip


def copied_clocks(session: Session) -> Looked:
    """The venue's time is the venue's: not ts_local in all rows of a table."""
    exercised, breaches = 0, []
    for each in clocks(session):
        is_round = not ((each.local % MS).any() or (each.venue % MS).any())
        if len(each) < (_ENOUGH_ROUND if is_round else _ENOUGH):
            continue
        exercised += len(each)
        if each.is_copy:
            breaches.append(Breach(
                key=f"{each.table.name} {each.column}", where=tuple(each.where(n) for n in range(_SHOWN)),
                count=len(each), was=f"{each.column} of {each.table.name} is ts_local in all {len(each)} rows",
                should="the venue's own time", work=tuple(each.arithmetic(n) for n in range(2)), amount=None,
                currency="",
                loss="by this record nothing is ever late: latency, staleness and order of events cannot be told from "
                "it; what that costs is not recorded",
                cause="ts_local was written in place of the venue's time",
            ))  # fmt: skip
    return Looked(exercised, tuple(breaches))
