"""5.3 What exchanges do: cancels of their own, maintenance, liquidation, rate limits, error codes."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction

from audit.lives import lives
from audit.market import is_quote, is_quoting, sent
from audit.recorded import MILLISECOND, Recorded, Row, Seen, ns, number, place, seen, shown
from audit.s5_2 import Cause, put_off
from audit.state import DONE, history, steps

RATE_CODES = ("-1003", "-1015", "10006", "50011")
UNKNOWN_ORDER = ("-2011", "-2013", "110001", "51603")
MAINTENANCE = ("-1016", "50001")
SAID = ("reconcile", "reject", "fill", "partial_fill", "cancel_ack", "expire", "exchange_cancel", "liquidation")
FORCED = ("liquidation", "adl")


def i5_3_1(session: Recorded) -> Seen:
    """After exchange_cancel the order is still open for the bot, or not noticed within `ack_timeout_ms`."""
    limit = session.timing("ack_timeout_ms") or 0
    exercised, violations = 0, []
    for life in lives(session):
        for at, moment in enumerate(life.moments):
            if moment.event != "exchange_cancel":
                continue
            exercised += 1
            where = place("order_events", moment.row)
            after = life.moments[at + 1 :]
            noticed = [other.ts for other in after if other.row["state"] in DONE]
            is_open = moment.row["state"] and moment.row["state"] not in DONE
            if (
                is_open
                and moment.ts + limit <= session.end
                and min(noticed, default=session.end + limit) > moment.ts + limit
            ):
                violations.append(
                    f"{where} state stayed {moment.row['state']}, should be CANCELED in {limit // MILLISECOND} ms"
                )
            for other in after:
                if other.event == "reconcile":
                    break
                reopened = not is_open and other.row["state"] and other.row["state"] not in DONE
                if other.event in ("cancel_request", "replace_request") or reopened:
                    violations.append(
                        f"{place('order_events', other.row)} took the order of {where} as open, should be gone"
                    )
                    break
    return seen(exercised, violations)


def i5_3_2(session: Recorded) -> Seen:
    """Requests are repeated with pauses that do not grow while the venue answers 503 or says maintenance."""
    exercised, violations = 0, []
    rounds: dict[str, list[tuple[int, int]]] = defaultdict(list)  # sent, answered: of each 503 in a row
    for row, ts in zip(*session.arrivals("requests"), strict=True):
        run = rounds[row["endpoint"]]
        if run and ts < run[-1][1]:
            continue  # sent before the last refusal was heard
        if len(run) > 1:
            exercised += 1
            last, pause = run[-1][0] - run[-2][0], ts - run[-1][0]
            if pause <= last:
                was, should = shown(Fraction(pause, MILLISECOND)), shown(Fraction(last, MILLISECOND))
                violations.append(
                    f"{place('requests', row)} came {was} ms after a refusal, should be more than {should}"
                )
        if is_unavailable(row):
            run.append((ts, ns(row["ts_response"] or row["ts_local"])))
        else:
            run.clear()
    return seen(exercised, violations)


def is_unavailable(row: Row) -> bool:
    """Whether a request was answered by 503 or by word of maintenance."""
    return row["status"] == "503" or "maintenance" in row["code"].lower() or row["code"] in MAINTENANCE


def i5_3_3(session: Recorded) -> Seen:
    """A forced fill is missing from the bot's position or P&L, or quoting goes on without a trip."""
    exercised, violations = 0, []
    for symbol in session.instruments:
        forced = [step for step in steps(session, symbol) if step.row["kind"] in FORCED]
        exercised += len(forced)
        if not forced:
            continue
        past = history(session, symbol)
        for table, column, should in (("positions", "qty", past.positions), ("pnl", "realized", past.realized)):
            if table == "pnl" and session.conventions.get("realized") == "net":
                should = [
                    None if gross is None or fees is None else gross - fees.low
                    for gross, fees in zip(past.realized, past.fees, strict=True)
                ]
            causes = [
                Cause(step.ts, was - now, step.row)
                for step in forced
                if (was := should[step.count - 1]) is not None
                and (now := should[step.count]) is not None
                and was != now
            ]
            together = {cause.ts: [other for other in causes if other.ts == cause.ts] for cause in causes}
            causes += [
                Cause(ts, sum((cause.amount for cause in group), Fraction(0)), group[0].fill)
                for ts, group in together.items()
                if len(group) > 1
            ]
            for row, fill in put_off(session, symbol, table, column, should, causes):
                violations.append(f"{place(table, row)} {column} was without {place('fills', fill)}, should hold it")
        quotes = [
            (ns(row["ts_local"]), place("quotes", row))
            for row in session.rows("quotes", symbol=symbol)
            if is_quoting(row)
        ]
        quotes += [
            (ns(row["ts_local"]), place("order_events", row))
            for row in sent(session)
            if row["symbol"] == symbol and is_quote(row)
        ]
        trips = [
            (ns(row["ts_local"]), row["event"])
            for row in session["risk_events"]
            if row["rule"] in FORCED and row["symbol"] in ("", symbol) and row["event"] in ("trip", "reset")
        ]
        for step in forced:
            following = min((quote for quote in quotes if quote[0] > step.ts), default=None)
            before = [event for ts, event in sorted(trips) if ts < step.ts]
            if following is None or before[-1:] == ["trip"]:
                continue
            if not any(event == "trip" and step.ts <= ts <= following[0] for ts, event in trips):
                violations.append(f"{following[1]} quoted on after {place('fills', step.row)}, should trip first")
    return seen(exercised, violations)


