"""Mistakes at the edges of numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from math import ceil

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import REQUESTS, Life, events, lives, number, one, put, refused, some, ts, unfilled
from mmverify.defects.orders import held
from mmverify.defects.recording import Recording, Row, text
from mmverify.errors import NotExercised

SECOND = 10**9

# --- 5.1.1 ------------------------------------------------------------------------------------------------------------


@defect("5.1.1", "gross", also="1.1.4", like="vegaprotocol/vega-market-sim#512")
def mid_of_nothing_is_zero(recording: Recording) -> Planted:
    """Where the bot has no mid it publishes one of 0."""
    for row in some([row for row in recording.edit("quotes") if row.get("mid") == ""]):
        row["mid"] = "0"
    return recording.planted()


@defect("5.1.1", "deep", also="1.1.1")
def side_not_quoted_is_quoted_at_zero(recording: Recording) -> Planted:
    """One side that the bot does not quote has the price 0."""
    found = [row for row in recording.edit("quotes") if not row["bid"]]
    one([row for row in found if row["ask"]] or found, at=0.6)["bid"] = "0"
    return recording.planted()


@defect("5.1.1", "deep", also="2.1.2 5.1.5")
def closing_price_of_an_empty_side(recording: Recording) -> Planted:
    """One sell that is to take whatever bid there is has no bid to go by, and is sent at 0."""
    life = one(_closing_sells(recording), at=0.5)
    for row in life:
        row["price"] = text(0, row["price"])
    return recording.planted()


def _closing_sells(recording: Recording) -> list[Life]:
    """Return the limit sells that take, never replaced; those that only reduce the position where there are any."""
    found = [life for life in lives(recording) if life[0]["event"] == "submit" and life[0].get("post_only") != "true"]
    found = [life for life in found if life[0].get("price") and life[0]["side"] == "sell" and not _quotes(life)]
    found = [life for life in found if not events(life, "replace_request")]
    return [life for life in found if life[0].get("reduce_only") == "true"] or found


def _quotes(life: Life) -> bool:
    return life[0].get("intent", "").startswith("quote")


# --- 5.1.2 ------------------------------------------------------------------------------------------------------------


@defect("5.1.2", "gross", also="1.2.2 1.4.3 1.4.4")
def order_sent_while_the_limit_is_reached(recording: Recording) -> Planted:
    """At exactly max_position, each time, one more order goes out that grows the position."""
    for symbol, start, position in some(_at_limit(recording)):
        refused(recording, start, symbol, "buy" if position > 0 else "sell")
    return recording.planted()


@defect("5.1.2", "deep")
def reducing_order_blocked_at_the_limit(recording: Recording) -> Planted:
    """Once, at exactly max_position, the order that would reduce the position is blocked."""
    symbol, start, position = one(_at_limit(recording), at=0.5)
    _block(recording, symbol, start, "sell" if position > 0 else "buy", position)
    return recording.planted()


@benign()
def growing_order_blocked_at_the_limit(recording: Recording) -> Planted:
    """At exactly max_position an order that would grow the position is blocked."""
    symbol, start, position = one(_at_limit(recording), at=0.5)
    _block(recording, symbol, start, "buy" if position > 0 else "sell", position)
    return recording.planted()


@benign()
def reducing_order_at_the_limit(recording: Recording) -> Planted:
    """At exactly max_position an order is sent that can only reduce the position; the venue refuses it."""
    symbol, start, position = one(_at_limit(recording), at=0.99)
    side, meant = ("sell", "close_long") if position > 0 else ("buy", "close_short")
    refused(recording, start, symbol, side, reduce_only="true", intent=meant)
    return recording.planted()


def _at_limit(recording: Recording) -> list[tuple[str, int, Fraction]]:
    """Return when the bot had come to hold exactly max_position for a tenth of a second, and what it held."""
    rows = [row for row in recording["positions"] if row.get("source", "bot") != "exchange"]
    out = []
    for symbol in {row["symbol"]: None for row in rows}:
        own = sorted((row for row in rows if row["symbol"] == symbol), key=lambda row: int(row["ts_local"]))
        times = [int(row["ts_local"]) for row in recording["fills"] if row["symbol"] == symbol]
        for row in own:
            start, position = int(row["ts_local"]), Fraction(row["qty"])
            is_still = not any(start < at < start + SECOND // 10 for at in times)
            if is_still and abs(position) == recording.limit(symbol, "max_position"):
                out.append((symbol, start + SECOND // 20, position))
    return sorted(out, key=lambda each: each[1])


def _block(recording: Recording, symbol: str, at: int, side: str, position: Fraction) -> None:
    rows = recording.edit("risk_events")
    most = recording.limit(symbol, "max_position")
    if most is None:
        raise NotExercised("the session has no max_position")
    like = recording.instrument(symbol)["lot_size"]
    cells = {"rule": "max_position", "event": "block", "symbol": symbol, "side": side, "action": "block"}
    put(rows, {**cells, "ts_local": str(at), "value": text(abs(position), like), "threshold": text(most, like)})


# --- 5.1.3 ------------------------------------------------------------------------------------------------------------


@defect("5.1.3", "gross")
def nothing_over_nothing_is_published(recording: Recording) -> Planted:
    """Where a signal has no value the bot publishes the NaN of 0 / 0; where a quote has no volatility too."""
    cells = [(row, "value") for row in recording.edit("signals")]
    cells += [
        (row, name) for row in recording.edit("quotes") for name in ("volatility", "mid", "half_spread") if name in row
    ]
    for row, name in some([(row, name) for row, name in cells if not row[name]]):
        row[name] = "nan"
    return recording.planted()


@defect("5.1.3", "deep")
def flat_position_has_no_average(recording: Recording) -> Planted:
    """One claim of a flat position is valued from the average price of nothing."""
    at = held(recording)
    rows = [row for row in recording.edit("pnl") if row["symbol"] != "*" and row.get("unrealized")]
    row = one([row for row in rows if not at(row["symbol"], ts(row))], at=0.6)
    row |= {name: "NaN" for name in ("unrealized", "total") if row.get(name)}
    return recording.planted()


@defect("5.1.3", "deep")
def average_of_an_unfilled_order(recording: Recording) -> Planted:
    """One order that nothing of is filled yet has the average price of 0 / 0."""
    rows = recording.edit("order_events")
    one([row for row in rows if row.get("cum_qty") and not number(row, "cum_qty")], at=0.5)["avg_px"] = "NaN"
    return recording.planted()


@defect("5.1.3", "deep")
def drawdown_of_no_high_water(recording: Recording) -> Planted:
    """The first drawdown is a share of a high water that is not there yet."""
    row = one([row for row in recording.edit("equity") if row.get("drawdown")])
    row["drawdown"] = "-inf"
    return recording.planted()


# --- 5.1.4 ------------------------------------------------------------------------------------------------------------


@defect("5.1.4", "gross", also="2.2.4")
def average_of_a_signed_quantity(recording: Recording) -> Planted:
    """The average price of a sell is its value over a quantity that is below 0."""
    for row in some([row for row in recording.edit("order_events") if row["side"] == "sell" and number(row, "avg_px")]):
        row["avg_px"] = f"-{row['avg_px']}"
    return recording.planted()


@defect("5.1.4", "deep", also="2.2.4")
def value_wraps_in_32_bits(recording: Recording) -> Planted:
    """One order's value, in ticks times lots, passes 2^31: the average price that is made of it is below 0."""
    found = [(life, price) for life in lives(recording) if (price := _wrapped(recording, life)) < 0]
    life, price = one(found, at=0.7)
    for row in _last(life):
        row["avg_px"] = text(price, row["avg_px"])
    return recording.planted()


