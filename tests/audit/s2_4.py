"""2.4 Cancel and replace."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace

from audit.recorded import Recorded, Row, Seen, ns, number, place, seen, shown
from audit.s1_4 import is_open
from audit.s2_2 import told
from audit.state import DONE, QUOTES, ZERO, Order, asked, exposures, walk


def i2_4_1(session: Recorded) -> Seen:
    exercised, violations = 0, []
    gone: dict[str, str] = {}  # ids that were replaced, or asked for in vain
    for row, order, past in told(session):
        if row["event"] == "replace_ack" and order and row["client_order_id"]:
            gone |= {name: "was replaced" for name in order.ids if name != row["client_order_id"]}
            gone.pop(row["client_order_id"], None)
        if row["event"] == "replace_reject" and row["client_order_id"] != row["orig_client_order_id"]:
            gone[row["client_order_id"]] = "was refused as a replacement"
        if row["event"] not in ("cancel_request", "replace_request"):
            continue
        exercised += 1
        is_replace = row["event"] == "replace_request" and row["orig_client_order_id"]
        target = row["orig_client_order_id"] if is_replace else row["client_order_id"]
        where = f"{place('order_events', row)} {row['event']} was for {target}"
        if order is None or (target and target not in order.ids):
            violations.append(f"{where}, which was never submitted")
        elif order.is_done or past.state in DONE:
            violations.append(f"{where}, which was already {past.state or 'done'}")
        elif order.symbol != row["symbol"]:
            violations.append(f"{where} of {row['symbol']}, should be of {order.symbol}")
        elif target in gone and target != order.id:
            violations.append(f"{where}, which {gone[target]}, should be for {order.id}")
    return seen(exercised, violations)


def i2_4_2(session: Recorded) -> Seen:
    exercised, violations = 0, []
    refused: dict[Order, Row] = {}
    for row, order, past in told(session):
        if order is None:
            continue
        where, said = place("order_events", row), []
        if row["event"] == "replace_reject":
            exercised += 1
            refused[order] = row
            said = [*_not_as_before(row, order)]
            if row["state"] in DONE and past.state not in DONE:
                said.append(f"state was {row['state']}, should be as before")
            if row["state"] == "PENDING_REPLACE":
                said.append("state was PENDING_REPLACE, should be as before")
        elif order in refused:
            if row["event"] in ("replace_request", "replace_ack", "reconcile"):
                del refused[order]
            else:
                said = [*_not_as_before(row, order)]
        violations += [f"{where} after a replace_reject {text}" for text in said]
    return seen(exercised, violations)


def _not_as_before(row: Row, order: Order) -> Iterator[str]:
    """Say which of price and quantity are not those of before the refused replacement."""
    for name, should in (("price", order.price), ("qty", order.qty)):
        cell = number(row[name])
        if cell is not None and should is not None and cell != should:
            yield f"{name} was {shown(cell)}, should be {shown(should)}"


def i2_4_3(session: Recorded) -> Seen:
    exercised, violations = 0, []
    usual = _usual_levels(session)
    for row, desk in walk(session):
        if row["event"] != "submit" or row["intent"] not in QUOTES:
            continue
        exercised += 1
        ask = asked(row, desk)
        live = [order for order in desk.open[row["symbol"]] if order.row["intent"] == row["intent"]]
        count = 1 + sum(ask is None or is_open(session, order, ask.ts) for order in live)
        levels = session.quoting("levels")
        most = usual.get((row["symbol"], row["intent"]), 1) if levels is None else levels
        if count > most:
            violations.append(
                f"{place('order_events', row)} was live order {count} of {row['intent']}, should be {most}"
            )
    return seen(exercised, violations)


def _usual_levels(session: Recorded) -> dict[tuple[str, str], int]:
    """Return the count of live orders, at least one, that holds most of the time, by symbol and intent."""
    held: dict[tuple[str, str], Counter[int]] = defaultdict(Counter)
    since: dict[tuple[str, str], int] = {}
    for row, desk in walk(session):
        ts = ns(row["ts_local"])
        for intent in QUOTES:
            key, count = (row["symbol"], intent), sum(o.row["intent"] == intent for o in desk.open[row["symbol"]])
            if count:
                held[key][count] += ts - since[key]
            since[key] = ts
    return {key: counts.most_common(1)[0][0] for key, counts in held.items() if counts}


def i2_4_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, desk in walk(session):
        ask, limit = asked(row, desk), session.limit(row["symbol"], "max_position")
        if ask is None or limit is None:
            continue
        live = desk.open[ask.symbol]
        going = [order for order in live if order.cancel_open and order.side == ask.side and order is not ask.replaced]
        exercised += bool(going)
        if not going:
            continue
        reach, rest = exposures(session, ask, live), [order for order in live if order not in going]
        others = [order for order in live if order is not ask.replaced]
        alone = exposures(session, replace(ask, qty=ZERO, replaced=None), others)
        if reach > limit >= exposures(session, ask, rest) and (not ask.reduce_only or alone < reach):
            where = place("order_events", row)
            violations.append(
                f"{where} may reach {shown(reach)} if {going[0].id} fills, should be within {shown(limit)}"
            )
    return seen(exercised, violations)