def i5_3_4(session: Recorded) -> Seen:
    """A request goes before `retry_after_ms` is over to an endpoint under the rate limit that was reached."""
    shared = any(limit["endpoint"] == "*" for limit in session.settings.get("rate_limit", ()))
    exercised, violations = 0, []
    barred: dict[str, tuple[int, int, Row]] = {}  # from, until, the refusal
    for row, ts in zip(*session.arrivals("requests"), strict=True):
        for start, until, refusal in barred.values():
            if start < ts < until and (shared or row["endpoint"] == refusal["endpoint"]):
                late = shown(Fraction(until - ts, MILLISECOND))
                violations.append(
                    f"{place('requests', row)} came {late} ms too early after {place('requests', refusal)}"
                )
                break
        if is_limited(row) and (wait := number(row["retry_after_ms"])) is not None:
            exercised += 1
            since = ns(row["ts_response"]) if row["ts_response"] else ts
            start = since if row["ts_response"] else ts + session.skew
            until = since + int(wait * MILLISECOND)
            if until > barred.get(row["endpoint"], (0, 0, row))[1]:
                barred[row["endpoint"]] = start, until, row
    return seen(exercised, violations)


def is_limited(row: Row) -> bool:
    """Whether a request was refused for its rate."""
    code = row["code"].lower().replace("_", " ")
    return row["status"] in ("429", "418") or row["code"] in RATE_CODES or "rate limit" in code or "too many" in code


def i5_3_5(session: Recorded) -> Seen:
    """An error code is not handled within `ack_timeout_ms`; an unknown order is taken as cancelled unreconciled."""
    limit = session.timing("ack_timeout_ms")
    exercised, violations = 0, []
    handled: dict[str, list[int]] = defaultdict(list)
    for row in session["order_events"]:
        if row["event"] == "reconcile" or row["event"].endswith("reject"):
            for key in {row["client_order_id"], row["orig_client_order_id"], ""}:
                handled[key].append(ns(row["ts_local"]))
    trips = [ns(row["ts_local"]) for row in session["risk_events"] if row["event"] == "trip"]
    requests = session.arrivals("requests")
    for row, sent_at in zip(*requests, strict=True):
        if not is_error(row) or limit is None:
            continue
        ts, name = ns(row["ts_response"] or row["ts_local"]), row["client_order_id"]
        if ts + limit > session.end:
            continue
        exercised += 1
        retries = [
            when
            for other, when in zip(*requests, strict=True)
            if when > sent_at and other["endpoint"] == row["endpoint"] and name in ("", other["client_order_id"])
        ]
        if not any(sent_at <= when <= ts + limit for when in [*handled[name], *trips, *retries]):
            was = f"{row['status']} {row['code']}".strip()
            violations.append(
                f"{place('requests', row)} was answered {was}, should be handled in {limit // MILLISECOND} ms"
            )
    missing: dict[str, int] = {}  # when the venue first said that it knows no such order
    for row in session["requests"]:
        if is_unknown_order(row["code"]) and row["client_order_id"]:
            missing.setdefault(row["client_order_id"], ns(row["ts_response"] or row["ts_local"]))
    for life in lives(session):
        since = min((missing[name] for name in life.order.ids if name in missing), default=session.end)
        was_done = is_unknown = False
        for moment in life.moments:
            if moment.event in ("cancel_reject", "replace_reject"):
                refused = is_unknown_order(f"{moment.row['code']} {moment.row['reason']}")
                exercised += refused
                is_unknown = is_unknown or refused
            is_gone = moment.row["state"] in ("CANCELED", "EXPIRED", "REJECTED")
            if is_gone and not was_done and moment.event not in SAID and (is_unknown or moment.ts >= since):
                where = place("order_events", moment.row)
                violations.append(f"{where} took an unknown order as {moment.row['state']}, should reconcile it")
            was_done = was_done or moment.row["state"] in DONE
    return seen(exercised, violations)


def is_error(row: Row) -> bool:
    """Whether a request failed, other than for its rate or by 503."""
    if is_limited(row) or is_unavailable(row):
        return False
    has_code = row["code"].lower() not in ("", "0", "200", "ok", "success")
    return (number(row["status"]) or 0) >= 400 or has_code


def is_unknown_order(text: str) -> bool:
    """Whether a code or reason says that the venue knows no such order."""
    return "unknown" in text.lower() or any(code in text.split() for code in UNKNOWN_ORDER)