@defect("5.1.4", "deep", also="1.3.5")
def value_of_a_debt_is_unsigned(recording: Recording) -> Planted:
    """One balance below 0 has a value above it."""
    rows = [row for row in recording.edit("balances") if number(row, "total") * number(row, "value") > 0]
    row = one([row for row in rows if number(row, "total") < 0], at=0.5)
    row["value"] = row["value"].lstrip("-")
    return recording.planted()


def _last(life: Life) -> Sequence[Row]:
    """Return the rows of an order from its last fill on."""
    last = [place for place, row in enumerate(life) if number(row, "avg_px")]
    start = next((place for place in last if number(life[place], "cum_qty") == number(life[last[-1]], "cum_qty")), 0)
    return life[start:] if last else ()


def _wrapped(recording: Recording, life: Life) -> Fraction:
    """Return the average price of an order whose value in ticks x lots is kept in 32 bits; 0 where it has none."""
    market, rows = recording.instrument(life[0]["symbol"]), _last(life)
    if not rows or market["kind"] == "inverse":
        return Fraction(0)
    tick, lot = Fraction(market["tick_size"]), Fraction(market["lot_size"])
    lots = number(rows[0], "cum_qty") / lot
    value = int(number(rows[0], "avg_px") / tick * lots)
    return ((value + 2**31) % 2**32 - 2**31) / lots * tick if lots else Fraction(0)


