"""Section 3.3, derived calculations: VWAP, EMA and volatility recomputed for every claim, and what each may have seen."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mmverify.checks import Breach, Looked, gather
from mmverify.checks.books import instruments
from mmverify.checks.known import Rows
from mmverify.checks.signalwork import ema_work, volatility_work, vwap_work
from mmverify.checks.tape import Tape, tape
from mmverify.formulas.ema import ema_last
from mmverify.formulas.returns import volatility as volatility_of
from mmverify.numeric import decimal_text
from mmverify.session.load import Session, Table, need_instruments

_YEAR_NS = 365 * 86_400 * 10**9
_DAY = Fraction(1, 365)
_SHOWN, _SAMPLE = 5, 50
_GRACE = 1 + 1e-9

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
    params: Mapping[str, Any]
    tape: Tape

    @property
    def window(self) -> tuple[int, int]:
        """The slice of the tape that the window holds, arrived or not."""
        return self.tape.window(self.start, self.end)

    @property
    def cuts(self) -> list[int]:
        """How many arrivals the claim may have seen."""
        return self.tape.cuts(*self.window, self.at)

    def number(self, name: str) -> float | None:
        """Return a parameter that is a number, None where it is not there or is something else."""
        value = self.params.get(name)
        return None if isinstance(value, bool) or not isinstance(value, int | float) else value


def claims(session: Session, name: str) -> Iterator[tuple[str, list[Claim], list[str]]]:
    """Yield, per symbol, the claims of one signal and what was left out of them."""
    table = session.table("signals")
    names, symbols, value = table.words("name"), table.words("symbol"), table.decimals("value")
    need_instruments(session, "signals", symbols)
    start, end, at = table.whole("window_start"), table.whole("window_end"), table.whole("ts_local")
    params, parsed = table.words("params"), _parsed(table)
    for symbol in symbols.names:
        rows = np.flatnonzero(names.is_(name) & symbols.is_(symbol) & ~value.nan)
        if not rows.size:
            continue
        notes = [f"{symbol}: {left} trades have no ts_exchange and were left out"] if (
            left := tape(session, symbol).left_out
        ) else []  # fmt: skip
        found = []
        for row in rows.tolist():
            held = parsed.get(int(params.codes[row]))
            if held is None:
                notes.append(f"{table.where(row)}: params is no JSON object")
                continue
            found.append(
                Claim(
                    session, table, row, symbol, int(at.values[row]),
                    None if value.missing[row] else value.fraction(row), value.tolerance(row),
                    None if start.missing[row] else int(start.values[row]),
                    None if end.missing[row] else int(end.values[row]), held, tape(session, symbol),
                )
            )  # fmt: skip
        yield symbol, found, notes


def _parsed(table: Table) -> dict[int, Mapping[str, Any] | None]:
    out: dict[int, Mapping[str, Any] | None] = {-1: {}}
    for code, words in enumerate(table.words("params").names):
        try:
            held = json.loads(words)
        except ValueError:
            held = None
        out[code] = held if isinstance(held, dict) else None
    return out


def agrees(claim: Claim, values: Iterable[Value], noise: float = 0.0) -> bool:
    """Say whether a claim is one of these values, None among them meaning that there is none to claim."""
    if claim.value is None:
        return None in list(values)
    for value in values:
        if isinstance(value, Fraction) and abs(claim.value - value) <= claim.tolerance:
            return True
        if isinstance(value, float):
            allowed = float(claim.tolerance) * _GRACE + noise + 2.0**-50 * abs(value)
            if abs(float(claim.value) - value) <= allowed:
                return True
    return False


def _off(claim: Claim, values: list[Value]) -> tuple[float, Value]:
    """Return how far a claim is from the nearest value, and that value."""
    numbers = [value for value in values if value is not None]
    if claim.value is None or not numbers:
        return 0.0, None
    nearest = min(numbers, key=lambda value: abs(float(claim.value or 0) - float(value)))
    return abs(float(claim.value - nearest if isinstance(nearest, Fraction) else float(claim.value) - nearest)), nearest


@dataclass(frozen=True)
class Signal:
    """How one signal is judged: its values, the noise of its kernel, what would explain a wrong one, its money."""

    name: str
    values: Values
    noise: Callable[[Claim], float]
    suspects: Callable[[Claim], Iterable[tuple[str, Values]]]
    work: Callable[[Claim, Value], tuple[str, ...]]
    money: Callable[[Claim, Value], tuple[Fraction | None, str, str]]


def _judge(session: Session, signal: Signal) -> Looked:
    return gather(_judge_symbol(signal, *found) for found in claims(session, signal.name))


def _judge_symbol(signal: Signal, symbol: str, found: list[Claim], notes: list[str]) -> Looked:
    wrong: list[tuple[Claim, list[Value]]] = []
    exercised = 0
    for claim in found:
        values = signal.values(claim)
        if not values:
            notes.append(f"{symbol}: a {signal.name} whose window or params leave it open is not judged")
        elif claim.value is not None or None in values:
            exercised += 1
            if not agrees(claim, values, signal.noise(claim)):
                wrong.append((claim, values))
    if not wrong:
        return Looked(exercised, (), tuple(dict.fromkeys(notes)))
    first, values = wrong[0]
    nearest = _off(first, values)[1]
    worst, worst_values = max(wrong, key=lambda entry: _off(*entry)[0])
    amount, currency, loss = signal.money(worst, _off(worst, worst_values)[1])
    work = signal.work(first, nearest)
    should = "no value" if nearest is None else decimal_text(Fraction(nearest))
    was = decimal_text(first.value or Fraction(0))
    off = () if nearest is None else (
        f"{first.table.where(first.row)} claims {was}: it is off by "
        f"{decimal_text((first.value or Fraction(0)) - Fraction(nearest))}",
    )  # fmt: skip
    sample = [*wrong[:_SAMPLE], wrong[-1]]
    cause = next(
        (words for words, other in signal.suspects(first)
         if all(agrees(claim, other(claim), signal.noise(claim)) for claim, _ in sample)),
        "",
    )  # fmt: skip
    return Looked(exercised, (
        Breach(
            key=symbol, where=tuple(claim.table.where(claim.row) for claim, _ in wrong[:_SHOWN]), count=len(wrong),
            was=f"{signal.name} of {symbol} was {was}", should=should, work=(*work, *off), amount=amount,
            currency=currency, loss=loss, cause=cause,
        ),
    ), tuple(dict.fromkeys(notes)))  # fmt: skip


# --- money ------------------------------------------------------------------------------------------------------------


def order_size(session: Session, symbol: str) -> tuple[Fraction, str]:
    """Return the quantity of one order that a signal may have priced, and where it is from."""
    limit = session.settings.get("limits", {}).get(symbol, {}).get("max_order_qty")
    if limit is not None:
        return Fraction(str(limit)), "max_order_qty"
    if session.has("fills"):
        fills = session.table("fills", "symbol", "qty")
        mine = fills.words("symbol").is_(symbol)
        if mine.any():
            qty = fills.decimals("qty")
            return Fraction(int(qty.ints[mine].max()), 10**qty.scale), "its largest fill"
    return Fraction(1), "one unit"


def _price_money(claim: Claim, right: Value) -> tuple[Fraction | None, str, str]:
    instrument = instruments(claim.session)[claim.symbol]
    if claim.value is None or right is None:
        return None, instrument.settle, "a price made of nothing: a quote around it is a guess"
    qty, source = order_size(claim.session, claim.symbol)
    was, should = claim.value, Fraction(right)
    size = qty * instrument.multiplier
    inverse = instrument.kind == "inverse"
    amount = abs(size / was - size / should) if inverse and was and should else abs(was - should) * size
    return amount, instrument.settle, (
        f"what one order of {decimal_text(qty)} ({source}) quoted around it gives away where the claim is furthest off"
    )  # fmt: skip


def _risk_money(claim: Claim, right: Value) -> tuple[Fraction | None, str, str]:
    instrument = instruments(claim.session)[claim.symbol]
    low, high = claim.window
    if claim.value is None or right is None or low == high:
        return None, instrument.settle, "a risk that nothing measures"
    qty, source = order_size(claim.session, claim.symbol)
    limit = claim.session.settings.get("limits", {}).get(claim.symbol, {}).get("max_position")
    qty, source = (Fraction(str(limit)), "max_position") if limit is not None else (qty, source)
    price = Fraction(int(claim.tape.prices[high - 1]), 10**claim.tape.price_scale)
    size = qty * instrument.multiplier
    worth = size / price if instrument.kind == "inverse" else size * price
    amount = abs(claim.value - Fraction(right)) * Fraction(float(_DAY) ** 0.5) * worth
    return amount, instrument.settle, (
        f"the daily one-sigma move of a position of {decimal_text(qty)} ({source}) at {decimal_text(price)} is misjudged "
        "by it: spreads and limits scale with it"
    )  # fmt: skip


# --- 3.3.1 ------------------------------------------------------------------------------------------------------------


def _vwaps(claim: Claim) -> list[Value]:
    if claim.start is None or claim.end is None:
        return []
    low, high = claim.window
    return list(dict.fromkeys(claim.tape.vwap(low, high, cut) for cut in claim.cuts))


def _vwap_suspects(first: Claim) -> Iterator[tuple[str, Values]]:
    def whole(claim: Claim) -> list[Value]:
        return [claim.tape.vwap(*claim.window, len(claim.tape.rank))]

    def shifted(start: int, end: int) -> Values:
        return lambda claim: _vwaps(replace(claim, start=(claim.start or 0) + start, end=(claim.end or 0) + end))

    def by_arrival(claim: Claim) -> list[Value]:
        held, scale = claim.tape.arrived, 10**claim.tape.price_scale
        low, high = np.searchsorted(held.times, [claim.start or 0, claim.end or 0], side="left")
        places = np.flatnonzero((claim.tape.rank >= low) & (claim.tape.rank < high))
        volume = sum(int(claim.tape.qtys[n]) for n in places)
        return [Fraction(sum(int(claim.tape.prices[n]) * int(claim.tape.qtys[n]) for n in places), volume * scale)
                if volume else None]  # fmt: skip

    def mean(claim: Claim) -> list[Value]:
        return [_mean([int(claim.tape.prices[n]) for n in claim.tape.places(*claim.window, cut)], claim) for cut in claim.cuts]

    def one_a_time(claim: Claim) -> list[Value]:
        out: list[Value] = []
        for cut in claim.cuts:
            places = claim.tape.places(*claim.window, cut)
            last = places[np.append(np.diff(claim.tape.times[places]) != 0, True)] if places.size else places
            volume = sum(int(claim.tape.qtys[n]) for n in last)
            turnover = sum(int(claim.tape.prices[n]) * int(claim.tape.qtys[n]) for n in last)
            out.append(Fraction(turnover, volume * 10**claim.tape.price_scale) if volume else None)
        return out

    def unfiltered(claim: Claim) -> list[Value]:
        return _vwaps(replace(claim, tape=tape(claim.session, claim.symbol, True)))

    yield "trades that had not arrived yet were in it", whole
    yield "prices were averaged without their quantities", mean
    yield "trades marked as unused were in it", unfiltered
    yield "the window was cut by ts_local", by_arrival
    yield "the window's end was counted in", shifted(0, 1)
    yield "the window's start was left out", shifted(1, 0)
    yield "of trades with the same timestamp only the last was taken", one_a_time
    before = _previous(first)
    yield "it is the value of the claim before", lambda claim: before.get(claim.row, [])


def _mean(prices: list[int], claim: Claim) -> Value:
    return Fraction(sum(prices), len(prices) * 10**claim.tape.price_scale) if prices else None


def _previous(first: Claim) -> dict[int, list[Value]]:
    """Return, per row of the first claim's signal and symbol, the value claimed just before it."""
    table, value = first.table, first.table.decimals("value")
    name = table.words("name").text(first.row)
    rows = np.flatnonzero(table.words("name").is_(name) & table.words("symbol").is_(first.symbol) & value.known).tolist()
    return {row: [value.fraction(last)] for last, row in zip(rows, rows[1:], strict=False)}


