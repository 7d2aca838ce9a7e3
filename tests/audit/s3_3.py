"""3.3 Derived calculations: VWAP, EMA and volatility from the trades anew, claim by claim."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence
from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise
from typing import Any

from audit.market import time
from audit.recorded import Recorded, Seen, ns, number, place, seen
from audit.tape import Tape, Trade, counts, parameters, tape, window_claims

DIGITS = 60  # of each step of an average; a volatility is carried at 40
YEAR_NS = 365 * 86400 * 10**9
NEVER = 2**63


def i3_3_1(session: Recorded) -> Seen:
    """A VWAP is not the sum of price x qty over the sum of qty in its window; an empty window gives a number."""
    exercised, violations = 0, []
    for claim in window_claims(session):
        if claim.name == "vwap":
            exercised += 1
            if not claim.is_right():
                trades = len(claim.truths()[-1])
                where = place("signals", claim.row)
                violations.append(f"{where} vwap was {claim.row['value']}, should be that of its {trades} trades")
    return seen(exercised, violations)


def decimal(value: Fraction) -> Decimal:
    """Return a price as a decimal, which it is."""
    with localcontext(prec=DIGITS):
        return Decimal(value.numerator) / value.denominator


# The moving average


def first_n(params: dict[str, Any]) -> tuple[Decimal, int]:
    """Return alpha and the n that sma seeds with."""
    if "span" in params:
        return Decimal(2) / (int(params["span"]) + 1), int(params["span"])
    alpha = Decimal(str(params["alpha"]))
    return alpha, int(params.get("n") or round(2 / alpha - 1))


def ema(prices: Sequence[Decimal], alpha: Decimal, n: int, init: str) -> Decimal | None:
    """Return the average as one weighted sum instead of a recursion."""
    if init == "sma":
        if len(prices) < n:
            return None
        prices = [sum(prices[:n], Decimal(0)) / n, *prices[n:]]
    if not prices:
        return None
    weights = [Decimal(1)]
    for _ in prices[1:]:
        weights.append(weights[-1] * (1 - alpha))
    if init != "adjusted":
        weights = [*(alpha * weight for weight in weights[:-1]), weights[-1]]
    top = sum((weight * price for weight, price in zip(weights, reversed(prices), strict=True)), Decimal(0))
    return top / sum(weights)


class Average:
    """The average after each trade in the venue's order, kept up as trades come: a late one reopens what follows it."""

    def __init__(self, start: int, alpha: Decimal, n: int, init: str) -> None:
        self.start, self.alpha, self.n, self.init = start, alpha, n, init
        self.count = 0  # arrivals looked at
        self.trades: list[tuple[int, int, Decimal]] = []
        self.states: list[tuple[Decimal, Decimal]] = [(Decimal(0), Decimal(0))]  # numerator and weight, or value and 1

    def take(self, trades: Sequence[Trade]) -> None:
        for trade in trades:
            self.count += 1
            if trade.ts_exchange >= self.start:
                entry = (trade.ts_exchange, trade.place, decimal(trade.price))
                del self.states[bisect_left(self.trades, entry) + 1 :]
                insort(self.trades, entry)

    def value(self, end: int) -> Decimal | None:
        """Return the average of the trades before `end`, None where there is none yet."""
        for _, _, price in self.trades[len(self.states) - 1 :]:
            self.states.append(self._step(len(self.states), *self.states[-1], price))
        count = bisect_left(self.trades, (end,))
        if count < (self.n if self.init == "sma" else 1):
            return None
        top, weight = self.states[count]
        return top / weight

    def _step(self, count: int, top: Decimal, weight: Decimal, price: Decimal) -> tuple[Decimal, Decimal]:
        """Return the state with `count` inputs."""
        keep = 1 - self.alpha
        if self.init == "adjusted":
            return price + keep * top, 1 + keep * weight
        if count == 1:
            return price, Decimal(1)
        if self.init == "sma" and count <= self.n:
            return top + price, Decimal(count)
        return self.alpha * price + keep * top / weight, Decimal(1)


