"""1.4 Risk."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import accumulate
from typing import Any, NamedTuple

from audit.market import venues
from audit.prices import marked, published
from audit.recorded import SECOND, Recorded, Row, Seen, cuts, ns, number, place, remember, seen, shown
from audit.state import (
    DONE,
    ZERO,
    Ask,
    Desk,
    Order,
    Span,
    asked,
    exactly,
    exposures,
    holdings,
    leaves,
    notional,
    order_steps,
    rates,
    settle,
    walk,
    worth,
)

DAY = 86_400 * SECOND


def i1_4_1(session: Recorded) -> Seen:
    exercised, violations = 0, []
    times, sums = _transferred(session)
    slack = 2 * session.half_unit("equity", "high_water") + session.half_unit("equity", "equity")
    before: Fraction | None = None
    booked: set[int] = set()  # how many transfers may be in the high-water mark before
    for row in sorted(session["equity"], key=lambda row: ns(row["ts_local"])):
        equity, high, where = number(row["equity"]), number(row["high_water"]), place("equity", row)
        counts = set(cuts(times, ns(row["ts_local"]), session.lag))
        if equity is None:
            continue
        if high is not None and before is None and high < equity - slack:
            violations.append(f"{where} high_water was {shown(high)}, should be at least {shown(equity)}")
        if high is not None and before is not None:
            exercised += 1
            fits = set()
            for now in counts:
                for then in booked:
                    rise = sums[now].minus(sums[then]) if now >= then else exactly(ZERO)
                    should = Span(max(equity, before + rise.low), max(equity, before + rise.high))
                    if should.wider(slack).has(high):
                        fits.add(now)
            if not fits:
                violations.append(f"{where} high_water was {shown(high)}, should be {shown(max(equity, before))}")
            counts = fits or counts
        drawdown = number(row["drawdown"])
        if drawdown is not None and high is not None and high > 0:
            exercised += 1
            should_be = (high - equity) / high
            allowed = session.half_unit("equity", "drawdown") + 2 * slack / high
            if abs(drawdown - should_be) > allowed or (high == equity and drawdown != 0):
                violations.append(f"{where} drawdown was {shown(drawdown)}, should be {shown(should_be)}")
        if high is not None:
            before, booked = high, counts
    return seen(exercised, violations)


@remember
def _transferred(session: Recorded) -> tuple[list[int], list[Span]]:
    """Return the times of transfers and the sums of them up to each, in the equity's currency at the rate then."""
    rows, times = session.arrivals("transfers")
    currency = next((row["currency"] for row in session["equity"] if row["currency"]), session.currency)
    amounts = []
    for row, ts in zip(rows, times, strict=True):
        known = rates(session, row["asset"], currency, ts)
        amounts.append(exactly(number(row["amount"]) or ZERO).times(known) if known else exactly(ZERO))
    return times, list(accumulate(amounts, Span.plus, initial=exactly(ZERO)))


# Stops


def i1_4_2(session: Recorded) -> Seen:
    exercised, violations = 0, []
    kind, allowed = session.conventions.get("stop_price", "mark"), session.timing("ack_timeout_ms")
    has_orders = "order_events" in session.tables
    by_stop: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in sorted(session["stops"], key=lambda row: ns(row["ts_local"])):
        by_stop[row["stop_id"], row["symbol"], row["side"]].append(row)
    submits = [(ns(row["ts_local"]), row) for row in session["order_events"] if row["event"] == "submit"]
    for (_, symbol, side), rows in by_stop.items():
        armed: Row | None = None
        sent = sorted(ts for ts, row in submits if row["symbol"] == symbol and row["side"] == side)
        for row, following in zip(rows, [*rows[1:], None], strict=True):
            ts, where = ns(row["ts_local"]), place("stops", row)
            if row["event"] in ("", "fire"):
                exercised += 1
                violations += [f"{where} {said}" for said in _fired_wrongly(session, row, kind, armed)]
                first = bisect_left(sent, ts - session.lag)
                if armed is not None and allowed is not None and has_orders and ts + allowed <= session.end:
                    exercised += 1
                    if first == len(sent) or sent[first] > ts + allowed:
                        violations.append(f"{where} no {side} order followed within ack_timeout_ms")
                armed = None
            elif row["event"] == "disarm":
                armed = None
            else:
                armed = row
                until = ns(following["ts_local"]) if following else session.end
                through = _first_through(session, row, kind, ts, until)
                exercised += 1
                grace = max(session.lag, allowed or 0)
                is_fired = following is not None and following["event"] in ("", "fire")
                if through is not None and not (is_fired and until <= through + grace) and through + grace < until:
                    violations.append(f"{where} did not fire when {kind} was through {row['stop_price']}")
    return seen(exercised, violations)