def vwap(session: Session) -> Looked:
    """VWAP is sum(price x qty) / sum(qty) over the trades of the window that had arrived; none of an empty window."""
    return _judge(session, Signal("vwap", _vwaps, lambda claim: 0.0, _vwap_suspects, vwap_work, _price_money))


# --- 3.3.2 ------------------------------------------------------------------------------------------------------------


def _series(claim: Claim, cut: int) -> list[NDArray[np.float64]]:
    """Return the inputs of an EMA: trade prices, or bucket closes, once each way to close that the params leave open."""
    low, high = claim.window
    period = claim.number("period_ns")
    if period is None:
        return [claim.tape.values(low, high, cut)]
    places = claim.tape.places(low, high, cut)
    if claim.start is None or claim.end is None or period < 1 or not places.size:
        return [] if claim.start is None or claim.end is None or period < 1 else [np.zeros(0)]
    bucket = (claim.tape.times[places] - claim.start) // int(period)
    last = np.append(np.diff(bucket) != 0, True)
    closes = claim.tape.floats[places[last]]
    filled = bucket[last]
    whole, part = divmod(claim.end - claim.start, int(period))
    found = []
    for count in dict.fromkeys([whole + (part > 0), whole]):
        inside = filled < count
        gaps = np.diff(np.append(filled[inside], count))
        found += [np.repeat(closes[inside], gaps), closes[inside]]
    return found


