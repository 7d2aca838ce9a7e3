"""The conventions that public libraries follow where they differ from the contract, each as a formula of its own.

Nothing here imports mmverify or a library: plain Python in IEEE arithmetic. `explain` computes a case under one
convention after the other, the fewest changes first, and names the one whose answer the library gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from itertools import combinations, pairwise
from typing import Any

NAN, INF = math.nan, math.inf
CLOSE = 1e-12

#: Label: (kind, what it means and what it costs).
LABELS: dict[str, tuple[str, str]] = {
    "no domain": ("convention", "Any number is taken, NaN, 0 and below too, and IEEE arithmetic goes on: the caller has to check."),
    "init adjusted": ("convention", "The average is weighted by all weights so far (pandas' adjust=True), not started at the first value."),
    "init first": ("convention", "The average starts at the first value; the case asks for another start."),
    "init sma": ("convention", "The average starts at the mean of the first span values, nothing before."),
    "warm-up hidden": ("convention", "The average starts at the first value, but is shown only from the span-th on."),
    "NaN ages": ("convention", "A missing input repeats the last value, and the weights age by it all the same (pandas' ignore_na=False)."),
    "NaN propagates": ("convention", "After a missing input everything is NaN."),
    "NaN gives None": ("convention", "A missing input gives None in its place; nothing is repeated."),
    "NaN restarts": ("convention", "After a missing input the average starts anew."),
    "NaN repeats": ("convention", "A missing input repeats the last value; the case asks that it propagates."),
    "ddof 0": ("convention", "The variance is divided by n, whatever n - ddof the case asks for."),
    "ddof 1": ("convention", "The variance is divided by n - 1, whatever n - ddof the case asks for."),
    "252 a year": ("convention", "252 periods a year, whatever the market: a crypto day is one of 365."),
    "365 a year": ("convention", "365 periods a year, whatever the case asks for."),
    "simple returns": ("convention", "Simple returns; the case asks for logarithmic ones."),
    "percent": ("convention", "Times 100: in percent."),
    "infinite is missing": ("convention", "An infinite return is replaced by NaN and left out."),
    "NaN padded": ("convention", "A missing price is taken as unchanged (pandas' pct_change fills forward)."),
    "gap reseeds": ("defect", "After a missing input the average stands still once and starts anew as a mean, span inputs later."),
    "lax format": ("convention", "More forms of a time are read than ISO-8601 with seconds and up to 9 digits."),
    "NaT is the smallest": ("defect", "No time reads as NaT, whose number is -2^63: a time in 1677."),
    "places for steps": ("defect", "Rounded to as many places as the step has, not to its multiples: 0.5 is treated as 0.1."),
    "zero raises": ("convention", "Less than one step raises instead of giving 0."),
    "NaN left out": ("convention", "Missing values are left out of sums and means."),
    "negative": ("convention", "A drawdown is zero or negative."),
    "peak ignores NaN": ("convention", "The running maximum passes over NaN; only that one drawdown is NaN."),
    "undefined is 0": ("convention", "0 where there is no value."),
    "zero tick gives 0": ("convention", "A trade at the last price has no sign: the last one is not carried."),
    "same instant": ("convention", "The quote of the trade's own instant counts as in force."),
    "no offset is UTC": ("convention", "A time without an offset is taken as UTC."),
    "nearest": ("convention", "Rounded to the nearest step, not to the passive side."),
    "average cost": ("convention", "Lots are averaged, whatever the case asks for."),
    "8 places": ("convention", "Money is rounded to the currency's 8 places with every fill."),
    "net of fees": ("convention", "Realized P&L has the commissions taken off."),
    "per cycle": ("convention", "Realized P&L and fees start at 0 with the first fill after flat."),
    "flat keeps entry": ("convention", "A flat position shows its last entry price."),
    "no sequence": ("convention", "Messages are applied as they come: gaps, old numbers and a missing snapshot are the caller's to see."),
    "full depth": ("convention", "All levels are kept and shown: the depth is the caller's to cut."),
    "repeat raises": ("convention", "A repeated execution raises instead of changing nothing."),
    "one side stays": ("convention", "Levels are shown as they are, and validity is only that the best bid is not above the best ask."),
    "arithmetic entry": ("defect", "The entry of an inverse position is averaged as if it were linear; the mean has to be harmonic."),
    "flip keeps entry": ("defect", "A fill through zero leaves the old entry price on the new position."),
    "fill of 0 averages": ("defect", "A fill of quantity 0 is refused or divides by zero."),
    "float mid": ("defect", "Trade and mid are compared in binary floats: (bid + ask) / 2 is not the mid, and a trade at the mid gets a side."),
    "float step": ("defect", "Floor and ceil of a binary quotient: 0.3 / 0.1 is 2.9999999999999996, so a price on its tick moves by one."),
    "NaN counts as 0": ("defect", "A missing price is left out of the numerator while its quantity stays in the denominator."),
    "lengths are cut": ("defect", "Lists of different lengths are matched as far as they go and summed as if nothing were missing."),
    "one-pass variance": ("defect", "Mean of squares minus square of mean: what is left after the cancellation is noise, or 0."),
    "loses digits": ("defect", "Right to a millionth, but by more than 4 ulp times the condition number off."),
    "taken as prices": ("defect", "Returns that are all at or above 0 with one above 1 are taken for prices, and their changes are measured."),
    "price of 0": ("defect", "A fill at a price of 0 is booked."),
    "half applied": ("defect", "A refused message has changed the state."),
    "refuses": ("defect", "Good input is refused."),
}  # fmt: skip

#: These say themselves what bad input they take.
ACCEPTING = {"NaN counts as 0", "lengths are cut", "no offset is UTC", "NaN left out", "NaN padded", "price of 0", "no domain",
             "lax format", "NaT is the smallest"}  # fmt: skip

Found = tuple[str, Any, float]


def div(a: float, b: float) -> float:
    """Divide as IEEE arithmetic does."""
    if b == 0:
        return NAN if a == 0 or a != a else math.copysign(INF, a) * math.copysign(1, b)
    return a / b


def log(x: float) -> float:
    """Take the logarithm as IEEE arithmetic does."""
    return NAN if not x >= 0 else -INF if x == 0 else math.log(x)


def total(values: list[float]) -> float:
    """Sum without error, NaN and infinity included."""
    return math.fsum(values) if all(map(math.isfinite, values)) else sum(values)


def floats(texts: list[Any]) -> list[float]:
    """Read numbers; None is NaN."""
    return [NAN if text is None else float(text) for text in texts]


def subsets(names: tuple[str, ...]) -> Iterator[frozenset[str]]:
    """Yield the sets of changes, the fewest first."""
    for count in range(len(names) + 1):
        yield from map(frozenset, combinations(names, count))


def near(expected: Any, got: Any, slack: float) -> bool:
    """Say whether a library gave what a convention gives; `slack` is absolute."""
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(near(each, got.get(key), slack) for key, each in expected.items())
    if isinstance(expected, list | tuple):
        return isinstance(got, list | tuple) and len(expected) == len(got) and all(
            near(e, g, slack) for e, g in zip(expected, got, strict=True))  # fmt: skip
    if isinstance(expected, bool | str) or isinstance(got, bool | str):
        return type(expected) is type(got) and bool(expected == got)
    if expected is None or expected != expected:
        return got is None or got != got
    if got is None or got != got:
        return False
    return expected == got or abs(float(expected) - float(got)) <= max(slack, CLOSE * abs(float(expected)))


def explain(
    name: str, params: Mapping[str, Any], given: Mapping[str, Any], got: Any, *, scale: float, invalid: bool
) -> str | None:
    """Name the convention or defect under which a case gives what the library gave, None if there is none.

    Parameters
    ----------
    name : str
        Of the contract.
    params, given : Mapping[str, Any]
        Conventions and inputs of the case, as text.
    got : Any
        What the library gave.
    scale : float
        Size of the terms of the answer.
    invalid : bool
        Whether the case must be refused.

    Returns
    -------
    str or None
        Labels joined by `` + ``.
    """
    for label, expected, slack in ALTERNATIVES[name](params, given):
        if invalid and not set(label.split(" + ")) & ACCEPTING:
            label = " + ".join(filter(None, ["no domain", label]))
        if label and near(expected, got, max(slack, CLOSE * scale)):
            return label
    return None


# --- series -----------------------------------------------------------------------------------------------------------


def _vwap(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    prices, qtys = floats(given["prices"]), floats(given["qtys"])
    pairs = list(zip(prices, qtys, strict=False))
    if len(prices) == len(qtys):
        yield "", div(total([p * q for p, q in pairs]), total(qtys)), 0
        known = [p * q for p, q in pairs if p * q == p * q]
        yield "NaN counts as 0", div(total(known), total([q for q in qtys if q == q])), 0
    else:
        yield "lengths are cut", div(total([p * q for p, q in pairs]), total(qtys)), 0
        yield "lengths are cut", NAN, 0


def ema(values: list[float], alpha: float, init: str, span: int, missing: str) -> list[float]:
    """Average exponentially, one value after the other."""
    out: list[float] = []
    weight = mean = 0.0
    seed: list[float] = []
    started = False
    for value in values:
        if value != value:
            if missing == "propagates":
                return out + [NAN] * (len(values) - len(out))
            if missing == "restarts":
                started, seed = False, []
            if missing == "ages" and started:
                weight *= 1 - alpha
            out.append(mean if started and missing in ("repeats", "ages") else NAN)
            continue
        if not started:
            seed.append(value)
            if init != "sma" or len(seed) == span:
                mean, weight, started = total(seed) / len(seed), 1.0, True
        elif init == "adjusted":
            weight *= 1 - alpha
            mean = (weight * mean + value) / (weight + 1)
            weight += 1
        else:
            weight *= 1 - alpha
            mean = (weight * mean + alpha * value) / (weight + alpha)
            weight = 1.0
        out.append(mean if started else NAN)
    return out


def reseeded(values: list[float], alpha: float, span: int) -> list[float]:
    """Average as talipp does: the input one span ago decides whether to wait, to start as a mean, or to go on."""
    out: list[float] = []
    for place, value in enumerate(values):
        back = place - span + 1
        mean = out[-1] if out else NAN
        if value == value and back >= 0 and values[back] == values[back]:
            new = back == 0 or values[back - 1] != values[back - 1]
            mean = total(values[back : place + 1]) / span if new else alpha * value + (1 - alpha) * mean
        out.append(mean)
    return out


def _ema(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    values = floats(given["values"])
    alpha = float(params["alpha"]) if "alpha" in params else 2 / (float(params.get("span", "nan")) + 1)
    span = int(float(params.get("span", 1)))
    asked = "propagates" if params.get("ema_nan") == "propagate" else "repeats"
    found = []
    for init in ("first", "sma", "adjusted", "hidden"):
        for missing in ("repeats", "propagates", "ages", "None", "restarts"):
            labels = [] if init == params["init"] else ["warm-up hidden" if init == "hidden" else f"init {init}"]
            labels += [] if missing == asked else [f"NaN {missing}" if missing != "None" else "NaN gives None"]
            answer = ema(values, alpha, "first" if init == "hidden" else init, span, missing)
            if init == "hidden":
                answer = [NAN if place < span - 1 else value for place, value in enumerate(answer)]
            found.append((" + ".join(labels), answer, 0.0))
            if init == "hidden":  # pandas counts the known ones only
                seen = [sum(v == v for v in values[: place + 1]) for place in range(len(values))]
                raw = ema(values, alpha, "first", span, missing)
                found.append((" + ".join(labels), [NAN if n < span else v for n, v in zip(seen, raw, strict=True)], 0.0))
    found.append(("gap reseeds" if params["init"] == "sma" else "init sma + gap reseeds", reseeded(values, alpha, span), 0.0))
    yield from sorted(found, key=lambda each: each[0].count("+") if each[0] else -1)


def changes(prices: list[float], kind: str) -> list[float]:
    """Return the changes from each price to the next."""
    if kind == "simple":
        return [div(after - before, before) for before, after in pairwise(prices)]
    return [log(after) - log(before) for before, after in pairwise(prices)]


def _returns(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    for chosen in subsets(("percent", "simple returns", "infinite is missing", "NaN padded", "undefined is 0")):
        kind = "simple" if "simple returns" in chosen else params["kind"]
        values = changes(padded(given["prices"], chosen), kind)
        if "undefined is 0" in chosen:
            values = [value if math.isfinite(value) else 0.0 for value in values]
        if "infinite is missing" in chosen:
            values = [NAN if math.isinf(value) else value for value in values]
        times = 100 if "percent" in chosen else 1
        yield " + ".join(sorted(chosen)), [times * value for value in values], 4e-15 * times


def padded(texts: list[Any], chosen: frozenset[str]) -> list[float]:
    """Read prices, a missing one as the last where that is chosen."""
    prices = floats(texts)
    if "NaN padded" in chosen:
        for place in range(1, len(prices)):
            prices[place] = prices[place - 1] if prices[place] != prices[place] else prices[place]
    return prices


def deviation(values: list[float], ddof: int) -> float:
    """Return the standard deviation, in two passes."""
    if len(values) <= ddof:
        return NAN
    mean = total(values) / len(values)
    return math.sqrt(div(total([(value - mean) ** 2 for value in values]), len(values) - ddof))


def _volatility(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    asked = {"ddof": params["ddof"], "periods": float(params["periods_per_year"]), "kind": params["kind"]}
    names = ("ddof 0", "ddof 1", "252 a year", "365 a year", "simple returns", "infinite is missing", "NaN left out", "NaN padded", "undefined is 0",
             "taken as prices", "one-pass variance")  # fmt: skip
    for chosen in subsets(names):
        if {"ddof 0", "ddof 1"} <= chosen or {"252 a year", "365 a year"} <= chosen or len(chosen) > 5:
            continue
        values = changes(padded(given["prices"], chosen), "simple" if "simple returns" in chosen else asked["kind"])
        if "undefined is 0" in chosen:
            values = [value if math.isfinite(value) else 0.0 for value in values]
        if "infinite is missing" in chosen:
            values = [NAN if math.isinf(value) else value for value in values]
        if "taken as prices" in chosen:
            values = changes(values, "simple")
        if chosen & {"NaN left out", "taken as prices"}:
            values = [value for value in values if value == value]
        ddof = 0 if "ddof 0" in chosen else 1 if "ddof 1" in chosen else int(asked["ddof"])
        periods = 252 if "252 a year" in chosen else 365 if "365 a year" in chosen else asked["periods"]
        if "one-pass variance" in chosen:
            spread = one_pass(values) if ddof == 0 else NAN
        else:
            spread = deviation(values, ddof)
        year = math.sqrt(periods) if periods >= 0 else NAN
        yield " + ".join(name for name in names if name in chosen), spread * year, 4e-15 * (year if year == year else 0)


def one_pass(values: list[float]) -> float:
    """Return the standard deviation as the root of mean of squares minus square of mean, 0 below 1e-14."""
    if not values:
        return NAN
    first, second = 0.0, 0.0
    for value in values:
        first, second = first + value, second + value * value
    variance = second / len(values) - (first / len(values)) * (first / len(values))
    return math.sqrt(variance) if variance >= 1e-14 else 0.0


def _drawdown(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    equity = floats(given["equity"])
    for chosen in subsets(("negative", "no domain", "peak ignores NaN", "NaN left out", "undefined is 0")):
        peak, out = -INF, []
        for value in equity:
            if value != value and not chosen & {"peak ignores NaN", "NaN left out"}:
                peak = NAN
            elif value == value and peak == peak:
                peak = max(peak, value)
            down = div(peak - value, peak) if peak > 0 or peak != peak or "no domain" in chosen else NAN
            if not math.isfinite(down) and "undefined is 0" in chosen:
                down = 0.0
            out.append(-down if "negative" in chosen else down)
        yield " + ".join(sorted(chosen)), out, 1e-15


def signs(prices: list[float], first: float, carry: bool) -> list[float]:
    """Return the tick rule's signs."""
    out, last = [], first
    for place, price in enumerate(prices):
        before = prices[place - 1] if place else price
        move = NAN if price != price or before != before else float((price > before) - (price < before))
        last = move if move else last
        out.append(last if carry else move)
    return out