def is_through(row: Row, price: Fraction) -> bool:
    """Whether a price fires a stop: a sell at or below, a buy at or above."""
    stop = number(row["stop_price"]) or ZERO
    return price <= stop if row["side"] == "sell" else price >= stop


def _fired_wrongly(session: Recorded, row: Row, kind: str, armed: Row | None) -> Iterator[str]:
    price, known = number(row["price"]), marked(session, row["symbol"], kind, ns(row["ts_local"]))
    if row["price_type"] != kind:
        yield f"fired on {row['price_type']}, should be on {kind}"
    elif price is not None and not is_through(row, price):
        yield f"fired at {shown(price)}, should be through {row['stop_price']}"
    elif price is not None and known and price not in known:
        yield f"fired at {shown(price)}, {kind} was {shown(max(known))}"
    elif armed is not None and known and not any(is_through(row, value) for value in known):
        yield f"fired at {kind} {shown(max(known))}, should be through {row['stop_price']}"


def _first_through(session: Recorded, row: Row, kind: str, start: int, end: int) -> int | None:
    """Return when the price was first through a stop between two instants: as known at the first, or as it came."""
    at_start = marked(session, row["symbol"], kind, start)
    if at_start and all(is_through(row, price) for price in at_start):
        return start
    prices, times = published(session, row["symbol"], kind)
    for at in range(bisect_right(times, start), bisect_left(times, end)):
        if is_through(row, prices[at]):
            return times[at]
    return None


# Limits


def i1_4_3(session: Recorded) -> Seen:
    exercised, violations = 0, []
    for row, desk in walk(session):
        ask = asked(row, desk)
        if ask is None:
            continue
        looked, said = _passed(session, ask, desk)
        exercised += looked
        violations += [f"{place('order_events', row)} {text}" for text in said]
    return seen(exercised, violations)


def _passed(session: Recorded, ask: Ask, desk: Desk) -> tuple[bool, list[str]]:
    """Say which limits a submit passes, of its symbol and of all symbols together."""
    live = desk.open[ask.symbol]
    reach = exposures(session, ask, live)
    out, looked = [], False
    limit = session.limit(ask.symbol, "max_position")
    if limit is not None:
        looked = True
        if reach > limit:
            out.append(f"may reach {shown(reach)}, should be within max_position {shown(limit)}")
    limit, value = session.limit(ask.symbol, "max_notional"), _notional(session, ask, reach)
    if limit is not None and value is not None:
        looked = True
        if value > limit:
            out.append(f"may reach a notional of {shown(value)}, should be within {shown(limit)}")
    for symbol, orders in ((ask.symbol, live), ("*", desk.all_open())):
        limit = session.limit(symbol, "max_open_orders")
        if limit is not None:
            looked = True
            count = 1 + sum(is_open(session, order, ask.ts) for order in orders if order is not ask.replaced)
            if count > limit:
                out.append(f"was open order {count} of {symbol}, should be within max_open_orders {shown(limit)}")
    for name in ("max_notional", "max_position"):
        limit, total = session.limit("*", name), None
        if limit is not None:
            total = _worth_of_all(session, ask, reach, desk)
        if limit is not None and total is not None:
            looked = True
            if total > limit:
                out.append(f"all symbols may reach {shown(total)}, should be within {name} {shown(limit)}")
    return looked, out