def _ema_settings(claim: Claim) -> tuple[float, str, int | None] | None:
    span, alpha = claim.number("span"), claim.number("alpha")
    if span is not None and span >= 1:
        weight = 2 / (span + 1)
    elif alpha is not None and 0 < alpha <= 1:
        weight = float(alpha)
    else:
        return None
    init = claim.session.convention("ema_init")
    if init != "sma":
        return weight, init, None
    n = claim.number("n") if claim.number("n") is not None else span
    return (weight, init, int(n)) if n is not None and n >= 1 else None


def _emas(claim: Claim, settings: tuple[float, str, int | None] | None = None) -> list[Value]:
    settings = settings or _ema_settings(claim)
    if settings is None:
        return []
    alpha, init, n = settings
    out: list[Value] = []
    for cut in claim.cuts:
        for inputs in _series(claim, cut):
            if not len(inputs):
                out.append(None)
                continue
            value = ema_last(inputs, alpha=alpha, init=init, n=n)
            out.append(None if np.isnan(value) else value)
    return list(dict.fromkeys(out))


def _ema_noise(claim: Claim) -> float:
    settings = _ema_settings(claim)
    low, high = claim.window
    if settings is None or low == high:
        return 0.0
    prices = claim.tape.floats[low:high]
    spread = float(prices.max() - prices.min())
    return float(2.0**-53 * (100 + 50 / settings[0]) * spread + 2.0**-52 * prices.max())


