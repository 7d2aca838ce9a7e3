"""Mistakes of order construction."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from fractions import Fraction

from mmverify.defects import Planted, benign, defect
from mmverify.defects.lives import REQUESTS, Life, events, ids, is_quote, lives, number, one, some, ts, unfilled
from mmverify.defects.recording import Recording, Row, text

REVERSED = {
    "close_long": "close_short",
    "close_short": "close_long",
    "open_long": "open_short",
    "open_short": "open_long",
}

# --- 2.1.1 ------------------------------------------------------------------------------------------------------------


@defect("2.1.1", "gross", like="hummingbot/hummingbot#3930")
def closes_with_the_opening_side(recording: Recording) -> Planted:
    """Each order that is meant to close a position, or to open one, has the side that does the opposite."""
    for row in some([row for row in recording.edit("order_events") if row.get("intent") in REVERSED]):
        row["intent"] = REVERSED[row["intent"]]
    return recording.planted()


@defect("2.1.1", "deep")
def one_close_is_sent_as_its_opposite(recording: Recording) -> Planted:
    """Once, deep in the history, an order that is meant to close a position adds to it."""
    life = one([life for life in lives(recording) if life[0].get("intent")], at=0.7)
    for row in life:
        row["intent"] = "close_long" if row["side"] == "buy" else "close_short"
    return recording.planted()


# --- 2.1.2 ------------------------------------------------------------------------------------------------------------


@defect("2.1.2", "gross")
def size_not_cut_to_the_lot(recording: Recording) -> Planted:
    """The quantity is sent as it was computed, half a lot off the grid; shown on the orders that never traded."""
    found = [
        life
        for life in unfilled(recording)
        if min(number(row, "qty") for row in life) > recording.lot(life[0]["symbol"])
    ]
    for life in some(found):
        lot = recording.lot(life[0]["symbol"])
        digits = recording.instrument(life[0]["symbol"])["lot_size"] + ("0" if lot.denominator > 1 else ".0")
        _resize(life, -lot / 2, digits)
    return recording.planted()


@defect("2.1.2", "gross")
def max_order_qty_is_never_read(recording: Recording) -> Planted:
    """The limit of an order's quantity is set and nothing in the way of an order looks at it."""
    largest: dict[str, Fraction] = defaultdict(Fraction)
    for row in some([row for row in recording["order_events"] if row["event"] == "submit" and row.get("qty")]):
        largest[row["symbol"]] = max(largest[row["symbol"]], number(row, "qty"))
    limits = recording.edit_settings().setdefault("limits", {})
    for symbol, qty in largest.items():
        limits.setdefault(symbol, {})["max_order_qty"] = float(qty / 2)
    return recording.planted()


@defect("2.1.2", "deep")
def one_lot_below_the_minimum(recording: Recording) -> Planted:
    """An order is one lot smaller than the least that the venue takes: above was meant, at or above was not checked."""
    found = [life for life in _unchanged(recording) if _least(recording, life) > recording.lot(life[0]["symbol"])]
    life = one(found, at=0.5)
    _resize(life, _least(recording, life) - recording.lot(life[0]["symbol"]) - number(life[0], "qty"), life[0]["qty"])
    return recording.planted()


@defect("2.1.2", "deep", also="5.1.5")
def size_rounded_down_to_nothing(recording: Recording) -> Planted:
    """An order of quantity 0 is sent, what was left to be quoted being less than a lot, and is rejected."""
    life = one([life for life in unfilled(recording) if life[-1]["event"] == "reject" and number(life[0], "qty")])
    _resize(life, -number(life[0], "qty"), life[0]["qty"])
    return recording.planted()


