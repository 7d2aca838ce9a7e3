"""The signals that a bot claims, what it declares about each, and the values that each may have.

A claim may have more than one right value: a trade of the very nanosecond of the claim, or of within the lag that the
session states, may have been in it or not; and trades of one time of the venue may stand as in the file, as they came,
or by their ids.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mmverify.checks.tape import Tape, tape
from mmverify.formulas.ema import ema_last
from mmverify.formulas.returns import volatility
from mmverify.session.load import Session, Table, need_instruments

YEAR_NS = 365 * 86_400 * 10**9
_ULP = 2.0**-53
#: The numbers that `params` may hold, and whether each is a whole one.
_NUMBERS = {"alpha": False, "span": False, "periods_per_year": False, "period_ns": True, "n": True, "ddof": True}

Value = Fraction | float | None
Values = Callable[["Claim"], list[Value]]


@dataclass(frozen=True)
class Claim:
    """One signal: its row, what it claims, its window and parameters, and the trades of its symbol.

    `value` is None where the row is empty: the bot says that there is no value.
    """

    session: Session
    table: Table
    row: int
    symbol: str
    at: int
    value: Fraction | None
    tolerance: Fraction
    start: int | None
    end: int | None
    params: Mapping[str, float]
    tape: Tape

    @property
    def where(self) -> str:
        """Its place, ``signals:row``."""
        return self.table.where(self.row)

    @cached_property
    def window(self) -> tuple[int, int]:
        """The slice of the tape that the window holds, arrived or not."""
        return self.tape.window(self.start, self.end)

    @cached_property
    def cuts(self) -> list[int]:
        """How many arrivals the claim may have seen, the most first."""
        return self.tape.cuts(*self.window, self.at)


def claims(session: Session, name: str) -> Iterator[tuple[str, list[Claim], list[str]]]:
    """Yield, per symbol, the claims of one signal and what was left out of them."""
    table = session.table("signals")
    names, symbols, value = table.words("name"), table.words("symbol"), table.decimals("value")
    need_instruments(session, "signals", symbols)
    start, end, at = table.whole("window_start"), table.whole("window_end"), table.whole("ts_local")
    params = table.words("params")
    numbers: dict[int, dict[str, float] | None] = {code: _numbers(text) for code, text in enumerate(params.names)}
    for symbol in symbols.names:
        rows = np.flatnonzero(names.is_(name) & symbols.is_(symbol) & ~value.nan).tolist()
        if not rows:
            continue
        if symbol == "*":
            yield symbol, [], [f"*: a {name} of all symbols together is not judged"]
            continue
        held, found, notes = tape(session, symbol), [], []
        if held.left_out:
            notes.append(f"{symbol}: {held.left_out} trades have no ts_exchange and were left out")
        for row in rows:
            stated = numbers.get(int(params.codes[row]), {})
            if stated is None:
                notes.append(f"{table.where(row)}: params is no JSON object with numbers in their range; not judged")
                continue
            found.append(Claim(
                session=session, table=table, row=row, symbol=symbol, at=int(at.values[row]),
                value=None if value.missing[row] else value.fraction(row), tolerance=value.tolerance(row),
                start=None if start.missing[row] else int(start.values[row]),
                end=None if end.missing[row] else int(end.values[row]), params=stated, tape=held,
            ))  # fmt: skip
        yield symbol, found, notes


def _numbers(text: str) -> dict[str, float] | None:
    """Read the numbers of params; None where it is no JSON object, or where one of them cannot be what it says."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(held, dict):
        return None
    out: dict[str, float] = {}
    for name, whole in _NUMBERS.items():
        value = held.get(name)
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 2**63:
            return None
        if whole and value % 1:
            return None
        out[name] = int(value) if whole else float(value)
    return out


def agrees(claim: Claim, values: Iterable[Value], noise: float = 0.0) -> bool:
    """Say whether a claim is one of these values, None among them meaning that there is none to claim.

    An exact value is held to the claim's own tolerance; a float to that and `noise`, the error of its kernel.
    """
    if claim.value is None:
        return None in list(values)
    for value in values:
        if isinstance(value, Fraction) and abs(claim.value - value) <= claim.tolerance:
            return True
        if isinstance(value, float):
            allowed = float(claim.tolerance) * (1 + 1e-9) + noise + 8 * _ULP * abs(value)
            if abs(float(claim.value) - value) <= allowed:
                return True
    return False


def tied(claim: Claim) -> Iterator[Claim]:
    """Yield a claim with its trades in other orders, where some are of one time: as they came, and by their ids."""
    if claim.tape.repeated.size:
        for ties in ("arrival", "trade_id"):
            yield replace(claim, tape=tape(claim.session, claim.symbol, ties=ties))


def nearest(claim: Claim, values: Iterable[Value]) -> Value:
    """Return the number that is nearest to a claim, None where there is none."""
    numbers = [value for value in values if value is not None]
    return min(numbers, key=lambda value: abs((claim.value or 0) - Fraction(value)), default=None)


def vwaps(claim: Claim) -> list[Value]:
    """Return what a VWAP may be, exact, None where the window holds no volume; nothing where it has no bounds."""
    if claim.start is None or claim.end is None:
        return []
    return list(dict.fromkeys(claim.tape.vwap(*claim.window, cut) for cut in claim.cuts))


