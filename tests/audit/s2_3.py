"""2.3 Matching and fills."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from audit.recorded import Recorded, Row, Seen, is_true, ns, number, place, remember, seen, shown
from audit.s1_2 import orders
from audit.s1_3 import fees_at, judged_realized, open_gain, own_currency, realized_at, unit_of, with_fills
from audit.state import (
    ZERO,
    History,
    Lot,
    Order,
    Step,
    agreed_until,
    average,
    filled,
    follow,
    history,
    settle,
    steps,
    walk,
    worth,
)


@remember
def by_id(session: Recorded) -> dict[str, Order]:
    """Return the orders of the session as they ended, by any of their client ids."""
    return {name: order for order in orders(session) for name in order.ids}


# Fill price


def i2_3_1(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in with_fills(session):
        past = history(session, symbol)
        at_order_price = follow(session, symbol, [_at_limit(session, step) for step in steps(session, symbol)])
        for row, claim, should, tolerance in judged_realized(session, symbol, past):
            count = past.cuts(ns(row["ts_local"]), 0)[-1]
            wrong = realized_at(session, symbol, ns(row["ts_local"]), own_currency(session, row), at_order_price, count)
            if wrong is None or any(span.wider(tolerance).has(wrong.low) for span in should):
                continue
            exercised += 1
            if wrong.wider(tolerance).has(claim) and not any(span.wider(tolerance).has(claim) for span in should):
                violations.append(f"{place('pnl', row)} realized was {shown(claim)}, that of order prices")
        for step in steps(session, symbol):
            limits = _limits(session, step)
            if limits and step.row["kind"] in ("", "trade"):
                exercised += 1
                side = step.side
                if all(step.price * side > limit * side for limit in limits):
                    should_be = shown(max(limits) if side > 0 else min(limits))
                    violations.append(f"{place('fills', step.row)} price was {shown(step.price)}, limit {should_be}")
    half_unit = session.half_unit("order_events", "avg_px")
    for row, desk in walk(session):
        order, claimed = desk.of(row), number(row["avg_px"])
        if order is None or not claimed or not order.price or "fills" not in session.tables:
            continue
        known = [vwap for _, vwap in filled(session, order, ns(row["ts_local"])) if vwap is not None]
        if known and all(abs(vwap - order.price) > half_unit for vwap in known):
            exercised += 1
            if abs(claimed - order.price) <= half_unit:
                was = f"{place('order_events', row)} avg_px was {shown(claimed)}, the order's price"
                violations.append(f"{was}, should be {shown(known[-1])}")
    return seen(exercised, violations)


def _at_limit(session: Recorded, step: Step) -> Step:
    """Return a step as if it had been filled at the price that its order had under the id that the fill names."""
    price = number(_prices(session).get(step.row["client_order_id"], ""))
    return replace(step, price=price) if price else step


@remember
def _prices(session: Recorded) -> dict[str, str]:
    """Return the price that each client id was sent with."""
    sent = (row for row in session["order_events"] if row["event"] in ("submit", "replace_request"))
    return {row["client_order_id"]: row["price"] for row in sent}


def _limits(session: Recorded, step: Step) -> list[Fraction]:
    """Return the limit prices of a fill's order that were in force or in flight when the venue filled it."""
    order = by_id(session).get(step.row["client_order_id"])
    ts = ns(step.row["ts_exchange"] or step.row["ts_local"])
    if order is None or "market" in order.row["type"].lower():
        return []
    in_force = [
        limit.price
        for limit in order.limits
        if limit.sent <= ts + session.skew and (limit.ended is None or ts - session.skew <= limit.ended)
    ]
    return [] if None in in_force else [price for price in in_force if price is not None]


# Quantity and cost


@dataclass(frozen=True)
class Told:
    """A claim, the counts of steps that all of its cells agree with, and the least that it should know of."""

    ts: int
    table: str
    row: Row
    counts: set[int]
    least: int