def is_open(session: Recorded, order: Order, ts: int) -> bool:
    """Whether something of an order may still be filled, as far as the bot may know."""
    counts = holdings(session, order.symbol).cuts(ts, session.lag)
    return order.qty is None or all(leaves(session, order, count) > 0 for count in counts)


def _notional(session: Recorded, ask: Ask, reach: Fraction) -> Fraction | None:
    """Return the notional of an exposure: at the order's price, or at the mark if that is less."""
    prices = marked(session, ask.symbol, "mark", ask.ts)
    own = number(ask.row["price"])
    prices |= {own} if own is not None else set()
    instrument = session.instruments[ask.symbol]
    return min((notional(instrument, price, reach) for price in prices), default=None)


def _worth_of_all(session: Recorded, ask: Ask, reach: Fraction, desk: Desk) -> Fraction | None:
    """Return what all symbols together may come to by each one's farther way, in session currency."""
    total = ZERO
    for symbol, instrument in session.instruments.items():
        farthest = reach
        if symbol != ask.symbol:
            farthest = min(
                _farthest(session, desk, symbol, count) for count in holdings(session, symbol).cuts(ask.ts, session.lag)
            )
        prices, known = (
            marked(session, symbol, "mark", ask.ts),
            rates(session, settle(instrument), session.currency, ask.ts),
        )
        if not farthest:
            continue
        if not prices or not known:
            return None
        total += min(worth(instrument, price, max(farthest, ZERO)) * rate for price in prices for rate in known)
    return total


def _farthest(session: Recorded, desk: Desk, symbol: str, count: int) -> Fraction:
    """Return how far a symbol's position may go with its open orders, either way."""
    held, ways = holdings(session, symbol).positions[count], {"buy": ZERO, "sell": ZERO}
    for order in desk.open[symbol]:
        if not order.reduce_only:
            ways[order.side] += leaves(session, order, count)
    return max(held + ways["buy"], ways["sell"] - held)


# Breakers


class Crossing(NamedTuple):
    """A breaker's metric at a moment, of a symbol or of all (empty); where it comes to the threshold."""

    ts: int
    symbol: str
    value: Fraction


@dataclass
class Life:
    """From when to when an order was live, and when its cancels were sent."""

    order: Order
    start: int
    end: int | None = None
    cancels: list[int] = field(default_factory=list)


def i1_4_4(session: Recorded) -> Seen:
    exercised, violations = 0, []
    breakers = {breaker["name"]: breaker for breaker in session.settings.get("breaker", [])}
    events = sorted(session["risk_events"], key=lambda row: ns(row["ts_local"]))
    submits = [(ns(row["ts_local"]), row) for row in session["order_events"] if row["event"] == "submit"]
    submits.sort(key=lambda entry: entry[0])
    for name, breaker in breakers.items():
        acts = [row for row in events if row["rule"] == name and row["event"] in ("trip", "reset")]
        for crossing in _crossings(session, breaker):
            follower = _next_submit(session, submits, crossing)
            if follower is None:
                continue
            exercised += 1
            if not _is_tripped(acts, crossing, ns(follower["ts_local"])):
                where = place("order_events", follower)
                violations.append(f"{where} {name} was passed by {shown(crossing.value)}, should have tripped before")
    exercised_after, after = _after_trips(session, breakers, events)
    return seen(exercised + exercised_after, violations + after)


def _next_submit(session: Recorded, submits: list[tuple[int, Row]], crossing: Crossing) -> Row | None:
    """Return the next submit of a crossing's symbol; one of the same time may not have known of it."""
    at = bisect_right(submits, crossing.ts + session.lag, key=lambda entry: entry[0])
    return next((row for _, row in submits[at:] if crossing.symbol in ("", row["symbol"])), None)


def _is_tripped(acts: list[Row], crossing: Crossing, until: int) -> bool:
    """Whether a trip stood when the threshold was passed, or came by `until`."""
    stands = False
    for row in acts:
        if crossing.symbol and row["symbol"] not in ("", "*", crossing.symbol):
            continue
        ts = ns(row["ts_local"])
        if row["event"] == "trip" and crossing.ts <= ts <= until:
            return True
        if ts <= crossing.ts:
            stands = row["event"] == "trip"
    return stands


