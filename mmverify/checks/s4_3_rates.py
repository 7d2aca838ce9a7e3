"""Section 4.3, rates: requests stay within their limit, less what is kept free for the drift of clocks (4.3.3)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import Any

import numpy as np

from mmverify.checks import Breach, Looked
from mmverify.checks.claims import places
from mmverify.checks.handwork import text
from mmverify.checks.known import Rows, Times, timeline
from mmverify.checks.s5_2_outages import ms
from mmverify.numeric import INT64_MAX, Ints, Mask, decimal_text, largest
from mmverify.replay.rate_limit import window_loads
from mmverify.session.load import Session, Table
from mmverify.session.settings import exact

_KINDS = ("sliding", "fixed", "bucket")
_LISTED = 4
_LOSS = (
    "past its limit a venue refuses requests, cancels among them, or bans the address; what that costs cannot be known"
)


@dataclass(frozen=True, eq=False)
class Rate:
    """The requests under one rate limit in order of time, and the load of the window that ends at each.

    Parameters
    ----------
    endpoint : str
        ``*`` for all.
    kind : {"sliding", "fixed", "bucket"}
    limit : Fraction
        Weight in a window.
    margin : Fraction or None
        The share of the limit that is kept free, None where it is not stated.
    window : int
        [ns]
    rows : ndarray of int64, shape (n,)
        Rows of `requests`.
    times : ndarray of int64, shape (n,)
        [ns]
    loads : ndarray of int, shape (n,)
        In units of ``1 / unit``.
    unit : int
    """

    endpoint: str
    kind: str
    limit: Fraction
    margin: Fraction | None
    window: int
    rows: Rows
    times: Times
    loads: Ints
    unit: int

    @property
    def most(self) -> Fraction:
        """The weight that may be used in a window."""
        return self.limit * (1 - (self.margin or 0))

    @property
    def over(self) -> Mask:
        """Requests at which the window's load is above `most`."""
        return np.asarray(self.loads > floor(self.most * self.unit), dtype=bool)

    def load(self, at: int) -> Fraction:
        """Return the load of the window that ends at one of the requests."""
        return Fraction(int(self.loads[at]), self.unit)


def rate_limits(session: Session) -> Looked:
    """No window of requests passes limit x (1 - margin), and a margin is stated."""
    stated = rates(session)
    table = session.table("requests", "ts_local", "endpoint", "weight")
    found = [_unstated(rate) for rate in stated if rate.margin is None]
    found += [_over(session, table, rate) for rate in stated if rate.over.any()]
    told = session.settings.get("rate_limit", ())
    notes = [] if told else ["session.toml states no rate_limit"]
    if len(stated) < len(told):
        why = f"no endpoint, limit or window, or a kind that is none of {', '.join(_KINDS)}"
        notes.append(f"{len(told) - len(stated)} rate limits of session.toml are left out: {why}")
    return Looked(sum(len(rate.rows) for rate in stated), tuple(found), tuple(notes))


def rates(session: Session) -> list[Rate]:
    """Follow the requests under each rate limit of session.toml.

    Parameters
    ----------
    session : Session

    Returns
    -------
    list of Rate
        In the order of session.toml.
    """
    table = session.table("requests", "ts_local", "endpoint", "weight")
    line, endpoints, weight = timeline(session, table), table.words("endpoint"), table.decimals("weight")
    unit, out = 10**weight.scale, []
    weights = np.where(weight.known, weight.ints, unit)[line.rows]
    for n, stated in enumerate(session.settings.get("rate_limit", ()), 1):
        endpoint, kind = str(stated.get("endpoint", "")), str(stated.get("kind", "sliding"))
        limit, window, margin = (_number(stated, name, n) for name in ("limit", "window_s", "margin"))
        span = int((window or Fraction(0)) * 10**9)
        if not endpoint or limit is None or span <= 0 or kind not in _KINDS:
            continue
        mine = np.ones(len(line), dtype=bool) if endpoint == "*" else endpoints.is_(endpoint)[line.rows]
        times = line.times[mine]
        loads, scale = _loads(kind, times, weights[mine], span, limit * unit)
        out.append(Rate(endpoint, kind, limit, margin, span, line.rows[mine], times, loads, unit * scale))
    return out


def _number(stated: dict[str, Any], name: str, n: int) -> Fraction | None:
    return exact(stated[name], f"rate_limit[{n}].{name}") if name in stated else None


def _loads(kind: str, times: Times, weights: Ints, window: int, limit: Fraction) -> tuple[Ints, int]:
    """Return the load of the window at each request, and what it is to be divided by.

    Fixed windows begin at the multiples of their length; a bucket leaks the limit in each window's time.
    """
    if not len(times):
        return np.zeros(0, dtype=np.int64), 1
    if kind == "bucket":
        return _bucket(times, weights, window, limit)
    if kind == "fixed":
        sums = np.cumsum(weights)
        which = times // window
        first = np.searchsorted(which, which, side="left")
        return np.asarray(sums - sums[first] + weights[first]), 1
    if weights.dtype == object or weights.min() < 0 or largest(weights) * len(weights) > INT64_MAX:
        sums = np.append(np.array([0], dtype=object), np.cumsum(weights.astype(object)))
        first = np.searchsorted(times, times - window, side="right")
        return np.asarray(sums[np.searchsorted(times, times, side="right")] - sums[first]), 1
    return window_loads(times, weights.astype(np.int64), window), 1