def closes(trades: Sequence[Trade], start: int, end: int, period: int) -> list[Decimal | None]:
    """Return the last price of each whole bucket, an empty one repeats it; None before the first."""
    last = {(trade.ts_exchange - start) // period: decimal(trade.price) for trade in trades}
    out: list[Decimal | None] = []
    for bucket in range((end - start) // period):
        out.append(last.get(bucket, out[-1] if out else None))
    return out


def i3_3_2(session: Recorded) -> Seen:
    """An EMA is not the recursion under `ema_init`, comes before n inputs under sma, or is poisoned by a NaN."""
    init, tolerance = session.conventions.get("ema_init", "first"), decimal(session.half_unit("signals", "value"))
    averages: dict[tuple[str, str], Average] = {}
    exercised, violations = 0, []
    for row, ts in zip(*session.arrivals("signals", name="ema"), strict=True):
        if not row["value"]:
            continue
        value, params, trades = Decimal(row["value"]), parameters(row), tape(session, row["symbol"])
        start, end = time(row["window_start"]) or 0, time(row["window_end"]) or NEVER
        known = counts(session, trades, ts)
        with localcontext(prec=DIGITS):
            if "period_ns" in params:
                choices = _bucket_averages(trades, known, start, end, params, init)
            else:
                key = row["symbol"], row["params"]
                if key not in averages or averages[key].start != start:
                    averages[key] = Average(start, *first_n(params), init)
                choices = _averages(averages[key], trades, known, end)
            should: list[Decimal | None] = []
            for choice in choices:
                should.append(choice)
                if choice is None if value.is_nan() else choice is not None and abs(value - choice) <= tolerance:
                    break
            else:
                if should:
                    was = f"{place('signals', row)} ema was {row['value']}"
                    violations.append(
                        f"{was}, should be {'none' if should[0] is None else f'{should[0]:.12f}'} ({init})"
                    )
        exercised += bool(should)
    return seen(exercised, violations)


def _averages(average: Average, trades: Tape, known: range, end: int) -> Iterator[Decimal | None]:
    """Yield the average over all that had arrived, then over what else may have been known."""
    average.take(trades.arrived[average.count : known[-1]])
    yield average.value(end)
    for count in reversed(known[:-1]):
        other = Average(average.start, average.alpha, average.n, average.init)
        other.take(trades.arrived[:count])
        yield other.value(end)


def _bucket_averages(
    trades: Tape, known: range, start: int, end: int, params: dict[str, Any], init: str
) -> Iterator[Decimal | None]:
    """Yield the average over bucket closes; none where the first bucket has no price to repeat."""
    for prices in _closes(trades, known, start, end, int(params["period_ns"])):
        yield ema(prices, *first_n(params), init)


def _closes(trades: Tape, known: range, start: int, end: int, period: int) -> Iterator[list[Decimal]]:
    """Yield the bucket closes of a window by all that had arrived, then by what else may have been known."""
    near = trades.stamped[bisect_left(trades.stamps, start) : bisect_left(trades.stamps, end)]
    for count in reversed(known):
        prices = closes([trade for trade in near if trade.place < count], start, end, period)
        if prices and prices[0] is not None:
            yield [price for price in prices if price is not None]


# Volatility


def volatility(prices: Sequence[Decimal], kind: str, ddof: int, per_year: Decimal) -> Decimal:
    pairs = list(pairwise(prices))
    returns = [now.ln() - before.ln() if kind == "log" else now / before - 1 for before, now in pairs]
    mean = sum(returns, Decimal(0)) / len(returns)
    variance = sum(((value - mean) ** 2 for value in returns), Decimal(0)) / (len(returns) - ddof)
    return variance.sqrt() * per_year.sqrt()


def i3_3_3(session: Recorded) -> Seen:
    """A volatility is of the other kind of return, the other ddof, or another annualization than declared."""
    kind, tolerance = session.conventions.get("volatility", "log"), decimal(session.half_unit("signals", "value"))
    exercised, violations = 0, []
    for row, ts in zip(*session.arrivals("signals", name="volatility"), strict=True):
        params, start, end = parameters(row), time(row["window_start"]), time(row["window_end"])
        if number(row["value"]) is None or start is None or end is None or not {"period_ns", "n"} <= params.keys():
            continue
        value, n, period = Decimal(row["value"]), int(params["n"]), int(params["period_ns"])
        ddofs = [int(params["ddof"])] if "ddof" in params else [0, 1]
        trades = tape(session, row["symbol"])
        windows = [prices[-n - 1 :] for prices in _closes(trades, counts(session, trades, ts), start, end, period)]
        windows = [prices for prices in windows if len(prices) == n + 1]
        if not windows or n <= max(ddofs):
            continue
        exercised += 1
        with localcontext(prec=40):
            per_year = (
                Decimal(str(params["periods_per_year"])) if "periods_per_year" in params else Decimal(YEAR_NS) / period
            )
            choices = [volatility(prices, kind, ddof, per_year) for prices in windows for ddof in ddofs]
            if not any(abs(value - should) <= tolerance for should in choices):
                was = f"{place('signals', row)} volatility was {value}, should be {choices[0]:.12f} ({kind})"
                violations.append(was + _fit(value, tolerance, windows[0], per_year))
    return seen(exercised, violations)


def _fit(value: Decimal, tolerance: Decimal, prices: Sequence[Decimal], per_year: Decimal) -> str:
    """Name the other kind of return or ddof that a value fits."""
    for kind in ("log", "simple"):
        for ddof in (0, 1):
            if abs(value - volatility(prices, kind, ddof, per_year)) <= tolerance:
                return f"; it fits {kind} with ddof {ddof}"
    return ""


def i3_3_4(session: Recorded) -> Seen:
    """A signal's newest input is later than the signal."""
    rows = [row for row in session["signals"] if row["ts_input_max"]]
    late = [row for row in rows if ns(row["ts_input_max"]) > ns(row["ts_local"])]
    return seen(
        len(rows),
        (
            f"{place('signals', row)} ts_input_max was {row['ts_input_max']}, should be {row['ts_local']} at most"
            for row in late
        ),
    )