def _crossings(session: Recorded, breaker: dict[str, Any]) -> Iterator[Crossing]:
    """Yield where a breaker's metric comes to its threshold or above it from below."""
    threshold = Fraction(str(breaker["threshold"]))
    above: dict[str, bool] = defaultdict(bool)
    observed = {
        "drawdown": _drawdowns,
        "daily_loss": _daily_losses,
        "position": _shares,
        "stale": _stale,
        "reject_rate": _reject_rates,
        "message_rate": _message_rates,
    }[breaker["metric"]]
    for crossing in observed(session, breaker):
        if crossing.value >= threshold and not above[crossing.symbol]:
            yield crossing
        above[crossing.symbol] = crossing.value >= threshold


def _equities(session: Recorded) -> list[tuple[int, Fraction, Fraction | None]]:
    rows = sorted(session["equity"], key=lambda row: ns(row["ts_local"]))
    told = [(ns(row["ts_local"]), number(row["equity"]), number(row["high_water"])) for row in rows]
    return [(ts, equity, high) for ts, equity, high in told if equity is not None]


def _drawdowns(session: Recorded, breaker: dict[str, Any]) -> Iterator[Crossing]:
    for ts, equity, high in _equities(session):
        if high is not None and high > 0:
            yield Crossing(ts, "", (high - equity) / high)


def _daily_losses(session: Recorded, breaker: dict[str, Any]) -> Iterator[Crossing]:
    """Yield the loss since 00:00 UTC or the session's start, transfers aside where that makes it less."""
    times, sums = _transferred(session)
    day, base, before = None, ZERO, None
    moved_by = ZERO
    for ts, equity, _ in _equities(session):
        moved = sums[bisect_right(times, ts)].high
        if ts // DAY != day:
            base, moved_by = (equity, moved) if before is None else before
            day = ts // DAY
        before = equity, moved
        yield Crossing(ts, "", min(base - equity, base + moved - moved_by - equity))


def _shares(session: Recorded, breaker: dict[str, Any]) -> Iterator[Crossing]:
    for symbol in session.instruments:
        limit = session.limit(symbol, "max_position")
        held = holdings(session, symbol)
        for ts, position in zip(held.times, held.positions[1:], strict=True) if limit else ():
            yield Crossing(ts, symbol, abs(position) / (limit or 1))


def _stale(session: Recorded, breaker: dict[str, Any]) -> Iterator[Crossing]:
    """Yield each pause between two updates of a book at the moment when it comes to the threshold. [ms]"""
    threshold = Fraction(str(breaker["threshold"]))
    for symbol, venue in venues(session).items():
        heard = sorted({update.ts_local for update in venue.updates})
        for ts, following in zip(heard, [*heard[1:], session.end], strict=True):
            yield Crossing(ts, symbol, ZERO)
            due = ts + round(threshold * 10**6)
            if following > due:
                yield Crossing(due, symbol, threshold)


def _reject_rates(session: Recorded, breaker: dict[str, Any]) -> Iterator[Crossing]:
    """Yield rejects over submits in the last 60 s, at each of either."""
    recent: deque[tuple[int, str]] = deque()
    counts = {"submit": 0, "reject": 0}
    for row in session["order_events"]:
        if row["event"] not in counts:
            continue
        ts = ns(row["ts_local"])
        recent.append((ts, row["event"]))
        counts[row["event"]] += 1
        while recent[0][0] <= ts - 60 * SECOND:
            counts[recent.popleft()[1]] -= 1
        enough = counts["submit"] >= max(1, breaker.get("min_count", 10))
        rate = Fraction(counts["reject"], counts["submit"]) if enough else ZERO
        yield Crossing(ts, "", rate)