def _ema_suspects(first: Claim) -> Iterator[tuple[str, Values]]:
    def under(change: Callable[[Claim, float, str, int | None], tuple[float, str, int | None] | None]) -> Values:
        def values(claim: Claim) -> list[Value]:
            settings = _ema_settings(claim)
            changed = change(claim, *settings) if settings else None
            return _emas(claim, changed) if changed else []

        return values

    def seed(claim: Claim, alpha: float) -> int | None:
        n = claim.number("n") or claim.number("span")
        return int(n) if n else max(1, round(2 / alpha - 1))

    stated = first.session.convention("ema_init")
    names = {"first": "it was started from the first value", "sma": "it was started from the mean of the first n values",
             "adjusted": "its weights were normalised over what there was (pandas adjust=True)"}  # fmt: skip
    for init, words in names.items():
        if init != stated:
            yield words, under(lambda c, a, i, n, init=init: (a, init, seed(c, a) if init == "sma" else None))  # type: ignore[misc]
    yield "it was smoothed by 1 / span (Wilder's)", under(
        lambda c, a, i, n: (1 / s, i, n) if (s := c.number("span")) else None
    )
    yield "it was smoothed by 2 / span", under(lambda c, a, i, n: (2 / s, i, n) if (s := c.number("span")) and s > 2 else None)
    yield "it was smoothed by 1 - alpha", under(lambda c, a, i, n: (1 - a, i, n) if a < 1 else None)

    def whole(claim: Claim) -> list[Value]:
        settings = _ema_settings(claim)
        prices = claim.tape.values(*claim.window, len(claim.tape.rank))
        return [ema_last(prices, alpha=settings[0], init=settings[1], n=settings[2])] if settings and len(prices) else []

    def by_arrival(claim: Claim) -> list[Value]:
        settings, places = _ema_settings(claim), claim.tape.places(*claim.window, claim.cuts[0])
        prices = claim.tape.floats[places[np.argsort(claim.tape.rank[places])]]
        return [ema_last(prices, alpha=settings[0], init=settings[1], n=settings[2])] if settings and len(prices) else []

    yield "trades that had not arrived yet were in it", whole
    yield "trades entered in the order of their arrival", by_arrival
    yield "the newest trade was left out", lambda claim: _emas(replace(claim, end=int(claim.tape.times[claim.window[1] - 1])))
    yield "trades marked as unused were in it", lambda claim: _emas(
        replace(claim, tape=tape(claim.session, claim.symbol, True))
    )
    before = _previous(first)
    yield "it is the value of the claim before", lambda claim: before.get(claim.row, [])