@defect("2.1.2", "deep")
def notional_below_the_minimum(recording: Recording) -> Planted:
    """An order has a legal quantity, and at its price is worth less than the venue's least notional."""
    found = []
    for life in _unchanged(recording):
        market, price = recording.instrument(life[0]["symbol"]), number(life[0], "price")
        least, lot = number(market, "min_notional"), recording.lot(life[0]["symbol"])
        if not least or not price or market["kind"] == "inverse" or life[0].get("reduce_only") == "true":
            continue
        qty = (least / price / (number(market, "multiplier") or 1) // lot) * lot
        if _least(recording, life) <= qty and qty * price * (number(market, "multiplier") or 1) < least:
            found.append((life, qty))
    life, qty = one(found, at=0.5)
    _resize(life, qty - number(life[0], "qty"), life[0]["qty"])
    return recording.planted()


# --- 2.1.3 ------------------------------------------------------------------------------------------------------------


@defect("2.1.3", "gross", also="1.1.1 1.1.2")
def prices_rounded_to_nearest(recording: Recording) -> Planted:
    """Prices are rounded to the nearest tick, so that half of the quotes lie inside what was decided."""
    for quote, side, asked in some(_inside(recording)):
        _reprice(recording, quote, side, asked)
    return recording.planted()


@defect("2.1.3", "deep", also="1.1.1 1.1.2")
def one_ask_rounded_down(recording: Recording) -> Planted:
    """One ask is rounded down to its tick as bids are."""
    quote, side, asked = one([each for each in _inside(recording) if each[1] == "ask"], at=0.5)
    _reprice(recording, quote, side, asked)
    return recording.planted()


@defect("2.1.3", "deep", also="1.1.5 1.1.6", like="BYTEX-TRADE/bytex#21")
def price_between_two_ticks(recording: Recording) -> Planted:
    """One price has as many decimals as looked right and is no multiple of the tick."""
    asked = one(_own_prices(recording), at=0.6)
    tick = Fraction(recording.instrument(asked[0]["symbol"])["tick_size"])
    price = number(asked[0], "price") + tick / (-2 if asked[0]["side"] == "buy" else 2)
    for row in asked:
        row["price"] = text(price, row["price"] + ("0" if "." in row["price"] else ".0"))
    return recording.planted()


@defect("2.1.3", "deep")
def price_rounded_twice(recording: Recording) -> Planted:
    """One order is a tick further out than its quote: the price was rounded again on its way to the venue."""
    asked = one([rows for rows in _own_prices(recording) if rows[0]["event"] == "replace_request"], at=0.5)
    tick = Fraction(recording.instrument(asked[0]["symbol"])["tick_size"])
    for row in asked:
        row["price"] = text(number(row, "price") + (-tick if row["side"] == "buy" else tick), row["price"])
    return recording.planted()


# --- 2.1.4 ------------------------------------------------------------------------------------------------------------


@defect("2.1.4", "gross", like="hummingbot/hummingbot#2006")
def quotes_typed_as_another_venue_does(recording: Recording) -> Planted:
    """Quotes are sent as limit_maker, a type that other venues have and this one does not list."""
    listed = {row["symbol"]: row.get("order_types", "").lower() for row in recording["instruments"]}
    found = [
        row
        for row in recording.edit("order_events")
        if is_quote(row) and listed[row["symbol"]] and "limit_maker" not in listed[row["symbol"]].split(";")
    ]
    for row in some(found):
        row["type"] = "limit_maker"
    return recording.planted()


@defect("2.1.4", "deep")
def one_quote_sent_at_the_market(recording: Recording) -> Planted:
    """One quote, which the venue rejects, goes out as a market order."""
    for row in one(
        [life for life in unfilled(recording) if is_quote(life[0]) and life[-1]["event"] == "reject"], at=0.5
    ):
        row |= {"type": "market", "post_only": "false", "price": ""}
    return recording.planted()


@defect("2.1.4", "deep", also="2.1.6 2.3.5")
def post_only_on_a_market_order(recording: Recording) -> Planted:
    """The flag of the quotes is left on a market order."""
    for row in one([life for life in lives(recording) if life[0].get("type") == "market"], at=0.5):
        row["post_only"] = "true"
    return recording.planted()


# --- 2.1.5 ------------------------------------------------------------------------------------------------------------


@defect("2.1.5", "gross", also="2.2.2")
def ids_begin_again_after_a_restart(recording: Recording) -> Planted:
    """The counter of ids is not kept over a restart: orders of the second half have ids of the first."""
    for life, used in some(_pairs(recording)):
        _rename(recording, life, used)
    return recording.planted()


@defect("2.1.5", "gross", like="bitfinexcom/bfx-hf-strategy#14")
def ids_longer_than_the_venue_takes(recording: Recording) -> Planted:
    """Ids are made from a clock in nanoseconds and do not have the form that the venue asks for."""
    session = recording.edit_settings()["session"]
    form = session.setdefault("client_order_id", _form(recording))
    changed = [life for life in unfilled(recording) if not re.fullmatch(form, _long(life[0]))]
    for life in some(changed):
        _rename(recording, life, _long(life[0]))
    return recording.planted()


@defect("2.1.5", "deep", also="2.2.2", like="nkaz001/hftbacktest#146")
def one_id_used_again(recording: Recording) -> Planted:
    """One order has the id of an order of long ago, both having been made from the same price."""
    life, used = one(_pairs(recording), at=0.9)
    _rename(recording, life, used)
    return recording.planted()


# --- 2.1.6 ------------------------------------------------------------------------------------------------------------


@defect("2.1.6", "gross")
def quotes_sent_immediate_or_cancel(recording: Recording) -> Planted:
    """What is to rest in the book is sent immediate-or-cancel."""
    for row in some([row for row in recording.edit("order_events") if is_quote(row) or row.get("post_only") == "true"]):
        row["tif"] = "ioc" if row["tif"].islower() else "IOC"
    return recording.planted()


@defect("2.1.6", "deep")
def good_till_date_without_a_date(recording: Recording) -> Planted:
    """An order is good till a date that neither it nor its quote names."""
    life = one([life for life in lives(recording) if life[0].get("tif", "").upper() == "GTD"], at=0.5)
    for row in life:
        row["ts_expires"] = ""
    for quote in _behind(recording.edit("quotes") if recording["quotes"] else [], life):
        quote["ts_expires"] = ""
    return recording.planted()


@defect("2.1.6", "deep")
def one_order_good_for_the_day(recording: Recording) -> Planted:
    """One order is good for the day, which the venue does not offer."""
    listed = {row["symbol"]: row.get("tifs", "").upper() for row in recording["instruments"]}
    found = [life for life in lives(recording) if life[0].get("tif") and listed[life[0]["symbol"]]]
    for row in one([life for life in found if "DAY" not in listed[life[0]["symbol"]].split(";")], at=0.6):
        row["tif"] = "DAY"
    return recording.planted()


# --- oddities ---------------------------------------------------------------------------------------------------------


@benign()
def largest_order_of_exactly_the_limit(recording: Recording) -> Planted:
    """The limit of an order's quantity is that of the largest order."""
    largest: dict[str, Fraction] = defaultdict(Fraction)
    for row in recording["order_events"]:
        largest[row["symbol"]] = max(largest[row["symbol"]], number(row, "qty"))
    limits = recording.edit_settings().setdefault("limits", {})
    for symbol, qty in some(list(largest.items())):
        limits.setdefault(symbol, {})["max_order_qty"] = float(qty)
    return recording.planted()


@benign()
def ids_as_long_as_the_form_allows(recording: Recording) -> Planted:
    """The venue takes no id longer than the longest one here."""
    some(recording["order_events"])
    recording.edit_settings()["session"]["client_order_id"] = _form(recording)
    return recording.planted()


@benign()
def expiry_only_on_the_quote(recording: Recording) -> Planted:
    """Orders good till a date have it from their quote, and name none themselves."""
    dated = {(row["symbol"], row.get("level")) for row in recording["quotes"] if row.get("ts_expires")}
    found = [
        life for life in lives(recording) if (life[0]["symbol"], life[0].get("level")) in dated and is_quote(life[0])
    ]
    for row in some([row for life in found for row in life if row["ts_expires"]]):
        row["ts_expires"] = ""
    return recording.planted()


@benign()
def time_in_force_in_other_letters(recording: Recording) -> Planted:
    """The time in force is written in small letters where the venue's list has capitals, or the other way round."""
    for row in some([row for row in recording.edit("order_events") if row.get("tif")]):
        row["tif"] = row["tif"].swapcase()
    return recording.planted()


# --- orders that never traded -----------------------------------------------------------------------------------------


def _unchanged(recording: Recording) -> list[Life]:
    """Return the orders that never traded and were never to be replaced."""
    return [life for life in unfilled(recording) if not events(life, "replace_request") and number(life[0], "qty")]


def _least(recording: Recording, life: Life) -> Fraction:
    return number(recording.instrument(life[0]["symbol"]), "min_qty")


def _resize(life: Life, by: Fraction, like: str) -> None:
    for row in life:
        for column in ("qty", "leaves_qty"):
            if row.get(column) and number(row, column):
                row[column] = text(number(row, column) + by, like)


def _own_prices(recording: Recording) -> list[list[Row]]:
    """Return the rows that carry the price of each submit or replacement of a quote that never traded under its id."""
    traded = {row.get("client_order_id") for row in recording["fills"]}
    out = []
    for life in lives(recording):
        for asked in events(life, *REQUESTS):
            id, price = asked["client_order_id"], asked.get("price")
            if is_quote(asked) and price and id not in traded:
                out.append([row for row in life if row["price"] == price and _has(row, id)])
    return out


def _has(row: Row, id: str) -> bool:
    """Whether a row is of an order while it has an id, be it refused another then."""
    refused = row["event"] == "replace_reject" and row.get("orig_client_order_id") == id
    return row["client_order_id"] == id or refused


def _inside(recording: Recording) -> list[tuple[Row, str, list[Row]]]:
    """Return quotes whose price is further out than the nearest tick, with the side and the rows of its order."""
    orders = {(rows[0]["symbol"], rows[0].get("level"), rows[0]["side"], rows[0]["ts_local"]): rows
              for rows in _own_prices(recording)}  # fmt: skip
    out = []
    for quote in recording.edit("quotes") if recording["quotes"] else []:
        if not quote.get("half_spread") or not quote.get("fair_value"):
            continue
        tick = Fraction(recording.instrument(quote["symbol"])["tick_size"])
        for side, trade, way in (("bid", "buy", 1), ("ask", "sell", -1)):
            rows = orders.get((quote["symbol"], quote.get("level"), trade, quote["ts_local"]))
            raw = number(quote, "fair_value") + number(quote, "skew") - way * number(quote, "half_spread")
            off = (raw - number(quote, side)) * way
            if rows and quote[side] == rows[0]["price"] and tick / 2 < off < tick and not _crosses(quote, side, tick):
                out.append((quote, side, rows))
    return out


def _crosses(quote: Row, side: str, tick: Fraction) -> bool:
    """Whether a tick further in meets the opposite best."""
    if side == "bid":
        return bool(quote.get("best_ask")) and number(quote, "bid") + tick >= number(quote, "best_ask")
    return bool(quote.get("best_bid")) and number(quote, "ask") - tick <= number(quote, "best_bid")


def _reprice(recording: Recording, quote: Row, side: str, asked: Sequence[Row]) -> None:
    tick = Fraction(recording.instrument(quote["symbol"])["tick_size"])
    quote[side] = text(number(quote, side) + (tick if side == "bid" else -tick), quote[side])
    for row in asked:
        row["price"] = quote[side]


def _behind(quotes: Sequence[Row], life: Life) -> list[Row]:
    """Return the quotes rows that an order may have been based on, from its submit to its end."""
    own = [row for row in quotes if row["symbol"] == life[0]["symbol"] and row.get("level") == life[0].get("level")]
    before = [row for row in own if ts(row) <= ts(life[0])][-1:]
    return before + [row for row in own if ts(life[0]) < ts(row) <= ts(life[-1])]


# --- ids --------------------------------------------------------------------------------------------------------------


def _pairs(recording: Recording) -> list[tuple[Life, str]]:
    """Return orders begun in the second half, each with an id of an order done in the first; none of them traded."""
    rows, found = recording["order_events"], unfilled(recording)
    half = int(rows[len(rows) // 2]["ts_local"]) if rows else 0
    early = [life[0]["client_order_id"] for life in found if ts(life[-1]) < half and _is_done(life)]
    return list(zip([life for life in found if ts(life[0]) > half], early, strict=False))


def _is_done(life: Life) -> bool:
    return bool(events(life, "cancel_ack", "exchange_cancel", "expire")) and not events(life, "reject", "reconcile")


def _rename(recording: Recording, life: Life, id: str) -> None:
    """Give an order another first id, in the requests too."""
    was = life[0]["client_order_id"]
    requests = recording.edit("requests") if recording["requests"] else []
    for row in [*life, *requests]:
        for column in ("client_order_id", "orig_client_order_id"):
            if row.get(column) == was:
                row[column] = id


def _long(row: Mapping[str, str]) -> str:
    return f"{row['client_order_id']}/{int(row['ts_local']):024d}"


def _form(recording: Recording) -> str:
    longest = max((len(id) for life in lives(recording) for id in ids(life)), default=0)
    return f"[ -.0-~]{{1,{longest}}}"
