"""2.1 Order construction."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction

from audit.prices import marked
from audit.recorded import Cells, Recorded, Row, Seen, is_true, ns, number, place, seen, shown
from audit.state import QUOTES, ZERO, given, notional, quotes_behind, walk

BUYS = ("quote_bid", "open_long", "close_short")
SELLS = ("quote_ask", "open_short", "close_long")
AT_ONCE = ("ioc", "fok")


def sent(session: Recorded) -> Iterator[tuple[Row, Row]]:
    """Yield each submit and replace_request, first as recorded, then with the order's own cells where it has none."""
    for row, desk in walk(session):
        if row["event"] == "submit":
            yield row, row
        elif row["event"] == "replace_request":
            order = desk.of(row)
            yield row, Cells({**(order.row if order else {}), **{name: cell for name, cell in row.items() if cell}})


def i2_1_1(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, order in sent(session):
        if order["intent"] in BUYS + SELLS:
            exercised += 1
            should = "buy" if order["intent"] in BUYS else "sell"
            if order["side"] != should:
                violations.append(f"{place('order_events', row)} side was {order['side']}, should be {should}")
    return seen(exercised, violations)


def i2_1_2(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, order in sent(session):
        qty = number(order["qty"])
        if qty is None:
            continue
        exercised += 1
        said = _of_wrong_size(session, order, qty)
        violations += [f"{place('order_events', row)} {text}" for text in said]
    return seen(exercised, violations)


def _of_wrong_size(session: Recorded, order: Row, qty: Fraction) -> Iterator[str]:
    symbol, ts = order["symbol"], ns(order["ts_local"])
    instrument = session.instrument(symbol, ts)
    lot = number(instrument["lot_size"])
    if qty <= 0:
        yield f"qty was {shown(qty)}, should be above 0"
        return
    for least in (number(instrument["min_qty"]), session.limit(symbol, "min_qty")):
        if least is not None and qty < least:
            yield f"qty was {shown(qty)}, should be at least {shown(least)}"
    for most in (number(instrument["max_qty"]), session.limit(symbol, "max_order_qty")):
        if most is not None and qty > most:
            yield f"qty was {shown(qty)}, should be at most {shown(most)}"
    if lot and (qty / lot).denominator != 1:
        yield f"qty was {shown(qty)}, should be a multiple of {shown(lot)}"
    price = number(order["price"])
    prices = [price] if price is not None else sorted(marked(session, symbol, "mark", ts))
    values = [notional(instrument, at, qty) for at in prices]
    least, most = number(instrument["min_notional"]), session.limit(symbol, "max_notional")
    if values and least is not None and max(values) < least and not is_true(order["reduce_only"]):
        yield f"notional was {shown(max(values))}, should be at least {shown(least)}"
    if values and most is not None and min(values) > most:
        yield f"notional was {shown(min(values))}, should be at most {shown(most)}"


def i2_1_3(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, order in sent(session):
        price = number(order["price"])
        if order["intent"] not in QUOTES or price is None:
            continue
        where, is_bid = place("order_events", row), order["intent"] == "quote_bid"
        tick = number(session.instrument(order["symbol"], ns(row["ts_local"]))["tick_size"])
        if tick:
            exercised += 1
            if (price / tick).denominator != 1:
                violations.append(f"{where} price was {shown(price)}, should be on a tick of {shown(tick)}")
        behind = quotes_behind(session, order)
        own = [quote for quote in behind if number(quote["bid" if is_bid else "ask"]) == price]
        if not behind:
            continue
        exercised += 1
        if not own:
            quoted = behind[-1]["bid" if is_bid else "ask"] or "nothing"
            violations.append(f"{where} price was {shown(price)}, should be the quote's {quoted}")
            continue
        raw = [_unrounded(quote, is_bid) for quote in own]
        if None not in raw:
            exact = [value for value in raw if value is not None]
            rounding = [slack(session, quote, "fair_value", "skew", "half_spread") for quote in own]
            pairs = list(zip(exact, rounding, strict=True))
            if all(price > value + by if is_bid else price < value - by for value, by in pairs):
                side = "down" if is_bid else "up"
                violations.append(f"{where} price was {shown(price)}, should be {shown(exact[-1])} rounded {side}")
    return seen(exercised, violations)


def slack(session: Recorded, row: Row, *columns: str) -> Fraction:
    """Return the half units of those of these cells that a quote gives."""
    return sum((session.half_unit("quotes", name) for name in columns if row[name]), ZERO)


def _unrounded(quote: Row, is_bid: bool) -> Fraction | None:
    """Return fair_value + skew -/+ half_spread of a quote that gives a half_spread."""
    values = given(quote, "fair_value", "half_spread")
    if values is None:
        return None
    centre = values[0] + (number(quote["skew"]) or 0)
    return centre - values[1] if is_bid else centre + values[1]


def i2_1_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, order in sent(session):
        kind, where = order["type"].lower(), place("order_events", row)
        if not kind:
            continue
        listed = session.instrument(order["symbol"], ns(row["ts_local"]))["order_types"].lower().split(";")
        exercised += listed != [""] or order["intent"] in QUOTES or is_true(order["post_only"])
        if listed != [""] and kind not in (name.strip() for name in listed):
            violations.append(f"{where} type was {kind}, should be one of {'; '.join(listed)}")
        if order["intent"] in QUOTES and kind not in ("limit", "limit_maker"):
            violations.append(f"{where} type of a quote was {kind}, should be limit")
        if is_true(order["post_only"]) and "market" in kind:
            violations.append(f"{where} post_only was set on a {kind} order")
    return seen(exercised, violations)


def i2_1_5(session: Recorded) -> Seen:
    exercised, violations = 0, []
    form = session.settings["session"].get("client_order_id")
    used: set[str] = set()
    for row in session["order_events"]:
        name = row["client_order_id"]
        stays = row["event"] == "replace_request" and row["orig_client_order_id"] in ("", name)
        if row["event"] not in ("submit", "replace_request") or stays:
            continue
        exercised += 1
        if name in used:
            violations.append(f"{place('order_events', row)} client_order_id {name} was used before")
        if form is not None and not re.fullmatch(form, name):
            violations.append(f"{place('order_events', row)} client_order_id was {name}, should be of the form {form}")
        used.add(name)
    return seen(exercised, violations)


def i2_1_6(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, order in sent(session):
        tif, where = order["tif"].lower(), place("order_events", row)
        if not tif:
            continue
        listed = session.instrument(order["symbol"], ns(row["ts_local"]))["tifs"].lower().split(";")
        exercised += 1
        if listed != [""] and tif not in (name.strip() for name in listed):
            violations.append(f"{where} tif was {tif}, should be one of {'; '.join(listed)}")
        if order["intent"] in QUOTES and tif in AT_ONCE:
            violations.append(f"{where} tif of a quote was {tif}, should let it rest")
        if is_true(order["post_only"]) and tif in AT_ONCE:
            violations.append(f"{where} tif of a post_only order was {tif}, should let it rest")
        if tif == "gtd" and not order["ts_expires"]:
            behind = quotes_behind(session, order) if order["intent"] in QUOTES else []
            side = "bid" if order["side"] == "buy" else "ask"
            own = [quote for quote in behind if number(quote[side]) == number(order["price"])]
            if not any(quote["ts_expires"] for quote in (own or behind)[-1:]):
                violations.append(f"{where} ts_expires was not given, should be with GTD")
    return seen(exercised, violations)