def _message_rates(session: Recorded, breaker: dict[str, Any]) -> Iterator[Crossing]:
    """Yield the order messages in the last second, at each."""
    recent: deque[int] = deque()
    for row in session["order_events"]:
        if row["event"] in ("submit", "cancel_request", "replace_request"):
            ts = ns(row["ts_local"])
            recent.append(ts)
            while recent[0] <= ts - SECOND:
                recent.popleft()
            enough = len(recent) >= breaker.get("min_count", 10)
            yield Crossing(ts, "", Fraction(len(recent)) if enough else ZERO)


def _after_trips(session: Recorded, breakers: dict[str, dict[str, Any]], events: list[Row]) -> tuple[int, list[str]]:
    """See what was sent between trip and reset, what was left resting, how soon a reset came, and overrides."""
    exercised, out = 0, []
    asks, lived = _sent(session)
    patience = session.timing("cancel_timeout_ms")
    for at, row in enumerate(events):
        ts, where, rule = ns(row["ts_local"]), place("risk_events", row), breakers.get(row["rule"], {})
        if row["event"] == "override":
            exercised += 1
            out.append(f"{where} {row['rule']} was overridden")
        if row["event"] == "reset":
            trips = [trip for trip in events[:at] if trip["event"] == "trip" and _is_same(trip, row)]
            if trips and "cooldown_s" in rule:
                exercised += 1
                if ts < ns(trips[-1]["ts_local"]) + round(Fraction(str(rule["cooldown_s"])) * SECOND):
                    out.append(f"{where} {row['rule']} was reset before its cooldown")
        if row["event"] != "trip":
            continue
        exercised += 1
        end = next(
            (ns(r["ts_local"]) for r in events[at:] if r["event"] == "reset" and _is_same(row, r)), session.end + 1
        )
        first = bisect_right(asks, ts, key=lambda ask: ask.ts)
        for ask in asks[first : bisect_left(asks, end, key=lambda ask: ask.ts)]:
            if row["symbol"] in ("", "*", ask.symbol) and not ask.reduce_only:
                out.append(f"{place('order_events', ask.row)} was sent after {where}, should wait for its reset")
        if (row["action"] or rule.get("action")) in ("cancel_all", "halt") and patience is not None:
            due = ts + patience
            for life in lived if due <= session.end else ():
                is_live = life.start < ts and (life.end is None or life.end > ts)
                if not is_live or row["symbol"] not in ("", "*", life.order.symbol):
                    continue
                exercised += 1
                is_sent = any(ts - patience < sent <= due for sent in life.cancels)
                if not is_sent and (life.end is None or life.end > due):
                    out.append(f"{where} left {life.order.id} resting, should be cancelled within cancel_timeout_ms")
    return exercised, out


def _is_same(trip: Row, reset: Row) -> bool:
    """Whether a reset may be of this trip."""
    return trip["rule"] == reset["rule"] and (trip["symbol"] == reset["symbol"] or not reset["symbol"])


def _sent(session: Recorded) -> tuple[list[Ask], list[Life]]:
    """Return what was asked for, in order of time, and how long each order was live."""
    asks: list[Ask] = []
    lives: dict[Order, Life] = {}
    desk = Desk()
    for row, desk in walk(session):
        ask, ts = asked(row, desk), ns(row["ts_local"])
        if ask is not None:
            asks.append(ask)
        order = None if row["event"] == "submit" else desk.of(row)
        if order is None:
            continue
        life = lives.setdefault(order, Life(order, order.submitted))
        if row["event"] == "cancel_request":
            life.cancels.append(ts)
        closes = row["event"] in ("fill", "cancel_ack", "reject", "expire", "exchange_cancel", "liquidation")
        if closes or row["state"] in DONE:
            life.end = ts if life.end is None else life.end
        elif row["state"]:
            life.end = None
    for order in {order for order in desk.orders.values() if order.row["origin"] != "exchange"}:
        life = lives.setdefault(order, Life(order, order.submitted))
        complete = [step.ts for step in order_steps(session, order) if not leaves(session, order, step.count)]
        if complete:
            life.end = min(complete[0], life.end or complete[0])
    return sorted(asks, key=lambda ask: ask.ts), list(lives.values())