def volumes(claim: Claim) -> list[Value]:
    """Return what a volume may be, exact; nothing where its window has no bounds."""
    if claim.start is None or claim.end is None:
        return []
    return list(dict.fromkeys(claim.tape.volume(*claim.window, cut) for cut in claim.cuts))


@dataclass(frozen=True)
class Smoothing:
    """The conventions of an EMA: weight of the newest price, start, and under sma how many prices make the start."""

    alpha: float
    init: str
    n: int | None


def smoothing(claim: Claim) -> Smoothing | None:
    """Return what is declared of an EMA, None where params and conventions leave it open."""
    span, init = claim.params.get("span"), claim.session.convention("ema_init")
    alpha = claim.params.get("alpha") if span is None else 2 / (span + 1)
    n = claim.params.get("n", span) if init == "sma" else None
    if alpha is None or not 0 < alpha <= 1 or (init == "sma" and (n is None or n < 1 or n % 1)):
        return None
    return Smoothing(alpha, init, None if n is None else int(n))


def ema_inputs(claim: Claim, cut: int, newest: int | None = None) -> list[NDArray[np.float64]]:
    """Return the inputs of an EMA: trade prices (all, or at least the `newest`), or bucket closes.

    Closes once each way that is left open: whether a last bucket that the window cuts short is one, and whether an
    empty one repeats the last price.
    """
    period = int(claim.params.get("period_ns", 0))
    if "period_ns" not in claim.params:
        return [claim.tape.values(*claim.window, cut, newest)]
    if claim.start is None or claim.end is None or not period:
        return []
    bucket, prices = claim.tape.closes(*claim.window, cut, claim.start, period)
    whole, part = divmod(claim.end - claim.start, period)
    found = []
    for count in dict.fromkeys([whole + (part > 0), whole]):
        inside = bucket < count
        repeats = np.diff(np.append(bucket[inside], count))
        found += [np.repeat(prices[inside], repeats), prices[inside]]
    return found


def emas(claim: Claim, how: Smoothing | None = None) -> list[Value]:
    """Return what an EMA may be, as declared or under other conventions; None where there is none yet."""
    how = how or smoothing(claim)
    if how is None or not 0 < how.alpha <= 1:
        return []
    out: list[Value] = []
    weighty = int(47 / how.alpha) + (how.n or 1)  # prices; (1 - alpha)^(47 / alpha) < exp(-47) < 1e-20 of the oldest
    for inputs in (series for cut in claim.cuts for series in ema_inputs(claim, cut, weighty)):
        value = ema_last(inputs, alpha=how.alpha, init=how.init, n=how.n) if len(inputs) else np.nan
        out.append(None if np.isnan(value) else value)
    return list(dict.fromkeys(out))


def ema_noise(claim: Claim) -> float:
    """Bound the error of `ema_last`, and that of prices as floats."""
    how, (low, high) = smoothing(claim), claim.tape.range
    return 0.0 if how is None else _ULP * ((100 + 50 / how.alpha) * (high - low) + 2 * high)


@dataclass(frozen=True)
class Annual:
    """The conventions of a volatility: kind of return, ddof, periods a year, number of returns."""

    kind: str
    ddof: int
    periods: float
    n: int


def annual(claim: Claim) -> Annual | None:
    """Return what is declared of a volatility, None where params, window and conventions leave it open."""
    period, ddof = int(claim.params.get("period_ns", 0)), int(claim.params.get("ddof", 1))
    if claim.start is None or claim.end is None or not period:
        return None
    buckets, part = divmod(claim.end - claim.start, period)
    n, periods = int(claim.params.get("n", buckets - 1)), claim.params.get("periods_per_year", YEAR_NS / period)
    if part or n + 1 != buckets or not periods:
        return None
    return Annual(claim.session.convention("volatility"), ddof, periods, n)


def bucket_prices(claim: Claim, cut: int) -> NDArray[np.float64] | None:
    """Return the last price of every bucket of the window, an empty one repeating the last; None without a first."""
    start, period = claim.start or 0, int(claim.params["period_ns"])
    bucket, prices = claim.tape.closes(*claim.window, cut, start, period)
    if not bucket.size or bucket[0] != 0 or not (prices > 0).all():
        return None
    return np.repeat(prices, np.diff(np.append(bucket, ((claim.end or 0) - start) // period)))


def volatilities(claim: Claim, how: Annual | None = None) -> list[Value]:
    """Return what a volatility may be, as declared or under other conventions; nothing if the first bucket is empty."""
    how = how or annual(claim)
    if how is None or how.n <= how.ddof:
        return []
    out: list[Value] = []
    for prices in (bucket_prices(claim, cut) for cut in claim.cuts):
        if prices is None:
            return []
        out.append(volatility(prices, kind=how.kind, ddof=how.ddof, periods_per_year=how.periods))
    return out


def volatility_noise(claim: Claim) -> float:
    """Bound the error of `volatility`, and that of prices as floats."""
    how, (low, high) = annual(claim), claim.tape.range
    if how is None or not low:
        return 0.0
    return float(_ULP * ((32 + how.n) * (high / low - 1) + 4) * (how.periods * how.n / (how.n - how.ddof)) ** 0.5)
