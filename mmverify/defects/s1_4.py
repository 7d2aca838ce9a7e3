"""Mistakes of risk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from math import ceil
from typing import Any

from mmverify.defects import Planted, benign, defect
from mmverify.defects.orders import SENT, Leg, books, direction, held, later, middle, room, unfilled, walk
from mmverify.defects.recording import Recording, Row, first, text
from mmverify.errors import NotExercised

MILLISECOND, SECOND = 10**6, 10**9

# 1.4.1


@defect("1.4.1", "gross", like="ml4t/diagnostic#56")
def drawdown_in_money(recording: Recording) -> Planted:
    """The drawdown is what the equity is below its high water, not a share of it."""
    for row in recording.edit("equity"):
        if row.get("drawdown") and row.get("high_water"):
            row["drawdown"] = text(Fraction(row["high_water"]) - Fraction(row["equity"]), row["drawdown"])
    return recording.planted()


@defect("1.4.1", "deep")
def drawdown_of_the_equity(recording: Recording) -> Planted:
    """The drawdown is a share of the equity, not of its high water: right while it is small."""
    for row in recording.edit("equity"):
        if row.get("drawdown") and row.get("high_water") and Fraction(row["equity"]) > 0:
            below = Fraction(row["high_water"]) - Fraction(row["equity"])
            row["drawdown"] = text(below / Fraction(row["equity"]), row["drawdown"])
    return recording.planted()


@defect("1.4.1", "deep")
def new_high_missed_once(recording: Recording) -> Planted:
    """One new high of the equity does not raise the high water."""
    rows = [row for row in recording.edit("equity") if row.get("high_water")]
    highs = [Fraction(row["high_water"]) for row in rows]
    place = middle(n for n in range(1, len(rows)) if Fraction(rows[n]["equity"]) == highs[n] > highs[n - 1])
    _follow(rows[place:], highs[place - 1], miss=True)
    return recording.planted()


@defect("1.4.1", "deep", also="1.4.4")
def transfer_taken_for_a_profit(recording: Recording) -> Planted:
    """The high water is not moved by a transfer, as if money moved in had been earned or money moved out lost."""
    transfers = sorted(int(row.get("ts_local") or row["ts_exchange"]) for row in recording["transfers"])
    rows = [row for row in recording.edit("equity") if row.get("high_water")]
    for ts in transfers:
        place = bisect_right(rows, ts, key=lambda row: int(row["ts_local"]))
        if 0 < place < len(rows):
            _follow(rows[place:], Fraction(rows[place - 1]["high_water"]))
            return recording.planted()
    raise NotExercised("the session has no transfer between two rows of equity")


def _follow(rows: list[Row], high: Fraction, *, miss: bool = False) -> None:
    """Let the high water follow the equity from `high` on until it is what it was, with `miss` not in the first row."""
    for place, row in enumerate(rows):
        high = high if miss and not place else max(high, Fraction(row["equity"]))
        if place and high == Fraction(row["high_water"]):
            return
        row["high_water"] = text(high, row["high_water"])
        if row.get("drawdown"):
            row["drawdown"] = text(max(Fraction(0), high - Fraction(row["equity"])) / high, row["drawdown"])


# 1.4.2


@defect("1.4.2", "gross", like="ccxt/ccxt#12989")
def stops_fire_on_another_price(recording: Recording) -> Planted:
    """Stops fire on a price type that is not the stated one."""
    kind = "mark" if recording.convention("stop_price", "mark") == "last" else "last"
    for row in recording.edit("stops"):
        if _is_fire(row):
            seen = [price for ts, price in _seen(recording, row["symbol"], kind) if ts <= int(row["ts_local"])]
            row["price_type"], row["price"] = kind, seen[-1] if seen else row["price"]
    return recording.planted()


@defect("1.4.2", "deep")
def stop_fires_a_tick_early(recording: Recording) -> Planted:
    """One stop fires while its price is a tick short of it."""
    rows = recording.edit("stops")
    fire = middle(row for row in rows if _is_fire(row) and row.get("price"))
    tick = Fraction(recording.instrument(fire["symbol"])["tick_size"])
    _restate(rows, fire, text(Fraction(fire["price"]) + direction(fire) * tick, fire["stop_price"]))
    return recording.planted()


@defect("1.4.2", "deep")
def stop_passed_without_firing(recording: Recording) -> Planted:
    """One stop stays armed while the price goes through it."""
    rows, found = recording.edit("stops"), []
    patience = recording.deadline("ack_timeout_ms") + recording.deadline("claim_lag_ms")
    armed = {row["stop_id"]: row for row in rows if row["event"] == "arm"}
    for row in rows:
        if row["event"] == "disarm" and row["stop_id"] in armed:
            start, end = int(armed[row["stop_id"]]["ts_local"]), int(row["ts_local"]) - patience
            prices = [Fraction(price) for ts, price in _seen(recording, row["symbol"]) if start < ts < end]
            found += [(row, min(prices) if row["side"] == "sell" else max(prices))] if prices else []
    row, price = middle(found)
    tick = Fraction(recording.instrument(row["symbol"])["tick_size"])
    _restate(rows, row, text(price - direction(row) * tick, row["stop_price"]))
    return recording.planted()


@defect("1.4.2", "deep")
def order_of_a_stop_never_sent(recording: Recording) -> Planted:
    """One stop of a long position fires, and no order follows."""
    patience = recording.deadline("ack_timeout_ms")
    at, sent = held(recording), _submits(recording, "sell")
    kind, rows = recording.convention("stop_price", "mark"), recording.edit("stops")
    falls = []
    for symbol in {row["symbol"]: None for row in rows}:
        seen = _seen(recording, symbol)
        for (before, high), (ts, low) in pairwise(seen):
            times = sent.get(symbol, [])
            free = bisect_left(times, before)
            is_quiet = free < len(times) and times[free] > ts + patience
            if is_quiet and Fraction(low) < Fraction(high) and at(symbol, before) > 0 and at(symbol, ts) > 0:
                falls.append((symbol, before, ts, low))
    symbol, before, ts, price = middle(falls)
    stop = {**rows[0], "symbol": symbol, "side": "sell", "stop_id": "stop-0", "stop_price": price, "price_type": kind}
    rows += [{**stop, "ts_local": str(before), "event": "arm", "price": ""}]
    rows += [{**stop, "ts_local": str(ts), "event": "fire", "price": price}]
    rows.sort(key=lambda row: int(row["ts_local"]))
    return recording.planted()


def _is_fire(row: Mapping[str, str]) -> bool:
    return row.get("event", "") in ("", "fire")


def _restate(rows: list[Row], stop: Row, price: str) -> None:
    """Give a stop another price, in all rows of it."""
    for row in rows:
        if (row["stop_id"], row["symbol"]) == (stop["stop_id"], stop["symbol"]):
            row["stop_price"] = price


def _seen(recording: Recording, symbol: str, kind: str = "") -> list[tuple[int, str]]:
    """Return when the bot saw which price of the kind that stops are on, or of another."""
    column = kind or recording.convention("stop_price", "mark")
    if column == "mid":
        least = Decimal(recording.convention("mid_min_qty", "0"))
        mids = ((view.ts_local, view.mid(least)) for name, view in books(recording) if name == symbol)
        return [(ts, format(mid, "f")) for ts, mid in mids if mid is not None]
    rows = [row for row in recording["marks"] if row["symbol"] == symbol and row.get(column)]
    return sorted((int(row.get("ts_local") or row["ts_exchange"]), row[column]) for row in rows)


def _submits(recording: Recording, side: str) -> dict[str, list[int]]:
    """Return when orders of a side were submitted, by symbol."""
    found: dict[str, list[int]] = defaultdict(list)
    for row in recording["order_events"]:
        if row["event"] == "submit" and row["side"] == side:
            found[row["symbol"]].append(int(row["ts_local"]))
    return found


# 1.4.3


@defect("1.4.3", "gross", like="nautechsystems/nautilus_trader#4419")
def max_notional_held_against_each_order(recording: Recording) -> Planted:
    """The limit on notional is held against an order alone, without position and open orders."""
    sizes, prices = defaultdict[str, list[Fraction]](list), defaultdict[str, list[Fraction]](list)
    for row in recording["order_events"]:
        if row["event"] in SENT and row.get("qty"):
            sizes[row["symbol"]].append(Fraction(row["qty"]))
            prices[row["symbol"]] += [Fraction(row["price"])] if row.get("price") else []
    limits = recording.edit_settings().setdefault("limits", {})
    for symbol in (symbol for symbol in prices if prices[symbol]):
        instrument = recording.instrument(symbol)
        price = 1 if instrument["kind"] == "inverse" else max(prices[symbol])
        face = max(sizes[symbol]) * Fraction(instrument.get("multiplier") or 1)
        limits.setdefault(symbol, {})["max_notional"] = ceil(face * price)
    return recording.planted()


@defect("1.4.3", "deep")
def open_orders_miscounted_by_one(recording: Recording) -> Planted:
    """The order that is one too many is sent: the count of open orders leaves it out itself."""
    most: dict[str, int] = defaultdict(int)
    rows = recording["order_events"]
    for place, live in walk(rows):
        if rows[place]["event"] == "submit":
            symbol = rows[place]["symbol"]
            most[symbol] = max(most[symbol], 1 + sum(row["symbol"] == symbol for row in live.values()))
    symbol = middle(symbol for symbol, count in most.items() if count > 1)
    recording.edit_settings().setdefault("limits", {}).setdefault(symbol, {})["max_open_orders"] = most[symbol] - 1
    return recording.planted()


@defect("1.4.3", "deep", also="1.2.6 2.4.4", like="hummingbot/hummingbot#2187")
def resting_orders_left_out(recording: Recording) -> Planted:
    """Once the orders that rest leave the whole room to the next one."""
    legs, at = {leg.place: leg for leg in unfilled(recording)}, held(recording)
    alone = []
    for place, live in walk(recording.edit("order_events")):
        if place in legs:
            leg = legs[place]
            most = room(recording, leg, at(leg.sent["symbol"], leg.ts))
            mine = leg.sent.get("orig_client_order_id") or leg.sent["client_order_id"]
            others = [row for name, row in live.items() if _is_like(row, leg.sent) and name != mine]
            if others and most is not None and not any(row["event"] in SENT for row in others):
                alone += [(leg, most)] if _may_be(recording, leg, most) else []
    leg, most = middle([each for each in alone if not _is_joined(recording, each[0])] or alone)
    leg.resize(most)
    return recording.planted()


def _is_like(row: Mapping[str, str], sent: Mapping[str, str]) -> bool:
    return row["symbol"] == sent["symbol"] and row["side"] == sent["side"]


def _may_be(recording: Recording, leg: Leg, qty: Fraction) -> bool:
    """Whether an order may be larger, and so large by its own limits."""
    most = recording.limit(leg.sent["symbol"], "max_order_qty")
    is_plain = leg.sent.get("reduce_only") != "true"
    return is_plain and Fraction(leg.sent["qty"]) < qty and (most is None or qty <= most)


def _is_joined(recording: Recording, leg: Leg) -> bool:
    """Whether another order of the side is sent before the leg is answered."""
    near = later(recording, leg, int(leg.rows[1]["ts_local"]))
    return any(row["event"] in SENT and _is_like(row, leg.sent) for row in near)


# 1.4.4


@defect("1.4.4", "gross", like="hummingbot/hummingbot#611")
def breaker_never_trips(recording: Recording) -> Planted:
    """One breaker fails to compute what it looks at, logs that, and never trips."""
    rows = recording.edit("risk_events")
    rule = rows[first(rows, lambda row: row["event"] == "trip" and row["rule"] in _breakers(recording))]["rule"]
    rows[:] = [row for row in rows if row["rule"] != rule or row["event"] not in ("trip", "reset")]
    return recording.planted()


@defect("1.4.4", "deep")
def breaker_trips_only_above(recording: Recording) -> Planted:
    """One breaker does not trip at its threshold, only above it."""
    rows, breakers = recording.edit("risk_events"), _breakers(recording)
    last = max((int(row["ts_local"]) for row in recording["order_events"] if row["event"] == "submit"), default=0)
    at = first(rows, lambda row: _is_at_threshold(row) and row["rule"] in breakers and int(row["ts_local"]) < last)
    trip = rows.pop(at)
    reset = next((row for row in rows[at:] if row["event"] == "reset" and _is_same(trip, row)), None)
    rows[:] = [row for row in rows if row is not reset]
    return recording.planted()


@defect("1.4.4", "deep")
def one_more_order_after_the_trip(recording: Recording) -> Planted:
    """An order that was decided before a trip is sent after it."""
    sent = [row for row in recording["order_events"] if row["event"] == "submit" and row.get("reduce_only") != "true"]
    before = []
    for trip in _trips(recording):
        times = [int(row["ts_local"]) for row in sent if trip.get("symbol") in ("", "*", row["symbol"])]
        count = bisect_left(times, int(trip["ts_local"]))
        before += [(int(trip["ts_local"]) - times[count - 1], trip)] if count else []
    if not before:
        raise NotExercised("no order of the session came before a trip")
    gap, trip = min(before, key=lambda each: each[0])
    trip["ts_local"] = str(int(trip["ts_local"]) - gap - 1)
    recording.edit("risk_events").sort(key=lambda row: int(row["ts_local"]))
    return recording.planted()


@defect("1.4.4", "deep", also="2.4.3 2.4.4")
def order_left_resting_by_a_halt(recording: Recording) -> Planted:
    """One order is cancelled too late after a trip that halts."""
    late, rows = recording.deadline("cancel_timeout_ms") + SECOND, recording.edit("order_events")
    after: dict[str, list[Row]] = defaultdict(list)
    for trip in reversed(_trips(recording)):
        ts = int(trip["ts_local"])
        after.clear()
        for row in rows:
            if int(row["ts_local"]) >= ts and trip.get("symbol") in ("", "*", row["symbol"]):
                after[row["client_order_id"]].append(row)
        left = [each for each in after.values() if [row["event"] for row in each] == ["cancel_request", "cancel_ack"]]
        left = [each for each in left if int(each[0]["ts_local"]) - ts < SECOND]
        if left and (trip.get("action") or "") in ("halt", "cancel_all"):
            for row in left[0]:
                row["ts_local"] = str(int(row["ts_local"]) + late)
                row["ts_exchange"] = str(int(row["ts_exchange"]) + late) if row.get("ts_exchange") else ""
            rows.sort(key=lambda row: int(row["ts_local"]))
            return recording.planted()
    raise NotExercised("no order of the session is cancelled for a trip")


@defect("1.4.4", "gross")
def reset_before_the_cooldown(recording: Recording) -> Planted:
    """Breakers are reset after half of their cool-down."""
    _reset_after(recording, Fraction(1, 2))
    return recording.planted()


def _reset_after(recording: Recording, share: Fraction) -> None:
    """Put each reset where a share of its cool-down is over."""
    rows, tripped = recording.edit("risk_events"), dict[tuple[str, str], int]()
    for row in rows:
        key = row["rule"], row.get("symbol") or ""
        if row["event"] == "trip":
            tripped[key] = int(row["ts_local"])
        elif row["event"] == "reset" and key in tripped and "cooldown_s" in _breakers(recording).get(row["rule"], {}):
            cooldown = Fraction(str(_breakers(recording)[row["rule"]]["cooldown_s"])) * SECOND
            row["ts_local"] = str(tripped[key] + ceil(cooldown * share))
    rows.sort(key=lambda row: int(row["ts_local"]))


@defect("1.4.4", "deep")
def breaker_overridden(recording: Recording) -> Planted:
    """One trip is overridden by hand."""
    rows, trip = recording.edit("risk_events"), middle(_trips(recording))
    rows.insert(rows.index(trip) + 1, {**trip, "event": "override", "ts_local": str(int(trip["ts_local"]) + 1)})
    return recording.planted()


def _breakers(recording: Recording) -> dict[str, dict[str, Any]]:
    return {breaker["name"]: breaker for breaker in recording.settings.get("breaker", [])}


def _trips(recording: Recording) -> list[Row]:
    """Return the trips of breakers, to be edited."""
    return [
        row for row in recording.edit("risk_events") if row["event"] == "trip" and row["rule"] in _breakers(recording)
    ]


def _is_at_threshold(row: Mapping[str, str]) -> bool:
    """Whether a row is a trip at the very threshold."""
    is_stated = row["event"] == "trip" and row.get("value") and row.get("threshold")
    return bool(is_stated) and Fraction(row["value"]) == Fraction(row["threshold"])


def _is_same(trip: Mapping[str, str], reset: Mapping[str, str]) -> bool:
    return trip["rule"] == reset["rule"] and trip.get("symbol") == reset.get("symbol")


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def drawdown_of_four_digits(recording: Recording) -> Planted:
    """The drawdown is claimed to four digits."""
    for row in recording.edit("equity"):
        row["drawdown"] = text(Fraction(row["drawdown"]), "0.0000") if row.get("drawdown") else ""
    return recording.planted()


@benign()
def high_water_of_the_day_before(recording: Recording) -> Planted:
    """The high water begins a little above the first equity: it was reached before the session."""
    lift, last = Fraction(1, 100), None
    moved = min((int(row.get("ts_local") or row["ts_exchange"]) for row in recording["transfers"]), default=2**63)
    for row in (row for row in recording.edit("equity") if row.get("high_water")):
        if lift and int(row["ts_local"]) >= moved:
            raise NotExercised("the session has a transfer before its first new high")
        equity, high = Fraction(row["equity"]), Fraction(row["high_water"])
        if last is not None and equity == high:
            lift = max(Fraction(0), lift - (high - last))
        last = high
        row["high_water"] = text(high + lift, row["high_water"])
        if lift and row.get("drawdown"):
            row["drawdown"] = text((high + lift - equity) / (high + lift), row["drawdown"])
    return recording.planted()


@benign()
def stop_fires_at_its_very_price(recording: Recording) -> Planted:
    """One stop fires at the price that it is at."""
    rows = recording.edit("stops")
    fire = middle(row for row in rows if _is_fire(row) and row.get("price"))
    _restate(rows, fire, fire["price"])
    return recording.planted()


@benign()
def reset_as_the_cooldown_ends(recording: Recording) -> Planted:
    """Breakers are reset in the very instant in which their cool-down ends."""
    _reset_after(recording, Fraction(1))
    return recording.planted()