def _bucket(times: Times, weights: Ints, window: int, limit: Fraction) -> tuple[Ints, int]:
    """Return what is in a leaking bucket after each request: the most of what came since any request, less the leak."""
    leak, unit = limit.numerator, window * limit.denominator
    since = int(times[-1] - times[0])
    wide = largest(weights) * len(weights) * unit + leak * since > INT64_MAX
    kind: type = object if wide else np.int64
    added: Ints = weights.astype(kind) * unit
    height = np.cumsum(added) - (times - times[0]).astype(kind) * leak
    return np.asarray(height - np.minimum.accumulate(height - added)), unit


# --- words ------------------------------------------------------------------------------------------------------------


def _unstated(rate: Rate) -> Breach:
    most = max((rate.load(at) for at in ([int(rate.loads.argmax())] if len(rate.rows) else [])), default=Fraction(0))
    return Breach(
        key=f"{rate.endpoint} margin", where=(f"session.toml rate_limit {rate.endpoint}",), count=1,
        was=f"the margin of the rate limit of {rate.endpoint} was unset", should="a share of the limit, above 0",
        work=(f"limit {decimal_text(rate.limit)} in {ms(rate.window)} ms; the most that was used: {decimal_text(most)}",
              "the venue counts by its clock: a window of the bot's may hold requests of the next one of the venue's"),
        amount=None, currency="", loss=_LOSS,
    )  # fmt: skip


def _over(session: Session, table: Table, rate: Rate) -> Breach:
    over = np.flatnonzero(rate.over)
    first = int(over[0])
    load, most = rate.load(first), rate.most
    margin = rate.margin or Fraction(0)
    allowed = f"{text(rate.limit)} x (1 - {text(margin)}) = {decimal_text(most)}"
    used = {"sliding": f"in the {ms(rate.window)} ms up to it", "fixed": f"in its window of {ms(rate.window)} ms",
            "bucket": f"in the bucket, which leaks {text(rate.limit)} in {ms(rate.window)} ms"}[rate.kind]  # fmt: skip
    return Breach(
        key=rate.endpoint, where=places(table, rate.rows[over].tolist()), count=len(over),
        was=f"requests to {rate.endpoint} weighed {decimal_text(load)} {used}", should=f"{decimal_text(most)} at most",
        work=(f"allowed: {allowed}", *_window(table, rate, first),
              f"{text(load)} - {text(most)} = {decimal_text(load - most)} too much"),
        amount=None, currency="", loss=_LOSS, cause=_cause(table, rate),
    )  # fmt: skip


def _window(table: Table, rate: Rate, at: int) -> list[str]:
    """Write out the requests of a window, its last ones by name."""
    end = int(rate.times[at])
    stop = int(np.searchsorted(rate.times, end, side="right")) if rate.kind == "sliding" else at + 1
    start = 0
    if rate.kind == "sliding":
        start = int(np.searchsorted(rate.times, end - rate.window, side="right"))
    elif rate.kind == "fixed":
        start = int(np.searchsorted(rate.times // rate.window, end // rate.window))
    weight = table.decimals("weight")
    parts = [
        (int(row), weight.fraction(int(row)) if weight.known[row] else Fraction(1)) for row in rate.rows[start:stop]
    ]
    if rate.kind == "bucket":
        ages = [ms(end - int(ts)) for ts in rate.times[start:stop]][-_LISTED:]
        listed = zip(parts[-_LISTED:], ages, strict=True)
        return [f"{table.where(row)}: weight {text(each)}, {age} ms before the last" for (row, each), age in listed]
    lines = [f"{table.where(row)}: weight {text(each)}" for row, each in parts[-_LISTED:]]
    before = parts[:-_LISTED]
    if before:
        rest = sum((each for _, each in before), Fraction(0))
        lines.insert(
            0, f"{len(before)} requests of it before, from {table.where(before[0][0])} on: weight {text(rest)}"
        )
    return lines


def _cause(table: Table, rate: Rate) -> str:
    """Name what would have let every one of these through."""
    over, allowed = rate.over, floor(rate.most * rate.unit)
    if rate.margin and np.all(rate.loads[over] <= floor(rate.limit * rate.unit)):
        return "the limit is used without its margin"
    ones, weight = np.ones(len(rate.rows), dtype=np.int64), table.decimals("weight")
    counted, unit = _loads(rate.kind, rate.times, ones, rate.window, rate.limit)
    if np.all(counted[over] <= floor(rate.most * unit)):
        return "requests are counted, and not what they weigh"
    if rate.kind == "sliding":
        weights = np.where(weight.known, weight.ints, 10**weight.scale)[rate.rows]
        if np.all(_loads("fixed", rate.times, weights, rate.window, rate.limit)[0][over] <= allowed):
            return "the count begins anew at each window, where the venue's window slides"
    return ""
