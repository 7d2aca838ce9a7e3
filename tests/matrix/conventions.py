"""The conventions that public libraries follow where they differ from the contract, each as a formula of its own.

Nothing here imports mmverify or a library: plain Python in IEEE arithmetic. `explain` computes a case under one
convention after the other, the fewest changes first, and names the one whose answer the library gave.
"""

from __future__ import annotations

import datetime
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from fractions import Fraction
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any

import books

NAN, INF = math.nan, math.inf
CLOSE = 1e-12

_TEXTS = tomllib.loads(Path(__file__).with_name("labels.toml").read_text(encoding="utf-8"))
#: Label: (kind, what it means and what it costs).
LABELS = {label: (kind, text) for kind, texts in _TEXTS.items() for label, text in texts.items()}

#: These say themselves what bad input they take.
ACCEPTING = {
    "NaN counts as 0", "lengths are cut", "no offset is UTC", "NaN padded", "any price", "no domain", "signed quantity",
    "NaN is no order", "lax format", "zone dropped",
}  # fmt: skip

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
) -> list[str]:
    """Name the conventions and defects under which a case gives what the library gave.

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
    list of str
        Those of the fewest changes, each of labels joined by `` + ``; empty where nothing gives it.
    """
    found: list[str] = []
    for label, expected, slack in ALTERNATIVES[name](params, given):
        changed = [each for each in label.split(" + ") if each]
        if invalid and not set(changed) & ACCEPTING:
            changed.insert(0, "no domain")
        if not changed and near(expected, got, max(slack, CLOSE * scale)):
            return []
        if found and len(changed) > len(found[0].split(" + ")):
            continue
        if changed and near(expected, got, max(slack, CLOSE * scale)):
            if found and len(changed) < len(found[0].split(" + ")):
                found = []
            found.append(" + ".join(changed))
    return ["no domain"] if "no domain" in found else list(dict.fromkeys(found))


# --- series -----------------------------------------------------------------------------------------------------------