# --- 5.1.5 ------------------------------------------------------------------------------------------------------------


@defect("5.1.5", "gross", also="2.1.2")
def sizes_round_down_to_nothing(recording: Recording) -> Planted:
    """Sizes are computed for a much larger lot and round down to 0; shown on the orders that never traded."""
    for life in _untouched(recording):
        _resize(life, Fraction(0))
    return recording.planted()


@defect("5.1.5", "deep", also="2.1.2")
def half_a_lot_is_sent(recording: Recording) -> Planted:
    """One order is sent for half a lot."""
    life = one(_untouched(recording), at=0.5)
    lot = recording.instrument(life[0]["symbol"])["lot_size"]
    _resize(life, Fraction(lot) / 2, f"{lot}0" if "." in lot else f"{lot}.0")
    return recording.planted()


@defect("5.1.5", "deep", also="1.1.5 1.1.6 2.1.2")
def half_a_tick_is_sent(recording: Recording) -> Planted:
    """One sell that is to take any price is sent at half a tick."""
    life = one(_closing_sells(recording), at=0.8)
    tick = recording.instrument(life[0]["symbol"])["tick_size"]
    for row in life:
        row["price"] = text(Fraction(tick) / 2, f"{tick}00")
    return recording.planted()


def _untouched(recording: Recording) -> list[Life]:
    """Return the orders that never traded and were never replaced."""
    found = [life for life in unfilled(recording) if len(events(life, *REQUESTS)) == 1]
    return list(some([life for life in found if not any(row["event"] == "reconcile" for row in life)]))


def _resize(life: Life, qty: Fraction, like: str = "") -> None:
    for row in life:
        open_still = number(row, "leaves_qty") > 0
        row["qty"] = text(qty, like or row["qty"])
        if open_still:
            row["leaves_qty"] = row["qty"]


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def average_of_no_fill_is_zero(recording: Recording) -> Planted:
    """An order without a fill has the average price 0, as FIX has it."""
    for row in recording.edit("order_events"):
        if row.get("avg_px") == "" and row.get("cum_qty") and not number(row, "cum_qty"):
            row["avg_px"] = "0"
    return recording.planted()


@benign()
def order_of_the_least_quantity(recording: Recording) -> Planted:
    """One order of the smallest quantity that the venue takes is sent, and refused."""
    symbol, start, side, price = one(list(_moments(recording)), at=0.5)
    qty = _least(recording, symbol, price)
    refused(recording, start, symbol, side, price=price, qty=qty, leaves_qty=qty, cum_qty=text(0, qty))
    return recording.planted()


def _moments(recording: Recording) -> Iterator[tuple[str, int, str, str]]:
    """Yield when an order was sent, that another may be beside: symbol, time, side and price."""
    for life in unfilled(recording):
        if life[0].get("price"):
            yield life[0]["symbol"], ts(life[0]), life[0]["side"], life[0]["price"]


def _least(recording: Recording, symbol: str, price: str) -> str:
    """Return the smallest quantity that the venue takes, by min_qty and min_notional."""
    market = recording.instrument(symbol)
    lot, face = Fraction(market["lot_size"]), Fraction(market.get("multiplier") or 1)
    worth = face if market["kind"] == "inverse" else face * Fraction(price)
    least = max(lot, Fraction(market.get("min_qty") or 0), Fraction(market.get("min_notional") or 0) / worth)
    return text(ceil(least / lot) * lot, market["lot_size"])
