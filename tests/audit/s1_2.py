"""1.2 Position and inventory."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import replace
from fractions import Fraction

from audit.recorded import Recorded, Row, Seen, cuts, ns, number, place, seen, shown
from audit.s1_3 import expected_unrealized
from audit.state import (
    DIRECTION,
    ZERO,
    History,
    Order,
    Step,
    agreed_until,
    asked,
    breaks,
    claims,
    exposures,
    history,
    holdings,
    order_steps,
    positions,
    steps,
    summed,
    walk,
)


def i1_2_1(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in session.instruments:
        until = agreed_until(session, symbol)
        for ts, qty, row in _judged(session, symbol):
            exercised += until is None or ts <= until
            should = positions(session, symbol, ts)
            if all(abs(qty - held) > session.half_unit("positions", "qty") for held in should):
                violations.append(
                    f"{place('positions', row)} qty was {shown(qty)}, should be {shown(max(should, key=abs))}"
                )
    return seen(exercised, violations)


def _judged(session: Recorded, symbol: str) -> list[tuple[int, Fraction, Row]]:
    """Return the bot's claims of position where the session has the fills to judge them by."""
    dated = all(row["ts_local"] for row in session.rows("fills", symbol=symbol))
    return claims(session, "positions", "qty", symbol) if "fills" in session.tables and dated else []