def i2_3_2(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in with_fills(session):
        past, met = history(session, symbol), {"pnl": 0, "positions": 0}
        rows = [("positions", row) for row in session.rows("positions", symbol=symbol) if row["source"] != "exchange"]
        rows += [("pnl", row) for row in session.rows("pnl", symbol=symbol)]
        last: dict[str, Told] = {}
        for table, row in sorted(rows, key=lambda entry: ns(entry[1]["ts_local"])):
            ts = ns(row["ts_local"])
            now = past.cuts(ts, session.lag)
            window = range(max(now[0] - 3, 0), now[-1] + 1)
            cells = [_fits(session, symbol, table, row, past, window, column) for column in ("qty", "avg_px", *_PARTS)]
            agreed = [counts for counts in cells if counts is not None]
            exercised += (table == "positions" or len(agreed) > 1) and now[-1] > met[table]
            met[table] = now[-1]
            if table == "positions" and not agreed[0] and _is_part(session, symbol, past, window, number(row["qty"])):
                violations.append(f"{place(table, row)} shows a part of a fill: qty was {row['qty']}")
            if not agreed or not all(agreed):
                continue
            counts = set.intersection(*agreed)
            if not counts:
                violations.append(
                    f"{place(table, row)} shows a part of {place('fills', steps(session, symbol)[now[-1] - 1].row)}"
                )
                continue
            told = Told(ts, table, row, counts, now[0])
            other = last.get("pnl" if table == "positions" else "positions")
            if other and max(counts) < told.least and max(counts) < min(other.counts):
                violations.append(f"{place(table, row)} lacks a fill that {place(other.table, other.row)} shows")
            last[table] = told
    return seen(exercised, violations)


def _is_part(session: Recorded, symbol: str, past: History, window: range, qty: Fraction | None) -> bool:
    """Whether a quantity that is wrong is some lots of one fill or all but its base fee, and of no whole fills."""
    half_unit, lot = session.half_unit("positions", "qty"), number(session.instrument(symbol, 0)["lot_size"])
    if qty is None or any(abs(qty - whole) <= half_unit for whole in past.positions[: window.stop]):
        return False
    for count in (each for each in window if each):
        before, after = past.positions[count - 1 : count + 1]
        if min(before, after) < qty < max(before, after):
            step = steps(session, symbol)[count - 1]
            parts = (before + step.side * step.qty, before - step.fee_in_base)
            return qty in parts or not lot or (qty - before) % lot == 0
    return False


_PARTS = ("realized", "unrealized", "fees")


def _fits(
    session: Recorded, symbol: str, table: str, row: Row, past: History, window: range, column: str
) -> set[int] | None:
    """Return after which counts of steps a cell is right; None where it says nothing or is not of this table."""
    claim, half_unit = number(row[column]), session.half_unit(table, column)
    ts, currency = ns(row["ts_local"]), own_currency(session, row)
    if claim is None or (table == "positions") != (column in ("qty", "avg_px")):
        return None
    out = set()
    for count in window:
        lots = past.lots[count]
        if column == "qty":
            right = abs(claim - past.positions[count]) <= half_unit
        elif column == "avg_px":
            price = average(session.instruments[symbol], lots).price if past.positions[count] else None
            right = price is None or abs(claim - price) <= half_unit
        elif column == "unrealized":
            right = any(span.wider(half_unit).has(claim) for _, span in open_gain(session, symbol, ts, currency, lots))
        else:
            amount_at = realized_at if column == "realized" else fees_at
            span = amount_at(session, symbol, ts, currency, past, count)
            if span is None:
                return None
            right = span.wider(half_unit).has(claim)
        if right:
            out.add(count)
    return out


def i2_3_3(session: Recorded) -> Seen:
    exercised, violations = 0, []
    symbols = with_fills(session)
    for row, desk in walk(session):
        order, cum = desk.of(row), number(row["cum_qty"])
        if order is None or cum is None or order.symbol not in symbols or order.row["event"] != "submit":
            continue
        ts, until = ns(row["ts_local"]), agreed_until(session, order.symbol)
        known = [qty for qty, _ in filled(session, order, ts)]
        exercised += (until is None or ts <= until) and bool(cum or any(known))
        if cum not in known:
            violations.append(f"{place('order_events', row)} cum_qty was {shown(cum)}, should be {shown(known[-1])}")
    return seen(exercised, violations)


# Order of fills


def i2_3_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in with_fills(session):
        standing = {step.index: step for step in steps(session, symbol)}
        first: dict[int, Row] = {}
        for step in steps(session, symbol):
            first.setdefault(step.index, step.row)
        booked = [index for index in first if first[index]["ts_exchange"]]
        venue = sorted(booked, key=lambda index: (ns(first[index]["ts_exchange"]), int(first[index]["#"])))
        exercised += max(0, len(booked) - 1)
        by_exec = {first[index]["exec_id"]: index for index in booked}
        events = [
            by_exec[row["exec_id"]] for row in session.rows("order_events", symbol=symbol) if row["exec_id"] in by_exec
        ]
        processed = list(dict.fromkeys(events))
        orders_of_booking = {"booked": booked}
        if len(processed) == len(booked):
            orders_of_booking["processed"] = processed
        for name, indices in orders_of_booking.items():
            for at in _apart(session, symbol, standing, indices, venue):
                where = place("fills", first[indices[at]])
                violations.append(f"{where} was {name} in another order than ts_exchange, by which lots or P&L differ")
    return seen(exercised, list(dict.fromkeys(violations)))


def _apart(
    session: Recorded, symbol: str, standing: dict[int, Step], booked: Sequence[int], venue: Sequence[int]
) -> list[int]:
    """Return where a stretch begins that was booked in another order and ends with other lots or P&L."""
    if booked == venue:
        return []
    ours, theirs = (_in_order(session, symbol, standing, indices) for indices in (booked, venue))
    out, start = [], 0
    ahead: set[int] = set()
    for at, (mine, other) in enumerate(zip(booked, venue, strict=True), 1):
        ahead ^= {mine}
        ahead ^= {other}
        if ahead:
            continue
        is_other = booked[start:at] != venue[start:at]
        if is_other and (ours.realized[at] != theirs.realized[at] or _queue(ours.lots[at]) != _queue(theirs.lots[at])):
            out.append(start)
        start = at
    return out


def _in_order(session: Recorded, symbol: str, standing: dict[int, Step], indices: Sequence[int]) -> History:
    ordered = [
        replace(standing[index], count=place_in + 1, index=place_in, moved=standing[index].move)
        for place_in, index in enumerate(indices)
    ]
    return follow(session, symbol, ordered)


def _queue(lots: Sequence[Lot]) -> list[Lot]:
    """Return open lots in their order, neighbours of one price as one."""
    out: list[Lot] = []
    for lot in lots:
        if out and out[-1].price == lot.price:
            out[-1] = Lot(out[-1].qty + lot.qty, lot.price)
        else:
            out.append(lot)
    return out


def i2_3_5(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol, instrument in session.instruments.items():
        for step in steps(session, symbol):
            row, order = step.row, by_id(session).get(step.row["client_order_id"])
            if order is None or not row["liquidity"] or row["kind"] not in ("", "trade"):
                continue
            exercised += 1
            where, post_only = place("fills", row), is_true(order.row["post_only"])
            if post_only and row["liquidity"] == "taker":
                violations.append(f"{where} liquidity of a post_only order was taker, should be maker")
            kind, tif = order.row["type"].lower(), order.row["tif"].lower()
            intended = "taker" if "market" in kind or tif in ("ioc", "fok") else "maker"
            if intended == row["liquidity"] or row["fee_asset"] not in (settle(instrument), instrument["base"]):
                continue
            listed = session.instrument(symbol, ns(row["ts_exchange"] or row["ts_local"]))
            right, wrong = number(listed[f"{row['liquidity']}_fee"]), number(listed[f"{intended}_fee"])
            if right is None or wrong is None or right == wrong:
                continue
            in_base = instrument["kind"] == "spot" and row["fee_asset"] == instrument["base"]
            value = step.qty if in_base else worth(instrument, step.price, step.qty)
            fee, unit = number(row["fee"]) or ZERO, unit_of(session, row["fee_asset"])
            rate = number(row["fee_rate"])
            charged_wrong = abs(fee - wrong * value) <= unit < abs(fee - right * value)
            if charged_wrong and rate in (None, wrong):
                violations.append(f"{where} fee was {shown(fee)} as of a {intended}, should be of a {row['liquidity']}")
    return seen(exercised, violations)