def _trade_signs(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    prices, first = floats(given["prices"]), float(params["first"])
    yield "", signs(prices, first, True), 0
    carried: list[float] = []
    for sign in signs(prices, first, False):
        carried.append(sign if sign == sign and sign else carried[-1] if carried else first)
    yield "", carried, 0
    yield "zero tick gives 0", signs(prices, 0, False), 0


def _lee_ready(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    from fractions import Fraction

    try:
        prices, bids, asks = ([Fraction(text) for text in given[key]] for key in ("trade_prices", "bids", "asks"))
    except ValueError:
        prices, bids, asks = (floats(given[key]) for key in ("trade_prices", "bids", "asks"))  # type: ignore[assignment]
    times, quoted = list(map(int, given["trade_ts"])), list(map(int, given["quote_ts"]))
    if len(times) != len(prices) or not len(quoted) == len(bids) == len(asks):
        return
    for chosen in subsets(("same instant", "float mid", "NaN kept")):
        out = []
        moves = signs([float(price) for price in prices], 0, False)
        last = 0.0
        for price, ts, move in zip(prices, times, moves, strict=True):
            last = move if move and (move == move or "NaN kept" in chosen) else last
            before = [n for n, when in enumerate(quoted) if when < ts or (when == ts and "same instant" in chosen)]
            side = 0
            if before:
                bid, ask = bids[before[-1]], asks[before[-1]]
                if "float mid" in chosen:
                    middle: Any = (float(bid) + float(ask)) / 2
                    side = (float(price) > middle) - (float(price) < middle)
                else:
                    side = (2 * price > bid + ask) - (2 * price < bid + ask)
            out.append(side or last)
        yield " + ".join(sorted(chosen - {"NaN kept"})), out, 0


# --- prices and times -------------------------------------------------------------------------------------------------


def _mid(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    best = []
    for side in ("bids", "asks"):
        levels = [floats(level) for level in given[side]]
        best.append(next((price for price, qty in levels if qty >= float(params["min_qty"])), NAN))
    yield "", (best[0] + best[1]) / 2, 0


def _microprice(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    bid, ask, bid_qty, ask_qty = (float(given[key]) for key in ("bid", "ask", "bid_qty", "ask_qty"))
    yield "", div(bid * ask_qty + ask * bid_qty, bid_qty + ask_qty), 0


def step(value: float, size: float, way: Callable[[float], int]) -> float:
    """Round to a step by a binary quotient."""
    ratio = div(value, size)
    return way(ratio) * size if math.isfinite(ratio) else ratio * size


def _round_price(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    price, tick = float(given["price"]), float(given["tick"])
    plain = step(price, tick, math.floor if given["side"] == "buy" else math.ceil)
    yield ("float step" if price > 0 and tick > 0 else ""), plain, 0
    yield "nearest", step(price, tick, round), 0
    yield "nearest", round(price, places(given["tick"])), 0
    yield "places for steps", round(price, places(given["tick"])), 0


def _round_qty(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    qty, lot = float(given["qty"]), float(given["lot"])
    yield ("float step" if qty >= 0 and lot > 0 else ""), step(qty, lot, math.floor), 0
    yield "places for steps", step(qty, 10.0 ** -places(given["lot"]), math.floor), 0


def places(text: str) -> int:
    """Return how many digits stand after the point."""
    return len(text.partition(".")[2])


def _parse_ts(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    import datetime

    try:
        when = datetime.datetime.fromisoformat(given["text"])
    except ValueError:
        return
    if when.tzinfo is None:
        gone = when.replace(tzinfo=datetime.UTC) - datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
        yield "no offset is UTC", gone // datetime.timedelta(microseconds=1) * 1000, 0


def _window_of(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    ts, width = int(given["ts_ns"]), int(given["width_ns"])
    yield "", ts // width * width if width else 0, 0


ALTERNATIVES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Found]]] = {
    "vwap": _vwap, "ema": _ema, "returns": _returns, "volatility": _volatility, "drawdown": _drawdown,
    "trade_signs": _trade_signs, "lee_ready": _lee_ready, "mid": _mid, "microprice": _microprice,
    "round_price": _round_price, "round_qty": _round_qty, "parse_ts": _parse_ts, "window_of": _window_of,
}  # fmt: skip