def i1_2_2(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, desk in walk(session):
        ask, limit = asked(row, desk), session.limit(row["symbol"], "max_position")
        if ask is None or limit is None or ask.reduce_only:
            continue
        direction = DIRECTION[ask.side]
        held = positions(session, ask.symbol, ask.ts)
        if any(abs(position + direction * ask.qty) > abs(position) for position in held):
            exercised += 1
            passes = exposures(session, ask, ())
            if passes > limit:
                where = place("order_events", row)
                violations.append(f"{where} full execution was {shown(passes)}, should be within {shown(limit)}")
    done = _done_at(session)
    for symbol in session.instruments:
        limit, past = session.limit(symbol, "max_position"), history(session, symbol)
        if limit is None:
            continue
        for step in steps(session, symbol):
            before, after = past.positions[step.count - 1], past.positions[step.count]
            late = done.get(step.row["client_order_id"], step.ts) < step.ts
            if abs(after) > max(limit, abs(before)) and step.row["kind"] in ("", "trade") and not late:
                where = place("fills", step.row)
                violations.append(f"{where} position was {shown(after)}, should never have passed {shown(limit)}")
    return seen(exercised, violations)


def _done_at(session: Recorded) -> dict[str, int]:
    """Return when each order was known to be canceled, expired or rejected, by its ids."""
    out: dict[str, int] = {}
    for row, desk in walk(session):
        order = desk.of(row)
        if order and row["event"] in ("cancel_ack", "expire", "exchange_cancel", "reject", "reconcile"):
            out |= {name: ns(row["ts_local"]) for name in order.ids}
    return out


def i1_2_3(session: Recorded) -> Seen:
    partial = _partial(session)
    return moves_across(
        session, {symbol: [s for s in steps(session, symbol) if id(s) in partial] for symbol in session.instruments}
    )


def _partial(session: Recorded) -> set[int]:
    """Return the steps after which their order had something left to be filled."""
    out = set()
    for order in orders(session):
        mine = order_steps(session, order)
        for count, step in enumerate(mine, 1):
            if step.row["kind"] in ("", "trade") and summed(session, order.symbol, mine[:count])[0] < order.largest_qty:
                out.add(id(step))
    return out


def orders(session: Recorded) -> list[Order]:
    """Return all orders of the session as they ended."""
    found = {}
    for row, desk in walk(session):
        order = desk.of(row)
        if order:
            found[id(order)] = order
    if session["order_events"]:
        found |= {id(order): order for order in desk.orders.values()}
    return list(found.values())


def moves_across(session: Recorded, of: dict[str, list[Step]]) -> Seen:
    """See whether the bot's positions move by what was booked, across each of these steps."""
    exercised, violations = 0, []
    half_unit = session.half_unit("positions", "qty")
    for symbol, marked in of.items():
        told, past = _judged(session, symbol), history(session, symbol)
        times = [ts for ts, _, _ in told]
        counts = [step.count for step in marked]
        exercised += sum(bisect_right(times, step.ts) < len(times) for step in marked)
        first = past.positions[0]
        for before, after, row, off in breaks(session, told, past, past.positions, half_unit, first=ZERO):
            if bisect_left(counts, before + 1) < bisect_right(counts, after):
                should = past.positions[after] - (past.positions[before] if before else first)
                violations.append(f"{place('positions', row)} moved {shown(off)} off, should move by {shown(should)}")
    return seen(exercised, violations)


def i1_2_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in session.instruments:
        for ts, qty, row in _judged(session, symbol):
            held = positions(session, symbol, ts)
            exercised += any(held)
            if all(qty * position < 0 for position in held):
                violations.append(f"{place('positions', row)} qty was {shown(qty)}, should be {shown(held.pop())}")
        told = claims(session, "positions", "qty", symbol)
        times, around = [ts for ts, _, _ in told], session.timing("resync_timeout_ms") or 0
        for row in session.rows("positions", symbol=symbol, source="exchange"):
            ts, qty = ns(row["ts_local"]), number(row["qty"]) or ZERO
            near = [told[count - 1][1] for count in cuts(times, ts, around, ahead=around) if count]
            exercised += bool(near and qty)
            if near and all(qty * position < 0 for position in near):
                violations.append(
                    f"{place('positions', row)} qty was {shown(qty)}, of other sign than {shown(near[0])}"
                )
        for row, claim, should in expected_unrealized(session, symbol):
            half_unit = session.half_unit("pnl", "unrealized")
            exercised += any(should)
            if should and all(abs(claim - value) > half_unit >= abs(claim + value) for value in should):
                violations.append(f"{place('pnl', row)} unrealized was {shown(claim)}, of a position of the other sign")
    return seen(exercised, violations)


def i1_2_5(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for symbol in session.instruments:
        told = _judged(session, symbol)
        times = [ts for ts, _, _ in told]
        for step in steps(session, symbol):
            at = bisect_right(times, step.ts + session.lag)
            if step.row["kind"] not in ("correction", "bust") or at == len(told):
                continue
            exercised += 1
            ts, qty, row = told[at]
            should = positions(session, symbol, ts)
            if all(abs(qty - held) > session.half_unit("positions", "qty") for held in should):
                where = f"{place('positions', row)} after {place('fills', step.row)}"
                violations.append(f"{where} qty was {shown(qty)}, should be {shown(max(should, key=abs))}")
        compared, lasting = _lasting(session, symbol)
        exercised += compared
        violations += lasting
    return seen(exercised, violations)


def _lasting(session: Recorded, symbol: str) -> tuple[int, list[str]]:
    """Say where the bot did not reach an exchange row's quantity within `resync_timeout_ms`, before it or after."""
    allowed, told, out, compared = (
        session.timing("resync_timeout_ms"),
        claims(session, "positions", "qty", symbol),
        [],
        0,
    )
    if allowed is None or not told:
        return 0, []
    times, past = [ts for ts, _, _ in told], holdings(session, symbol)
    for row in session.rows("positions", symbol=symbol, source="exchange"):
        ts, qty = ns(row["ts_local"]), number(row["qty"])
        if qty is None or ts + allowed > session.end:
            continue
        compared += 1
        around = range(max(bisect_left(times, ts - allowed) - 1, 0), bisect_right(times, ts + allowed))
        held = {told[at][1] for at in around} | ({past.positions[0]} if ts <= times[0] else set())
        for at in around:  # it may have come past this quantity between two claims that both agree with the fills
            begun = _agreeing(past, told[at - 1], session.lag) if at else [0]
            ended = _agreeing(past, told[at], session.lag)
            if begun and ended:
                held |= set(past.positions[begun[0] : ended[-1] + 1])
        if qty not in held:
            out.append(f"{place('positions', row)} qty was {shown(qty)}, the bot did not reach it in resync_timeout_ms")
    return compared, out


def _agreeing(past: History, claim: tuple[int, Fraction, Row], lag: int) -> list[int]:
    """Return the counts of steps by which a claim is right."""
    return [count for count in past.cuts(claim[0], lag) if past.positions[count] == claim[1]]


def i1_2_6(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, desk in walk(session):
        ask, limit = asked(row, desk), session.limit(row["symbol"], "max_position")
        if ask is None or limit is None:
            continue
        others = [
            order for order in desk.open[ask.symbol] if order.side == ask.side and _in_flight(session, order, ask.ts)
        ]
        others = [order for order in others if order is not ask.replaced]
        exercised += bool(others)
        together = exposures(session, ask, others)
        alone = [exposures(session, ask, ())]
        for order in others:
            alone.append(exposures(session, replace(ask, qty=ZERO, replaced=None), [order]))
        if others and together > limit >= max(alone):
            where = place("order_events", row)
            violations.append(
                f"{where} orders in flight together reach {shown(together)}, should be within {shown(limit)}"
            )
    return seen(exercised, violations)


def _in_flight(session: Recorded, order: Order, ts: int) -> bool:
    """Whether neither an answer nor a fill of what was last sent was processed."""
    if order.replace_open is not None:
        return True
    return not order.is_answered and all(step.ts >= ts for step in order_steps(session, order))
