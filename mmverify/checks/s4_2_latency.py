"""4.2 in a session: the recorded passes of the hot path, from market data to order."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.numeric import decimal_text
from mmverify.session.load import Session, Table

_PLACES = 3
_STAGES = ("ts_receive", "ts_book", "ts_signal", "ts_send")
_PERCENTILE = Fraction(999, 1000)


def stage_order(session: Session) -> Looked:
    """No stage of a pass ends before the one before it."""
    passes, found = session.table("latency"), []
    times = {name: passes.whole(name) for name in _STAGES}
    for first, second in pairwise(_STAGES):
        both = ~times[first].missing & ~times[second].missing
        rows = np.flatnonzero(both & (times[second].values < times[first].values))
        if len(rows):
            row = int(rows[0])
            early, late = int(times[second].values[row]), int(times[first].values[row])
            found.append(Breach(
                f"{first} to {second}", tuple(passes.where(int(each)) for each in rows[:_PLACES]), len(rows),
                f"{second} {early}", f"{late} or later",
                (f"{passes.where(row)}: {first} = {late}, {second} = {early}: {early} - {late} = {early - late} ns",),
                None, "", "what is measured of the path is not what happened: its percentiles mean nothing",
            ))  # fmt: skip
    return Looked(len(passes), tuple(found))


def blocked_time(session: Session) -> Looked:
    """No pass waits for a file, a lock, the network or another thread."""
    return _above_zero(session, "blocked_us", "us", "each of them quoted late by as much")


def allocations_per_pass(session: Session) -> Looked:
    """No pass allocates, the session's first one aside: the path is not steady yet."""
    cost = "the collector, or the allocator's lock, is paid for in the worst moment"
    return _above_zero(session, "allocations", "", cost, first=1)


def log_time(session: Session) -> Looked:
    """No pass waits for its log."""
    return _above_zero(session, "log_us", "us", "each of them quoted late by as much")


def _above_zero(session: Session, column: str, unit: str, cost: str, *, first: int = 0) -> Looked:
    passes = session.table("latency")
    known, values = _numbers(passes, column)
    looked_at = known & (np.arange(len(passes)) >= first)
    rows = np.flatnonzero(looked_at & (values > 0))
    notes = () if known.all() else (f"{int((~known).sum())} passes state no {column} and were left out",)
    if not len(rows):
        return Looked(int(looked_at.sum()), (), notes)
    worst, unit = int(rows[np.argmax(values[rows])]), f" {unit}" if unit else ""
    work = (
        *(f"{passes.where(int(row))}: {column} = {values[row]:g}{unit}" for row in rows[:_PLACES]),
        f"the worst of {len(rows)} is {values[worst]:g}{unit} at {passes.where(worst)}",
    )
    told = Breach(column, tuple(passes.where(int(row)) for row in rows[:_PLACES]), len(rows),
                  f"{column} {values[rows[0]]:g}{unit}", "0", work, None, "", cost)  # fmt: skip
    return Looked(int(looked_at.sum()), (told,), notes)


def _numbers(passes: Table, column: str) -> tuple[np.ndarray, np.ndarray]:
    """Return which rows state a number, and the numbers; none of them is money."""
    if column == "allocations":
        whole = passes.whole(column)
        return ~whole.missing, whole.values.astype(float)
    decimals = passes.decimals(column)
    return decimals.known, decimals.ints / 10.0**decimals.scale


def tick_to_order(session: Session) -> Looked:
    """The 99.9th percentile of the time from market data to order is within max_tick_to_order_us."""
    most, passes = session.settings.get("timing", {}).get("max_tick_to_order_us"), session.table("latency")
    if most is None:
        return Looked(0, (), ("session.toml states no timing.max_tick_to_order_us",))
    if not len(passes):
        return Looked(0)
    took = passes.whole("ts_send").values - passes.whole("ts_receive").values
    order = np.argsort(took, kind="stable")
    rank = -(-_PERCENTILE.numerator * len(took) // _PERCENTILE.denominator)  # the smallest that 99.9 % do not pass
    row = int(order[rank - 1])
    limit, was = Fraction(most) * 1000, int(took[row])
    if was <= limit:
        return Looked(len(passes))
    late = order[rank - 1 :]
    work = (
        f"of {len(took)} passes the {rank}th in order of time is the smallest that 99.9 % do not pass",
        f"{passes.where(row)}: ts_send - ts_receive = {was} ns = {decimal_text(Fraction(was, 1000))} us",
        f"{decimal_text(Fraction(was, 1000))} us is above {decimal_text(Fraction(most))} us",
    )
    told = Breach("tick to order", tuple(passes.where(int(each)) for each in late[:_PLACES]), len(late),
                  f"{decimal_text(Fraction(was, 1000))} us at the 99.9th percentile",
                  f"{decimal_text(Fraction(most))} us at most", work, None, "",
                  "one quote in a thousand is at the old price for longer than the bot was built for")  # fmt: skip
    return Looked(len(passes), (told,))