def ema(session: Session) -> Looked:
    """EMA is the recursion under the stated start, over the prices in the venue's order of time."""
    return _judge(session, Signal("ema", _emas, _ema_noise, _ema_suspects, ema_work, _price_money))


# --- 3.3.3 ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Annual:
    """The conventions of a volatility: kind of return, ddof, periods a year, number of returns."""

    kind: str
    ddof: int
    periods: float
    n: int


def _annual(claim: Claim) -> Annual | None:
    period, n = claim.number("period_ns"), claim.number("n")
    if claim.start is None or claim.end is None or period is None or period < 1:
        return None
    buckets, part = divmod(claim.end - claim.start, int(period))
    count = int(n) if n is not None else buckets - 1
    ddof = claim.number("ddof")
    ddof = 1 if ddof is None else int(ddof)
    stated = claim.number("periods_per_year")
    if part or count + 1 != buckets or count <= ddof or ddof < 0:
        return None
    periods = float(stated) if stated is not None else _YEAR_NS / int(period)
    return Annual(claim.session.convention("volatility"), ddof, periods, count) if periods > 0 else None


def closes(claim: Claim, cut: int) -> NDArray[np.float64] | None:
    """Return the last trade of every bucket of the window, an empty one repeating the last; None without a first."""
    period = int(claim.number("period_ns") or 0)
    start, end = claim.start or 0, claim.end or 0
    places = claim.tape.places(*claim.window, cut)
    bucket = (claim.tape.times[places] - start) // period
    if not places.size or bucket[0] != 0:
        return None
    last = np.append(np.diff(bucket) != 0, True)
    return np.repeat(claim.tape.floats[places[last]], np.diff(np.append(bucket[last], (end - start) // period)))


def _volatilities(claim: Claim, annual: Annual | None = None) -> list[Value]:
    annual = annual or _annual(claim)
    if annual is None:
        return []
    series = [closes(claim, cut) for cut in claim.cuts]
    return [
        volatility_of(prices, kind=annual.kind, ddof=annual.ddof, periods_per_year=annual.periods)
        for prices in series
        if prices is not None and (prices > 0).all()
    ]


def _volatility_noise(claim: Claim) -> float:
    annual = _annual(claim)
    return 0.0 if annual is None else float(2.0**-47 * (annual.periods * annual.n / (annual.n - annual.ddof)) ** 0.5 * 0.1)


def _volatility_suspects(first: Claim) -> Iterator[tuple[str, Values]]:
    def under(change: Callable[[Claim, Annual], Annual]) -> Values:
        def values(claim: Claim) -> list[Value]:
            annual = _annual(claim)
            changed = change(claim, annual) if annual else None
            return _volatilities(claim, changed) if changed and changed.n > changed.ddof else []

        return values

    def days(count: int) -> Callable[[Claim, Annual], Annual]:
        return lambda claim, a: replace(a, periods=_YEAR_NS / int(claim.number("period_ns") or 1) * count / 365)

    other = "simple" if first.session.convention("volatility") == "log" else "log"
    kind = (f"{other} returns were used", lambda claim, a: replace(a, kind=other))
    ddof = ("the other ddof was used", lambda claim, a: replace(a, ddof=1 - a.ddof if a.ddof < 2 else 0))
    years: list[tuple[str, Callable[[Claim, Annual], Annual]]] = [
        ("it was annualized by a 252-day year", days(252)),
        ("it was annualized by a 365-day year", days(365)),
        ("it was annualized by a 260-day year", days(260)),
        ("it was annualized by 252 periods", lambda claim, a: replace(a, periods=252.0)),
        ("it was annualized by 365 periods", lambda claim, a: replace(a, periods=365.0)),
        ("it was not annualized", lambda claim, a: replace(a, periods=1.0)),
    ]
    for words, change in (kind, ddof, *years):
        yield words, under(change)
    for words, change in (ddof, *years):
        yield f"{kind[0]}, and {words}", under(lambda claim, a, change=change: kind[1](claim, change(claim, a)))
    for words, change in years:
        yield f"{ddof[0]}, and {words}", under(lambda claim, a, change=change: ddof[1](claim, change(claim, a)))
    scaled = (("it is in percent", lambda v: 100 * v), ("it is the variance", lambda v: v * v))
    for words, turn in scaled:
        yield words, lambda claim, turn=turn: [turn(value) for value in _volatilities(claim) if value is not None]
    before = _previous(first)
    yield "it is the value of the claim before", lambda claim: before.get(claim.row, [])


def volatility(session: Session) -> Looked:
    """Volatility is of the stated kind of return, ddof and annualization."""
    signal = Signal("volatility", _volatilities, _volatility_noise, _volatility_suspects, volatility_work, _risk_money)
    return _judge(session, signal)


# --- 3.3.4 ------------------------------------------------------------------------------------------------------------


def no_look_ahead(session: Session) -> Looked:
    """No signal has an input newer than itself."""
    table = session.table("signals")
    newest, at = table.whole("ts_input_max"), table.whole("ts_local").values
    symbols, names = table.words("symbol"), table.words("name")
    need_instruments(session, "signals", symbols)
    stated = ~newest.missing
    ahead = stated & (newest.values > at)
    found = [
        _ahead(session, table, symbol, name, rows)
        for symbol in symbols.names
        for name in names.names
        if (rows := np.flatnonzero(ahead & symbols.is_(symbol) & names.is_(name))).size
    ]
    return gather([Looked(int(stated.sum())), *found])


def _ahead(session: Session, table: Table, symbol: str, name: str, rows: Rows) -> Looked:
    newest, at = table.whole("ts_input_max").values, table.whole("ts_local").values
    first = int(rows[0])
    lead = newest[rows] - at[rows]
    instrument = instruments(session)[symbol]
    amount, loss = None, "a value from the future cannot be traded on: what it promises in a test is not there live"
    work = [f"ts_input_max - ts_local = {newest[first]} - {at[first]} = {int(lead[0])} ns after the signal"]
    if session.has("trades"):
        worst, story, amount = _peek(session, table, symbol, rows)
        if amount is not None:
            work.append(story)
            qty, source = order_size(session, symbol)
            loss = (f"the move that {table.where(worst)} saw before it happened, on one order of {decimal_text(qty)} "
                    f"({source}): profit that no live run can repeat")  # fmt: skip
    return Looked(0, (
        Breach(
            key=f"{symbol} {name}", where=tuple(table.where(int(row)) for row in rows[:_SHOWN]), count=len(rows),
            was=f"the newest input of {name} was of {int(newest[first])}", should=f"{int(at[first])} or before",
            work=tuple(work), amount=amount, currency=instrument.settle, loss=loss,
            cause=f"{name} was computed from data of up to {int(lead.max())} ns after it",
        ),
    ))  # fmt: skip


def _peek(session: Session, table: Table, symbol: str, rows: Rows) -> tuple[int, str, Fraction | None]:
    """Return the row whose future inputs moved the price most, the prices, and the money on one order."""
    held = tape(session, symbol, True)
    newest, at = table.whole("ts_input_max").values, table.whole("ts_local").values
    price = {place: int(held.prices[n]) for n, place in enumerate(held.rank.tolist())}
    best: tuple[int, int, int] | None = None
    for row in rows.tolist():
        before, after = (int(np.searchsorted(held.arrived.times, t, side="right")) - 1 for t in (at[row], newest[row]))
        if before >= 0 and (best is None or abs(price[after] - price[before]) > abs(best[2] - best[1])):
            best = (row, price[before], price[after])
    if best is None:
        return int(rows[0]), "", None
    instrument = instruments(session)[symbol]
    row, scale = best[0], 10**held.price_scale
    p, q = Fraction(best[1], scale), Fraction(best[2], scale)
    size = order_size(session, symbol)[0] * instrument.multiplier
    amount = abs(size / p - size / q) if instrument.kind == "inverse" and p and q else abs(q - p) * size
    return row, f"last trade known at {table.where(row)}: {decimal_text(p)}; at its newest input: {decimal_text(q)}", amount