def _vwap(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    prices, qtys = floats(given["prices"]), floats(given["qtys"])
    pairs = list(zip(prices, qtys, strict=False))
    if len(prices) == len(qtys):
        yield "", div(total([p * q for p, q in pairs]), total(qtys)), 0
        known = [p * q for p, q in pairs if p * q == p * q]
        yield "NaN counts as 0", div(total(known), total([q for q in qtys if q == q])), 0
        if not any(qtys) and prices:
            yield "zero volume", prices[0], 0
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
            mean = div(weight * mean + value, weight + 1)
            weight += 1
        else:
            weight *= 1 - alpha
            mean = div(weight * mean + alpha * value, weight + alpha)
            weight = 1.0
        out.append(mean if started else NAN)
    return out


def reseeded(values: list[float], alpha: float, span: int) -> list[float]:
    """Average as talipp does: the input one span ago decides whether to wait, to start as a mean, or to go on."""
    out: list[float] = []
    for place, value in enumerate(values):
        back = place - span + 1
        mean = out[-1] if out else NAN
        if value == value and 0 <= back < len(values) and values[back] == values[back]:
            new = back == 0 or values[back - 1] != values[back - 1]
            mean = total(values[back : place + 1]) / span if new else alpha * value + (1 - alpha) * mean
        out.append(mean)
    return out


def _ema(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    values = floats(given["values"])
    alpha = float(params["alpha"]) if "alpha" in params else div(2, float(params.get("span", "nan")) + 1)
    span = int(float(params.get("span", 1)))
    asked = "propagates" if params.get("ema_nan") == "propagate" else "repeats"
    found = []
    for init in ("first", "sma", "adjusted", "hidden"):
        for missing in ("repeats", "propagates", "ages", "restarts"):
            labels = [] if init == params["init"] else ["warm-up hidden" if init == "hidden" else f"init {init}"]
            labels += [] if missing == asked else [f"NaN {missing}"]
            answer = ema(values, alpha, "first" if init == "hidden" else init, span, missing)
            if init == "hidden":
                answer = [NAN if place < span - 1 else value for place, value in enumerate(answer)]
            found.append((" + ".join(labels), answer, 0.0))
            if init == "hidden":  # pandas counts the known ones only
                seen = [sum(v == v for v in values[: place + 1]) for place in range(len(values))]
                raw = ema(values, alpha, "first", span, missing)
                found.append(
                    (" + ".join(labels), [NAN if n < span else v for n, v in zip(seen, raw, strict=True)], 0.0)
                )
    found.append(
        ("gap reseeds" if params["init"] == "sma" else "init sma + gap reseeds", reseeded(values, alpha, span), 0.0)
    )
    yield from sorted(found, key=lambda each: each[0].count("+") if each[0] else -1)


def changes(prices: list[float], kind: str) -> list[float]:
    """Return the changes from each price to the next."""
    if kind == "simple":
        return [div(after - before, before) for before, after in pairwise(prices)]
    return [log(after) - log(before) for before, after in pairwise(prices)]


def _returns(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    for chosen in subsets(("percent", "infinite is missing", "NaN padded", "undefined is 0", "taken as returns")):
        kind = params["kind"]
        values = changes(padded(given["prices"], chosen), kind)
        if "taken as returns" in chosen:
            values = [value if kind == "simple" else log(1 + value) for value in floats(given["prices"])[1:]]
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
    names = (
        "ddof 0", "ddof 1", "252 a year", "365 a year", "infinite is missing", "NaN padded", "undefined is 0",
        "taken as returns",
    )  # fmt: skip
    for chosen in subsets(names):
        if {"ddof 0", "ddof 1"} <= chosen or {"252 a year", "365 a year"} <= chosen:
            continue
        values = changes(padded(given["prices"], chosen), asked["kind"])
        if "undefined is 0" in chosen:
            values = [value if math.isfinite(value) else 0.0 for value in values]
        if "infinite is missing" in chosen:
            values = [NAN if math.isinf(value) else value for value in values]
        if "taken as returns" in chosen:
            values = [value for value in floats(given["prices"]) if value == value]
        ddof = 0 if "ddof 0" in chosen else 1 if "ddof 1" in chosen else int(asked["ddof"])
        periods = 252 if "252 a year" in chosen else 365 if "365 a year" in chosen else asked["periods"]
        spread = deviation(values, ddof)
        year = math.sqrt(periods) if periods >= 0 else NAN
        label = " + ".join(name for name in names if name in chosen)
        yield label, spread * year, 4e-15 * (year if year == year else 0)


def _drawdown(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    equity = floats(given["equity"])
    names = (
        "negative",
        "no domain",
        "peak ignores NaN",
        "NaN padded",
        "undefined is 0",
        "taken as returns",
        "from returns",
    )
    for chosen in subsets(names):
        peak, out = 1.0 if "taken as returns" in chosen else -INF, []
        grown, series = 1.0, list(equity)
        if "taken as returns" in chosen:
            for place, value in enumerate(equity):
                grown *= 1 + (value if value == value else 0.0)
                series[place] = grown
        elif "from returns" in chosen:
            for place, change in enumerate(changes(equity, "simple"), start=1):
                grown *= 1 + (change if change == change else 0.0)
                series[place] = grown
            series[:1] = [1.0] * len(series[:1])
        elif "NaN padded" in chosen:
            series = padded(given["equity"], chosen)
            first = next((value for value in series if value == value), NAN)
            series = [first if value != value else value for value in series]
        for value in series:
            if value != value and "peak ignores NaN" not in chosen:
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
    yield "nearest + places for steps", round(price, places(given["tick"])), 0


def _round_qty(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    qty, lot = float(given["qty"]), float(given["lot"])
    yield ("float step" if qty >= 0 and lot > 0 else ""), step(qty, lot, math.floor), 0
    yield "places for steps", step(qty, 10.0 ** -places(given["lot"]), math.floor), 0


def places(text: str) -> int:
    """Return how many digits stand after the point."""
    return len(text.partition(".")[2])


def _parse_ts(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    zero = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
    text = given["text"]
    cut = re.sub(r"(\.\d{9})\d+", r"\1", text).replace(".Z", "Z")
    forms = {"lax format": cut, "zone dropped": re.sub(r" [A-Z]+$", "Z", text)}
    forms["lax format "] = re.sub(r"^(\d\d)/(\d\d)/(\d{4}) ", r"\3-\2-\1T", text)
    for label, form in forms.items():
        try:
            when = datetime.datetime.fromisoformat(form)
        except ValueError:
            continue
        if when.tzinfo is None:
            label, when = "no offset is UTC", when.replace(tzinfo=datetime.UTC)
        nanos = re.search(r"\.\d{6}(\d{3})", form)
        extra = int(nanos[1]) if nanos else 0
        yield label.strip(), (when - zero) // datetime.timedelta(microseconds=1) * 1000 + extra, 0


def _window_of(params: Mapping[str, Any], given: Mapping[str, Any]) -> Iterator[Found]:
    ts, width = int(given["ts_ns"]), int(given["width_ns"])
    yield "", ts // width * width if width else 0, 0


ALTERNATIVES: dict[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Found]]] = {
    "vwap": _vwap, "ema": _ema, "returns": _returns, "volatility": _volatility, "drawdown": _drawdown,
    "trade_signs": _trade_signs, "lee_ready": _lee_ready, "mid": _mid, "microprice": _microprice,
    "round_price": _round_price, "round_qty": _round_qty, "parse_ts": _parse_ts, "window_of": _window_of,
    "Position": books.position, "realized_pnl": books.realized_pnl, "unrealized_pnl": books.unrealized_pnl,
    "notional": books.notional, "fee": books.fee, "Book": books.book,
}  # fmt: skip
