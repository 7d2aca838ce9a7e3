"""2.2 Order state machine."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import pairwise

from audit.recorded import SECOND, Recorded, Row, Seen, ns, number, place, seen, shown
from audit.s1_2 import moves_across
from audit.s1_3 import is_net, own_currency
from audit.state import (
    DONE,
    OPEN,
    ZERO,
    History,
    Order,
    booked,
    breaks,
    claims,
    filled,
    follow,
    history,
    order_steps,
    repeated,
    reports,
    settle,
    steps,
    walk,
)

EVENTS = {
    "submit", "ack", "reject", "partial_fill", "fill", "cancel_request", "cancel_ack", "cancel_reject",
    "replace_request", "replace_ack", "replace_reject", "expire", "exchange_cancel", "liquidation", "timeout",
    "reconcile",
}  # fmt: skip
FILLS = ("partial_fill", "fill")


def i2_2_1(session: Recorded) -> Seen:
    violations = []
    for row in session["order_events"]:
        if row["event"] not in EVENTS:
            violations.append(f"{place('order_events', row)} event was {row['event']}, should be one of the map")
        if row["state"] and row["state"] not in DONE | OPEN:
            violations.append(f"{place('order_events', row)} state was {row['state']}, should be one of the map")
    return seen(len(session["order_events"]), violations)


@dataclass
class Past:
    """What the bot had recorded of an order before an event of it."""

    state: str = ""
    cum: Fraction | None = None
    execs: set[str] = field(default_factory=set)
    ts: int = 0


def told(session: Recorded) -> Iterator[tuple[Row, Order | None, Past]]:
    """Yield each event with its order as it stood before, and what was last recorded of it."""
    pasts: dict[Order | None, Past] = defaultdict(Past)
    last: Row | None = None
    for row, desk in walk(session):
        if last is not None:
            _note(pasts[desk.of(last)], last)
        order = desk.of(row)
        yield row, order, pasts[order] if order else Past()
        last = row


def _note(past: Past, row: Row) -> None:
    past.state = row["state"] or past.state
    cum = number(row["cum_qty"])
    past.cum = past.cum if cum is None else cum
    past.execs |= {row["exec_id"]} - {""}
    past.ts = ns(row["ts_local"])


def i2_2_2(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, order, past in told(session):
        if row["event"] not in EVENTS or row["state"] not in DONE | OPEN or past.state not in DONE | OPEN | {""}:
            continue
        if order is not None and not past.state:
            continue
        exercised += 1
        allowed = _allowed(row, order, past)
        if row["state"] not in allowed:
            was = past.state or "(none)"
            should = " or ".join(sorted(allowed)) or "no such event"
            violations.append(
                f"{place('order_events', row)} {row['event']} took {was} to {row['state']}, should be {should}"
            )
    return seen(exercised, violations)


def _allowed(row: Row, order: Order | None, past: Past) -> set[str]:
    """Return the states that the map allows after an event."""
    event, state = row["event"], past.state
    if event == "reconcile":
        return DONE | OPEN
    if event == "submit":
        return {"PENDING_NEW"} if order is None else set()
    if order is None:
        return DONE | OPEN if row["origin"] == "exchange" else set()
    cum = number(row["cum_qty"])
    cum = past.cum if cum is None else cum
    resting = {"PARTIALLY_FILLED"} if cum else {"NEW"} if cum is not None else {"NEW", "PARTIALLY_FILLED"}
    is_partial = state == "PARTIALLY_FILLED"
    if event in FILLS:
        return _after_fill(row, past)
    if event == "ack":
        return {"NEW"} if state == "PENDING_NEW" else {state}
    if event == "reject":
        return {"REJECTED"} if state in ("PENDING_NEW", "PENDING_CANCEL") else set()
    if event == "cancel_request":
        return {"PENDING_CANCEL"} if state in OPEN else set()
    if event == "cancel_ack":
        if state in ("CANCELED", "EXPIRED"):
            return {state}
        return {"CANCELED"} if state == "PENDING_CANCEL" or (is_partial and order.cancel_open) else set()
    if event == "cancel_reject":
        if state in DONE:
            return {state}
        if state == "PENDING_CANCEL" or (is_partial and order.cancel_open):
            return resting if order.is_acked or cum else {"PENDING_NEW"}
        return set()
    if event == "replace_request":
        return {"PENDING_REPLACE"} if state in ("NEW", "PARTIALLY_FILLED") else set()
    if event in ("replace_ack", "replace_reject"):
        return _after_replace(row, order, past, cum, resting)
    if event == "expire":
        return {"EXPIRED"} if state in OPEN else set()
    if event in ("exchange_cancel", "liquidation"):
        return {"CANCELED"} if state in OPEN else set()
    return {state} if state.startswith("PENDING") else set()  # timeout


def _after_fill(row: Row, past: Past) -> set[str]:
    state, leaves = past.state, number(row["leaves_qty"])
    if row["exec_id"] in past.execs:
        return {state}
    if state in ("CANCELED", "EXPIRED"):
        return {state}
    if state == "REJECTED":
        return {state} if row["event"] == "partial_fill" else set()
    if state == "FILLED":
        return {state}
    if leaves == 0 or (leaves is None and row["event"] == "fill"):
        return {"FILLED"}
    return {"PARTIALLY_FILLED"} | ({state} if state in ("PENDING_CANCEL", "PENDING_REPLACE") else set())


def _after_replace(row: Row, order: Order, past: Past, cum: Fraction | None, resting: set[str]) -> set[str]:
    state = past.state
    is_asked = state == "PENDING_REPLACE" or (state == "PARTIALLY_FILLED" and order.replace_open is not None)
    if row["event"] == "replace_reject":
        return resting if is_asked else {state} if state == "PENDING_CANCEL" or state in DONE else set()
    qty = number(row["qty"])
    if qty is None and order.replace_open:
        qty = number(order.replace_open["qty"])
    is_filled = qty is not None and cum is not None and qty <= cum
    if is_asked:
        return {"FILLED"} if is_filled else resting
    if state == "FILLED":
        return {"FILLED"} if is_filled else {"PARTIALLY_FILLED"}
    return {state} if state == "PENDING_CANCEL" else set()


def i2_2_3(session: Recorded) -> Seen:
    exercised, violations = 0, []
    done: dict[str, int] = {}
    for row, order, past in told(session):
        if past.state in ("CANCELED", "REJECTED", "EXPIRED") and row["event"] != "reconcile":
            exercised += 1
            if row["state"] in ("FILLED", "PARTIALLY_FILLED"):
                where = place("order_events", row)
                violations.append(f"{where} took {past.state} to {row['state']}, should stay {past.state}")
        if order and row["event"] in ("cancel_ack", "expire", "exchange_cancel", "reject"):
            done |= {name: ns(row["ts_local"]) for name in order.ids}
    late = {
        symbol: [step for step in steps(session, symbol) if done.get(step.row["client_order_id"], step.ts) < step.ts]
        for symbol in session.instruments
    }
    booked = moves_across(session, late)
    return seen(exercised + booked.exercised, [*violations, *booked.violations])


def i2_2_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    half_unit = session.half_unit("order_events", "avg_px")
    for row, order, past in told(session):
        qty, cum, leaves = (number(row[name]) for name in ("qty", "cum_qty", "leaves_qty"))
        where, state = place("order_events", row), row["state"]
        if cum is not None and leaves is not None and state in OPEN:
            quantities = {qty, order.qty if order else None}
            if order and order.replace_open:
                quantities.add(number(order.replace_open["qty"]))
            is_asked = row["event"] == "replace_request" or (order and order.replace_open)
            may = quantities if is_asked and row["event"] != "replace_ack" else {qty}
            if qty is not None:
                exercised += 1
                if cum + leaves not in may:
                    said = f"cum_qty + leaves_qty was {shown(cum)} + {shown(leaves)}"
                    violations.append(f"{where} {said}, should be qty {shown(qty)}")
        if leaves is not None and state in DONE:
            exercised += 1
            if leaves != 0:
                violations.append(f"{where} leaves_qty was {shown(leaves)}, should be 0 once {state}")
        if order and "fills" in session.tables and cum is not None and past.cum is not None and cum < past.cum:
            restated = [step for step in order_steps(session, order) if step.row["kind"] in ("correction", "bust")]
            if not any(past.ts - session.lag <= step.ts <= ns(row["ts_local"]) for step in restated):
                violations.append(f"{where} cum_qty was {shown(cum)}, should not fall from {shown(past.cum)}")
        average = number(row["avg_px"])
        if average and cum and order and "fills" in session.tables:
            known = [vwap for _, vwap in filled(session, order, ns(row["ts_local"])) if vwap is not None]
            exercised += bool(known)
            if known and all(abs(average - vwap) > half_unit for vwap in known):
                violations.append(f"{where} avg_px was {shown(average)}, should be {shown(known[-1])}")
    return seen(exercised, violations)


def i2_2_5(session: Recorded) -> Seen:
    exercised, violations = 0, []
    sends: dict[tuple[str, ...], list[int]] = defaultdict(list)
    rejects: list[tuple[Order, Row]] = []
    for row, order, _ in told(session):
        if row["event"] == "submit":
            sends[_like(row)].append(ns(row["ts_local"]))
        if row["event"] == "reject" and order:
            exercised += 1
            rejects.append((order, row))
            if row["state"] in OPEN:
                violations.append(f"{place('order_events', row)} state was {row['state']}, should be REJECTED")
        elif order and order.is_rejected and row["event"] != "reconcile":
            where = place("order_events", row)
            if row["event"] in ("cancel_request", "replace_request"):
                violations.append(f"{where} {row['event']} was for {order.id}, which was rejected")
            elif row["state"] in OPEN:
                violations.append(f"{where} state was {row['state']}, should be REJECTED")
    for order, row in rejects:
        ts, like = ns(row["ts_local"]), sends[_like(order.row)]
        again = bisect_right(like, ts + SECOND) - bisect_right(like, ts)
        if again > 3:
            violations.append(f"{place('order_events', row)} {order.id} was sent again {again} times in a second")
    return seen(exercised, violations)


def _like(row: Row) -> tuple[str, ...]:
    """Return what makes a submit the like of another."""
    return row["symbol"], row["side"], str(number(row["price"])), str(number(row["qty"]))


def i2_2_6(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, order, past in told(session):
        if order and row["event"] in FILLS and row["exec_id"] in past.execs:
            exercised += 1
            cum = number(row["cum_qty"])
            if cum is not None and past.cum is not None and cum > past.cum:
                where = place("order_events", row)
                violations.append(f"{where} cum_qty was {shown(cum)}, should stay {shown(past.cum)}: exec_id repeated")
    for symbol in session.instruments:
        again = [ns(row["ts_local"]) for row in repeated(session, symbol)]
        exercised += len(again)
        violations += _moved_twice(session, symbol, again)
    return seen(exercised, violations)


def _moved_twice(session: Recorded, symbol: str, again: list[int]) -> list[str]:
    """Say which claims moved as they would with repeated reports between them booked again, one of them or all."""
    if not again or not reports(session, symbol):
        return []
    out, past = [], history(session, symbol)
    money = settle(session.instruments[symbol])
    for at, (table, column, should) in enumerate(_sums(session, past)):
        claimed = claims(session, table, column, symbol)
        if table == "pnl":
            claimed = [claim for claim in claimed if own_currency(session, claim[2]) == money]
        before = {row["#"]: ts for (ts, _, _), (_, _, row) in pairwise(claimed)}
        half_unit = session.half_unit(table, column)
        for _, _, row, off in breaks(session, claimed, past, should, half_unit):
            start, end = before.get(row["#"], 0), ns(row["ts_local"])
            between = [report for report in repeated(session, symbol) if start <= ns(report["ts_local"]) <= end]
            for chosen in [between, *([report] for report in between)]:
                twice = _booked_again(session, symbol, chosen)
                by = _between(twice, _sums(session, twice)[at][2], start, end) - _between(past, should, start, end)
                if by and abs(off - by) <= 2 * half_unit:
                    out.append(f"{place(table, row)} {column} moved {shown(off)} off, as by a repeated exec_id")
                    break
    return out


def _booked_again(session: Recorded, symbol: str, chosen: list[Row]) -> History:
    """Return what would follow if these repeated reports were booked again, and no others."""
    others = {row["#"] for row in repeated(session, symbol)} - {row["#"] for row in chosen}
    rows = [row for row in reports(session, symbol) if row["#"] not in others]
    return follow(session, symbol, booked(session, symbol, rows, twice=True))


def _sums(session: Recorded, past: History) -> list[tuple[str, str, Sequence[Fraction | None]]]:
    """Return what positions, fees and realized should be after each step."""
    fees = [None if span is None or span.low != span.high else span.low for span in past.fees]
    gained = past.realized
    if is_net(session):
        gained = [
            None if None in pair else (pair[0] or ZERO) - (pair[1] or ZERO) for pair in zip(gained, fees, strict=True)
        ]
    return [("positions", "qty", past.positions), ("pnl", "fees", fees), ("pnl", "realized", gained)]


def _between(past: History, values: Sequence[Fraction | None], start: int, end: int) -> Fraction:
    """Return how far a value moved from one time to another."""
    return (values[past.cuts(end, 0)[-1]] or ZERO) - (values[past.cuts(start, 0)[-1]] or ZERO)
